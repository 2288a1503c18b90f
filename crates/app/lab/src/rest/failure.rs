//! Refusals in Kubernetes' words.

use types::{Cause, Status, StatusDetails, StatusReason};

use crate::registry::{FieldError, Kind};

fn about(kind: &Kind, name: &str) -> StatusDetails {
    StatusDetails {
        name: name.into(),
        group: kind.group.into(),
        kind: kind.plural.into(),
        ..Default::default()
    }
}

/// The path leads nowhere.
pub(super) fn no_such_resource() -> Status {
    Status::failure(404, StatusReason::NotFound, "the server could not find the requested resource")
        .with_details(StatusDetails::default())
}

/// The path leads somewhere, but not by this method.
pub(super) fn method_not_allowed() -> Status {
    let message = "the server does not allow this method on the requested resource";
    Status::failure(405, StatusReason::MethodNotAllowed, message).with_details(StatusDetails::default())
}

/// There is no such object.
pub(super) fn not_found(kind: &Kind, name: &str) -> Status {
    let message = format!("{} {name:?} not found", kind.qualified());
    Status::failure(404, StatusReason::NotFound, message).with_details(about(kind, name))
}

/// There is no such namespace.
pub(super) fn no_such_namespace(name: &str) -> Status {
    let details = StatusDetails { name: name.into(), kind: "namespaces".into(), ..Default::default() };
    Status::failure(404, StatusReason::NotFound, format!("namespaces {name:?} not found"))
        .with_details(details)
}

/// There is one of this name.
pub(super) fn already_exists(kind: &Kind, name: &str) -> Status {
    let message = format!("{} {name:?} already exists", kind.qualified());
    Status::failure(409, StatusReason::AlreadyExists, message).with_details(about(kind, name))
}

/// Somebody else was faster.
pub(super) fn conflict(kind: &Kind, name: &str, detail: &str) -> Status {
    let message = format!("Operation cannot be fulfilled on {} {name:?}: {detail}", kind.qualified());
    Status::failure(409, StatusReason::Conflict, message).with_details(about(kind, name))
}

/// The object was changed since the client read it.
pub(super) fn modified(kind: &Kind, name: &str) -> Status {
    let detail =
        "the object has been modified; please apply your changes to the latest version and try again";
    conflict(kind, name, detail)
}

/// The object is not the one the client means.
pub(super) fn wrong_object(kind: &Kind, name: &str, what: &str, wanted: &str, found: &str) -> Status {
    let detail = format!(
        "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might \
         have been {}",
        if what == "UID" { "deleted and then recreated" } else { "modified" }
    );
    let message = format!("Operation cannot be fulfilled on {} {name:?}: {detail}", kind.kind);
    let details = StatusDetails { kind: kind.kind.into(), ..about(kind, name) };
    Status::failure(409, StatusReason::Conflict, message).with_details(details)
}

/// The request is malformed.
pub(super) fn bad_request(message: impl Into<String>) -> Status {
    Status::failure(400, StatusReason::BadRequest, message)
}

/// Fields of an object or of options are wrong.
pub(crate) fn invalid(group: &str, kind: &str, name: &str, wrong: Vec<FieldError>) -> Status {
    let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
    let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    let told = match told.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let details = StatusDetails {
        name: name.into(),
        group: group.into(),
        kind: kind.into(),
        causes: wrong.into_iter().map(FieldError::into_cause).collect(),
        ..Default::default()
    };
    Status::failure(422, StatusReason::Invalid, format!("{qualified} {name:?} is invalid: {told}"))
        .with_details(details)
}

/// Options of a request are wrong.
pub(super) fn invalid_options(kind: &str, wrong: FieldError) -> Status {
    invalid("meta.k8s.io", kind, "", vec![wrong])
}

/// A JSON patch does not apply.
pub(super) fn does_not_apply() -> Status {
    let message = "the server rejected our request due to an error in our request";
    Status::failure(422, StatusReason::Invalid, message).with_details(StatusDetails::default())
}

/// The namespace is on its way out.
pub(super) fn terminating(kind: &Kind, name: &str, namespace: &str) -> Status {
    let why = format!("namespace {namespace} is being terminated");
    let message = format!(
        "{} {name:?} is forbidden: unable to create new content in namespace {namespace} because it is being \
         terminated",
        kind.qualified()
    );
    let cause =
        Cause { reason: "NamespaceTerminating".into(), message: why, field: "metadata.namespace".into() };
    let details = StatusDetails { causes: vec![cause], ..about(kind, name) };
    Status::failure(403, StatusReason::Forbidden, message).with_details(details)
}

/// The body is larger than it may be.
pub(super) fn too_large(limit: usize) -> Status {
    let message = format!("Request entity too large: limit is {limit}");
    Status::failure(413, StatusReason::RequestEntityTooLarge, message)
}

/// The client asks for a state that is still to come.
pub(super) fn too_new(asked: u64, current: u64) -> Status {
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let cause = Cause {
        reason: "ResourceVersionTooLarge".into(),
        message: "Too large resource version".into(),
        ..Default::default()
    };
    let details = StatusDetails { causes: vec![cause], retry_after_seconds: 1, ..Default::default() };
    Status::failure(504, StatusReason::Timeout, message).with_details(details)
}

/// The client asks for a state that is forgotten.
pub(super) fn expired(message: impl Into<String>) -> Status {
    Status::failure(410, StatusReason::Expired, message)
}
