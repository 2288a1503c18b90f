//! What the cluster says about its API server, which is the gate: its endpoints, and the pod that
//! shows its flags.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use types::Status;

use crate::{
    object::{self, set},
    registry::{self, Kind},
    rest::Api,
    store::{Change, Key},
};

/// The server that clients talk to.
#[derive(Clone, Debug)]
pub struct Front {
    /// Where it listens.
    pub address: SocketAddr,
    /// Program and flags, as its pod shows them.
    pub command: Vec<String>,
}

/// The pod's name, as kubeadm names it on a node of this name.
const POD: &str = "kube-apiserver-node1";

/// Makes the objects say what is so: at every start, since port and flags may differ from the last.
pub(crate) fn show(api: &Api, front: &Front) -> Result<(), Status> {
    let port = front.address.port();
    let ip = match front.address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let ports = json!([{"name": "https", "port": port, "protocol": "TCP"}]);
    revise(api, "Service", "kubernetes", |service| {
        if let Some(target) = service.pointer_mut("/spec/ports/0/targetPort") {
            *target = port.into();
        }
    })?;
    let metadata = json!({
        "name": "kubernetes", "namespace": "default",
        "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
    });
    let endpoints = json!({
        "metadata": metadata,
        "subsets": [{"addresses": [{"ip": ip.to_string()}], "ports": ports}],
    });
    put(api, find("", "Endpoints"), endpoints, &["subsets"])?;
    let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
    let slice = json!({
        "metadata": {
            "name": "kubernetes", "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": family,
        "endpoints": [{"addresses": [ip.to_string()], "conditions": {"ready": true}}],
        "ports": ports,
    });
    put(api, find("discovery.k8s.io", "EndpointSlice"), slice, &["endpoints", "ports"])?;
    show_pod(api, front, port)
}

/// A pod's command cannot be changed: one that says otherwise makes way, as a static pod does when
/// its manifest has changed.
fn show_pod(api: &Api, front: &Front, port: u16) -> Result<(), Status> {
    let Some(pods) = find("", "Pod") else { return Ok(()) };
    let command = json!(front.command);
    let key = Key::new(pods.storage, "kube-system", POD);
    if let Some(pod) = api.store().get(&key) {
        if pod.pointer("/spec/containers/0/command") == Some(&command) {
            return Ok(());
        }
        api.delete(pods, "kube-system", POD, Some(0));
    }
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": port, "scheme": "HTTPS"}});
    let pod = json!({
        "metadata": {
            "name": POD, "namespace": "kube-system",
            "labels": {"component": "kube-apiserver", "tier": "control-plane"},
            "annotations": {"kubernetes.io/config.source": "file"},
        },
        "spec": {
            "nodeName": "node1", "hostNetwork": true, "priorityClassName": "system-node-critical",
            "containers": [{
                "name": "kube-apiserver", "image": concat!("portcullis:", env!("CARGO_PKG_VERSION")),
                "command": command,
                "livenessProbe": probe("/livez"), "readinessProbe": probe("/readyz"),
            }],
        },
    });
    api.create(pods, pod).map(drop)
}

fn find(group: &str, kind: &str) -> Option<&'static Kind> {
    registry::by_kind(group, kind)
}

/// Creates an object of namespace `default`, or brings `members` of the one that is there up to date.
fn put(api: &Api, kind: Option<&'static Kind>, object: Value, members: &[&str]) -> Result<(), Status> {
    let Some(kind) = kind else { return Ok(()) };
    let key = Key::new(kind.storage, object::namespace(&object), object::name(&object));
    if api.store().get(&key).is_none() {
        return api.create(kind, object).map(drop);
    }
    change(api, &key, |old| {
        for member in members {
            set(old, &[member], object.get(*member).cloned().unwrap_or_default());
        }
    })
}

fn revise(api: &Api, kind: &str, name: &str, edit: impl FnOnce(&mut Value)) -> Result<(), Status> {
    let Some(kind) = find("", kind) else { return Ok(()) };
    change(api, &Key::new(kind.storage, "default", name), edit)
}

fn change(api: &Api, key: &Key, edit: impl FnOnce(&mut Value)) -> Result<(), Status> {
    let changed = api.store().change(key, |old, _| {
        let Some(old) = old else { return Ok(Change::Keep) };
        let mut new = Value::clone(old);
        edit(&mut new);
        Ok(if new == **old { Change::Keep } else { Change::Put(new) })
    });
    changed.map(drop)
}
