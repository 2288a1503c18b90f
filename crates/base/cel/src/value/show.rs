//! Values as JSON for people and for the recorded cases.

use serde_json::{Value as Json, json};

use super::Value;
use crate::{EvalError, go};

impl Value<'_> {
    /// The value with its type, exactly: `{"type": "int", "value": "1"}`. Ints and uints are decimal
    /// strings, doubles the shortest decimal, bytes base64, maps arrays of pairs sorted by key.
    pub fn to_json(&self) -> Json {
        json!({ "type": self.type_name(), "value": self.plain() })
    }

    fn plain(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(truth) => json!(truth),
            Self::Int(number) => json!(number.to_string()),
            Self::Uint(number) => json!(number.to_string()),
            Self::Double(number) => json!(go::format_double(*number)),
            Self::String(text) => json!(**text),
            Self::Bytes(bytes) => json!(go::base64(bytes)),
            Self::Timestamp(at) => json!(at.to_string()),
            Self::Duration(nanos) => json!(go::format_duration(*nanos)),
            Self::List(list) => list.iter().map(|item| item.to_json()).collect(),
            Self::Map(map) => {
                sorted(map.iter().map(|(key, value)| (key.to_json(), value.to_json())).collect())
            }
            Self::Object(object) if object.size().is_some() => sorted(
                object
                    .names()
                    .filter_map(|name| Some((Value::str(name).to_json(), object.field(name)?.to_json())))
                    .collect(),
            ),
            Self::Object(object) => {
                sorted(object.names().map(|name| lazy_entry(object.field(name), name)).collect())
            }
            Self::Type(name) => json!(name),
            Self::Optional(None) => Json::Null,
            Self::Optional(Some(value)) => value.to_json(),
            Self::Opaque(value) => json!(value.to_string()),
        }
    }
}

/// UPSTREAM: walking over `claims` or `user` gives the values of the fields, not their names, so that
/// looking a "key" up again fails (kube-apiserver 1.36).
fn lazy_entry(value: Option<Value<'_>>, name: &str) -> (Json, Json) {
    match value {
        Some(text @ Value::String(_)) => (text.to_json(), Json::Null),
        Some(value) => (value.to_json(), error_json(&EvalError::no_such_overload())),
        None => (error_json(&EvalError::no_such_key(name)), error_json(&EvalError::no_such_overload())),
    }
}

fn error_json(error: &EvalError) -> Json {
    json!({ "type": "error", "value": error.to_string() })
}

fn sorted(mut entries: Vec<(Json, Json)>) -> Json {
    entries.sort_by_cached_key(|(key, _)| key.to_string());
    entries.into_iter().map(|(key, value)| json!([key, value])).collect()
}
