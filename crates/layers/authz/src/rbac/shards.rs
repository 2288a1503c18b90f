//! A hash map whose clone is cheap and whose change copies little.

use std::{
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use hashbrown::{DefaultHashBuilder, Equivalent, HashMap};

/// With 100,000 entries a change copies some 400 of them and this many pointers.
const SHARDS: usize = 256;

/// A map in pieces that clones share until one of them changes a piece.
#[derive(Clone)]
pub(super) struct Shards<K, V> {
    hasher: DefaultHashBuilder,
    shards: Arc<[Arc<HashMap<K, V>>]>,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::default());
        Self { hasher: DefaultHashBuilder::default(), shards: vec![empty; SHARDS].into() }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Shards<K, V> {
    pub(super) fn get<Q: Hash + Equivalent<K>>(&self, key: &Q) -> Option<&V> {
        self.shards.get(self.shard_of(key))?.get(key)
    }

    /// The one piece that holds `key` or would hold it, to be changed.
    pub(super) fn shard_mut<Q: Hash + Equivalent<K>>(&mut self, key: &Q) -> Option<&mut HashMap<K, V>> {
        let at = self.shard_of(key);
        Arc::make_mut(&mut self.shards).get_mut(at).map(Arc::make_mut)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    /// A map uses the lowest and the highest bits of its own hash; other ones choose the shard.
    fn shard_of(&self, key: &impl Hash) -> usize {
        (self.hasher.hash_one(key) >> 32) as usize % SHARDS
    }
}
