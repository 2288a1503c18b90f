//! A namespace has a service account and the cluster's root certificate, and takes what is in it along when it goes.

use serde_json::{Value, json};

use super::{key_of, kind_of, revise};
use crate::{
    object::{self, set},
    registry,
    rest::Api,
    store::Key,
};

pub(super) fn look(api: &Api, namespace: &Value) {
    let name = object::name(namespace);
    if !object::is_terminating(namespace) {
        service_account(api, name);
        root_certificate(api, name);
        return;
    }
    let inside: Vec<Key> = api
        .store()
        .everything()
        .0
        .into_iter()
        .map(|(key, _)| key)
        .filter(|key| key.namespace == name)
        .collect();
    if inside.is_empty() {
        revise(api, &key_of("namespaces", namespace), |object| {
            set(object, &["spec", "finalizers"], json!([]))
        });
        return;
    }
    for key in inside {
        if let Some(kind) = kind_of(&key.resource) {
            api.delete(kind, name, &key.name, Some(0));
        }
    }
}

fn service_account(api: &Api, namespace: &str) {
    let key = Key::new("serviceaccounts", namespace, "default");
    let Some(kind) = registry::by_kind("", "ServiceAccount") else { return };
    if api.store().get(&key).is_some() {
        return;
    }
    let account = json!({"metadata": {"name": "default", "namespace": namespace}});
    if let Err(status) = api.create(kind, account) {
        tracing::warn!(namespace, message = status.message, "the default service account was refused");
    }
}

// UPSTREAM: what somebody changed is put right again (kube-controller-manager 1.36)
fn root_certificate(api: &Api, namespace: &str) {
    if api.root_ca().is_empty() {
        return;
    }
    let data = json!({"ca.crt": api.root_ca()});
    let key = Key::new("configmaps", namespace, "kube-root-ca.crt");
    if let Some(map) = api.store().get(&key) {
        if map.get("data") != Some(&data) {
            revise(api, &key, |map| set(map, &["data"], data));
        }
        return;
    }
    let Some(kind) = registry::by_kind("", "ConfigMap") else { return };
    let description = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal \
                       endpoints such as the internal service IP or kubernetes.default.svc. No other usage is \
                       guaranteed across distributions of Kubernetes clusters.";
    let map = json!({
        "metadata": {
            "name": "kube-root-ca.crt", "namespace": namespace,
            "annotations": {"kubernetes.io/description": description},
        },
        "data": data,
    });
    if let Err(status) = api.create(kind, map) {
        tracing::warn!(namespace, message = status.message, "the root certificate was refused");
    }
}
