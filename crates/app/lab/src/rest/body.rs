//! From a request's body to an object of a kind.

use serde_json::Value;
use types::{Status, StatusReason};

use super::{Call, failure::bad_request, options::FieldValidation};
use crate::{
    object::{set, text},
    registry::{self, Define},
    schema,
};

/// What Kubernetes' own clients send.
pub(super) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// The type that a body must be of.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) schema: Define,
    pub(super) api_version: &'a str,
    pub(super) kind: &'a str,
}

/// An object of the expected type, and what its author should know.
pub(super) struct Given {
    pub(super) object: Value,
    pub(super) warnings: Vec<String>,
}

/// Reads the body of a create or update.
pub(super) fn read(
    call: &Call<'_>,
    expected: Expected<'_>,
    fields: FieldValidation,
) -> Result<Given, Status> {
    let media = call.content_type.split(';').next().unwrap_or_default().trim();
    match media {
        "" | "application/json" => {}
        "application/yaml" => {
            let value = yaml(&call.body)
                .map_err(|error| unrecognised(expected.kind, &format!("yaml: {error}"), &call.body))?;
            return shape(value, expected, fields, &[]);
        }
        PROTOBUF => {
            let value = schema::decode_protobuf(expected.schema, expected.kind, &call.body)
                .map_err(|error| unrecognised(expected.kind, &error.to_string(), &call.body))?;
            return shape(value, expected, fields, &[]);
        }
        _ => {
            let message = "the body of the request was in an unknown format - accepted media types include: \
                           application/json, application/yaml, application/vnd.kubernetes.protobuf";
            return Err(Status::failure(415, StatusReason::UnsupportedMediaType, message));
        }
    }
    let parsed = schema::parse(&call.body).map_err(|error| {
        let why = format!("couldn't get version/kind; {}", json_error(&error, &call.body));
        unrecognised(expected.kind, &why, &call.body)
    })?;
    shape(parsed.value, expected, fields, &parsed.duplicates)
}

/// The first document, as kube-apiserver takes it.
pub(super) fn yaml(body: &[u8]) -> Result<Value, String> {
    let documents = config::yaml::parse("body", body).map_err(|error| error.to_string())?;
    let first = documents.first().map(config::yaml::Document::decode);
    first.transpose().map(Option::unwrap_or_default).map_err(|error| error.to_string())
}

/// Brings a value into the shape of the expected type.
pub(super) fn shape(
    value: Value,
    expected: Expected<'_>,
    fields: FieldValidation,
    duplicates: &[String],
) -> Result<Given, Status> {
    let Expected { schema: of, api_version, kind } = expected;
    check_type(&value, expected)?;
    let version = version(api_version);
    let refused = |detail: String| {
        bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {detail}"))
    };
    let decoded = schema::decode(of, value).map_err(|mismatch| refused(mismatch.to_string()))?;
    let unknown = decoded.unknown.iter().map(|path| format!("unknown field {path:?}"));
    let told: Vec<String> =
        duplicates.iter().map(|path| format!("duplicate field {path:?}")).chain(unknown).collect();
    let warnings = match fields {
        FieldValidation::Ignore => Vec::new(),
        FieldValidation::Strict if !told.is_empty() => {
            return Err(refused(format!("strict decoding error: {}", told.join(", "))));
        }
        FieldValidation::Strict | FieldValidation::Warn => told,
    };
    let mut object = decoded.value;
    set(&mut object, &["apiVersion"], api_version);
    set(&mut object, &["kind"], kind);
    Ok(Given { object, warnings })
}

fn version(api_version: &str) -> &str {
    api_version.rsplit('/').next().unwrap_or(api_version)
}

/// UPSTREAM: what the object leaves out is taken from the path (kube-apiserver 1.36).
fn check_type(value: &Value, expected: Expected<'_>) -> Result<(), Status> {
    let (api_version, kind) = (text(value, "/apiVersion"), text(value, "/kind"));
    let fits = |given: &str, wanted: &str| given.is_empty() || given == wanted;
    if fits(api_version, expected.api_version) && fits(kind, expected.kind) {
        return Ok(());
    }
    let shown_kind = if kind.is_empty() { expected.kind } else { kind };
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let known = registry::by_kind(group, shown_kind).filter(|known| fits(api_version, &known.api_version()));
    let detail = match known {
        Some(known) => {
            format!(
                "converting ({}.{}) to ({}): unknown conversion",
                known.version,
                known.kind,
                internal_name(expected)
            )
        }
        None => format!(
            "no kind {shown_kind:?} is registered for version {:?} in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            if api_version.is_empty() { expected.api_version } else { api_version }
        ),
    };
    let shown_version = version(if api_version.is_empty() { expected.api_version } else { api_version });
    let wanted = expected.kind;
    Err(bad_request(format!(
        "{shown_kind} in version {shown_version:?} cannot be handled as a {wanted}: {detail}"
    )))
}

/// The Go name of the internal type: `core.ConfigMap`, `apps.Deployment`.
fn internal_name(expected: Expected<'_>) -> String {
    let group = expected.api_version.split_once('/').map_or("core", |(group, _)| group);
    format!("{}.{}", group.split('.').next().unwrap_or(group), expected.kind)
}

fn unrecognised(kind: &str, why: &str, body: &[u8]) -> Status {
    let shown = summary(body);
    bad_request(format!("the object provided is unrecognized (must be of type {kind}): {why} ({shown})"))
}

/// UPSTREAM: the first 30 bytes, as text where they look like JSON, else in hexadecimal
/// (kube-apiserver 1.36).
fn summary(body: &[u8]) -> String {
    const SHOWN: usize = 30;
    let (head, rest) = body.split_at(body.len().min(SHOWN));
    let more = if rest.is_empty() { "" } else { " ..." };
    match head.first() {
        None => "<empty>".into(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(head)),
        Some(_) => format!("{}{more}", head.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// The commonest of Go's words for broken JSON.
pub(super) fn json_error(error: &serde_json::Error, body: &[u8]) -> String {
    if error.is_eof() {
        return "json parse error: unexpected end of JSON input".into();
    }
    let line_start = body
        .split(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(|l| l.len() + 1)
        .sum::<usize>();
    let at = line_start + error.column().saturating_sub(1);
    let character = body.get(at).map_or(' ', |byte| char::from(*byte));
    let place = match error.to_string() {
        text if text.starts_with("trailing characters") => "after top-level value",
        text if text.starts_with("control character") => "in string",
        text if text.starts_with("expected `,` or `}`") => "after object key:value pair",
        text if text.starts_with("key must be a string") => "looking for beginning of object key string",
        _ => "looking for beginning of value",
    };
    format!("json parse error: invalid character '{}' {place}", character.escape_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_json_in_gos_words() {
        for (body, expected) in [
            ("{", "json parse error: unexpected end of JSON input"),
            ("apiVersion: v1\n", "json parse error: invalid character 'a' looking for beginning of value"),
            ("{} {}", "json parse error: invalid character '{' after top-level value"),
            ("{\n a}", "json parse error: invalid character 'a' looking for beginning of object key string"),
        ] {
            let error = schema::parse(body.as_bytes()).err().unwrap();
            assert_eq!(json_error(&error, body.as_bytes()), expected, "{body}");
        }
    }
}
