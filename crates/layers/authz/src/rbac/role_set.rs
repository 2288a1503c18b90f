//! Sets of roles, by the numbers that a world gives them.

/// A role's number: small, and given anew when its role is gone.
pub(super) type RoleNumber = u32;

const BITS: RoleNumber = u64::BITS;

/// A set that is kept: only words that are not zero, with their places, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RoleSet(Vec<(u32, u64)>);

impl RoleSet {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, role: RoleNumber) -> bool {
        self.place_of(role).ok().and_then(|at| self.0.get(at)).is_some_and(|(_, word)| word & bit(role) != 0)
    }

    pub(super) fn insert(&mut self, role: RoleNumber) {
        match self.place_of(role) {
            Ok(at) => self.0.get_mut(at).into_iter().for_each(|(_, word)| *word |= bit(role)),
            Err(at) => self.0.insert(at, (role / BITS, bit(role))),
        }
    }

    pub(super) fn remove(&mut self, role: RoleNumber) {
        let Ok(at) = self.place_of(role) else { return };
        if let Some((_, word)) = self.0.get_mut(at) {
            *word &= !bit(role);
            if *word == 0 {
                self.0.remove(at);
            }
        }
    }

    fn place_of(&self, role: RoleNumber) -> Result<usize, usize> {
        self.0.binary_search_by_key(&(role / BITS), |(place, _)| *place)
    }

    /// The roles of one word.
    fn word(&self, at: usize) -> u64 {
        // Without a gap before it, a word stands at its place.
        match self.0.get(at) {
            Some((place, word)) if *place as usize == at => *word,
            _ => {
                let before = self.0.get(..at).unwrap_or(&self.0);
                let found = before.binary_search_by_key(&at, |(place, _)| *place as usize);
                found.ok().and_then(|at| before.get(at)).map_or(0, |(_, word)| *word)
            }
        }
    }
}

/// A set that is worked with: a word for each 64 roles up to the last.
#[derive(Clone, Debug, Default)]
pub(super) struct RoleBits(Vec<u64>);

impl RoleBits {
    /// All that is in any of `sets`.
    pub(super) fn union<'a>(sets: impl IntoIterator<Item = &'a RoleSet>) -> Self {
        let mut words: Vec<u64> = Vec::new();
        for set in sets {
            let most = set.0.last().map_or(0, |(place, _)| *place as usize + 1);
            if most > words.len() {
                words.resize(most, 0);
            }
            for (place, more) in &set.0 {
                words.get_mut(*place as usize).into_iter().for_each(|word| *word |= more);
            }
        }
        Self(words)
    }

    /// Keeps what is in one of `sets` as well. Looks only where there is something to keep: the sets may
    /// be those of half of all roles.
    pub(super) fn intersect(&mut self, sets: [Option<&RoleSet>; 2]) {
        for (at, word) in self.0.iter_mut().enumerate().filter(|(_, word)| **word != 0) {
            *word &= sets.iter().flatten().fold(0, |any, set| any | set.word(at));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = RoleNumber> {
        (0..).step_by(BITS as usize).zip(&self.0).filter(|(_, word)| **word != 0).flat_map(
            |(first, word): (RoleNumber, &u64)| {
                (0..BITS).filter(move |number| word & bit(*number) != 0).map(move |number| first + number)
            },
        )
    }

    pub(super) fn contains(&self, role: RoleNumber) -> bool {
        self.0.get((role / BITS) as usize).is_some_and(|word| word & bit(role) != 0)
    }

    pub(super) fn remove(&mut self, role: RoleNumber) {
        self.0.get_mut((role / BITS) as usize).into_iter().for_each(|word| *word &= !bit(role));
    }
}

fn bit(role: RoleNumber) -> u64 {
    1 << (role % BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: &[RoleNumber] = &[200, 0, 63, 64, 1, 1_000_000];

    #[test]
    fn holds_what_was_put_in() {
        let mut set = RoleSet::default();
        ROLES.iter().for_each(|role| set.insert(*role));
        set.insert(200);
        let all = RoleBits::union([&set]);
        assert!(ROLES.iter().all(|role| set.contains(*role) && all.contains(*role)));
        assert!([2, 62, 65, 199, 2_000_000].iter().all(|role| !set.contains(*role) && !all.contains(*role)));
        for role in ROLES {
            set.remove(*role);
            set.remove(*role);
            assert!(!set.contains(*role));
        }
        assert_eq!(set, RoleSet::default());
    }

    #[test]
    fn sets_meet() {
        let of = |roles: &[RoleNumber]| {
            let mut set = RoleSet::default();
            roles.iter().for_each(|role| set.insert(*role));
            set
        };
        let (few, many) = (of(&[1, 70]), of(&[2, 70, 500]));
        let mut both = RoleBits::union([&few]);
        both.intersect([Some(&many), Some(&of(&[9, 100]))]);
        let all = RoleBits::union([&few, &many]);
        assert_eq!((all.iter().collect::<Vec<_>>(), all.count()), (vec![1, 2, 70, 500], 4));
        assert!(both.contains(70) && !both.contains(1) && !both.contains(500) && !both.is_empty());
        both.remove(70);
        assert!(both.is_empty() && RoleBits::default().is_empty());
    }
}
