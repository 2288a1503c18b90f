//! What maps find their entries by.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use super::{Str, Value};
use crate::Timestamp;

/// A value that a map can be asked for. Ordered and not hashed, so that no choice of keys makes a map slow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// By its bits; there is one zero and no NaN.
    Double(u64),
    String(Str<'a>),
    Bytes(Arc<[u8]>),
    Timestamp(Timestamp),
    Duration(i64),
    Type(&'a str),
}

impl<'a> Key<'a> {
    /// Nothing for what no look-up finds.
    ///
    /// UPSTREAM: lists, maps and values of libraries are told apart by where they lie in memory, and NaN
    /// is not even equal to itself (kube-apiserver 1.36).
    pub(super) fn of(value: &Value<'a>) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::Int(*number),
            Value::Uint(number) => Self::Uint(*number),
            Value::Double(number) => return Self::double(*number),
            Value::String(text) => Self::String(text.clone()),
            Value::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Value::Timestamp(at) => Self::Timestamp(*at),
            Value::Duration(nanos) => Self::Duration(*nanos),
            Value::Type(name) => Self::Type(name),
            Value::List(_) | Value::Map(_) | Value::Object(_) | Value::Optional(_) | Value::Opaque(_) => {
                return None;
            }
        })
    }

    fn double(number: f64) -> Option<Self> {
        // Adding zero makes one zero of both.
        (!number.is_nan()).then_some(Self::Double((number + 0.0).to_bits()))
    }

    /// The key itself, and the same number as the other types of integers have it.
    ///
    /// UPSTREAM: an int finds what stands under a uint and the other way round, a double without decimals
    /// finds both, and an integer finds no double (kube-apiserver 1.36).
    pub(super) fn alike(value: &Value<'a>) -> impl Iterator<Item = Self> {
        let (first, second) = match value {
            Value::Int(number) => (u64::try_from(*number).ok().map(Key::Uint), None),
            Value::Uint(number) => (i64::try_from(*number).ok().map(Key::Int), None),
            Value::Double(number) => (whole(*number).map(Key::Int), positive(*number).map(Key::Uint)),
            _ => (None, None),
        };
        [Self::of(value), first, second].into_iter().flatten()
    }
}

fn whole(number: f64) -> Option<i64> {
    let int = number as i64;
    (int as f64 == number && number < i64::MAX as f64).then_some(int)
}

fn positive(number: f64) -> Option<u64> {
    let uint = number as u64;
    (uint as f64 == number && number < u64::MAX as f64).then_some(uint)
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Str<'_> {}

impl PartialOrd for Str<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

/// The constants of `x in [1, 2]`: a look-up that costs nothing.
#[derive(Debug)]
pub(crate) struct Constants(BTreeSet<Key<'static>>);

impl Constants {
    /// UPSTREAM: only of bools, numbers and strings. A number stands for itself in all types that hold it
    /// (kube-apiserver 1.36).
    pub(crate) fn new(items: impl Iterator<Item = Value<'static>>) -> Option<Self> {
        let mut keys = BTreeSet::new();
        for item in items {
            let double = match &item {
                Value::Int(number) => Key::double(*number as f64),
                Value::Uint(number) => Key::double(*number as f64),
                Value::Bool(_) | Value::Double(_) | Value::String(_) => None,
                _ => return None,
            };
            keys.extend(Key::alike(&item).chain(double));
        }
        Some(Self(keys))
    }

    /// Whether it is one of them.
    pub(crate) fn contain(&self, item: &Value<'_>) -> bool {
        match self.0.len() {
            // Without making a key: such lists are short as a rule.
            0..=8 if let Value::String(text) = item => {
                self.0.iter().any(|key| matches!(key, Key::String(known) if **known == **text))
            }
            _ => holds(&self.0, item),
        }
    }
}

/// In a function of its own so that the lifetimes of both sides can meet.
fn holds<'a>(keys: &BTreeSet<Key<'a>>, item: &Value<'a>) -> bool {
    Key::of(item).is_some_and(|key| keys.contains(&key))
}
