//! A replica set has as many pods as it says.

use serde_json::{Value, json};

use super::{
    key_of, revise,
    workload::{controlled, create_pod, delete_pod, has_ended, is_ready},
};
use crate::{
    object::{number, set},
    registry,
    rest::Api,
};

pub(super) fn look(api: &Api, replica_set: &Value) {
    let Some(kind) = registry::by_kind("apps", "ReplicaSet") else { return };
    let pods: Vec<_> =
        controlled(api, "pods", replica_set).into_iter().filter(|pod| !has_ended(pod)).collect();
    let wanted = usize::try_from(number(replica_set, "/spec/replicas")).unwrap_or_default();
    for _ in pods.len()..wanted {
        create_pod(api, kind, replica_set, None);
    }
    for pod in pods.iter().skip(wanted) {
        delete_pod(api, pod);
    }
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let status = json!({
        "replicas": pods.len(), "fullyLabeledReplicas": pods.len(), "readyReplicas": ready, "availableReplicas": ready,
        "observedGeneration": number(replica_set, "/metadata/generation"),
    });
    revise(api, &key_of("replicasets", replica_set), |object| set(object, &["status"], status));
}
