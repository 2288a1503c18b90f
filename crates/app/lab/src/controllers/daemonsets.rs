//! A daemon set has one pod a node.

use serde_json::{Value, json};

use super::{
    key_of, revise,
    workload::{controlled, create_pod, delete_pod, is_ready},
};
use crate::{
    object::{self, number, set, text},
    registry,
    rest::Api,
};

pub(super) fn look(api: &Api, daemon_set: &Value) {
    let Some(kind) = registry::by_kind("apps", "DaemonSet") else { return };
    let nodes = api.store().list("nodes", None).0;
    let pods = controlled(api, "pods", daemon_set);
    let served = |node: &str| pods.iter().any(|pod| text(pod, "/spec/nodeName") == node);
    for node in nodes.iter().map(|node| object::name(node)).filter(|node| !served(node)) {
        create_pod(api, kind, daemon_set, Some(node));
    }
    let homeless = |pod: &&std::sync::Arc<Value>| {
        !nodes.iter().any(|node| object::name(node) == text(pod, "/spec/nodeName"))
    };
    pods.iter().filter(homeless).for_each(|pod| delete_pod(api, pod));
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let status = json!({
        "desiredNumberScheduled": nodes.len(), "currentNumberScheduled": pods.len(), "numberMisscheduled": 0,
        "numberReady": ready, "numberAvailable": ready, "updatedNumberScheduled": pods.len(),
        "observedGeneration": number(daemon_set, "/metadata/generation"),
    });
    revise(api, &key_of("daemonsets", daemon_set), |object| set(object, &["status"], status));
}
