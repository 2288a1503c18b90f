//! Scheduler and kubelet in one: a pod gets a node that fits, runs at once, and ends when asked.

use serde_json::{Value, json};

use super::{key_of, revise};
use crate::{
    containers,
    object::{self, list, map, set, text},
    registry,
    rest::{Api, seconds},
};

/// A node has changed: pods may have waited for it.
pub(super) fn look_at_all(api: &Api) {
    for pod in api.store().list("pods", None).0 {
        if text(&pod, "/status/phase") == "Pending" {
            look(api, &pod);
        }
    }
}

pub(super) fn look(api: &Api, pod: &Value) {
    if object::is_terminating(pod) {
        // Containers of the lab end when they are told to.
        if let Some(pods) = registry::by_kind("", "Pod") {
            api.delete(pods, object::namespace(pod), object::name(pod), Some(0));
        }
        return;
    }
    if text(pod, "/status/phase") != "Pending" || !list(pod, "/spec/schedulingGates").is_empty() {
        return;
    }
    let assigned = text(pod, "/spec/nodeName");
    let nodes = api.store().list("nodes", None).0;
    let node = nodes.iter().find(|node| match assigned {
        "" => fits(pod, node),
        name => object::name(node) == name,
    });
    let Some(node) = node else { return };
    let now = seconds(api.now());
    revise(api, &key_of("pods", pod), |pod| {
        set(pod, &["spec", "nodeName"], object::name(node));
        run(pod, node, &now);
    });
}

fn fits(pod: &Value, node: &Value) -> bool {
    let closed = node.pointer("/spec/unschedulable") == Some(&Value::Bool(true));
    let labels = node.pointer("/metadata/labels");
    let mut wanted = map(pod, "/spec/nodeSelector").into_iter().flatten();
    !closed && wanted.all(|(name, value)| labels.and_then(|labels| labels.get(name)) == Some(value))
}

fn run(pod: &mut Value, node: &Value, now: &str) {
    // A job's containers that have no program of ours to run do their work at once; all others that
    // have none just serve.
    let is_job = list(pod, "/metadata/ownerReferences").iter().any(|owner| text(owner, "/kind") == "Job");
    let is_done = |container: &Value| is_job && !containers::has_program(container);
    let all = list(pod, "/spec/containers");
    let statuses: Vec<Value> = all
        .iter()
        .map(|container| {
            let (name, image) = (text(container, "/name"), text(container, "/image"));
            let runs = !is_done(container);
            let state = if runs {
                json!({"running": {"startedAt": now}})
            } else {
                json!({"terminated": {
                    "exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now, "containerID": "",
                }})
            };
            json!({
                "name": name, "image": image, "imageID": "", "ready": runs, "started": runs, "restartCount": 0,
                "state": state, "lastState": {}, "containerID": format!("lab://{}/{name}", object::uid(pod)),
            })
        })
        .collect();
    let all_done = all.iter().all(is_done);
    let not_ready = if all_done { "PodCompleted" } else { "ContainersNotReady" };
    let ready = if all.iter().any(is_done) { "False" } else { "True" };
    let conditions: Vec<Value> =
        [("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", ready), ("Ready", ready)]
            .into_iter()
            .map(|(kind, status)| {
                let mut condition = json!({"type": kind, "status": status, "lastTransitionTime": now});
                if status == "False" {
                    set(&mut condition, &["reason"], not_ready);
                }
                condition
            })
            .collect();
    let address = address(object::uid(pod));
    let addresses = list(node, "/status/addresses");
    let host =
        addresses.iter().find(|a| text(a, "/type") == "InternalIP").map_or("", |a| text(a, "/address"));
    let status = json!({
        "phase": if all_done { "Succeeded" } else { "Running" },
        "conditions": conditions,
        "containerStatuses": statuses,
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "qosClass": "BestEffort",
        "startTime": now,
    });
    set(pod, &["status"], status);
}

/// An address of 10.244.0.0/16 worked out from the UID: nothing in the lab routes it.
fn address(uid: &str) -> String {
    let hash = uid.bytes().fold(5381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
    let [_, _, a, b] = hash.to_be_bytes();
    format!("10.244.{a}.{}", 2 + b % 250)
}
