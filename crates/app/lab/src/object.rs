//! Reading and writing members of a JSON object by path, without caring whether they are there.

use serde_json::{Map, Value};

/// The text at a JSON pointer; empty when it is absent or no text.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a JSON pointer; 0 when it is absent or no whole number.
pub(crate) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The list at a JSON pointer; empty when it is absent or no list.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The object at a JSON pointer, if there is one with members.
pub(crate) fn map<'a>(object: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    object.pointer(pointer).and_then(Value::as_object).filter(|map| !map.is_empty())
}

/// The members of `object`, which becomes an empty object first if it is anything else.
pub(crate) fn members(object: &mut Value) -> &mut Map<String, Value> {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    #[expect(clippy::unreachable, reason = "made an object just above")]
    match object {
        Value::Object(map) => map,
        _ => unreachable!("made an object just above"),
    }
}

/// The members of the object at `path`, made as needed.
pub(crate) fn enter<'a>(object: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut at = object;
    for name in path {
        at = members(at).entry(*name).or_insert(Value::Null);
    }
    members(at)
}

/// Sets the last member of `path`.
pub(crate) fn set(object: &mut Value, path: &[&str], value: impl Into<Value>) {
    if let Some((last, parents)) = path.split_last() {
        enter(object, parents).insert((*last).into(), value.into());
    }
}

/// Sets the last member of `path` where it is absent, `null` or an empty text.
pub(crate) fn default(object: &mut Value, path: &[&str], value: impl Into<Value>) {
    if let Some((last, parents)) = path.split_last() {
        let slot = enter(object, parents).entry(*last).or_insert(Value::Null);
        if slot.is_null() || slot.as_str() == Some("") {
            *slot = value.into();
        }
    }
}

/// Takes the last member of `path` away; parents that are not there are not made.
pub(crate) fn remove(object: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let mut at = object;
    for name in parents {
        at = at.get_mut(*name)?;
    }
    at.as_object_mut()?.remove(*last)
}

/// `metadata.name`
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.namespace`
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// `metadata.uid`
pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// Whether `metadata.deletionTimestamp` is set.
pub(crate) fn is_terminating(object: &Value) -> bool {
    !text(object, "/metadata/deletionTimestamp").is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_made_and_read() {
        let mut object = json!({"metadata": {"name": "x"}, "spec": null});
        set(&mut object, &["spec", "a", "b"], 1);
        default(&mut object, &["metadata", "name"], "y");
        default(&mut object, &["metadata", "namespace"], "ns");
        assert_eq!(object, json!({"metadata": {"name": "x", "namespace": "ns"}, "spec": {"a": {"b": 1}}}));
        assert_eq!(remove(&mut object, &["spec", "a", "b"]), Some(json!(1)));
        assert_eq!(remove(&mut object, &["nope", "a"]), None);
        assert_eq!((name(&object), namespace(&object), number(&object, "/spec/a/b")), ("x", "ns", 0));
    }
}
