//! JSON to a value, noticing members given twice.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A parsed body.
pub(crate) struct Parsed {
    /// The last of repeated members counts.
    pub(crate) value: Value,
    /// Paths of members given more than once, each once.
    pub(crate) duplicates: Vec<String>,
}

/// Parses JSON. Bytes that are no UTF-8 become U+FFFD, as in Go.
pub(crate) fn parse(bytes: &[u8]) -> serde_json::Result<Parsed> {
    let text = String::from_utf8_lossy(bytes);
    let duplicates = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let value = Node { path: String::new(), duplicates: &duplicates }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(Parsed { value, duplicates: duplicates.into_inner() })
}

struct Node<'a> {
    path: String,
    duplicates: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Node {
            path: format!("{}[{}]", self.path, list.len()),
            duplicates: self.duplicates,
        })? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let path = super::decode::join(&self.path, &name);
            if map.contains_key(&name) {
                let mut duplicates = self.duplicates.borrow_mut();
                if !duplicates.contains(&path) {
                    duplicates.push(path.clone());
                }
            }
            let value = entries.next_value_seed(Node { path, duplicates: self.duplicates })?;
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn the_last_of_two_counts_and_both_are_told() {
        let parsed =
            super::parse(br#"{"data":{"a":"1"},"data":{"a":"2"},"l":[{"x":1,"x":2,"x":3}]}"#).unwrap();
        assert_eq!(parsed.value, json!({"data": {"a": "2"}, "l": [{"x": 3}]}));
        assert_eq!(parsed.duplicates, ["data", "l[0].x"]);
        assert!(super::parse(b"{} {}").is_err());
        assert_eq!(super::parse(b"\"\xff\"").unwrap().value, json!("\u{fffd}"));
    }
}
