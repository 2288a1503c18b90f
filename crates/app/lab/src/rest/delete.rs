//! Delete and deletecollection.

use serde_json::{Value, json};
use types::{Status, Timestamp};

use super::{
    Api, Call, Reply, failure,
    options::{DeleteOptions, Propagation},
    read,
    route::Target,
    selection::Selection,
    update::is_released,
    write::{seconds, stored},
};
use crate::{
    object::{self, list, number, set, text},
    registry::Kind,
    store::{Change, Key},
};

/// What a deletion came to.
pub(crate) enum Deleted {
    /// It is gone.
    Gone(Value),
    /// Something still holds it.
    Terminating(Value),
}

pub(super) fn delete(call: &Call<'_>, target: &Target) -> Result<Reply, Status> {
    let options = DeleteOptions::read(call)?;
    let kind = target.kind;
    let done = remove(call.api, kind, target.namespace(), target.name(), &options, call.now)?;
    reply(call, kind, done)
}

pub(super) fn reply(call: &Call<'_>, kind: &'static Kind, done: Deleted) -> Result<Reply, Status> {
    match done {
        Deleted::Terminating(object) => Ok(Reply::value(200, read::present(call, kind, object)?)),
        Deleted::Gone(object) if shows_the_deleted(kind) => {
            Ok(Reply::value(200, read::present(call, kind, object)?))
        }
        Deleted::Gone(object) => {
            let mut details = json!({
                "name": object::name(&object), "kind": kind.plural, "uid": object::uid(&object),
            });
            if !kind.group.is_empty() {
                set(&mut details, &["group"], kind.group);
            }
            // UPSTREAM: this Status has no code (kube-apiserver 1.36).
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
            });
            Ok(Reply::value(200, status))
        }
    }
}

/// UPSTREAM: these kinds answer with the object itself (kube-apiserver 1.36).
fn shows_the_deleted(kind: &Kind) -> bool {
    let shown = [
        "pods",
        "services",
        "serviceaccounts",
        "persistentvolumes",
        "persistentvolumeclaims",
        "resourcequotas",
    ];
    kind.group.is_empty() && shown.contains(&kind.plural)
}

pub(super) fn delete_collection(call: &Call<'_>, target: &Target) -> Result<Reply, Status> {
    let options = DeleteOptions::read(call)?;
    let kind = target.kind;
    let selection = Selection::read(kind, &call.query, None)?;
    let (objects, _) = call.api.store.list(kind.storage, target.namespace.as_deref());
    let mut items = Vec::new();
    for object in objects.iter().map(|object| kind.shown(object)).filter(|object| selection.matches(object)) {
        match remove(call.api, kind, object::namespace(&object), object::name(&object), &options, call.now) {
            Ok(Deleted::Gone(object) | Deleted::Terminating(object)) => items.push(object),
            // Somebody else was faster: gone is gone.
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(status),
        }
    }
    let meta = json!({"resourceVersion": call.api.store.revision().to_string()});
    Ok(Reply::value(200, read::present_list(call, kind, items, &meta)?))
}

/// Deletes one object, or marks it where something holds it.
pub(super) fn remove(
    api: &Api,
    kind: &Kind,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
    now: Timestamp,
) -> Result<Deleted, Status> {
    let key = Key::new(kind.storage, namespace, name);
    let mut gone = false;
    let mut last = Value::Null;
    let mut decide = |old: Option<&std::sync::Arc<Value>>| {
        let mut object = kind.shown(old.ok_or_else(|| failure::not_found(kind, name))?);
        preconditions(kind, name, &object, options)?;
        let before = object.clone();
        mark(kind, &mut object, options, now);
        gone = is_released(kind, &object);
        last = object.clone();
        Ok::<_, Status>(match gone {
            true => Change::Delete,
            false if object == before => Change::Keep,
            false => Change::Put(stored(kind, object)),
        })
    };
    if options.dry_run {
        decide(api.store.get(&key).as_ref())?;
    } else {
        let done = api.store.change(&key, |old, _| decide(old))?;
        if let Some(object) = done.object {
            last = kind.shown(&object);
        }
    }
    Ok(if gone { Deleted::Gone(last) } else { Deleted::Terminating(last) })
}

impl Api {
    /// Deletes an object in the background, for controllers; that it is gone already is fine.
    pub(crate) fn delete(&self, kind: &Kind, namespace: &str, name: &str, grace: Option<i64>) {
        let options = DeleteOptions {
            dry_run: false,
            grace_period: grace,
            propagation: Propagation::Background,
            uid: None,
            resource_version: None,
        };
        match remove(self, kind, namespace, name, &options, self.now()) {
            Ok(_) => {}
            Err(status) if status.code == 404 => {}
            Err(status) => {
                tracing::warn!(kind = kind.kind, namespace, name, message = status.message, "not deleted")
            }
        }
    }
}

fn preconditions(kind: &Kind, name: &str, object: &Value, options: &DeleteOptions) -> Result<(), Status> {
    let found = |member: &str| text(object, &format!("/metadata/{member}")).to_owned();
    let checks = [
        ("UID", &options.uid, found("uid")),
        ("ResourceVersion", &options.resource_version, found("resourceVersion")),
    ];
    for (what, wanted, found) in checks {
        if let Some(wanted) = wanted
            && *wanted != found
        {
            return Err(failure::wrong_object(kind, name, what, wanted, &found));
        }
    }
    Ok(())
}

/// Marks an object as terminating and says what still has to happen to its dependents.
fn mark(kind: &Kind, object: &mut Value, options: &DeleteOptions, now: Timestamp) {
    let grace = grace_period(kind, object, options);
    let finalizer = match options.propagation {
        Propagation::Foreground => Some("foregroundDeletion"),
        Propagation::Orphan => Some("orphan"),
        Propagation::Background => None,
    };
    if let Some(finalizer) = finalizer {
        let mut finalizers = list(object, "/metadata/finalizers").to_vec();
        if !finalizers.iter().any(|value| value.as_str() == Some(finalizer)) {
            finalizers.push(finalizer.into());
        }
        set(object, &["metadata", "finalizers"], finalizers);
    }
    let shorter =
        !object::is_terminating(object) || grace < number(object, "/metadata/deletionGracePeriodSeconds");
    if shorter {
        let end = now.checked_add(jiff::SignedDuration::from_secs(grace)).unwrap_or(now);
        set(object, &["metadata", "deletionTimestamp"], seconds(end));
        set(object, &["metadata", "deletionGracePeriodSeconds"], grace);
        if kind.generation {
            let generation = number(object, "/metadata/generation") + 1;
            set(object, &["metadata", "generation"], generation);
        }
    }
    if kind.storage == "namespaces" {
        set(object, &["status", "phase"], "Terminating");
    }
}

/// UPSTREAM: only a pod that a node has, and that still runs, is given time (kube-apiserver 1.36).
fn grace_period(kind: &Kind, pod: &Value, options: &DeleteOptions) -> i64 {
    let ended = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    if kind.storage != "pods" || ended || text(pod, "/spec/nodeName").is_empty() {
        return 0;
    }
    let own = pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    options.grace_period.or(own).unwrap_or(30).max(0)
}
