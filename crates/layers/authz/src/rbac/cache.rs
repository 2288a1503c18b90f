//! The identities that have been met.

use std::{
    hash::BuildHasher,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use parking_lot::RwLock;
use types::User;

use super::grants::Grants;

/// Bytes, by estimate. Clients choose names, namespaces and paths, so what is remembered must have an
/// end; when it is reached everything is forgotten, which costs time and nothing else.
const LIMIT: usize = 64 << 20;

/// Locks, so that workers seldom wait for each other.
const SHARDS: usize = 16;

/// Users that are recognised by their address, in each shard.
const INTRODUCED: usize = 2048;

#[derive(Default)]
pub(super) struct Cache {
    hasher: DefaultHashBuilder,
    by_value: [RwLock<HashTable<Known>>; SHARDS],
    by_address: [RwLock<HashMap<usize, Introduced>>; SHARDS],
    spent: AtomicUsize,
}

/// An identity by all that RBAC looks at.
struct Known {
    name: Box<str>,
    groups: Box<[String]>,
    grants: Arc<Grants>,
}

/// An identity by where it is kept.
///
/// While this is there, so is the place: a `Weak` keeps it from being used again, and whoever else has
/// the `Arc` from changing what is in it. So whichever `&User` points there is this very user, or has
/// never been.
struct Introduced {
    user: Weak<User>,
    grants: Arc<Grants>,
}

impl Known {
    fn is(&self, user: &User) -> bool {
        *self.name == *user.name && *self.groups == *user.groups
    }
}

impl Cache {
    /// What is known about the grants of `user`.
    pub(super) fn grants(&self, user: &User) -> Arc<Grants> {
        let address = std::ptr::from_ref(user).addr();
        let introduced = self
            .shard_of(address)
            .and_then(|shard| shard.read().get(&address).map(|introduced| Arc::clone(&introduced.grants)));
        introduced.unwrap_or_else(|| self.by_value(user))
    }

    /// From now on `user` is recognised without being looked at.
    pub(super) fn introduce(&self, user: &Arc<User>) {
        let grants = self.by_value(user);
        let address = Arc::as_ptr(user).addr();
        let Some(shard) = self.shard_of(address) else { return };
        let mut shard = shard.write();
        if shard.len() >= INTRODUCED {
            shard.retain(|_, introduced| introduced.user.strong_count() > 0);
        }
        // Those that find no room are recognised by their value.
        if shard.len() < INTRODUCED {
            shard.insert(address, Introduced { user: Arc::downgrade(user), grants });
        }
    }

    /// Counts `bytes` that are about to be remembered. To be called without a lock on anything here.
    pub(super) fn spend(&self, bytes: usize) {
        if self.spent.fetch_add(bytes, Ordering::Relaxed) > LIMIT {
            self.spent.store(0, Ordering::Relaxed);
            self.forget();
        }
    }

    fn forget(&self) {
        self.by_value.iter().for_each(|shard| shard.write().clear());
        for shard in &self.by_address {
            let mut shard = shard.write();
            shard.retain(|_, introduced| introduced.user.strong_count() > 0);
            shard.values().for_each(|introduced| introduced.grants.forget());
        }
    }

    fn by_value(&self, user: &User) -> Arc<Grants> {
        // Hashed once, for the shard and within it: a user may have hundreds of groups.
        let hash = self.hasher.hash_one((&user.name, &user.groups));
        let Some(shard) = self.by_value.get((hash >> 32) as usize % SHARDS) else { return Arc::default() };
        if let Some(known) = shard.read().find(hash, |known| known.is(user)) {
            return Arc::clone(&known.grants);
        }
        let bytes = user.name.len() + user.groups.iter().map(|group| group.len() + 24).sum::<usize>();
        self.spend(bytes + 512);
        let rehash = |known: &Known| self.hasher.hash_one((&known.name, &known.groups));
        let mut shard = shard.write();
        let entry = shard.entry(hash, |known| known.is(user), rehash).or_insert_with(|| Known {
            name: user.name.as_str().into(),
            groups: user.groups.as_slice().into(),
            grants: Arc::default(),
        });
        Arc::clone(&entry.get().grants)
    }

    fn shard_of(&self, address: usize) -> Option<&RwLock<HashMap<usize, Introduced>>> {
        // The lowest bits are the same for all.
        self.by_address.get(address / align_of::<User>() / 16 % SHARDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(cache: &Cache) -> usize {
        cache.by_value.iter().map(|shard| shard.read().len()).sum()
    }

    fn introduced(cache: &Cache) -> usize {
        cache.by_address.iter().map(|shard| shard.read().len()).sum()
    }

    #[test]
    fn identities_are_told_apart() {
        let cache = Cache::default();
        let users = [
            User::new("", Vec::<String>::new()),
            User::new("", [""]),
            User::new("", ["", ""]),
            User::new("a", ["b", "c"]),
            User::new("a", ["c", "b"]),
            User::new("a", ["bc"]),
            User::new("ab", ["c"]),
            User::new("a", ["b", "c", "c"]),
        ];
        let grants: Vec<_> = users.iter().map(|user| cache.grants(user)).collect();
        for (number, user) in users.iter().enumerate() {
            let same = |other: &&Arc<Grants>| Arc::ptr_eq(other, &grants[number]);
            assert_eq!(grants.iter().filter(same).count(), 1, "{user:?}");
            assert!(Arc::ptr_eq(&cache.grants(&user.clone()), &grants[number]), "{user:?}");
        }
        // What RBAC does not look at makes no other identity.
        let other = User { uid: "7".into(), ..users[3].clone() };
        assert!(Arc::ptr_eq(&cache.grants(&other), &grants[3]));
    }

    #[test]
    fn an_address_is_never_taken_for_another_user() {
        let cache = Cache::default();
        let mut used_again = 0;
        let mut addresses = std::collections::HashSet::new();
        for number in 0..10_000 {
            let user = Arc::new(User::new(format!("u{number}"), ["g"]));
            used_again += usize::from(!addresses.insert(Arc::as_ptr(&user).addr()));
            // Every other one is introduced, so that strangers come to lie where users have been.
            if number % 2 == 0 {
                cache.introduce(&user);
            }
            let equal = User::clone(&user);
            assert!(Arc::ptr_eq(&cache.grants(&user), &cache.grants(&equal)));
        }
        assert!(introduced(&cache) <= SHARDS * INTRODUCED);
        assert!(used_again > 0, "the test has lost its point: no address was used twice");
    }

    #[test]
    fn there_is_an_end() {
        let cache = Cache::default();
        let (stays, leaves) = (Arc::new(User::new("a", ["b"])), Arc::new(User::new("c", ["d"])));
        [&stays, &leaves].into_iter().for_each(|user| cache.introduce(user));
        cache.grants(&User::new("e", ["f"]));
        assert_eq!((known(&cache), introduced(&cache)), (3, 2));
        drop(leaves);
        (0..=LIMIT / 1024).for_each(|_| cache.spend(1024));
        assert_eq!((known(&cache), introduced(&cache)), (0, 1), "who is connected is still recognised");
        cache.grants(&stays);
        assert_eq!(known(&cache), 0, "by address");
    }
}
