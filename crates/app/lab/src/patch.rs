//! The patches a client can send, each of which takes a document to a document; and for server-side
//! apply, which merges as one of them does, who owns which fields.

mod apply;
mod json_patch;
mod strategic;

use serde_json::{Map, Value};

pub(crate) use apply::Fields;
pub(crate) use json_patch::json_patch;
pub(crate) use strategic::{Strategy, strategic_merge, strategy};

/// A patch that does not apply.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatchError {
    /// The patch is no patch.
    #[error("{0}")]
    Malformed(String),
    /// A JSON patch names what is not there, or tests for what does not hold.
    #[error("the server rejected our request due to an error in our request")]
    DoesNotApply,
}

/// RFC 7386.
pub(crate) fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge_patch(target.entry(name.as_str()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn merges_as_rfc_7386_shows() {
        for (mut target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
        ] {
            let patch: Value = patch;
            super::merge_patch(&mut target, &patch);
            assert_eq!(target, expected, "{patch}");
        }
    }
}
