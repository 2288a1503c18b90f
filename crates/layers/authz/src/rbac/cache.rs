//! What has been worked out about one snapshot.

use std::{
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hashbrown::{DefaultHashBuilder, HashTable};
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
    identities: [RwLock<HashTable<Known>>; SHARDS],
    spent: AtomicUsize,
}

/// An identity by all that RBAC looks at.
struct Known {
    name: Box<str>,
    groups: Box<[String]>,
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
        // Hashed once, for the shard and within it: a user may have hundreds of groups.
        let hash = self.hasher.hash_one((&user.name, &user.groups));
        let Some(shard) = self.identities.get((hash >> 32) as usize % SHARDS) else { return Arc::default() };
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

    /// Counts `bytes` that are about to be remembered.
    pub(super) fn spend(&self, bytes: usize) {
        if self.spent.fetch_add(bytes, Ordering::Relaxed) > LIMIT {
            self.spent.store(0, Ordering::Relaxed);
            self.identities.iter().for_each(|shard| shard.write().clear());
        }
    }
}
