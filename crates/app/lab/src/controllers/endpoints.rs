//! A service's addresses, told as `Endpoints` and as an `EndpointSlice`.

use serde_json::{Value, json};

use super::{key_of, revise, workload::is_ready};
use crate::{
    object::{self, list, map, members, number, set, text},
    registry::{self, Kind},
    rest::Api,
    store::Key,
};

/// A pod has changed: services that select it follow.
pub(super) fn pod_changed(api: &Api, namespace: &str) {
    for service in api.store().list("services", Some(namespace)).0 {
        look(api, &service);
    }
}

pub(super) fn look(api: &Api, service: &Value) {
    // UPSTREAM: without a selector the addresses are somebody else's to write (kube-controller-manager 1.36).
    let Some(selector) = map(service, "/spec/selector") else { return };
    let pods = api.store().list("pods", Some(object::namespace(service))).0;
    let selected = |pod: &Value| {
        let labels = pod.pointer("/metadata/labels");
        selector.iter().all(|(name, value)| labels.and_then(|labels| labels.get(name)) == Some(value))
    };
    let serving: Vec<&Value> = pods
        .iter()
        .map(|pod| &**pod)
        .filter(|pod| selected(pod) && is_ready(pod) && !object::is_terminating(pod))
        .collect();
    let ports: Vec<Value> =
        list(service, "/spec/ports").iter().map(|port| target(port, serving.first().copied())).collect();
    write(api, "Endpoints", "", service, object::name(service), &endpoints(&serving, &ports));
    let slice = format!("{}-lab", object::name(service));
    write(
        api,
        "EndpointSlice",
        "discovery.k8s.io",
        service,
        &slice,
        &endpoint_slice(service, &serving, &ports),
    );
}

/// A service's port as it is on its pods.
fn target(port: &Value, pod: Option<&Value>) -> Value {
    let named = |name: &str| {
        let ports =
            pod.into_iter().flat_map(|pod| list(pod, "/spec/containers")).flat_map(|c| list(c, "/ports"));
        ports
            .into_iter()
            .find(|port| text(port, "/name") == name)
            .map_or(0, |port| number(port, "/containerPort"))
    };
    let number = match port.get("targetPort") {
        Some(Value::String(name)) => named(name),
        Some(value) => value.as_i64().unwrap_or_default(),
        None => number(port, "/port"),
    };
    json!({"name": text(port, "/name"), "port": number, "protocol": text(port, "/protocol")})
}

fn reference(pod: &Value) -> Value {
    json!({
        "kind": "Pod", "name": object::name(pod), "namespace": object::namespace(pod), "uid": object::uid(pod),
    })
}

fn endpoints(serving: &[&Value], ports: &[Value]) -> Value {
    let address = |pod: &&Value| json!({"ip": text(pod, "/status/podIP"), "nodeName": text(pod, "/spec/nodeName"), "targetRef": reference(pod)});
    let addresses: Vec<Value> = serving.iter().map(address).collect();
    let subsets =
        if addresses.is_empty() { json!([]) } else { json!([{"addresses": addresses, "ports": ports}]) };
    json!({ "subsets": subsets })
}

fn endpoint_slice(service: &Value, serving: &[&Value], ports: &[Value]) -> Value {
    let endpoint = |pod: &&Value| {
        json!({
            "addresses": [text(pod, "/status/podIP")], "conditions": {"ready": true, "serving": true, "terminating": false},
            "nodeName": text(pod, "/spec/nodeName"), "targetRef": reference(pod),
        })
    };
    let endpoints: Vec<Value> = serving.iter().map(endpoint).collect();
    json!({
        "metadata": {"labels": {"kubernetes.io/service-name": object::name(service)}},
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
    })
}

/// Creates or changes what belongs to a service.
fn write(api: &Api, kind: &str, group: &str, service: &Value, name: &str, wanted: &Value) {
    let (Some(kind), Some(services)) = (registry::by_kind(group, kind), registry::by_kind("", "Service"))
    else {
        return;
    };
    let key = Key::new(kind.storage, object::namespace(service), name);
    if api.store().get(&key).is_some() {
        revise(api, &key, |object| {
            for (member, value) in
                wanted.as_object().into_iter().flatten().filter(|(member, _)| *member != "metadata")
            {
                members(object).insert(member.clone(), value.clone());
            }
        });
        return;
    }
    create(api, kind, services, service, name, wanted.clone());
}

fn create(api: &Api, kind: &Kind, services: &Kind, service: &Value, name: &str, mut object: Value) {
    set(&mut object, &["metadata", "name"], name);
    set(&mut object, &["metadata", "namespace"], object::namespace(service));
    let owner = super::workload::controller_reference(services, service);
    set(&mut object, &["metadata", "ownerReferences"], json!([owner]));
    if let Err(status) = api.create(kind, object) {
        let key = key_of("services", service);
        tracing::warn!(?key, message = status.message, "a service's addresses were refused");
    }
}
