//! Texts that are kept to be compared with others, and for nothing else.

/// Any number of texts in one piece of memory, each behind its length.
pub(crate) struct Texts(Box<[u8]>);

/// What a length takes.
const LENGTH: usize = size_of::<u32>();

impl Texts {
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut bytes = Vec::with_capacity(texts.clone().map(|text| LENGTH + text.len()).sum());
        for text in texts {
            bytes.extend(length(text).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        Self(bytes.into())
    }

    /// Whether these are they.
    pub(crate) fn are<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let mut rest = &*self.0;
        let mut is_next = |text: &str| {
            let (known_length, known) = rest.split_first_chunk::<LENGTH>()?;
            let (known, after) = known.split_at_checked(text.len())?;
            rest = after;
            let is_so = u32::from_le_bytes(*known_length) == length(text) && is_same(known, text.as_bytes());
            is_so.then_some(())
        };
        texts.into_iter().all(|text| is_next(text).is_some()) && rest.is_empty()
    }

    /// What they take in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// As `a == b`, of two that are equally long. That is a call, which for a name costs more than to
/// compare its beginning and its end in a register each; and users have hundreds of names.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    #[inline]
    fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        a.first_chunk::<N>() == b.first_chunk::<N>() && a.last_chunk::<N>() == b.last_chunk::<N>()
    }
    match a.len() {
        0 => true,
        1 => ends::<1>(a, b),
        2..=4 => ends::<2>(a, b),
        5..=8 => ends::<4>(a, b),
        9..=16 => ends::<8>(a, b),
        17..=32 => ends::<16>(a, b),
        _ => a == b,
    }
}

/// Of a text that is too long for this there is never an equal one: so many bytes cannot follow.
fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_apart() {
        let all: &[&[&str]] = &[
            &[],
            &[""],
            &["", ""],
            &["a", "b"],
            &["b", "a"],
            &["ab"],
            &["ab", ""],
            &["", "ab"],
            &["a", "b", ""],
        ];
        for (number, texts) in all.iter().enumerate() {
            let kept = Texts::new(texts.iter().copied());
            for (other_number, other) in all.iter().enumerate() {
                assert_eq!(kept.are(other.iter().copied()), number == other_number, "{texts:?} {other:?}");
            }
        }
    }

    #[test]
    fn every_byte_counts() {
        for length in 0..100 {
            let text = "x".repeat(length);
            let kept = Texts::new([text.as_str()].into_iter());
            assert!(kept.are([text.as_str()]));
            for place in 0..length {
                let mut other = text.clone();
                other.replace_range(place..=place, "y");
                assert!(!kept.are([other.as_str()]), "{length} {place}");
            }
        }
    }
}
