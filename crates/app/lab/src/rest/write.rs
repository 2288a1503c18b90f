//! Create.

use serde_json::Value;
use types::{Status, Timestamp};
use uuid::Uuid;

use super::{
    Api, Call, Reply,
    body::{self, Expected},
    failure,
    options::{FieldValidation, WriteOptions},
    read,
    route::Target,
};
use crate::{
    object::{self, default, remove, set, text},
    registry::{FieldError, Kind},
    store::{Change, Key},
};

pub(super) fn create(call: &Call<'_>, target: &Target) -> Result<Reply, Status> {
    let options = WriteOptions::read(&call.query, "CreateOptions")?;
    let kind = target.kind;
    let given = body::read(call, expected(kind, &kind.api_version()), options.fields)?;
    let mut object = given.object;
    remove(&mut object, &["metadata", "managedFields"]);
    if kind.qualified() == "certificatesigningrequests.certificates.k8s.io" {
        requester(&mut object, &call.user);
    }
    call.grants(target)(&object, None)?;
    let created = insert(call.api, kind, target.namespace(), object, options.dry_run)?;
    Ok(Reply::value(201, read::present(call, kind, created)?).with_warnings(given.warnings))
}

/// Creates an object for the lab itself. What its type does not have is an error.
pub(super) fn create_trusted(api: &Api, kind: &Kind, object: Value) -> Result<Value, Status> {
    let given = body::shape(object, expected(kind, &kind.api_version()), FieldValidation::Strict, &[])?;
    let namespace = if kind.namespaced { object::namespace(&given.object).to_owned() } else { String::new() };
    // What the lab writes can carry a status: a pod that runs.
    let status = given.object.get("status").cloned();
    let created = insert(api, kind, &namespace, given.object, false)?;
    let Some(status) = status.filter(|_| kind.has_status() && !kind.status_at_creation) else {
        return Ok(created);
    };
    let done = super::update::write_status(api, kind, &namespace, object::name(&created), status)?;
    Ok(done)
}

pub(super) fn expected<'a>(kind: &Kind, api_version: &'a str) -> Expected<'a> {
    Expected { schema: kind.schema, api_version, kind: kind.kind }
}

pub(super) fn insert(
    api: &Api,
    kind: &Kind,
    namespace: &str,
    mut object: Value,
    dry_run: bool,
) -> Result<Value, Status> {
    let now = api.now();
    place(kind, namespace, &mut object)?;
    if !text(&object, "/metadata/resourceVersion").is_empty() {
        return Err(failure::bad_request("resourceVersion should not be set on objects to be created"));
    }
    if kind.namespaced {
        admit_namespace(api, kind, namespace, object::name(&object))?;
    }
    let generated = object::name(&object).is_empty();
    // A generated name has 27^5 forms; a second clash in a row means something else is wrong.
    for attempt in 0..2 {
        let mut candidate = object.clone();
        begin(kind, &mut candidate, now);
        finish(kind, &mut candidate, None)?;
        let key = Key::new(kind.storage, namespace, object::name(&candidate));
        match write(api, kind, &key, candidate, dry_run) {
            Err(clash) if generated && attempt == 0 && clash.code == 409 => {}
            other => return other,
        }
    }
    Err(failure::already_exists(kind, text(&object, "/metadata/generateName")))
}

fn write(api: &Api, kind: &Kind, key: &Key, object: Value, dry_run: bool) -> Result<Value, Status> {
    let exists = || failure::already_exists(kind, &key.name);
    if dry_run {
        return if api.store.get(key).is_some() { Err(exists()) } else { Ok(object) };
    }
    let done = api.store.change(key, |old, _| match old {
        Some(_) => Err(exists()),
        None => Ok(Change::Put(stored(kind, object))),
    })?;
    Ok(done.object.map(|object| kind.shown(&object)).unwrap_or_default())
}

/// The object as the store keeps it.
pub(super) fn stored(kind: &Kind, mut object: Value) -> Value {
    remove(&mut object, &["apiVersion"]);
    remove(&mut object, &["kind"]);
    if let Some(view) = kind.view {
        (view.to_storage)(&mut object);
    }
    object
}

/// Puts the object where the path says.
fn place(kind: &Kind, namespace: &str, object: &mut Value) -> Result<(), Status> {
    let given = object::namespace(object);
    if !kind.namespaced {
        remove(object, &["metadata", "namespace"]);
        return Ok(());
    }
    if !given.is_empty() && given != namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(failure::bad_request(message));
    }
    set(object, &["metadata", "namespace"], namespace);
    Ok(())
}

/// UPSTREAM: the NamespaceLifecycle admission plugin (kube-apiserver 1.36).
fn admit_namespace(api: &Api, kind: &Kind, namespace: &str, name: &str) -> Result<(), Status> {
    match api.store.get(&Key::new("namespaces", "", namespace)) {
        None => Err(failure::no_such_namespace(namespace)),
        Some(found) if object::is_terminating(&found) => Err(failure::terminating(kind, name, namespace)),
        Some(_) => Ok(()),
    }
}

/// What only the server says about a new object.
fn begin(kind: &Kind, object: &mut Value, now: Timestamp) {
    for member in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
        remove(object, &["metadata", member]);
    }
    let base = text(object, "/metadata/generateName").to_owned();
    if !base.is_empty() {
        // UPSTREAM: at most 58 bytes of the base and five random ones (kube-apiserver 1.36).
        let base: String = base.chars().take(58).collect();
        default(object, &["metadata", "name"], format!("{base}{}", suffix()));
    }
    set(object, &["metadata", "uid"], random_uuid().to_string());
    set(object, &["metadata", "creationTimestamp"], seconds(now));
    if kind.generation {
        set(object, &["metadata", "generation"], 1);
    }
    if kind.has_status() && !kind.status_at_creation {
        remove(object, &["status"]);
    }
}

/// Defaults and validation, at creation and at every update.
pub(super) fn finish(kind: &Kind, object: &mut Value, old: Option<&Value>) -> Result<(), Status> {
    (kind.prepare)(object, old);
    let mut wrong = Vec::new();
    if old.is_none() {
        wrong.extend(check_name(kind, object));
    }
    wrong.extend(check_labels(object));
    if kind.view.is_some() {
        // Views are validated as the kind that is stored.
        let mut other = object.clone();
        if let Some(view) = kind.view {
            (view.to_storage)(&mut other);
        }
        wrong.extend(
            crate::registry::by_kind("", kind.kind)
                .map(|core| (core.validate)(&other, None))
                .unwrap_or_default(),
        );
    } else {
        wrong.extend((kind.validate)(object, old));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(failure::invalid(kind.group, kind.kind, object::name(object), wrong))
}

fn check_name(kind: &Kind, object: &Value) -> Vec<FieldError> {
    let name = object::name(object);
    if name.is_empty() {
        return vec![FieldError::required("metadata.name", "name or generateName is required")];
    }
    let wrong = kind.name_rule.check(name);
    wrong.iter().map(|detail| FieldError::invalid("metadata.name", &name.into(), detail)).collect()
}

const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
    '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex \
    used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

fn check_labels(object: &Value) -> Vec<FieldError> {
    let labels = object::map(object, "/metadata/labels").into_iter().flatten();
    let wrong = labels.filter(|(_, value)| !is_label_value(value.as_str().unwrap_or_default()));
    wrong.map(|(_, value)| FieldError::invalid("metadata.labels", value, LABEL_VALUE)).collect()
}

fn is_label_value(value: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= 63
        && value.chars().all(inside)
        && edge(value.chars().next())
        && edge(value.chars().next_back())
}

/// UPSTREAM: the requester stands in the request, whatever the client wrote (kube-apiserver 1.36).
fn requester(request: &mut Value, user: &types::User) {
    set(request, &["spec", "username"], user.name.clone());
    set(request, &["spec", "groups"], user.groups.clone());
    for (member, value) in [
        ("uid", Value::from(user.uid.clone())),
        ("extra", serde_json::to_value(&user.extra).unwrap_or_default()),
    ] {
        remove(request, &["spec", member]);
        let empty = value.as_str() == Some("") || value.as_object().is_some_and(serde_json::Map::is_empty);
        if !empty {
            set(request, &["spec", member], value);
        }
    }
}

/// A time as Kubernetes writes it: whole seconds.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// UPSTREAM: five letters that spell no words (kube-apiserver 1.36).
pub(crate) fn suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied().map_or('b', char::from);
    random_uuid().as_bytes().iter().take(5).map(letter).collect()
}

fn random_uuid() -> Uuid {
    let mut bytes = [0; 16];
    // The generator of the operating system does not fail on any system that we run on; UIDs that
    // are equal would be noticed at once.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        tracing::error!("no randomness for a UID");
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
