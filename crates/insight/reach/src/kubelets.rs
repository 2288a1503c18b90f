//! Which kubelets can?

use authz::node::Snapshot;
use serde::Serialize;
use types::{group, username};

use crate::{Question, subject_user};

/// A kubelet that can, by the Node authorizer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kubelet {
    /// `system:node:NAME`, who is in the group `system:nodes`.
    pub user: String,
    /// Why: the way in the graph, or the rule.
    pub grounds: String,
}

/// The kubelets that may do what `question` asks, by name: each that the graph knows a node of is asked
/// about.
pub fn kubelets(node: &Snapshot, question: &Question) -> Vec<Kubelet> {
    let groups = [group::NODES.to_owned()];
    let users = node.graph().nodes().into_iter().map(|name| format!("{}{name}", username::NODE_PREFIX));
    let grounds = |name: &str| node.grounds(&question.attributes(&subject_user(name, &groups)));
    users
        .filter_map(|user| grounds(&user).map(|grounds| Kubelet { grounds: grounds.to_string(), user }))
        .collect()
}
