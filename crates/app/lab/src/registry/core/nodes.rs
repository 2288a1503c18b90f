//! Nodes.

use serde_json::Value;

use super::{AGE, Cell, Column, Kind, STATUS, api, core, define, list, none_if_empty, text};

pub(super) const NODES: Kind = Kind {
    short_names: &["no"],
    namespaced: false,
    subresources: &[STATUS],
    status_at_creation: true,
    columns: &[
        Column::new("Status", Cell::With(status)),
        Column::new("Roles", Cell::With(roles)),
        AGE,
        Column::new("Version", Cell::Text("/status/nodeInfo/kubeletVersion")),
        Column::wide("Internal-IP", Cell::With(|node| address(node, "InternalIP"))),
        Column::wide("External-IP", Cell::With(|node| address(node, "ExternalIP"))),
        Column::wide("OS-Image", Cell::With(|node| info(node, "/status/nodeInfo/osImage"))),
        Column::wide("Kernel-Version", Cell::With(|node| info(node, "/status/nodeInfo/kernelVersion"))),
        Column::wide(
            "Container-Runtime",
            Cell::With(|node| info(node, "/status/nodeInfo/containerRuntimeVersion")),
        ),
    ],
    fields: &[("spec.unschedulable", "/spec/unschedulable")],
    ..core("nodes", "node", "Node", define::<api::Node>())
};

fn status(node: &Value) -> String {
    let ready = list(node, "/status/conditions").iter().find(|condition| text(condition, "/type") == "Ready");
    let mut shown = match ready.map(|condition| text(condition, "/status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.pointer("/spec/unschedulable") == Some(&Value::Bool(true)) {
        shown.push_str(",SchedulingDisabled");
    }
    shown
}

fn roles(node: &Value) -> String {
    let labels = crate::object::map(node, "/metadata/labels").into_iter().flatten();
    let roles = labels.filter_map(|(name, _)| name.strip_prefix("node-role.kubernetes.io/"));
    none_if_empty(roles.collect::<Vec<_>>().join(","))
}

fn address(node: &Value, kind: &str) -> String {
    let found = list(node, "/status/addresses").iter().find(|address| text(address, "/type") == kind);
    none_if_empty(found.map(|address| text(address, "/address").to_owned()).unwrap_or_default())
}

fn info(node: &Value, at: &str) -> String {
    let shown = text(node, at);
    if shown.is_empty() { "<unknown>".into() } else { shown.into() }
}
