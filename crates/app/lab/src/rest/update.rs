//! Update, and what it shares with patch and the subresources.

use serde_json::Value;
use types::Status;

use super::{
    Api, Call, Reply, body, failure,
    options::WriteOptions,
    read,
    route::Target,
    write::{expected, finish, stored},
};
use crate::{
    object::{self, members, remove, set, text},
    registry::{Behaviour, Kind, Subresource},
    store::{Change, Key},
};

/// Which part of an object a request may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything but `status`, where there is such a subresource.
    Main,
    /// The same, and who applied what.
    Applied,
    Status,
    /// Conditions and certificate of a signing request.
    Approval,
    /// `spec.finalizers` of a namespace.
    Finalizers,
}

impl Part {
    pub(super) fn of(subresource: Option<&Subresource>) -> Self {
        match subresource.map(|sub| sub.behaviour) {
            Some(Behaviour::Status) => Self::Status,
            Some(Behaviour::Approval) => Self::Approval,
            Some(Behaviour::Finalize) => Self::Finalizers,
            _ => Self::Main,
        }
    }
}

pub(super) fn update(call: &Call<'_>, target: &Target) -> Result<Reply, Status> {
    let options = WriteOptions::read(&call.query, "UpdateOptions")?;
    let kind = target.kind;
    let given = body::read(call, expected(kind, &kind.api_version()), options.fields)?;
    let mut object = given.object;
    let name = object::name(&object).to_owned();
    if name.is_empty() {
        set(&mut object, &["metadata", "name"], target.name());
    } else if name != target.name() {
        return Err(failure::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            target.name()
        )));
    }
    let namespace = object::namespace(&object);
    if kind.namespaced && !namespace.is_empty() && namespace != target.namespace() {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(failure::bad_request(message));
    }
    let part = Part::of(target.subresource);
    let granted = call.grants(target);
    let written = amend(call.api, target, part, options.dry_run, |old| {
        granted(&object, Some(old))?;
        Ok(object)
    })?;
    Ok(Reply::value(200, read::present(call, kind, written)?).with_warnings(given.warnings))
}

/// Changes one object: `make` gets it as it is shown and returns what it should be.
pub(super) fn amend(
    api: &Api,
    target: &Target,
    part: Part,
    dry_run: bool,
    make: impl FnOnce(&Value) -> Result<Value, Status>,
) -> Result<Value, Status> {
    let (kind, name) = (target.kind, target.name());
    let key = Key::new(kind.storage, target.namespace(), name);
    let mut shown = Value::Null;
    let decide = |old: Option<&std::sync::Arc<Value>>| -> Result<Change, Status> {
        let old = kind.shown(old.ok_or_else(|| failure::not_found(kind, name))?);
        let mut new = make(&old)?;
        preconditions(kind, name, &old, &new)?;
        keep_what_is_not_yours(kind, part, &old, &mut new);
        if matches!(part, Part::Main | Part::Applied) {
            finish(kind, &mut new, Some(&old))?;
            count_generation(kind, &old, &mut new);
        }
        shown = new.clone();
        if new == old {
            return Ok(Change::Keep);
        }
        if object::is_terminating(&new) && is_released(kind, &new) {
            return Ok(Change::Delete);
        }
        Ok(Change::Put(stored(kind, new)))
    };
    if dry_run {
        decide(api.store.get(&key).as_ref())?;
        return Ok(shown);
    }
    let done = api.store.change(&key, |old, _| decide(old))?;
    Ok(done.object.map(|object| kind.shown(&object)).unwrap_or_default())
}

/// Writes the status of an object for the lab itself.
pub(super) fn write_status(
    api: &Api,
    kind: &Kind,
    namespace: &str,
    name: &str,
    status: Value,
) -> Result<Value, Status> {
    let key = Key::new(kind.storage, namespace, name);
    let done = api.store.change(&key, |old, _| {
        let mut new = old.ok_or_else(|| failure::not_found(kind, name))?.as_ref().clone();
        set(&mut new, &["status"], status);
        Ok::<_, Status>(Change::Put(new))
    })?;
    Ok(done.object.map(|object| kind.shown(&object)).unwrap_or_default())
}

/// Whether nothing holds a terminating object any more.
pub(crate) fn is_released(kind: &Kind, object: &Value) -> bool {
    let held = !object::list(object, "/metadata/finalizers").is_empty()
        || (kind.storage == "namespaces" && !object::list(object, "/spec/finalizers").is_empty());
    let graceful = object::number(object, "/metadata/deletionGracePeriodSeconds") > 0;
    !held && !graceful
}

fn preconditions(kind: &Kind, name: &str, old: &Value, new: &Value) -> Result<(), Status> {
    let at = |object: &Value, member: &str| text(object, &format!("/metadata/{member}")).to_owned();
    let (version, uid) = (at(new, "resourceVersion"), at(new, "uid"));
    if !uid.is_empty() && uid != at(old, "uid") {
        let group = if kind.group.is_empty() { String::new() } else { format!("{}/", kind.group) };
        let namespace = object::namespace(old);
        let place = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        let detail = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{group}{}/{place}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            kind.plural,
            at(old, "uid")
        );
        return Err(failure::conflict(kind, name, &detail));
    }
    if !version.is_empty() && version != "0" && version != at(old, "resourceVersion") {
        return Err(failure::modified(kind, name));
    }
    Ok(())
}

/// Restores what this request may not change.
fn keep_what_is_not_yours(kind: &Kind, part: Part, old: &Value, new: &mut Value) {
    let given = std::mem::take(new);
    match part {
        Part::Main | Part::Applied => {
            *new = given;
            for member in [
                "name",
                "namespace",
                "uid",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "generation",
                "resourceVersion",
                "selfLink",
            ] {
                restore(old, new, &["metadata", member]);
            }
            if part == Part::Main {
                restore(old, new, &["metadata", "managedFields"]);
            }
            if kind.has_status() {
                restore(old, new, &["status"]);
            }
        }
        Part::Status => {
            *new = old.clone();
            restore(&given, new, &["status"]);
        }
        Part::Approval => {
            *new = old.clone();
            restore(&given, new, &["status", "conditions"]);
        }
        Part::Finalizers => {
            *new = old.clone();
            restore(&given, new, &["spec", "finalizers"]);
        }
    }
}

fn restore(from: &Value, to: &mut Value, path: &[&str]) {
    match from.pointer(&format!("/{}", path.join("/"))) {
        Some(value) => set(to, path, value.clone()),
        None => drop(remove(to, path)),
    }
}

/// UPSTREAM: the generation counts changes of everything but metadata and status
/// (kube-apiserver 1.36).
fn count_generation(kind: &Kind, old: &Value, new: &mut Value) {
    if !kind.generation {
        return;
    }
    let wanted = |object: &Value| {
        let mut object = object.clone();
        let map = members(&mut object);
        map.remove("metadata");
        map.remove("status");
        object
    };
    if wanted(old) != wanted(new) {
        set(new, &["metadata", "generation"], object::number(old, "/metadata/generation") + 1);
    }
}
