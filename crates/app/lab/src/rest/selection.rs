//! Which objects a list, watch or deletecollection is about.

use serde_json::Value;
use types::{
    Status,
    selector::{FieldSelector, LabelSelector},
};

use super::{failure::bad_request, options::Query};
use crate::registry::Kind;

/// Parsed selectors that this kind supports.
pub(super) struct Selection {
    kind: &'static Kind,
    fields: FieldSelector,
    labels: LabelSelector,
}

impl Selection {
    /// Reads the query; `name` narrows it to one object.
    pub(super) fn read(kind: &'static Kind, query: &Query, name: Option<&str>) -> Result<Self, Status> {
        let labels =
            LabelSelector::parse(query.first("labelSelector")).map_err(|e| bad_request(e.to_string()))?;
        let text = match name {
            Some(name) => format!("metadata.name={name}"),
            None => query.first("fieldSelector").to_owned(),
        };
        let fields = FieldSelector::parse(&text).map_err(|e| bad_request(e.to_string()))?;
        for requirement in fields.requirements() {
            if pointer(kind, &requirement.field).is_none() {
                return Err(bad_request(format!("field label not supported: {}", requirement.field)));
            }
        }
        Ok(Self { kind, fields, labels })
    }

    /// Whether every object is meant.
    pub(super) fn is_everything(&self) -> bool {
        self.fields.is_empty() && self.labels.is_empty()
    }

    /// Whether an object, as it is shown, is meant.
    pub(super) fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        self.labels.matches(|name| labels?.get(name)?.as_str().map(str::to_owned))
            && self.fields.matches(|field| value(object, pointer(self.kind, field).unwrap_or_default()))
    }
}

fn pointer(kind: &Kind, field: &str) -> Option<&'static str> {
    match field {
        "metadata.name" => Some("/metadata/name"),
        "metadata.namespace" if kind.namespaced => Some("/metadata/namespace"),
        _ => kind.fields.iter().find(|(name, _)| *name == field).map(|(_, at)| *at),
    }
}

/// UPSTREAM: numbers and booleans are compared by their text, and absent ones are zero
/// (kube-apiserver 1.36).
fn value(object: &Value, at: &str) -> String {
    match object.pointer(at) {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ if at.ends_with("/unschedulable") || at.ends_with("/hostNetwork") => "false".into(),
        _ if at.ends_with("/replicas") || at.ends_with("/succeeded") => "0".into(),
        _ => String::new(),
    }
}
