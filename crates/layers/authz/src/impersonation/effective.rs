//! Effective users that have been met.
//!
//! Whoever acts as somebody else says so anew with each request. The same effective user is the same
//! `Arc` each time, so that it can be recognised by its address: by authorizers it has been
//! [introduced](crate::Authz::introduce) to, and by whoever tells the upstream about it.

use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use types::{User, group, username};

use crate::{
    bounded::Bounded,
    users::{self, MOST_ALIKE},
};

/// Bytes, by estimate. Requesters choose whom they ask for.
const LIMIT: usize = 16 << 20;

/// One gate's memory of them.
pub(super) struct Effective {
    hasher: DefaultHashBuilder,
    known: Bounded<Known>,
}

struct Known {
    wanted: User,
    known_groups: Option<Vec<String>>,
    user: Arc<User>,
}

impl Default for Effective {
    fn default() -> Self {
        Self { hasher: DefaultHashBuilder::default(), known: Bounded::new(LIMIT) }
    }
}

impl Effective {
    /// Who the requester becomes: `wanted`, with the groups that its name implies if there are such.
    pub(super) fn user(&self, wanted: &User, known_groups: Option<&[String]>) -> Arc<User> {
        let hash = users::hash(wanted, &self.hasher);
        let is = |known: &Known| known.known_groups.as_deref() == known_groups && known.wanted == *wanted;
        let mut alike = 0;
        let is_one_of_few = |known: &Known| {
            alike += 1;
            alike <= MOST_ALIKE && is(known)
        };
        if let Some(user) = self.known.get(hash, is_one_of_few, |known| Arc::clone(&known.user)) {
            return user;
        }
        let user = Arc::new(effective(wanted, known_groups));
        if alike < MOST_ALIKE {
            let (wanted, known_groups) = (wanted.clone(), known_groups.map(<[String]>::to_vec));
            let bytes = bytes(&wanted) + bytes(&user);
            let known = Known { wanted, known_groups, user: Arc::clone(&user) };
            self.known.insert(hash, known, bytes, is, |_| false);
        }
        user
    }
}

fn bytes(user: &User) -> usize {
    let texts = |texts: &[String]| texts.iter().map(|text| size_of::<String>() + text.len()).sum::<usize>();
    let extra = user.extra.iter().map(|(key, values)| 64 + key.len() + texts(values)).sum::<usize>();
    user.name.len() + user.uid.len() + texts(&user.groups) + extra
}

fn effective(wanted: &User, known_groups: Option<&[String]>) -> User {
    let groups = known_groups.unwrap_or(&wanted.groups).to_vec();
    let User { name, uid, extra, .. } = wanted;
    let mut user = User { name: name.clone(), uid: uid.clone(), groups, extra: extra.clone() };
    // UPSTREAM: `system:unauthenticated` keeps `system:authenticated` away from everybody but
    // `system:anonymous`, who is in the former in any case (kube-apiserver 1.36)
    let everybody = match user.name == username::ANONYMOUS || user.in_group(group::UNAUTHENTICATED) {
        true => group::UNAUTHENTICATED,
        false => group::AUTHENTICATED,
    };
    if !user.in_group(everybody) {
        user.groups.push(everybody.to_owned());
    }
    user
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_user_is_the_same_arc() {
        let effective = Effective::default();
        let many = User::new("a", (0..200).map(|group| format!("g{group}")));
        let extra = |value: &str| [("key".to_owned(), vec![value.to_owned()])].into();
        let mut other_group = many.clone();
        other_group.groups[1] = "x".to_owned();
        let nodes = || Some(vec!["system:nodes".to_owned()]);
        let wanted = [
            (User { uid: "1".into(), ..many.clone() }, None),
            (User { uid: "2".into(), ..many.clone() }, None),
            (User { extra: extra("1"), ..many.clone() }, None),
            (User { extra: extra("2"), ..many.clone() }, None),
            (other_group, None),
            (many, None),
            (User::new("a", ["b"]), None),
            (User::new("n", [""; 0]), nodes()),
        ];
        let users: Vec<_> =
            wanted.iter().map(|(user, groups)| effective.user(user, groups.as_deref())).collect();
        for (user, (wanted, groups)) in users.iter().zip(&wanted) {
            assert_eq!((&user.name, &user.uid, &user.extra), (&wanted.name, &wanted.uid, &wanted.extra));
            let expected = groups.as_ref().unwrap_or(&wanted.groups);
            assert_eq!(user.groups.split_last(), Some((&"system:authenticated".to_owned(), &**expected)));
            assert!(Arc::ptr_eq(user, &effective.user(&wanted.clone(), groups.as_deref())));
        }
        // The groups that a name implies are not those that somebody has asked for.
        let without = effective.user(&User::new("n", [""; 0]), None);
        assert_eq!(without.groups, ["system:authenticated"]);
    }

    #[test]
    fn any_number_can_be_asked_for() {
        let effective = Effective::default();
        for number in 0..200 {
            // What is hashed is the same in all.
            let group = |group| if group % 13 == 1 { format!("x{number}") } else { format!("g{group}") };
            let wanted = User::new("mallory", (0..200).map(group));
            let user = effective.user(&wanted, None);
            assert_eq!(user.groups[..200], wanted.groups);
        }
    }
}
