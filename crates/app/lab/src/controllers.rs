//! What moves by itself in the lab: each controller looks at one object as it is and takes the next
//! step towards what it should be. A step makes an event, and the event the next look.

mod cluster_roles;
mod daemonsets;
mod deployments;
mod endpoints;
mod garbage;
mod jobs;
mod kubelet;
mod namespaces;
mod replicasets;
mod workload;

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;
use tokio::sync::watch;
use types::Status;

use crate::{
    object::{self, list, text},
    registry::{self, Kind},
    rest::{Api, is_released},
    store::{Change, Key},
};

/// Runs until the lab stops.
pub(crate) async fn run(api: Arc<Api>, mut stopping: watch::Receiver<bool>) {
    let mut news = api.store().subscribe();
    // Nothing has been looked at yet.
    let mut position = None;
    loop {
        position = Some(step(&api, position));
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return },
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// Looks at everything that has changed since `position`, or at everything. Returns the new position.
pub(crate) fn step(api: &Api, position: Option<u64>) -> u64 {
    let events = position.and_then(|position| api.store().events_after(position).ok());
    let (keys, revision) = match events {
        Some((events, revision)) => {
            let mut keys: BTreeSet<_> =
                events.iter().flat_map(|event| concerned(&event.key, &event.object)).collect();
            for gone in events.iter().filter(|event| event.deleted) {
                keys.extend(garbage::dependents(api, &gone.object));
            }
            (keys, revision)
        }
        None => {
            let (objects, revision) = api.store().everything();
            (objects.into_iter().map(|(key, _)| key).collect(), revision)
        }
    };
    for key in &keys {
        look(api, key);
    }
    // In these, one that is gone matters, too.
    let pods = keys.iter().filter(|key| &*key.resource == "pods");
    for namespace in pods.map(|key| key.namespace.as_str()).collect::<BTreeSet<_>>() {
        endpoints::pod_changed(api, namespace);
    }
    if keys.iter().any(|key| &*key.resource == "clusterroles") {
        cluster_roles::look_at_all(api);
    }
    revision
}

/// The object itself, its owners, and its namespace.
fn concerned(key: &Key, object: &Value) -> Vec<Key> {
    let mut keys = vec![key.clone()];
    for owner in list(object, "/metadata/ownerReferences") {
        let group = text(owner, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
        if let Some(kind) = registry::by_kind(group, text(owner, "/kind")) {
            let namespace = if kind.namespaced { key.namespace.as_str() } else { "" };
            keys.push(Key::new(kind.storage, namespace, text(owner, "/name")));
        }
    }
    if !key.namespace.is_empty() {
        keys.push(Key::new("namespaces", "", &key.namespace));
    }
    keys
}

fn look(api: &Api, key: &Key) {
    let Some(object) = api.store().get(key) else { return };
    if object::is_terminating(&object) {
        garbage::terminating(api, key, &object);
    }
    if garbage::is_orphan(api, &object) {
        return delete(api, key);
    }
    match &*key.resource {
        "namespaces" => namespaces::look(api, &object),
        "nodes" => {
            kubelet::look_at_all(api);
            for daemon_set in api.store().list("daemonsets", None).0 {
                daemonsets::look(api, &daemon_set);
            }
        }
        "pods" => kubelet::look(api, &object),
        _ if object::is_terminating(&object) => {}
        "deployments" => deployments::look(api, &object),
        "replicasets" => replicasets::look(api, &object),
        "daemonsets" => daemonsets::look(api, &object),
        "jobs" => jobs::look(api, &object),
        "services" => endpoints::look(api, &object),
        _ => {}
    }
}

/// The kind whose objects lie under this name in the store.
fn kind_of(resource: &str) -> Option<&'static Kind> {
    registry::all().find(|kind| kind.storage == resource && kind.view.is_none())
}

/// Changes an object where it lies. One that is gone stays so.
pub(crate) fn revise(api: &Api, key: &Key, change: impl FnOnce(&mut Value)) {
    let Some(kind) = kind_of(&key.resource) else { return };
    let done = api.store().change::<Status>(key, |old, _| {
        let Some(old) = old else { return Ok(Change::Keep) };
        let mut new = old.as_ref().clone();
        change(&mut new);
        if new == **old {
            return Ok(Change::Keep);
        }
        Ok(if object::is_terminating(&new) && is_released(kind, &new) {
            Change::Delete
        } else {
            Change::Put(new)
        })
    });
    if let Err(status) = done {
        tracing::warn!(?key, message = status.message, "a controller's change was refused");
    }
}

/// Deletes an object, with its grace period.
fn delete(api: &Api, key: &Key) {
    if let Some(kind) = kind_of(&key.resource) {
        api.delete(kind, &key.namespace, &key.name, None);
    }
}

/// Where an object lies.
pub(crate) fn key_of(resource: &str, object: &Value) -> Key {
    Key::new(resource, object::namespace(object), object::name(object))
}

/// Steps until nothing changes any more.
pub(crate) fn settle(api: &Api) {
    let mut position = None;
    while position != Some(api.store().revision()) {
        position = Some(step(api, position));
    }
}

#[cfg(test)]
mod tests;
