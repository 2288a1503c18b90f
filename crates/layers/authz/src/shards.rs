//! A hash map whose clone is cheap and whose change copies little.

use std::{
    hash::{BuildHasher, Hash},
    mem,
    sync::Arc,
};

use hashbrown::{DefaultHashBuilder, Equivalent, HashTable, hash_table::Entry};

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
type Leaf<K, V> = Arc<HashTable<(K, V)>>;

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let leaf = Leaf::new(HashTable::new());
        let branch = Branch::from(vec![leaf; FAN_OUT]);
        Self { hasher: DefaultHashBuilder::default(), branches: vec![branch; FAN_OUT].into() }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Shards<K, V> {
    pub(crate) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<&V> {
        self.find(self.hasher.hash_one(key), key)
    }

    /// The values of those keys that are there, in their order.
    ///
    /// In a large map each step of a look-up waits for memory. Those of one key wait for each other, but
    /// not for those of another: so every key makes its first step before any makes its second.
    pub(crate) fn get_each<Q: Hash + Equivalent<K>>(
        &self,
        keys: impl Iterator<Item = Q>,
    ) -> impl Iterator<Item = &V> {
        let first = keys.filter_map(|key| {
            let hash = self.hasher.hash_one(&key);
            Some((key, hash, self.leaf(hash)?))
        });
        let mut places: Vec<_> = first.collect();
        places.retain(|(_, _, leaf)| !leaf.is_empty());
        places.into_iter().filter_map(|(key, hash, leaf)| {
            leaf.find(hash, |(known, _)| key.equivalent(known)).map(|(_, value)| value)
        })
    }

    /// The value to be changed; nothing is copied if there is none.
    pub(crate) fn get_mut<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<&mut V> {
        self.get_key_value_mut(key).map(|(_, value)| value)
    }

    /// As [`get_mut`](Self::get_mut), with the key as it is kept.
    pub(crate) fn get_key_value_mut<Q: Hash + Equivalent<K> + ?Sized>(
        &mut self,
        key: &Q,
    ) -> Option<(&K, &mut V)> {
        let hash = self.hasher.hash_one(key);
        self.find(hash, key)?;
        let entry = self.leaf_mut(hash)?.find_mut(hash, |(known, _)| key.equivalent(known));
        entry.map(|(known, value)| (&*known, value))
    }

    /// Puts `value` in the place of what was there, and gives that back.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hasher = self.hasher.clone();
        let hash = hasher.hash_one(&key);
        let leaf = self.leaf_mut(hash)?;
        match leaf.entry(hash, |(known, _)| *known == key, |(known, _)| hasher.hash_one(known)) {
            Entry::Occupied(mut entry) => Some(mem::replace(&mut entry.get_mut().1, value)),
            Entry::Vacant(entry) => {
                entry.insert((key, value));
                None
            }
        }
    }

    /// Nothing is copied if there is nothing to remove.
    pub(crate) fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<V> {
        let hash = self.hasher.hash_one(key);
        self.find(hash, key)?;
        let entry = self.leaf_mut(hash)?.find_entry(hash, |(known, _)| key.equivalent(known)).ok()?;
        let ((_, value), _) = entry.remove();
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let leaves = self.branches.iter().flat_map(|branch| branch.iter());
        leaves.flat_map(|leaf| leaf.iter()).map(|(key, value)| (key, value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    fn find<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q) -> Option<&V> {
        self.leaf(hash)?.find(hash, |(known, _)| key.equivalent(known)).map(|(_, value)| value)
    }

    fn leaf(&self, hash: u64) -> Option<&Leaf<K, V>> {
        let (branch, leaf) = place_of(hash);
        self.branches.get(branch)?.get(leaf)
    }

    /// The piece of that hash, to be changed. There always is one.
    fn leaf_mut(&mut self, hash: u64) -> Option<&mut HashTable<(K, V)>> {
        let (branch, leaf) = place_of(hash);
        let branch = Arc::make_mut(&mut self.branches).get_mut(branch)?;
        Arc::make_mut(branch).get_mut(leaf).map(Arc::make_mut)
    }
}

/// A leaf uses the lowest and the highest bits of the hash; other ones choose the leaf.
fn place_of(hash: u64) -> (usize, usize) {
    let bits = (hash >> 32) as usize;
    (bits % FAN_OUT, bits / FAN_OUT % FAN_OUT)
}
