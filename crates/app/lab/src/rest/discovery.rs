//! What there is to ask for: `/api`, `/apis` and below, in the old form and in one document.

use http::Method;
use serde_json::{Value, json};
use types::Status;

use super::{Call, Content, Reply, failure::method_not_allowed, health, openapi, route::Page};
use crate::{
    object::set,
    registry::{self, GROUPS, Kind, Subresource},
};

impl Page {
    pub(super) fn answer(&self, call: &Call<'_>) -> Result<Reply, Status> {
        if *self == Self::Health {
            return Ok(health::answer(call));
        }
        if !matches!(call.method, Method::GET | Method::HEAD) {
            return Err(method_not_allowed());
        }
        let aggregated = call.accept.wants_aggregated();
        Ok(Reply::value(
            200,
            match self {
                Self::Health => Value::Null,
                Self::Root => json!({ "paths": paths() }),
                Self::Core if aggregated => return Ok(document(&[""])),
                Self::Core => json!({
                    "kind": "APIVersions",
                    "versions": ["v1"],
                    "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}],
                }),
                Self::Groups if aggregated => return Ok(document(GROUPS.get(1..).unwrap_or_default())),
                Self::Groups => {
                    let groups: Vec<Value> = GROUPS.iter().skip(1).map(|group| describe(group)).collect();
                    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
                }
                Self::Group(group) => {
                    let mut described = describe(group);
                    set(&mut described, &["kind"], "APIGroup");
                    set(&mut described, &["apiVersion"], "v1");
                    described
                }
                Self::Resources { group, version } => resources(group, version),
                Self::Version => version(),
                Self::OpenApi2 => return Ok(openapi::v2(call)),
                Self::OpenApi3 => openapi::index(),
                Self::OpenApi3Of { group, version } => openapi::v3(group, version),
            },
        ))
    }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.into() } else { format!("{group}/{version}") }
}

fn paths() -> Vec<String> {
    let mut paths = vec!["/api".to_owned(), "/api/v1".into(), "/apis".into(), "/apis/".into()];
    for group in GROUPS.iter().skip(1) {
        paths.push(format!("/apis/{group}"));
        paths.extend(registry::versions(group).iter().map(|version| format!("/apis/{group}/{version}")));
    }
    for page in ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"] {
        paths.push(page.into());
    }
    paths.sort();
    paths
}

fn describe(group: &str) -> Value {
    let versions: Vec<Value> = registry::versions(group)
        .iter()
        .map(|version| json!({"groupVersion": api_version(group, version), "version": version}))
        .collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
}

fn resources(group: &str, version: &str) -> Value {
    let mut resources = Vec::new();
    for kind in registry::of(group, version) {
        resources.push(resource(kind));
        resources.extend(kind.subresources.iter().map(|sub| subresource(kind, sub)));
    }
    let mut list = json!({
        "kind": "APIResourceList", "groupVersion": api_version(group, version), "resources": resources,
    });
    // UPSTREAM: the core group's list has no apiVersion (kube-apiserver 1.36).
    if !group.is_empty() {
        set(&mut list, &["apiVersion"], "v1");
    }
    list
}

fn resource(kind: &Kind) -> Value {
    let mut entry = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
        "verbs": kind.verbs,
    });
    if !kind.short_names.is_empty() {
        set(&mut entry, &["shortNames"], json!(kind.short_names));
    }
    if !kind.categories.is_empty() {
        set(&mut entry, &["categories"], json!(kind.categories));
    }
    entry
}

fn subresource(kind: &Kind, sub: &Subresource) -> Value {
    let mut entry = json!({
        "name": format!("{}/{}", kind.plural, sub.name), "singularName": "", "namespaced": kind.namespaced,
        "kind": if sub.kind.is_empty() { kind.kind } else { sub.kind }, "verbs": sub.verbs,
    });
    if let Some((group, version)) = sub.group_version {
        set(&mut entry, &["group"], group);
        set(&mut entry, &["version"], version);
    }
    entry
}

/// Discovery of many groups in one document.
fn document(groups: &[&str]) -> Reply {
    let items: Vec<Value> = groups.iter().map(|group| aggregated_group(group)).collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    });
    let mut bytes = serde_json::to_vec(&list).unwrap_or_default();
    bytes.push(b'\n');
    // UPSTREAM: clients look for this type to tell it from the old form (kube-apiserver 1.36).
    let kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    Reply { code: 200, content: Content::Bytes { kind, bytes: bytes.into() }, warnings: Vec::new() }
}

fn aggregated_group(group: &str) -> Value {
    let versions: Vec<Value> = registry::versions(group)
        .into_iter()
        .map(|version| {
            let resources: Vec<Value> = registry::of(group, version).map(aggregated_resource).collect();
            json!({"version": version, "resources": resources, "freshness": "Current"})
        })
        .collect();
    let meta = if group.is_empty() { json!({}) } else { json!({ "name": group }) };
    json!({"metadata": meta, "versions": versions})
}

fn aggregated_resource(kind: &Kind) -> Value {
    let own = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let subresources: Vec<Value> = kind
        .subresources
        .iter()
        .map(|sub| {
            let (group, version) = sub.group_version.unwrap_or((kind.group, kind.version));
            let shown = if sub.kind.is_empty() { kind.kind } else { sub.kind };
            json!({
                "subresource": sub.name,
                "responseKind": {"group": group, "version": version, "kind": shown},
                "verbs": sub.verbs,
            })
        })
        .collect();
    let mut entry = json!({
        "resource": kind.plural,
        "responseKind": own,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs,
    });
    for (member, values) in [("shortNames", kind.short_names), ("categories", kind.categories)] {
        if !values.is_empty() {
            set(&mut entry, &[member], json!(values));
        }
    }
    if !subresources.is_empty() {
        set(&mut entry, &["subresources"], subresources);
    }
    entry
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": concat!("v1.36.0-portcullis.", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": "linux/amd64",
    })
}
