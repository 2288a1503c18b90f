//! What has been worked out about one snapshot.

use std::{
    hash::{BuildHasher, Hash},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hashbrown::{DefaultHashBuilder, Equivalent, HashMap};
use parking_lot::RwLock;
use types::User;

use super::grants::Grants;

/// Bytes, by estimate. Clients choose names, namespaces and paths, so what is remembered must have an
/// end; when it is reached everything is forgotten, which costs time and nothing else.
const LIMIT: usize = 64 << 20;

/// Locks, so that workers seldom wait for each other.
const SHARDS: usize = 16;

/// The identities met since the snapshot was made.
#[derive(Default)]
pub(super) struct Cache {
    hasher: DefaultHashBuilder,
    identities: [RwLock<HashMap<Identity, Arc<Grants>>>; SHARDS],
    spent: AtomicUsize,
}

/// All of a user that RBAC looks at.
#[derive(PartialEq, Eq, Hash)]
struct Identity {
    name: Box<str>,
    groups: Box<[String]>,
}

#[derive(Hash)]
struct IdentityRef<'a> {
    name: &'a str,
    groups: &'a [String],
}

impl Equivalent<Identity> for IdentityRef<'_> {
    fn equivalent(&self, identity: &Identity) -> bool {
        (self.name, self.groups) == (&*identity.name, &*identity.groups)
    }
}

impl Cache {
    /// What is known about the grants of `user`.
    pub(super) fn grants(&self, user: &User) -> Arc<Grants> {
        let identity = IdentityRef { name: &user.name, groups: &user.groups };
        let shard = (self.hasher.hash_one(&identity) >> 32) as usize % SHARDS;
        let Some(shard) = self.identities.get(shard) else { return Arc::default() };
        if let Some(known) = shard.read().get(&identity) {
            return Arc::clone(known);
        }
        let bytes = user.name.len() + user.groups.iter().map(|group| group.len() + 24).sum::<usize>();
        self.spend(bytes + 512);
        let identity = Identity { name: user.name.as_str().into(), groups: user.groups.as_slice().into() };
        Arc::clone(shard.write().entry(identity).or_default())
    }

    /// Counts `bytes` that are about to be remembered.
    pub(super) fn spend(&self, bytes: usize) {
        if self.spent.fetch_add(bytes, Ordering::Relaxed) > LIMIT {
            self.spent.store(0, Ordering::Relaxed);
            self.identities.iter().for_each(|shard| shard.write().clear());
        }
    }
}
