//! What may be wrong with an object, in Kubernetes' words.

use serde_json::Value;
use types::{Cause, dns_name};

use crate::object::text;

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    reason: &'static str,
    field: String,
    message: String,
}

impl FieldError {
    /// The field must be there.
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        let message =
            if detail.is_empty() { "Required value".into() } else { format!("Required value: {detail}") };
        Self { reason: "FieldValueRequired", field: field.into(), message }
    }

    /// The field's value is not a good one.
    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        let message = format!("Invalid value: {value}: {detail}");
        Self { reason: "FieldValueInvalid", field: field.into(), message }
    }

    /// The field's value is none of the known ones. Some lists are told as they are, quotes and all.
    pub(crate) fn unsupported(field: impl Into<String>, shown: &str, supported: &[&str]) -> Self {
        let supported: Vec<_> = supported.iter().map(|value| format!("{value:?}")).collect();
        let message = format!("Unsupported value: {shown}: supported values: {}", supported.join(", "));
        Self { reason: "FieldValueNotSupported", field: field.into(), message }
    }

    /// The field may not be set so.
    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { reason: "FieldValueForbidden", field: field.into(), message: format!("Forbidden: {detail}") }
    }

    /// The value stands there twice.
    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self {
            reason: "FieldValueDuplicate",
            field: field.into(),
            message: format!("Duplicate value: {value}"),
        }
    }

    /// The value is longer than it may be.
    pub(crate) fn too_long(field: impl Into<String>, limit: usize) -> Self {
        Self {
            reason: "FieldValueTooLong",
            field: field.into(),
            message: format!("Too long: may not be more than {limit} bytes"),
        }
    }

    /// As it stands in `details.causes`.
    pub(crate) fn into_cause(self) -> Cause {
        Cause { reason: self.reason.into(), message: self.message, field: self.field }
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Which names are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameRule {
    /// Dots allowed, 253 characters.
    Subdomain,
    /// No dots, 63 characters.
    Label,
    /// No dots, 63 characters, a letter first.
    ServiceName,
    /// What can stand in a path: RBAC.
    PathSegment,
}

impl NameRule {
    /// What is wrong with `name`.
    pub(crate) fn check(self, name: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let limit = match self {
            Self::Subdomain => 253,
            Self::Label | Self::ServiceName => 63,
            Self::PathSegment => return path_segment(name),
        };
        if name.len() > limit {
            wrong.push(format!("must be no more than {limit} bytes"));
        }
        let (good, words) = match self {
            Self::Subdomain => (dns_name::is_subdomain_of_any_length(name), dns_name::SUBDOMAIN_RULE),
            Self::Label | Self::PathSegment => (dns_name::is_label_of_any_length(name), dns_name::LABEL_RULE),
            Self::ServiceName => {
                let letter_first = name.starts_with(|c: char| c.is_ascii_lowercase());
                (letter_first && dns_name::is_label_of_any_length(name), LABEL_1035)
            }
        };
        if !good {
            wrong.push(words.into());
        }
        wrong
    }
}

const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
    alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
    validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/// What is wrong with a name as part of a path: also asked of names in requests, which need no other
/// rule to be looked up.
pub(crate) fn path_segment(name: &str) -> Vec<String> {
    match name {
        "." => vec!["may not be '.'".into()],
        ".." => vec!["may not be '..'".into()],
        _ => ['/', '%']
            .into_iter()
            .filter(|c| name.contains(*c))
            .map(|c| format!("may not contain '{c}'"))
            .collect(),
    }
}

/// An error for every required field that is absent or empty.
pub(super) fn require(object: &Value, fields: &[&str]) -> Vec<FieldError> {
    fields
        .iter()
        .filter(|field| is_empty(object.pointer(&format!("/{}", field.replace('.', "/")))))
        .map(|field| FieldError::required(*field, ""))
        .collect()
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        _ => false,
    }
}

/// An error for every field that an update changes.
pub(super) fn immutable(object: &Value, old: Option<&Value>, fields: &[&str]) -> Vec<FieldError> {
    let Some(old) = old else { return Vec::new() };
    let mut wrong = Vec::new();
    for field in fields {
        let at = format!("/{}", field.replace('.', "/"));
        let (new, was) = (object.pointer(&at), old.pointer(&at));
        if new != was {
            wrong.push(FieldError::invalid(*field, new.unwrap_or(&Value::Null), "field is immutable"));
        }
    }
    wrong
}

/// Whether every label of a selector's `matchLabels` stands among the template's labels.
pub(super) fn selector_matches_template(object: &Value) -> Vec<FieldError> {
    let Some(wanted) = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object) else {
        return require(object, &["spec.selector"]);
    };
    let labels = object.pointer("/spec/template/metadata/labels");
    let matches = wanted.iter().all(|(name, value)| labels.and_then(|l| l.get(name)) == Some(value));
    if matches {
        return Vec::new();
    }
    let labels = labels.unwrap_or(&Value::Null);
    vec![FieldError::invalid(
        "spec.template.metadata.labels",
        labels,
        "`selector` does not match template `labels`",
    )]
}

/// What is wrong with the containers of a pod or template; `field` leads to its spec.
pub(super) fn pod_spec(spec: &Value, field: &str) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    if is_empty(spec.get("containers")) {
        wrong.push(FieldError::required(format!("{field}.containers"), ""));
    }
    for member in ["containers", "initContainers"] {
        let mut seen = Vec::new();
        let at = format!("/{member}");
        for (index, container) in crate::object::list(spec, &at).iter().enumerate() {
            let field = format!("{field}.{member}[{index}]");
            let name = text(container, "/name");
            if name.is_empty() {
                wrong.push(FieldError::required(format!("{field}.name"), ""));
            } else if seen.contains(&name) {
                wrong.push(FieldError::duplicate(format!("{field}.name"), &name.into()));
            } else if let Some(detail) = NameRule::Label.check(name).into_iter().next() {
                wrong.push(FieldError::invalid(format!("{field}.name"), &name.into(), &detail));
            }
            seen.push(name);
            if text(container, "/image").is_empty() {
                wrong.push(FieldError::required(format!("{field}.image"), ""));
            }
        }
    }
    wrong
}
