//! A hash map whose clone is cheap and whose change copies little.

use std::{
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use hashbrown::{DefaultHashBuilder, Equivalent, HashMap};

/// Branches, and leaves of a branch. With 100,000 entries a change copies some 25 of them and twice
/// this many pointers.
const FAN_OUT: usize = 64;

/// A map in pieces, two levels deep, which clones share until one of them changes a piece.
#[derive(Clone)]
pub(crate) struct Shards<K, V> {
    hasher: DefaultHashBuilder,
    branches: Arc<[Branch<K, V>]>,
}

type Branch<K, V> = Arc<[Leaf<K, V>]>;
type Leaf<K, V> = Arc<HashMap<K, V>>;

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let leaf = Leaf::default();
        let branch = Branch::from(vec![leaf; FAN_OUT]);
        Self { hasher: DefaultHashBuilder::default(), branches: vec![branch; FAN_OUT].into() }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Shards<K, V> {
    pub(crate) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<&V> {
        let (branch, leaf) = self.place_of(key);
        self.branches.get(branch)?.get(leaf)?.get(key)
    }

    /// The one piece that holds `key` or would hold it, to be changed. There always is one.
    pub(crate) fn leaf_mut(&mut self, key: &(impl Hash + ?Sized)) -> Option<&mut HashMap<K, V>> {
        let (branch, leaf) = self.place_of(key);
        let branch = Arc::make_mut(&mut self.branches).get_mut(branch)?;
        Arc::make_mut(branch).get_mut(leaf).map(Arc::make_mut)
    }

    /// The value to be changed; nothing is copied if there is none.
    pub(crate) fn get_mut<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<&mut V> {
        self.get(key)?;
        self.leaf_mut(key)?.get_mut(key)
    }

    /// Puts `value` in the place of what was there, and gives that back.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.leaf_mut(&key)?.insert(key, value)
    }

    /// Nothing is copied if there is nothing to remove.
    pub(crate) fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<V> {
        self.get(key)?;
        self.leaf_mut(key)?.remove(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.branches.iter().flat_map(|branch| branch.iter()).flat_map(|leaf| leaf.iter())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// A leaf uses the lowest and the highest bits of its own hash; other ones choose the leaf.
    fn place_of(&self, key: &(impl Hash + ?Sized)) -> (usize, usize) {
        let bits = (self.hasher.hash_one(key) >> 32) as usize;
        (bits % FAN_OUT, bits / FAN_OUT % FAN_OUT)
    }
}
