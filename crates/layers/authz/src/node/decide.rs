//! What a kubelet may do, resource by resource.

use std::borrow::Cow;

use types::{Attributes, quote, selector::FieldOperator};

use super::{
    graph::Graph,
    object::{KeyRef, VertexKind},
};
use crate::rbac::is_joined;

/// The one namespace of the kubelets' leases.
const NODE_LEASES: &str = "kube-node-lease";

/// On what a node's leave rests.
#[derive(Clone, Copy, Debug)]
pub(super) enum Grant<'a> {
    /// One of [`RULES`].
    Rule,
    /// Its name: the object's is the same, or the list's selector asks for it.
    Own,
    /// Nothing: any node may, and admission looks at the object.
    Any,
    /// A way in the graph from here.
    Graph(KeyRef<'a>),
}

/// Whether a node may; else why not, in kube-apiserver's words.
type Judgment<'a> = Result<Grant<'a>, Cow<'static, str>>;

/// A rule for all nodes alike: verbs, API groups, resources with their subresources.
struct Rule(&'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// What every node may do whatever its name, as far as no resource's own judgment comes first.
// UPSTREAM: the rules of ClusterRole `system:node` (kube-apiserver 1.36)
const RULES: &[Rule] = &[
    Rule(&["create"], &["authentication.k8s.io"], &["tokenreviews"]),
    Rule(&["create"], &["authorization.k8s.io"], &["subjectaccessreviews", "localsubjectaccessreviews"]),
    Rule(&["get", "list", "watch"], &[""], &["services"]),
    Rule(&["create", "update", "patch"], &["", "events.k8s.io"], &["events"]),
    Rule(&["get"], &[""], &["endpoints"]),
    Rule(&["create", "get", "list", "watch"], &["certificates.k8s.io"], &["certificatesigningrequests"]),
    Rule(&["get", "list", "watch"], &["storage.k8s.io"], &["csidrivers"]),
    Rule(&["get", "list", "watch"], &["node.k8s.io"], &["runtimeclasses"]),
];

/// Judges what node `name` asks.
pub(super) fn judge<'a>(
    graph: &Graph,
    pod_certificate_requests: bool,
    name: &str,
    at: &Attributes<'a>,
) -> Judgment<'a> {
    if name.is_empty() {
        return refuse(format!("unknown node for user {}", quote(&at.user.name)));
    }
    Kubelet { graph, name, at }.judge(pod_certificate_requests)
}

/// A node, and what it asks.
struct Kubelet<'k, 'a> {
    graph: &'k Graph,
    /// Not empty.
    name: &'k str,
    at: &'k Attributes<'a>,
}

// UPSTREAM: the order of the checks decides which reason is given (kube-apiserver 1.36)
impl<'a> Kubelet<'_, 'a> {
    fn judge(&self, pod_certificate_requests: bool) -> Judgment<'a> {
        if !self.at.resource_request {
            return self.by_rules();
        }
        match (self.at.api_group, self.at.resource) {
            ("", "secrets") => self.read_namespaced(VertexKind::Secret),
            ("", "configmaps") => self.read_namespaced(VertexKind::ConfigMap),
            ("", "persistentvolumeclaims") if self.at.subresource == "status" => {
                self.update_status(VertexKind::PersistentVolumeClaim)
            }
            ("", "persistentvolumeclaims") => self.get(VertexKind::PersistentVolumeClaim),
            ("", "persistentvolumes") => self.get(VertexKind::PersistentVolume),
            ("resource.k8s.io", "resourceclaims") => self.get(VertexKind::ResourceClaim),
            ("storage.k8s.io", "volumeattachments") => self.get(VertexKind::VolumeAttachment),
            ("", "serviceaccounts") => self.service_account(),
            ("coordination.k8s.io", "leases") => self.lease(),
            ("storage.k8s.io", "csinodes") => self.csi_node(),
            ("resource.k8s.io", "resourceslices") => self.resource_slice(),
            ("certificates.k8s.io", "podcertificaterequests") if pod_certificate_requests => {
                self.pod_certificate_request()
            }
            ("", "nodes") => self.node(),
            ("", "pods") => self.pod(),
            _ => self.by_rules(),
        }
    }

    fn by_rules(&self) -> Judgment<'a> {
        let Attributes { verb, api_group, resource, subresource, .. } = self.at;
        let covers = |Rule(verbs, groups, resources): &Rule| {
            verbs.contains(verb)
                && groups.contains(api_group)
                && resources.iter().any(|of| is_joined(of, resource, subresource))
        };
        if self.at.resource_request && RULES.iter().any(covers) { Ok(Grant::Rule) } else { refuse("") }
    }

    fn read_namespaced(&self, kind: VertexKind) -> Judgment<'a> {
        if !matches!(self.at.verb, "get" | "list" | "watch") {
            return refuse("can only read resources of this type");
        }
        if !self.at.subresource.is_empty() {
            return refuse("cannot read subresource");
        }
        if self.at.namespace.is_empty() {
            return refuse("can only read namespaced object of this type");
        }
        self.reach(kind)
    }

    fn get(&self, kind: VertexKind) -> Judgment<'a> {
        if self.at.verb != "get" {
            return refuse("can only get individual resources of this type");
        }
        if !self.at.subresource.is_empty() {
            return refuse("cannot get subresource");
        }
        self.reach(kind)
    }

    fn update_status(&self, kind: VertexKind) -> Judgment<'a> {
        if !matches!(self.at.verb, "update" | "patch") {
            return refuse("can only get/update/patch this type");
        }
        self.reach(kind)
    }

    fn service_account(&self) -> Judgment<'a> {
        if self.at.verb == "get" && self.at.subresource.is_empty() {
            return self.read_namespaced(VertexKind::ServiceAccount);
        }
        if self.at.verb != "create" || self.at.name.is_empty() {
            return refuse("can only create tokens for individual service accounts");
        }
        if self.at.subresource != "token" {
            return refuse("can only create token subresource of serviceaccount");
        }
        self.reach(VertexKind::ServiceAccount)
    }

    fn lease(&self) -> Judgment<'a> {
        if !self.verb_of_own_object() {
            return refuse("can only get, create, update, patch, or delete a node lease");
        }
        if self.at.namespace != NODE_LEASES {
            return refuse(format!("can only access leases in the {} system namespace", quote(NODE_LEASES)));
        }
        self.own_name("can only access node lease with the same name as the requesting node")
    }

    fn csi_node(&self) -> Judgment<'a> {
        if !self.verb_of_own_object() {
            return refuse("can only get, create, update, patch, or delete a CSINode");
        }
        if !self.at.subresource.is_empty() {
            return refuse("cannot authorize CSINode subresources");
        }
        self.own_name("can only access CSINode with the same name as the requesting node")
    }

    fn verb_of_own_object(&self) -> bool {
        matches!(self.at.verb, "get" | "create" | "update" | "patch" | "delete")
    }

    /// What is created has no name yet; admission checks it.
    fn own_name(&self, otherwise: &'static str) -> Judgment<'a> {
        match self.at.verb {
            "create" => Ok(Grant::Any),
            _ if self.at.name == self.name => Ok(Grant::Own),
            _ => refuse(otherwise),
        }
    }

    fn resource_slice(&self) -> Judgment<'a> {
        if !self.at.subresource.is_empty() {
            return refuse("cannot authorize ResourceSlice subresources");
        }
        match self.at.verb {
            // Whose slice it is, admission checks.
            "create" => Ok(Grant::Any),
            "get" | "update" | "patch" | "delete" => self.reach(VertexKind::ResourceSlice),
            "watch" | "list" | "deletecollection" if self.selects_own() => Ok(Grant::Own),
            "watch" | "list" | "deletecollection" => {
                refuse("can only list/watch/deletecollection resourceslices with nodeName field selector")
            }
            _ => refuse(
                "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
            ),
        }
    }

    fn pod_certificate_request(&self) -> Judgment<'a> {
        if !self.at.subresource.is_empty() {
            return refuse("nodes may not access the status subresource of PodCertificateRequests");
        }
        match self.at.verb {
            // For which pod, admission checks.
            "create" => Ok(Grant::Any),
            "get" => self.reach(VertexKind::PodCertificateRequest),
            "list" | "watch" if self.selects_own() => Ok(Grant::Own),
            "list" | "watch" => {
                refuse("can only list/watch podcertificaterequests with nodeName field selector")
            }
            verb => refuse(format!("nodes may not {verb} podcertificaterequests")),
        }
    }

    fn node(&self) -> Judgment<'a> {
        let Attributes { verb, subresource, name, .. } = *self.at;
        match (subresource, verb) {
            // Admission keeps it to its own Node.
            ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Ok(Grant::Any),
            // By name and not by the graph: a kubelet looks for its Node before there is one.
            ("", "get" | "list" | "watch") if name == self.name => Ok(Grant::Own),
            ("", "get" | "list" | "watch") if name.is_empty() => {
                refuse(format!("node '{}' cannot read all nodes, only its own Node object", self.name))
            }
            ("", "get" | "list" | "watch") => {
                refuse(format!("node '{}' cannot read '{name}', only its own Node object", self.name))
            }
            _ => refuse(""),
        }
    }

    fn pod(&self) -> Judgment<'a> {
        match (self.at.subresource, self.at.verb) {
            ("", "get") => self.reach(VertexKind::Pod),
            ("", "list" | "watch") if self.selects_own() => Ok(Grant::Own),
            ("", "list" | "watch") if !self.at.name.is_empty() => self.reach(VertexKind::Pod),
            ("", "list" | "watch") => refuse("can only list/watch pods with spec.nodeName field selector"),
            // Mirror pods, status and evictions of its own pods: admission keeps it to those.
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => {
                Ok(Grant::Any)
            }
            _ => refuse(""),
        }
    }

    /// Whether a list is narrowed to what belongs to the node. A selector that cannot be parsed narrows
    /// nothing.
    fn selects_own(&self) -> bool {
        self.at.selectors.field.as_ref().is_ok_and(|selector| {
            selector.requirements().iter().any(|required| {
                required.field == "spec.nodeName"
                    && required.operator == FieldOperator::Equals
                    && required.value == self.name
            })
        })
    }

    /// The graph's word.
    fn reach(&self, kind: VertexKind) -> Judgment<'a> {
        let Attributes { namespace, name, .. } = *self.at;
        if name.is_empty() {
            return refuse("No Object name found");
        }
        let vertex = KeyRef { kind, namespace, name };
        if self.graph.reaches(self.name, vertex) {
            return Ok(Grant::Graph(vertex));
        }
        refuse(format!("no relationship found between node '{}' and this object", self.name))
    }
}

fn refuse<'a>(reason: impl Into<Cow<'static, str>>) -> Judgment<'a> {
    Err(reason.into())
}
