//! Maps.

use std::{collections::BTreeMap, sync::Arc};

use super::{List, Value, key::Key};
use crate::{EvalError, escape::unescaped, work::Work};

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
    by_key: BTreeMap<Key<'a>, usize>,
}

/// Up to this many entries a search from the first to the last is faster than an index.
const SEARCHED: usize = 8;

/// What an entry takes, and its place in the index.
pub(crate) const ENTRY: usize = 192;

impl<'a> Entries<'a> {
    /// The value under `key`.
    pub fn get(&self, key: &Value<'_>) -> Option<&Value<'a>> {
        self.position(key).and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    fn position(&self, key: &Value<'_>) -> Option<usize> {
        // The way of nearly every expression, without making a key.
        if let Value::String(text) = key
            && self.entries.len() <= SEARCHED
        {
            let same = |known: &Value<'_>| matches!(known, Value::String(known) if **known == **text);
            return self.entries.iter().position(|(known, _)| same(known));
        }
        find(self, key)
    }

    /// Sets the value under `key`; says whether there was one. Numbers of different types are different keys
    /// here, although either finds the other.
    pub fn insert(&mut self, key: Value<'a>, value: Value<'a>) -> bool {
        let own = Key::of(&key);
        let known = match &key {
            Value::String(_) => self.position(&key),
            _ => own.as_ref().and_then(|own| exact(self, own)),
        };
        if let Some((_, old)) = known.and_then(|at| self.entries.get_mut(at)) {
            *old = value;
            return true;
        }
        let at = self.entries.len();
        if at == SEARCHED {
            let known = self.entries.iter().enumerate();
            self.by_key.extend(known.filter_map(|(at, (key, _))| Some((Key::of(key)?, at))));
        }
        if at >= SEARCHED
            && let Some(own) = own
        {
            self.by_key.insert(own, at);
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
    ///
    /// # Errors
    /// There is no memory for it left in `work`.
    pub(crate) fn inserted(
        self,
        key: Value<'a>,
        value: Value<'a>,
        work: &Work,
    ) -> Result<Option<Self>, EvalError> {
        work.make(ENTRY)?;
        let shared = !matches!(&self, Self::Owned(entries) if Arc::strong_count(entries) == 1);
        if shared {
            work.make(self.len().saturating_mul(ENTRY))?;
            work.items(self.len())?;
        }
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
        if entries.position(&key).is_some() {
            return Ok(None);
        }
        Arc::make_mut(&mut entries).insert(key, value);
        Ok(Some(Self::Owned(entries)))
    }
}

/// In functions of their own so that the lifetimes of both sides can meet.
fn find<'a>(entries: &Entries<'a>, key: &Value<'a>) -> Option<usize> {
    Key::alike(key).find_map(|key| exact(entries, &key))
}

fn exact<'a>(entries: &Entries<'a>, key: &Key<'a>) -> Option<usize> {
    if entries.entries.len() <= SEARCHED {
        return entries
            .entries
            .iter()
            .position(|(known, _)| Key::of(known).is_some_and(|known| known == *key));
    }
    entries.by_key.get(key).copied()
}

/// The key that a written one reaches.
fn reached(key: &str, escapes: bool) -> std::borrow::Cow<'_, str> {
    if escapes { unescaped(key) } else { None }.unwrap_or(std::borrow::Cow::Borrowed(key))
}
