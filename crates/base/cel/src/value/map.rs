//! Maps.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{List, Value};
use crate::escape::unescaped;

/// A map: made by the expression, or read where it lies.
#[derive(Clone, Debug)]
pub enum Map<'a> {
    /// Made by the expression.
    Owned(Arc<Entries<'a>>),
    /// Of a JSON input. The flag says whether keys may be written with escapes, as `a__dot__b`.
    Json(&'a serde_json::Map<String, serde_json::Value>, bool),
    /// `extra` of a user; the flag as above.
    Extra(&'a BTreeMap<String, Vec<String>>, bool),
}

/// Entries in the order in which they came, with an index once there are many.
#[derive(Clone, Debug, Default)]
pub struct Entries<'a> {
    entries: Vec<(Value<'a>, Value<'a>)>,
    by_hash: HashMap<u64, Vec<usize>>,
}

/// Up to this many entries a search by comparison is faster than a hash.
const SEARCHED: usize = 8;

impl<'a> Entries<'a> {
    /// The value under `key`; numbers of different types that are equal are one key.
    pub fn get(&self, key: &Value<'_>) -> Option<&Value<'a>> {
        self.position(key).and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    fn position(&self, key: &Value<'_>) -> Option<usize> {
        if self.entries.len() <= SEARCHED {
            return self.entries.iter().position(|(known, _)| known.equals(key));
        }
        let candidates = self.by_hash.get(&key.hash_of_key())?;
        candidates
            .iter()
            .copied()
            .find(|&at| self.entries.get(at).is_some_and(|(known, _)| known.equals(key)))
    }

    /// Sets the value under `key`; says whether there was one.
    pub fn insert(&mut self, key: Value<'a>, value: Value<'a>) -> bool {
        if let Some((_, old)) = self.position(&key).and_then(|at| self.entries.get_mut(at)) {
            *old = value;
            return true;
        }
        let at = self.entries.len();
        if at == SEARCHED {
            for (at, (key, _)) in self.entries.iter().enumerate() {
                self.by_hash.entry(key.hash_of_key()).or_default().push(at);
            }
        }
        if at >= SEARCHED {
            self.by_hash.entry(key.hash_of_key()).or_default().push(at);
        }
        self.entries.push((key, value));
        false
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<'a> Map<'a> {
    /// How many entries it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Owned(map) => map.len(),
            Self::Json(map, _) => map.len(),
            Self::Extra(map, _) => map.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `map[key]` and `map.key` give, escapes included.
    pub fn find(&self, key: &Value<'_>) -> Option<Value<'a>> {
        match (self, key) {
            (Self::Owned(map), key) => map.get(key).cloned(),
            (Self::Json(map, escapes), Value::String(key)) => {
                map.get(&*reached(key, *escapes)).map(|value| Value::json_with(value, *escapes))
            }
            (Self::Extra(map, escapes), Value::String(key)) => {
                map.get(&*reached(key, *escapes)).map(|values| Value::List(List::Strings(values)))
            }
            _ => None,
        }
    }

    /// What `key in map` asks: escapes mean nothing here.
    pub fn contains(&self, key: &Value<'_>) -> bool {
        match (self, key) {
            (Self::Owned(map), key) => map.get(key).is_some(),
            (Self::Json(map, _), Value::String(key)) => map.contains_key(&**key),
            (Self::Extra(map, _), Value::String(key)) => map.contains_key(&**key),
            _ => false,
        }
    }

    /// The entries, each key and value.
    pub fn iter(&self) -> Box<dyn Iterator<Item = (Value<'a>, Value<'a>)> + '_> {
        match self {
            Self::Owned(map) => Box::new(map.entries.iter().cloned()),
            Self::Json(map, _) => {
                Box::new(map.iter().map(|(key, value)| (Value::str(key), Value::json_with(value, false))))
            }
            Self::Extra(map, _) => Box::new(
                map.iter().map(|(key, values)| (Value::str(key), Value::List(List::Strings(values)))),
            ),
        }
    }

    /// This map with one more entry, or nothing if the key is there already. Copies only if the map is shared.
    pub fn inserted(self, key: Value<'a>, value: Value<'a>) -> Option<Self> {
        let mut entries = match self {
            Self::Owned(entries) => entries,
            borrowed => {
                let mut entries = Entries::default();
                for (key, value) in borrowed.iter() {
                    entries.insert(key, value);
                }
                Arc::new(entries)
            }
        };
        let known = Arc::make_mut(&mut entries).insert(key, value);
        (!known).then_some(Self::Owned(entries))
    }
}

/// The key that a written one reaches.
fn reached(key: &str, escapes: bool) -> std::borrow::Cow<'_, str> {
    if escapes { unescaped(key) } else { None }.unwrap_or(std::borrow::Cow::Borrowed(key))
}
