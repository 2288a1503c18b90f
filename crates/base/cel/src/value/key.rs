//! Hashes of values, so that maps which an expression builds stay fast.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Value;

impl Value<'_> {
    /// Equal values have equal hashes; as numbers of different types can be equal, all hash as doubles.
    pub(super) fn hash_of_key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.feed(&mut hasher);
        hasher.finish()
    }

    fn feed(&self, hasher: &mut DefaultHasher) {
        match self {
            Self::Null => 0_u8.hash(hasher),
            Self::Bool(truth) => truth.hash(hasher),
            Self::Int(number) => number_bits(*number as f64).hash(hasher),
            Self::Uint(number) => number_bits(*number as f64).hash(hasher),
            Self::Double(number) => number_bits(*number).hash(hasher),
            Self::String(text) => (**text).hash(hasher),
            Self::Bytes(bytes) => bytes.hash(hasher),
            Self::Timestamp(at) => at.hash(hasher),
            Self::Duration(nanos) => nanos.hash(hasher),
            Self::List(list) => list.iter().for_each(|item| item.feed(hasher)),
            // The order of entries carries no meaning, so their number has to do.
            Self::Map(map) => map.len().hash(hasher),
            Self::Type(name) => name.hash(hasher),
            Self::Optional(Some(value)) => value.feed(hasher),
            Self::Object(_) | Self::Optional(None) | Self::Opaque(_) => 1_u8.hash(hasher),
        }
    }
}

fn number_bits(number: f64) -> u64 {
    if number == 0.0 { 0 } else { number.to_bits() }
}
