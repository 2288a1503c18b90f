//! The core group.

mod nodes;
mod pods;
mod services;

pub(super) use pods::defaults as pod_defaults;

use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::api::{core::v1 as api, policy::v1::Eviction};
use serde_json::{Value, json};

use super::{
    Behaviour, CREATE, Cell, Column, Define, FieldError, Kind, NO_COLLECTION, NameRule, Review, STATUS,
    Subresource,
    cells::{AGE, each, joined, none_if_empty},
    define, events,
    rules::immutable,
};
use crate::object::{default, list, members, number, remove, set, text};

const fn core(plural: &'static str, singular: &'static str, kind: &'static str, schema: Define) -> Kind {
    Kind { schema, ..Kind::new("", plural, singular, kind) }
}

pub(super) const KINDS: &[Kind] = &[
    Kind {
        short_names: &["cm"],
        columns: &[Column::new("Data", Cell::With(config_map_entries)), AGE],
        validate: config_map_validate,
        ..core("configmaps", "configmap", "ConfigMap", define::<api::ConfigMap>())
    },
    Kind {
        short_names: &["ep"],
        columns: &[Column::new("Endpoints", Cell::With(endpoint_addresses)), AGE],
        ..core("endpoints", "endpoints", "Endpoints", define::<api::Endpoints>())
    },
    events::CORE,
    Kind {
        short_names: &["limits"],
        columns: super::cells::CREATED_AT,
        ..core("limitranges", "limitrange", "LimitRange", define::<api::LimitRange>())
    },
    Kind {
        short_names: &["ns"],
        namespaced: false,
        verbs: NO_COLLECTION,
        subresources: &[
            Subresource { verbs: &["update"], ..Subresource::own("finalize", Behaviour::Finalize) },
            STATUS,
        ],
        columns: &[Column::new("Status", Cell::Text("/status/phase")), AGE],
        fields: &[("status.phase", "/status/phase"), ("name", "/metadata/name")],
        name_rule: NameRule::Label,
        prepare: namespace_prepare,
        ..core("namespaces", "namespace", "Namespace", define::<api::Namespace>())
    },
    nodes::NODES,
    Kind {
        short_names: &["pvc"],
        subresources: &[STATUS],
        columns: &[
            Column::new("Status", Cell::With(phase)),
            Column::new("Volume", Cell::Text("/spec/volumeName")),
            Column::new("Capacity", Cell::Text("/status/capacity/storage")),
            Column::new("Access Modes", Cell::With(|claim| access_modes(claim, "/status/accessModes"))),
            Column::new("StorageClass", Cell::Text("/spec/storageClassName")),
            Column::new("VolumeAttributesClass", Cell::With(|_| "<unset>".into())),
            AGE,
            Column::wide("VolumeMode", Cell::TextOrNone("/spec/volumeMode")),
        ],
        prepare: |claim, old| {
            default(claim, &["spec", "volumeMode"], "Filesystem");
            phase_at_creation(claim, old, "Pending");
        },
        validate: |claim, _| super::rules::require(claim, &["spec.accessModes"]),
        ..core(
            "persistentvolumeclaims",
            "persistentvolumeclaim",
            "PersistentVolumeClaim",
            define::<api::PersistentVolumeClaim>(),
        )
    },
    Kind {
        short_names: &["pv"],
        namespaced: false,
        subresources: &[STATUS],
        columns: &[
            Column::new("Capacity", Cell::Text("/spec/capacity/storage")),
            Column::new("Access Modes", Cell::With(|volume| access_modes(volume, "/spec/accessModes"))),
            Column::new("Reclaim Policy", Cell::Text("/spec/persistentVolumeReclaimPolicy")),
            Column::new("Status", Cell::With(phase)),
            Column::new("Claim", Cell::With(claim_of)),
            Column::new("StorageClass", Cell::Text("/spec/storageClassName")),
            Column::new("VolumeAttributesClass", Cell::With(|_| "<unset>".into())),
            Column::new("Reason", Cell::Text("/status/reason")),
            AGE,
            Column::wide("VolumeMode", Cell::TextOrNone("/spec/volumeMode")),
        ],
        prepare: |volume, old| {
            default(volume, &["spec", "volumeMode"], "Filesystem");
            default(volume, &["spec", "persistentVolumeReclaimPolicy"], "Retain");
            phase_at_creation(volume, old, "Available");
        },
        validate: |volume, _| super::rules::require(volume, &["spec.accessModes", "spec.capacity"]),
        ..core("persistentvolumes", "persistentvolume", "PersistentVolume", define::<api::PersistentVolume>())
    },
    pods::PODS,
    Kind {
        short_names: &["quota"],
        subresources: &[STATUS],
        ..core("resourcequotas", "resourcequota", "ResourceQuota", define::<api::ResourceQuota>())
    },
    Kind {
        columns: &[Column::new("Type", Cell::Text("/type")), Column::new("Data", Cell::Count("/data")), AGE],
        fields: &[("type", "/type")],
        prepare: secret_prepare,
        validate: secret_validate,
        ..core("secrets", "secret", "Secret", define::<api::Secret>())
    },
    Kind {
        short_names: &["sa"],
        columns: &[Column::new("Secrets", Cell::Count("/secrets")), AGE],
        subresources: &[Subresource {
            name: "token",
            group_version: Some(("authentication.k8s.io", "v1")),
            kind: "TokenRequest",
            verbs: CREATE,
            behaviour: Behaviour::Review(Review::TokenRequest),
            schema: Some(define::<k8s_openapi::api::authentication::v1::TokenRequest>()),
        }],
        ..core("serviceaccounts", "serviceaccount", "ServiceAccount", define::<api::ServiceAccount>())
    },
    services::SERVICES,
];

fn phase(object: &Value) -> String {
    let phase = text(object, "/status/phase");
    if crate::object::is_terminating(object) { "Terminating".into() } else { phase.into() }
}

fn phase_at_creation(object: &mut Value, old: Option<&Value>, phase: &str) {
    if old.is_none() {
        set(object, &["status"], json!({ "phase": phase }));
    }
}

fn access_modes(object: &Value, at: &str) -> String {
    let short = |mode: &Value| match mode.as_str() {
        Some("ReadWriteOnce") => "RWO",
        Some("ReadOnlyMany") => "ROX",
        Some("ReadWriteMany") => "RWX",
        Some("ReadWriteOncePod") => "RWOP",
        _ => "",
    };
    list(object, at).iter().map(short).collect::<Vec<_>>().join(",")
}

fn claim_of(volume: &Value) -> String {
    let (namespace, name) = (text(volume, "/spec/claimRef/namespace"), text(volume, "/spec/claimRef/name"));
    if name.is_empty() { String::new() } else { format!("{namespace}/{name}") }
}

fn endpoint_addresses(endpoints: &Value) -> String {
    let addresses = list(endpoints, "/subsets").iter().flat_map(|subset| {
        let ports: Vec<i64> = list(subset, "/ports").iter().map(|port| number(port, "/port")).collect();
        list(subset, "/addresses").iter().flat_map(move |address| {
            let ip = text(address, "/ip").to_owned();
            ports.clone().into_iter().map(move |port| format!("{ip}:{port}"))
        })
    });
    none_if_empty(addresses.collect::<Vec<_>>().join(","))
}

/// How many entries a ConfigMap has; the column is text in a real server, too.
fn config_map_entries(map: &Value) -> String {
    let count = |at| crate::object::map(map, at).map_or(0, serde_json::Map::len);
    (count("/data") + count("/binaryData")).to_string()
}

fn config_map_validate(map: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut wrong = data_keys(map);
    wrong.extend(sealed(map, old));
    wrong
}

const DATA_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
    or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

fn data_keys(object: &Value) -> Vec<FieldError> {
    let (mut wrong, mut bytes) = (Vec::new(), 0);
    for (key, value) in crate::object::map(object, "/data").into_iter().flatten() {
        bytes += value.as_str().map_or(0, str::len);
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if key.is_empty() || !key.chars().all(good) {
            wrong.push(FieldError::invalid(format!("data[{key}]"), &key.as_str().into(), DATA_KEY));
        }
    }
    const LIMIT: usize = 1 << 20;
    if bytes > LIMIT {
        wrong.push(FieldError::too_long("[]", LIMIT));
    }
    wrong
}

/// What an update may not do to an object that was made immutable.
fn sealed(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let Some(old) = old.filter(|old| old.get("immutable") == Some(&Value::Bool(true))) else {
        return Vec::new();
    };
    ["immutable", "data", "binaryData"]
        .into_iter()
        .filter(|field| object.get(*field) != old.get(*field))
        .map(|field| FieldError::forbidden(field, "field is immutable when `immutable` is set"))
        .collect()
}

fn secret_prepare(secret: &mut Value, _: Option<&Value>) {
    default(secret, &["type"], "Opaque");
    // UPSTREAM: stringData is written into data and never shown (kube-apiserver 1.36).
    if let Some(Value::Object(plain)) = remove(secret, &["stringData"]) {
        for (key, value) in plain {
            set(secret, &["data", &key], BASE64_STANDARD.encode(value.as_str().unwrap_or_default()));
        }
    }
}

fn secret_validate(secret: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut wrong = data_keys(secret);
    wrong.extend(sealed(secret, old));
    wrong.extend(immutable(secret, old, &["type"]));
    let required: &[&str] = match text(secret, "/type") {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    };
    for key in required {
        if secret.get("data").and_then(|data| data.get(*key)).is_none() {
            wrong.push(FieldError::required(format!("data[{key}]"), ""));
        }
    }
    wrong
}

fn namespace_prepare(namespace: &mut Value, old: Option<&Value>) {
    let name = crate::object::name(namespace).to_owned();
    set(namespace, &["metadata", "labels", "kubernetes.io/metadata.name"], name);
    match old {
        None => {
            set(namespace, &["spec", "finalizers"], json!(["kubernetes"]));
            set(namespace, &["status"], json!({"phase": "Active"}));
        }
        // UPSTREAM: only `finalize` changes these (kube-apiserver 1.36).
        Some(old) => {
            let finalizers = old.pointer("/spec/finalizers").cloned().unwrap_or_default();
            members(namespace).insert("spec".into(), json!({ "finalizers": finalizers }));
        }
    }
}

const EVICTION: Subresource = Subresource {
    name: "eviction",
    group_version: Some(("policy", "v1")),
    kind: "Eviction",
    verbs: CREATE,
    behaviour: Behaviour::Eviction,
    schema: Some(define::<Eviction>()),
};

const BINDING: Subresource = Subresource {
    name: "binding",
    group_version: None,
    kind: "Binding",
    verbs: CREATE,
    behaviour: Behaviour::Binding,
    schema: Some(define::<api::Binding>()),
};
