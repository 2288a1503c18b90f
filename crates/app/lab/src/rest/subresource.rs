//! What stands below an object and is not a part of it: scale, log, binding, eviction, reviews.

use serde_json::{Value, json};
use types::Status;

use super::{
    Call, Reply, ReviewCall,
    body::{self, Expected},
    delete::{self, Deleted},
    failure,
    options::{DeleteOptions, WriteOptions},
    patch::Patch,
    read::fetch,
    route::Target,
    update::{Part, amend},
};
use crate::{
    object::{self, number, set, text},
    registry::{Define, Review, Subresource},
};

/// Asks what is asked and not kept.
pub(super) fn review(
    call: &Call<'_>,
    target: &Target,
    review: Review,
    schema: Define,
    api_version: &str,
    kind: &str,
) -> Result<Reply, Status> {
    let options = WriteOptions::read(&call.query, "CreateOptions")?;
    let given = body::read(call, Expected { schema, api_version, kind }, options.fields)?;
    let question = ReviewCall {
        review,
        user: &call.user,
        namespace: target.namespace(),
        name: target.name(),
        object: &given.object,
        store: &call.api.store,
        now: call.now,
    };
    let answer = call.api.reviewer.review(&question)?;
    Ok(Reply::value(201, answer).with_warnings(given.warnings))
}

/// A token for a service account that exists.
pub(super) fn token(
    call: &Call<'_>,
    target: &Target,
    sub: &'static Subresource,
    asked: Review,
) -> Result<Reply, Status> {
    fetch(call, target)?;
    let (api_version, schema) = written_type(sub, target);
    review(call, target, asked, schema, &api_version, sub.kind)
}

fn written_type(sub: &'static Subresource, target: &Target) -> (String, Define) {
    let api_version = match sub.group_version {
        Some((group, version)) => format!("{group}/{version}"),
        None => target.kind.api_version(),
    };
    (api_version, sub.schema.unwrap_or(target.kind.schema))
}

/// Reads and writes `spec.replicas`.
pub(super) fn scale(
    call: &Call<'_>,
    target: &Target,
    sub: &'static Subresource,
    verb: &str,
) -> Result<Reply, Status> {
    let (api_version, schema) = written_type(sub, target);
    let expected = Expected { schema, api_version: &api_version, kind: sub.kind };
    if verb == "get" {
        return Ok(Reply::value(200, scale_of(&fetch(call, target)?)));
    }
    let options = WriteOptions::read(&call.query, "UpdateOptions")?;
    let mut warnings = Vec::new();
    let wanted: Box<dyn FnOnce(Value) -> Result<Value, Status>> = if verb == "patch" {
        let patch = Patch::read(call, schema)?;
        let shape =
            move |old: Value| Ok(body::shape(patch.apply(&old)?, expected, options.fields, &[])?.object);
        Box::new(shape)
    } else {
        let given = body::read(call, expected, options.fields)?;
        warnings = given.warnings;
        Box::new(move |_| Ok(given.object))
    };
    let written = amend(call.api, target, Part::Main, options.dry_run, |old| {
        let scale = wanted(scale_of(old))?;
        let mut new = old.clone();
        set(&mut new, &["spec", "replicas"], number(&scale, "/spec/replicas"));
        let version = text(&scale, "/metadata/resourceVersion");
        if !version.is_empty() {
            set(&mut new, &["metadata", "resourceVersion"], version);
        }
        Ok(new)
    })?;
    Ok(Reply::value(200, scale_of(&written)).with_warnings(warnings))
}

fn scale_of(object: &Value) -> Value {
    let meta = |member: &str| object.pointer(&format!("/metadata/{member}")).cloned();
    let labels = object::map(object, "/spec/selector/matchLabels").into_iter().flatten();
    let selector: Vec<_> = labels.map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta("name"), "namespace": meta("namespace"), "uid": meta("uid"),
            "resourceVersion": meta("resourceVersion"), "creationTimestamp": meta("creationTimestamp"),
        },
        "spec": {"replicas": number(object, "/spec/replicas")},
        "status": {"replicas": number(object, "/status/replicas"), "selector": selector.join(",")},
    })
}

/// Gives a pod to a node, as a scheduler does.
pub(super) fn bind(call: &Call<'_>, target: &Target, sub: &'static Subresource) -> Result<Reply, Status> {
    let options = WriteOptions::read(&call.query, "CreateOptions")?;
    let (api_version, schema) = written_type(sub, target);
    let given =
        body::read(call, Expected { schema, api_version: &api_version, kind: sub.kind }, options.fields)?;
    let node = text(&given.object, "/target/name").to_owned();
    if node.is_empty() {
        let wrong = crate::registry::FieldError::required("target.name", "");
        return Err(failure::invalid("", "Binding", target.name(), vec![wrong]));
    }
    let key = crate::store::Key::new("pods", target.namespace(), target.name());
    call.api.store.change(&key, |old, _| {
        let mut pod = old.ok_or_else(|| failure::not_found(target.kind, target.name()))?.as_ref().clone();
        let assigned = text(&pod, "/spec/nodeName");
        if !assigned.is_empty() {
            let detail = format!("pod {} is already assigned to node {assigned:?}", target.name());
            return Err(failure::conflict(target.kind, target.name(), &detail));
        }
        set(&mut pod, &["spec", "nodeName"], node);
        Ok(crate::store::Change::Put(pod))
    })?;
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(Reply::value(201, status))
}

/// Deletes a pod. There are no disruption budgets in the lab, so nothing is in the way.
pub(super) fn evict(call: &Call<'_>, target: &Target, sub: &'static Subresource) -> Result<Reply, Status> {
    let options = WriteOptions::read(&call.query, "CreateOptions")?;
    let (api_version, schema) = written_type(sub, target);
    let given =
        body::read(call, Expected { schema, api_version: &api_version, kind: sub.kind }, options.fields)?;
    let inner = given.object.get("deleteOptions").unwrap_or(&Value::Null);
    let mut delete = DeleteOptions::of(&call.query, inner)?;
    delete.dry_run |= options.dry_run;
    let done = delete::remove(call.api, target.kind, target.namespace(), target.name(), &delete, call.now)?;
    let (Deleted::Gone(_) | Deleted::Terminating(_)) = done;
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(Reply::value(201, status))
}
