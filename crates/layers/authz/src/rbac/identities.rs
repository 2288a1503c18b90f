//! Who asks: users that have been met before get the number they had.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};

use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::RwLock;
use types::User;

use crate::{
    bounded::Bounded,
    texts::Texts,
    users::{self, MOST_ALIKE},
};

/// Bytes, by estimate, for users that are recognised by their value.
const LIMIT: usize = 32 << 20;

/// Locks, so that workers seldom wait for each other.
const SHARDS: usize = 16;

/// Users that are recognised by their address, in each shard.
const INTRODUCED: usize = 2048;

/// An identity by all that RBAC looks at: name and groups. No two have the same, and none gets one that
/// another had; who has been forgotten gets another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(pub(super) u64);

pub(super) struct Identities {
    hasher: DefaultHashBuilder,
    by_value: Bounded<Known>,
    by_address: [RwLock<HashMap<usize, Introduced>>; SHARDS],
    next: AtomicU64,
}

/// A user by its value.
struct Known {
    /// The name, then the groups.
    texts: Texts,
    identity: Identity,
}

/// A user by where it is kept.
///
/// While this is there, so is the place: a `Weak` keeps it from being used again, and whoever else has
/// the `Arc` from changing what is in it. So whichever `&User` points there is this very user, or has
/// never been.
struct Introduced {
    user: Weak<User>,
    identity: Identity,
}

impl Default for Identities {
    fn default() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            by_value: Bounded::new(LIMIT),
            by_address: Default::default(),
            next: AtomicU64::new(0),
        }
    }
}

impl Identities {
    /// Who that is; `None` for somebody of whom nothing can be remembered.
    pub(super) fn of(&self, user: &User) -> Option<Identity> {
        let address = std::ptr::from_ref(user).addr();
        let introduced = self.shard_of(address)?.read().get(&address).map(|introduced| introduced.identity);
        introduced.or_else(|| self.by_value(user))
    }

    /// From now on `user` is recognised without being looked at.
    pub(super) fn introduce(&self, user: &Arc<User>) {
        let Some(identity) = self.by_value(user) else { return };
        let address = Arc::as_ptr(user).addr();
        let Some(shard) = self.shard_of(address) else { return };
        let mut shard = shard.write();
        if shard.len() >= INTRODUCED {
            shard.retain(|_, introduced| introduced.user.strong_count() > 0);
        }
        // Those that find no room are recognised by their value.
        if shard.len() < INTRODUCED {
            shard.insert(address, Introduced { user: Arc::downgrade(user), identity });
        }
    }

    fn by_value(&self, user: &User) -> Option<Identity> {
        let hash = users::hash(user, &self.hasher);
        let mut alike = 0;
        let is = |known: &Known| {
            alike += 1;
            alike <= MOST_ALIKE && known.is(user)
        };
        if let Some(identity) = self.by_value.get(hash, is, |known| known.identity) {
            return Some(identity);
        }
        // They decide like anybody, but nothing is remembered of them.
        if alike >= MOST_ALIKE {
            return None;
        }
        let identity = Identity(self.next.fetch_add(1, Ordering::Relaxed));
        let known = Known { texts: Texts::new(texts_of(user)), identity };
        let bytes = known.texts.bytes();
        // Of two workers that meet somebody at once, the second one's number is used once.
        self.by_value.insert(hash, known, bytes, |known| known.is(user), |_| false);
        Some(identity)
    }

    fn shard_of(&self, address: usize) -> Option<&RwLock<HashMap<usize, Introduced>>> {
        // The lowest bits are the same for all.
        self.by_address.get(address / align_of::<User>() / 16 % SHARDS)
    }
}

impl Known {
    fn is(&self, user: &User) -> bool {
        self.texts.are(texts_of(user))
    }
}

fn texts_of(user: &User) -> impl Iterator<Item = &str> + Clone {
    std::iter::once(&user.name).chain(&user.groups).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn introduced(identities: &Identities) -> usize {
        identities.by_address.iter().map(|shard| shard.read().len()).sum()
    }

    #[test]
    fn identities_are_told_apart() {
        let identities = Identities::default();
        let many = |changed: usize| {
            let name = |group| if group == changed { "x".to_owned() } else { format!("g{group}") };
            User::new("many", (0..200).map(name))
        };
        let users = [
            User::new("", Vec::<String>::new()),
            User::new("", [""]),
            User::new("", ["", ""]),
            User::new("a", ["b", "c"]),
            User::new("a", ["c", "b"]),
            User::new("a", ["bc"]),
            User::new("ab", ["c"]),
            User::new("a", ["b", "c", "c"]),
            many(0),
            many(1),
            many(2),
            many(199),
            many(200),
        ];
        let numbers: Vec<_> = users.iter().map(|user| identities.of(user).unwrap()).collect();
        for (number, user) in numbers.iter().zip(&users) {
            assert_eq!(numbers.iter().filter(|other| *other == number).count(), 1, "{user:?}");
            assert_eq!(identities.of(&user.clone()), Some(*number), "{user:?}");
        }
        // What RBAC does not look at makes no other identity.
        let other = User { uid: "7".into(), ..users[3].clone() };
        assert_eq!(identities.of(&other), Some(numbers[3]));
    }

    #[test]
    fn many_that_are_alike_cost_no_more_than_a_few() {
        let identities = Identities::default();
        // The groups between those that are hashed are others each time.
        let alike = |number: usize| {
            let group = |group| match group % 13 {
                0 => "same".to_owned(),
                _ => format!("{number}"),
            };
            User::new("mallory", (0..200).map(group))
        };
        let known = (0..100).filter(|number| identities.of(&alike(*number)).is_some()).count();
        assert_eq!(known, MOST_ALIKE);
        assert!(identities.of(&alike(0)).is_some() && identities.of(&alike(99)).is_none());
    }

    #[test]
    fn an_address_is_never_taken_for_another_user() {
        let identities = Identities::default();
        let mut used_again = 0;
        let mut addresses = std::collections::HashSet::new();
        for number in 0..10_000 {
            let user = Arc::new(User::new(format!("u{number}"), ["g"]));
            used_again += usize::from(!addresses.insert(Arc::as_ptr(&user).addr()));
            // Every other one is introduced, so that strangers come to lie where users have been.
            if number % 2 == 0 {
                identities.introduce(&user);
            }
            let equal = User::clone(&user);
            assert_eq!(identities.of(&user), identities.of(&equal));
        }
        assert!(introduced(&identities) <= SHARDS * INTRODUCED);
        assert!(used_again > 0, "the test has lost its point: no address was used twice");
    }

    #[test]
    fn who_is_connected_stays_whoever_comes() {
        let identities = Identities::default();
        let (stays, leaves) = (Arc::new(User::new("a", ["b"])), Arc::new(User::new("c", ["d"])));
        [&stays, &leaves].into_iter().for_each(|user| identities.introduce(user));
        let (known, gone) = (identities.of(&stays), identities.of(&User::new("e", ["f"])));
        drop(leaves);
        let long = "x".repeat(10_000);
        (0..4 * LIMIT / long.len()).for_each(|number| {
            identities.of(&User::new(format!("{number}"), [long.as_str()]));
        });
        assert_eq!(identities.of(&stays), known, "by address");
        assert_ne!(identities.of(&User::new("e", ["f"])), gone, "forgotten, and no number is given twice");
    }
}
