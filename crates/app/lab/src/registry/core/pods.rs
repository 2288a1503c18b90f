//! Pods.

use serde_json::{Value, json};
use types::Timestamp;

use super::{
    AGE, BINDING, Behaviour, Cell, Column, EVICTION, FieldError, Kind, STATUS, Subresource, api, core,
    default, define, list, number, set, text,
};
use crate::{
    object::{enter, is_terminating, members},
    registry::{Streaming, cells::age, rules::pod_spec, stream},
};

pub(super) const PODS: Kind = Kind {
    short_names: &["po"],
    categories: &["all"],
    subresources: &[
        stream("attach", "PodAttachOptions", Streaming::Attach),
        BINDING,
        EVICTION,
        stream("exec", "PodExecOptions", Streaming::Exec),
        Subresource { verbs: &["get"], ..Subresource::own("log", Behaviour::Log) },
        stream("portforward", "PodPortForwardOptions", Streaming::PortForward),
        STATUS,
    ],
    columns: &[
        Column::new("Ready", Cell::With(ready)),
        Column::new("Status", Cell::With(status)),
        Column::new("Restarts", Cell::At(restarts)),
        AGE,
        Column::wide("IP", Cell::TextOrNone("/status/podIP")),
        Column::wide("Node", Cell::TextOrNone("/spec/nodeName")),
        Column::wide("Nominated Node", Cell::TextOrNone("/status/nominatedNodeName")),
        Column::wide("Readiness Gates", Cell::With(gates)),
    ],
    fields: &[
        ("spec.nodeName", "/spec/nodeName"),
        ("spec.restartPolicy", "/spec/restartPolicy"),
        ("spec.schedulerName", "/spec/schedulerName"),
        ("spec.serviceAccountName", "/spec/serviceAccountName"),
        ("spec.hostNetwork", "/spec/hostNetwork"),
        ("status.phase", "/status/phase"),
        ("status.podIP", "/status/podIP"),
        ("status.nominatedNodeName", "/status/nominatedNodeName"),
    ],
    prepare,
    validate,
    generation: true,
    ..core("pods", "pod", "Pod", define::<api::Pod>())
};

fn prepare(pod: &mut Value, old: Option<&Value>) {
    // UPSTREAM: the ServiceAccount admission plugin sees to it (kube-apiserver 1.36)
    let account = old.map_or("default", |old| text(old, "/spec/serviceAccountName"));
    if !account.is_empty() {
        default(pod, &["spec", "serviceAccountName"], account);
    }
    defaults(enter(pod, &["spec"]));
    if old.is_none() {
        set(pod, &["status"], json!({"phase": "Pending"}));
    }
}

/// What Kubernetes fills into the spec of a pod; templates get the same.
pub(in crate::registry) fn defaults(spec: &mut serde_json::Map<String, Value>) {
    let mut whole = Value::Object(std::mem::take(spec));
    for (member, value) in [
        ("restartPolicy", json!("Always")),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("securityContext", json!({})),
        ("enableServiceLinks", json!(true)),
    ] {
        default(&mut whole, &[member], value);
    }
    // UPSTREAM: the two names of a pod's account are kept equal (kube-apiserver 1.36).
    let account = text(&whole, "/serviceAccountName").to_owned();
    if !account.is_empty() {
        default(&mut whole, &["serviceAccount"], account);
    }
    for containers in ["containers", "initContainers"] {
        let Some(Value::Array(containers)) = whole.get_mut(containers) else { continue };
        for container in containers {
            let always = pulls_always(text(container, "/image"));
            default(container, &["imagePullPolicy"], if always { "Always" } else { "IfNotPresent" });
            default(container, &["terminationMessagePath"], "/dev/termination-log");
            default(container, &["terminationMessagePolicy"], "File");
            default(container, &["resources"], json!({}));
            if let Some(Value::Array(ports)) = container.get_mut("ports") {
                ports.iter_mut().for_each(|port| default(port, &["protocol"], "TCP"));
            }
        }
    }
    *spec = std::mem::take(members(&mut whole));
}

/// No tag, or `latest`: the image may have changed.
fn pulls_always(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

const UPDATE_FORBIDDEN: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

fn validate(pod: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let nothing = Value::Null;
    let spec = pod.get("spec").unwrap_or(&nothing);
    let mut wrong = pod_spec(spec, "spec");
    if let Some(old) = old.and_then(|old| old.get("spec"))
        && changeless(spec) != changeless(old)
    {
        wrong.push(FieldError::forbidden("spec", UPDATE_FORBIDDEN));
    }
    wrong
}

/// A spec without what an update may change.
fn changeless(spec: &Value) -> Value {
    let mut spec = spec.clone();
    let map = members(&mut spec);
    for free in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] {
        map.remove(free);
    }
    for containers in ["containers", "initContainers"] {
        if let Some(Value::Array(containers)) = map.get_mut(containers) {
            for container in containers {
                members(container).remove("image");
                members(container).remove("imagePullPolicy");
            }
        }
    }
    spec
}

fn ready(pod: &Value) -> String {
    let ready =
        list(pod, "/status/containerStatuses").iter().filter(|c| c.get("ready") == Some(&Value::Bool(true)));
    format!("{}/{}", ready.count(), list(pod, "/spec/containers").len())
}

/// UPSTREAM: the column tells the most telling of reason, phase and container states (kubectl 1.36).
fn status(pod: &Value) -> String {
    let mut shown = text(pod, "/status/phase");
    let reason = text(pod, "/status/reason");
    if !reason.is_empty() {
        shown = reason;
    }
    for container in list(pod, "/status/containerStatuses").iter().rev() {
        let waiting = text(container, "/state/waiting/reason");
        let terminated = text(container, "/state/terminated/reason");
        if !waiting.is_empty() {
            shown = waiting;
        } else if !terminated.is_empty() {
            shown = terminated;
        }
    }
    if is_terminating(pod) { "Terminating".into() } else { shown.into() }
}

fn restarts(pod: &Value, now: Timestamp) -> String {
    let statuses = list(pod, "/status/containerStatuses");
    let count: i64 = statuses.iter().map(|c| number(c, "/restartCount")).sum();
    let last = statuses.iter().map(|c| text(c, "/lastState/terminated/finishedAt")).max().unwrap_or_default();
    if count > 0 && !last.is_empty() {
        format!("{count} ({} ago)", age(last, now))
    } else {
        count.to_string()
    }
}

fn gates(pod: &Value) -> String {
    let gates = list(pod, "/spec/readinessGates");
    if gates.is_empty() { "<none>".into() } else { format!("0/{}", gates.len()) }
}
