//! A hash table that keeps within its bounds, whoever fills it.
//!
//! Where there is no room, something goes that nobody has asked for since the hand last came by: the
//! clock algorithm. Whoever adds an entry pays for what it pushes out, which is about as much as it
//! brings. So there is no request that frees what thousands before it have left, and somebody who asks
//! ever new questions does not push out what others ask again and again.

use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;
use parking_lot::RwLock;

/// Locks, so that workers seldom wait for each other; and tables that are moved when they grow, so that
/// this is soon done.
const SHARDS: usize = 32;

/// An entry may take this part of a shard at most.
const LARGEST_PART: usize = 8;

/// So many entries in a row are spared because they have been asked for; the next one goes all the same.
const MOST_SPARED: usize = 64;

pub(crate) struct Bounded<T> {
    shards: [RwLock<Shard<T>>; SHARDS],
    /// Bytes of one shard.
    most: usize,
}

struct Shard<T> {
    entries: HashTable<Entry<T>>,
    bytes: usize,
    /// The bucket that is looked at next.
    hand: usize,
}

struct Entry<T> {
    hash: u64,
    bytes: usize,
    /// Asked for since the hand last came by.
    used: AtomicBool,
    value: T,
}

impl<T> Bounded<T> {
    /// With room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let shard = || RwLock::new(Shard { entries: HashTable::new(), bytes: 0, hand: 0 });
        Self { shards: std::array::from_fn(|_| shard()), most: bytes / SHARDS }
    }

    /// What `read` makes of the entry of that hash that `is` takes.
    pub(crate) fn get<R>(
        &self,
        hash: u64,
        mut is: impl FnMut(&T) -> bool,
        read: impl FnOnce(&T) -> R,
    ) -> Option<R> {
        let shard = self.shard_of(hash)?.read();
        let entry = shard.entries.find(hash, |entry| entry.hash == hash && is(&entry.value))?;
        // Written to only once, since other workers read there.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(read(&entry.value))
    }

    /// Adds an entry that takes about `bytes` beside its own size, unless it is too large to be worth
    /// it. If `is` takes one that is there already, `replaces` says whether that one is given up.
    pub(crate) fn insert(
        &self,
        hash: u64,
        value: T,
        bytes: usize,
        mut is: impl FnMut(&T) -> bool,
        replaces: impl FnOnce(&T) -> bool,
    ) {
        let bytes = bytes.saturating_add(size_of::<Entry<T>>());
        let Some(shard) = self.shard_of(hash).filter(|_| bytes <= self.most / LARGEST_PART) else { return };
        let mut shard = shard.write();
        let shard = &mut *shard;
        if let Ok(known) = shard.entries.find_entry(hash, |entry| entry.hash == hash && is(&entry.value)) {
            if !replaces(&known.get().value) {
                return;
            }
            shard.bytes -= known.get().bytes;
            known.remove();
        }
        shard.make_room(bytes, self.most);
        shard.bytes += bytes;
        let entry = Entry { hash, bytes, used: AtomicBool::new(false), value };
        shard.entries.insert_unique(hash, entry, |entry| entry.hash);
    }

    /// A table takes the lowest and the highest bits of its entries' hashes; other ones choose it.
    fn shard_of(&self, hash: u64) -> Option<&RwLock<Shard<T>>> {
        self.shards.get((hash >> 32) as usize % SHARDS)
    }
}

impl<T> Shard<T> {
    fn make_room(&mut self, bytes: usize, most: usize) {
        let mut spared = 0;
        while self.bytes + bytes > most && !self.entries.is_empty() {
            self.hand = (self.hand + 1) % self.entries.num_buckets();
            let Ok(entry) = self.entries.get_bucket_entry(self.hand) else { continue };
            if spared < MOST_SPARED && entry.get().used.swap(false, Ordering::Relaxed) {
                spared += 1;
                continue;
            }
            self.bytes -= entry.get().bytes;
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 64 << 10;

    fn hash(number: u64) -> u64 {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn add(table: &Bounded<u64>, number: u64, bytes: usize) {
        table.insert(hash(number), number, bytes, |known| *known == number, |_| true);
    }

    fn has(table: &Bounded<u64>, number: u64) -> bool {
        table.get(hash(number), |known| *known == number, |_| ()).is_some()
    }

    fn spent(table: &Bounded<u64>) -> usize {
        let shards = table.shards.iter().map(|shard| shard.read());
        shards
            .map(|shard| {
                assert_eq!(shard.bytes, shard.entries.iter().map(|entry| entry.bytes).sum::<usize>());
                shard.bytes
            })
            .sum()
    }

    #[test]
    fn what_is_asked_for_stays_whatever_comes() {
        let table = Bounded::new(BYTES);
        let regulars = 0..100;
        regulars.clone().for_each(|number| add(&table, number, 0));
        for number in 1_000..20_000 {
            add(&table, number, (number % 100) as usize);
            regulars.clone().for_each(|regular| assert!(has(&table, regular), "{regular}"));
        }
        assert!((BYTES / 2..=BYTES).contains(&spent(&table)), "{}", spent(&table));
        assert!(!has(&table, 1_000));
    }

    #[test]
    fn what_everybody_asks_for_goes_too_if_it_must() {
        let table = Bounded::new(BYTES);
        for number in 0..20_000 {
            add(&table, number, 0);
            assert!(has(&table, number));
        }
        assert!(spent(&table) <= BYTES);
        let largest = BYTES / SHARDS / LARGEST_PART;
        add(&table, 20_000, largest);
        assert!(!has(&table, 20_000), "too large");
        add(&table, 20_001, largest - size_of::<Entry<u64>>());
        assert!(has(&table, 20_001));
    }

    #[test]
    fn one_is_replaced_by_whoever_may() {
        let table = Bounded::new(BYTES);
        let put = |value: u64, replaces: bool| table.insert(1, value, 8, |_| true, |_| replaces);
        let get = || table.get(1, |_| true, |value| *value);
        put(7, false);
        put(8, false);
        assert_eq!(get(), Some(7));
        put(8, true);
        assert_eq!((get(), spent(&table)), (Some(8), size_of::<Entry<u64>>() + 8));
    }
}
