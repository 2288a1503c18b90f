//! A deployment has one replica set a template; the newest has the replicas. There is no rolling:
//! pods of the lab are ready at once.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    key_of, revise,
    workload::{controlled, controller_reference, set_condition},
};
use crate::{
    object::{self, number, set, text},
    registry,
    rest::{Api, seconds},
};

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) fn look(api: &Api, deployment: &Value) {
    if deployment.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        return;
    }
    let hash = template_hash(deployment);
    let sets = controlled(api, "replicasets", deployment);
    let current = sets.iter().find(|set| text(set, &format!("/metadata/labels/{HASH}")) == hash);
    let newest = sets.iter().map(|set| revision_of(set)).max().unwrap_or_default();
    let replicas = number(deployment, "/spec/replicas");
    let Some(current) = current else {
        create(api, deployment, &hash, newest + 1);
        return;
    };
    for old in sets.iter().filter(|set| !Arc::ptr_eq(set, current)) {
        scale(api, old, 0);
    }
    scale(api, current, replicas);
    forget_old(api, deployment, &sets, current);
    // Going back to an old template makes it the newest again.
    let revision = if revision_of(current) < newest { newest + 1 } else { revision_of(current) };
    let annotate =
        |object: &mut Value| set(object, &["metadata", "annotations", REVISION], revision.to_string());
    revise(api, &key_of("replicasets", current), annotate);
    let of = |member: &str| number(current, &format!("/status/{member}"));
    let all: i64 = sets.iter().map(|set| number(set, "/status/replicas")).sum();
    let now = seconds(api.now());
    revise(api, &key_of("deployments", deployment), |object| {
        annotate(object);
        for (member, value) in [
            ("observedGeneration", number(deployment, "/metadata/generation")),
            ("replicas", all),
            ("updatedReplicas", of("replicas")),
            ("readyReplicas", of("readyReplicas")),
            ("availableReplicas", of("availableReplicas")),
            ("unavailableReplicas", (replicas - of("availableReplicas")).max(0)),
        ] {
            set(object, &["status", member], value);
        }
        let name = object::name(current);
        let (available, reason, message) = if of("availableReplicas") >= replicas {
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        };
        set_condition(object, "Available", available, reason, message, &now);
        let (reason, message) = if available == "True" {
            ("NewReplicaSetAvailable", format!("ReplicaSet {name:?} has successfully progressed."))
        } else {
            ("ReplicaSetUpdated", format!("ReplicaSet {name:?} is progressing."))
        };
        set_condition(object, "Progressing", "True", reason, &message, &now);
    });
}

/// Deletes the oldest replica sets that a rollback no longer reaches.
fn forget_old(api: &Api, deployment: &Value, sets: &[Arc<Value>], current: &Arc<Value>) {
    let Some(kind) = registry::by_kind("apps", "ReplicaSet") else { return };
    let is_empty = |set: &Value| number(set, "/spec/replicas") == 0 && number(set, "/status/replicas") == 0;
    let mut old: Vec<_> = sets.iter().filter(|set| !Arc::ptr_eq(set, current) && is_empty(set)).collect();
    old.sort_by_key(|set| std::cmp::Reverse(revision_of(set)));
    let kept = usize::try_from(number(deployment, "/spec/revisionHistoryLimit")).unwrap_or_default();
    for set in old.into_iter().skip(kept) {
        api.delete(kind, object::namespace(set), object::name(set), None);
    }
}

fn revision_of(set: &Value) -> u64 {
    text(set, &format!("/metadata/annotations/{}", REVISION.replace('/', "~1"))).parse().unwrap_or_default()
}

fn scale(api: &Api, replica_set: &Value, replicas: i64) {
    revise(api, &key_of("replicasets", replica_set), |object| {
        if number(object, "/spec/replicas") != replicas {
            set(object, &["spec", "replicas"], replicas);
            let generation = number(object, "/metadata/generation") + 1;
            set(object, &["metadata", "generation"], generation);
        }
    });
}

fn create(api: &Api, deployment: &Value, hash: &str, revision: u64) {
    let (Some(own), Some(sets)) =
        (registry::by_kind("apps", "Deployment"), registry::by_kind("apps", "ReplicaSet"))
    else {
        return;
    };
    let mut replica_set = json!({
        "metadata": {
            "name": format!("{}-{hash}", object::name(deployment)),
            "namespace": object::namespace(deployment),
            "labels": deployment.pointer("/spec/template/metadata/labels"),
            "annotations": {REVISION: revision.to_string()},
            "ownerReferences": [controller_reference(own, deployment)],
        },
        "spec": {
            "replicas": number(deployment, "/spec/replicas"),
            "selector": deployment.pointer("/spec/selector"),
            "template": deployment.pointer("/spec/template"),
        },
    });
    for labels in [
        &["metadata", "labels", HASH][..],
        &["spec", "selector", "matchLabels", HASH],
        &["spec", "template", "metadata", "labels", HASH],
    ] {
        set(&mut replica_set, labels, hash);
    }
    if let Err(status) = api.create(sets, replica_set) {
        tracing::warn!(
            deployment = object::name(deployment),
            message = status.message,
            "a replica set was refused"
        );
    }
}

/// Ten letters that stand for the template.
fn template_hash(deployment: &Value) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let template = deployment.pointer("/spec/template").map(Value::to_string).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, template.as_bytes());
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied().map_or('b', char::from);
    digest.as_ref().iter().take(10).map(letter).collect()
}
