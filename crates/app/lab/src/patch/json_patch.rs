//! RFC 6902.

use serde::Deserialize;
use serde_json::Value;

use super::PatchError;

#[derive(Debug, Deserialize)]
struct Operation {
    op: String,
    path: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    value: Option<Value>,
}

/// Applies the operations in order; all of them or none.
pub(crate) fn json_patch(target: &Value, patch: &Value) -> Result<Value, PatchError> {
    let Value::Array(_) = patch else {
        let got = match patch {
            Value::Object(_) => "object",
            Value::String(_) => "string",
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
            _ => "null",
        };
        return Err(PatchError::Malformed(format!(
            "json: cannot unmarshal {got} into Go value of type []handlers.jsonPatchOp"
        )));
    };
    let operations: Vec<Operation> =
        serde_json::from_value(patch.clone()).map_err(|error| PatchError::Malformed(error.to_string()))?;
    let mut document = target.clone();
    for operation in operations {
        apply(&mut document, operation).ok_or(PatchError::DoesNotApply)?;
    }
    Ok(document)
}

fn apply(document: &mut Value, operation: Operation) -> Option<()> {
    let Operation { op, path, from, value } = operation;
    match op.as_str() {
        // UPSTREAM: an absent `value` counts as null (kube-apiserver 1.36).
        "add" => add(document, &path, value.unwrap_or_default()),
        "remove" => remove(document, &path).map(drop),
        "replace" => {
            *document.pointer_mut(&path)? = value.unwrap_or_default();
            Some(())
        }
        "move" => {
            let moved = remove(document, &from?)?;
            add(document, &path, moved)
        }
        "copy" => {
            let copied = document.pointer(&from?)?.clone();
            add(document, &path, copied)
        }
        "test" => {
            let found = document.pointer(&path);
            let wanted = value.unwrap_or_default();
            (found.unwrap_or(&Value::Null) == &wanted && (found.is_some() || wanted.is_null())).then_some(())
        }
        _ => None,
    }
}

/// The parent's pointer and the last token, unescaped.
fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(document: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *document = value;
        return Some(());
    }
    let (parent, last) = split(path)?;
    match document.pointer_mut(parent)? {
        Value::Object(map) => {
            map.insert(last, value);
        }
        Value::Array(items) => {
            let index = if last == "-" { items.len() } else { index(&last)? };
            if index > items.len() {
                return None;
            }
            items.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = split(path)?;
    match document.pointer_mut(parent)? {
        Value::Object(map) => map.remove(&last),
        Value::Array(items) => {
            let index = index(&last)?;
            (index < items.len()).then(|| items.remove(index))
        }
        _ => None,
    }
}

/// A number without sign or leading zeros.
fn index(text: &str) -> Option<usize> {
    let plain = text == "0" || !text.starts_with('0');
    if plain && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    fn check(document: Value, patch: Value, expected: Result<Value, PatchError>) {
        assert_eq!(json_patch(&document, &patch), expected, "{patch}");
    }

    #[test]
    fn operations_as_rfc_6902_shows() {
        let refused = || Err(PatchError::DoesNotApply);
        for (document, patch, expected) in [
            (json!({"a": 1}), json!([{"op": "add", "path": "/b", "value": 2}]), Ok(json!({"a": 1, "b": 2}))),
            (
                json!({"a": [1, 3]}),
                json!([{"op": "add", "path": "/a/1", "value": 2}]),
                Ok(json!({"a": [1, 2, 3]})),
            ),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), Ok(json!({"a": [1, 2]}))),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/5", "value": 2}]), refused()),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/01", "value": 2}]), refused()),
            (json!({}), json!([{"op": "add", "path": "/a/b", "value": 2}]), refused()),
            (json!({"a": 1}), json!([{"op": "remove", "path": "/a"}]), Ok(json!({}))),
            (json!({"a": 1}), json!([{"op": "remove", "path": "/b"}]), refused()),
            (
                json!({"a/b": {"~": 1}}),
                json!([{"op": "replace", "path": "/a~1b/~0", "value": 2}]),
                Ok(json!({"a/b": {"~": 2}})),
            ),
            (json!({}), json!([{"op": "replace", "path": "/a", "value": 2}]), refused()),
            (json!({"a": 1}), json!([{"op": "move", "from": "/a", "path": "/b"}]), Ok(json!({"b": 1}))),
            (
                json!({"a": 1}),
                json!([{"op": "copy", "from": "/a", "path": "/b"}]),
                Ok(json!({"a": 1, "b": 1})),
            ),
            (json!({"a": 1}), json!([{"op": "test", "path": "/a", "value": 1}]), Ok(json!({"a": 1}))),
            (json!({"a": 1}), json!([{"op": "test", "path": "/a", "value": 2}]), refused()),
            (json!({"a": 1}), json!([{"op": "rise", "path": "/a"}]), refused()),
        ] {
            check(document, patch, expected);
        }
        let message = "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp";
        check(json!({}), json!({}), Err(PatchError::Malformed(message.into())));
    }
}
