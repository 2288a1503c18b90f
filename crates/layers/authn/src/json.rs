//! JSON as go-jose reads it, because that is what kube-apiserver reads tokens with.
//!
//! Objects keep all their members: a key that stands twice spoils an object only where somebody
//! looks into that object. Where Go replaces what is no valid Unicode, the text is refused here.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// Any JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

/// An object none of whose keys stands twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Object<'v>(&'v [(String, Value)]);

impl Value {
    /// Reads one value; nothing may follow it.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// Whether any object in it has a key twice.
    pub(crate) fn has_duplicate_keys(&self) -> bool {
        match self {
            Self::Array(items) => items.iter().any(Self::has_duplicate_keys),
            Self::Object(members) => {
                duplicate_key(members).is_some()
                    || members.iter().any(|(_, value)| value.has_duplicate_keys())
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => false,
        }
    }

    /// How an error calls such a value.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }
}

impl<'v> Object<'v> {
    /// The object that `value` is, or what is wrong with it. `null` is an object without members.
    pub(crate) fn of(value: &'v Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(Self(&[])),
            Value::Object(members) => match duplicate_key(members) {
                Some(key) => Err(format!("json: duplicate key '{key}' in object")),
                None => Ok(Self(members)),
            },
            other => Err(format!("json: cannot unmarshal {} into an object", other.kind())),
        }
    }

    /// The member `key` as it is; none if it is `null`.
    pub(crate) fn get(self, key: &str) -> Option<&'v Value> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value).filter(|value| **value != Value::Null)
    }

    /// The member `key`, whatever it is: `null` counts.
    pub(crate) fn get_or_null(self, key: &str) -> Option<&'v Value> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// The text of member `key`, empty if there is none.
    pub(crate) fn string(self, key: &str) -> Result<&'v str, String> {
        match self.get(key) {
            None => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(format!("json: cannot unmarshal {} into the string `{key}`", other.kind())),
        }
    }

    /// The object in member `key`, if there is one.
    pub(crate) fn object(self, key: &str) -> Result<Option<Self>, String> {
        self.get(key).map(Object::of).transpose()
    }

    /// All members.
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'v str, &'v Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

/// A key that stands twice. Tokens come from strangers, so the cost must not grow with the square of
/// the number of keys.
fn duplicate_key(members: &[(String, Value)]) -> Option<&str> {
    let mut seen = HashSet::with_capacity(members.len());
    members.iter().map(|(key, _)| key.as_str()).find(|key| !seen.insert(*key))
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Number(number as f64))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Number(number as f64))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
                Ok(Value::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::String(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut array = Vec::new();
                while let Some(item) = items.next_element()? {
                    array.push(item);
                }
                Ok(Value::Array(array))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
                let mut object = Vec::new();
                while let Some(member) = members.next_entry()? {
                    object.push(member);
                }
                Ok(Value::Object(object))
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}
