//! What the controllers of pods share.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    object::{self, enter, list, set, text},
    registry::{self, Kind},
    rest::Api,
};

/// The reference that makes `owner` the controller of something.
pub(super) fn controller_reference(kind: &Kind, owner: &Value) -> Value {
    json!({
        "apiVersion": kind.api_version(), "kind": kind.kind, "name": object::name(owner), "uid": object::uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// Whether `owner` controls `object`.
pub(super) fn is_controlled_by(object: &Value, owner: &Value) -> bool {
    list(object, "/metadata/ownerReferences").iter().any(|reference| {
        text(reference, "/uid") == object::uid(owner)
            && reference.get("controller") == Some(&Value::Bool(true))
    })
}

/// What `owner` controls and is not on its way out.
pub(super) fn controlled(api: &Api, resource: &str, owner: &Value) -> Vec<Arc<Value>> {
    let (objects, _) = api.store().list(resource, Some(object::namespace(owner)));
    objects.into_iter().filter(|o| !object::is_terminating(o) && is_controlled_by(o, owner)).collect()
}

/// A pod of `owner`'s template, created under a name that begins with the owner's.
pub(super) fn create_pod(api: &Api, kind: &Kind, owner: &Value, node: Option<&str>) {
    let Some(pods) = registry::by_kind("", "Pod") else { return };
    let mut pod = owner.pointer("/spec/template").cloned().unwrap_or_default();
    set(&mut pod, &["metadata", "generateName"], format!("{}-", object::name(owner)));
    set(&mut pod, &["metadata", "namespace"], object::namespace(owner));
    set(&mut pod, &["metadata", "ownerReferences"], json!([controller_reference(kind, owner)]));
    enter(&mut pod, &["metadata"]).remove("creationTimestamp");
    if let Some(node) = node {
        set(&mut pod, &["spec", "nodeName"], node);
    }
    if let Err(status) = api.create(pods, pod) {
        tracing::warn!(owner = object::name(owner), message = status.message, "a pod was refused");
    }
}

/// Deletes a pod with its grace period.
pub(super) fn delete_pod(api: &Api, pod: &Value) {
    if let Some(pods) = registry::by_kind("", "Pod") {
        api.delete(pods, object::namespace(pod), object::name(pod), None);
    }
}

/// Whether a pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    list(pod, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True")
}

/// Whether a pod has ended.
pub(super) fn has_ended(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Sets a condition; its time changes only with its status.
pub(super) fn set_condition(
    object: &mut Value,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: &str,
) {
    let mut conditions = list(object, "/status/conditions").to_vec();
    let wanted = json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now,
        "lastUpdateTime": now,
    });
    match conditions.iter_mut().find(|condition| text(condition, "/type") == kind) {
        Some(found) if text(found, "/status") == status && text(found, "/reason") == reason => return,
        Some(found) => *found = wanted,
        None => conditions.push(wanted),
    }
    set(object, &["status", "conditions"], conditions);
}
