//! The table of kinds: everything in which one kind differs from another.
//!
//! To add a kind, add an entry to the file of its group. What all kinds share is in [`crate::rest`].

mod apps;
mod batch;
mod cells;
mod certificates;
mod coordination;
mod core;
mod discovery;
mod events;
mod flowcontrol;
mod networking;
mod rbac;
mod reviews;
mod rules;

use serde_json::Value;
use types::Timestamp;

pub use crate::schema::Define;
use crate::schema::define;
pub use cells::{Cell, Column};
pub(crate) use rules::{FieldError, NameRule, path_segment};

/// Verbs of a resource in the order discovery tells them.
pub const ALL_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// Verbs of a namespace: they are not deleted by the dozen.
const NO_COLLECTION: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
/// Verbs of a review: it is asked and not kept.
const CREATE: &[&str] = &["create"];
/// Verbs of `status` and its like.
const GET_PATCH_UPDATE: &[&str] = &["get", "patch", "update"];

/// One resource of the API.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    /// `v1`
    pub version: &'static str,
    /// `pods`
    pub plural: &'static str,
    /// `pod`
    pub singular: &'static str,
    /// `Pod`
    pub kind: &'static str,
    /// `po`
    pub short_names: &'static [&'static str],
    /// `all`
    pub categories: &'static [&'static str],
    /// Whether objects lie in namespaces.
    pub namespaced: bool,
    /// What discovery lists and the server allows.
    pub verbs: &'static [&'static str],
    /// What can be asked below an object, sorted.
    pub subresources: &'static [Subresource],
    /// The columns between `Name` and the end of its table.
    pub columns: &'static [Column],
    /// What field selectors may name besides `metadata.name` and `metadata.namespace`: label and
    /// JSON pointer.
    pub fields: &'static [(&'static str, &'static str)],
    /// Its type.
    pub schema: Define,
    /// Where objects lie in the store; kinds that share it are views of the same objects.
    pub storage: &'static str,
    /// Which names are good.
    pub(crate) name_rule: NameRule,
    /// Fills in what the type leaves open, and what the server decides. `old` is absent at creation.
    pub(crate) prepare: fn(object: &mut Value, old: Option<&Value>),
    /// What is wrong with an object.
    pub(crate) validate: fn(object: &Value, old: Option<&Value>) -> Vec<FieldError>,
    /// Whether creation keeps the `status` it is given.
    pub(crate) status_at_creation: bool,
    /// Whether `metadata.generation` counts changes of what a user wants.
    pub(crate) generation: bool,
    /// How an object becomes the one in the store, and back.
    pub(crate) view: Option<View>,
    /// Who answers, where it is not the store.
    pub review: Option<Review>,
}

/// Two kinds of one object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) to_storage: fn(&mut Value),
    pub(crate) from_storage: fn(&mut Value),
}

/// Something below an object.
#[derive(Clone, Copy, Debug)]
pub struct Subresource {
    /// `status`
    pub name: &'static str,
    /// Group, version and kind where they are not the resource's own.
    pub group_version: Option<(&'static str, &'static str)>,
    /// The kind that is read and written; empty for the resource's own.
    pub kind: &'static str,
    /// What discovery lists.
    pub verbs: &'static [&'static str],
    /// What it does.
    pub behaviour: Behaviour,
    /// The type that is written, where it is not the resource's own.
    pub schema: Option<Define>,
}

/// What a subresource does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Reads the object, writes only `status`.
    Status,
    /// Writes only `status.conditions` and `status.certificate` of a signing request.
    Approval,
    /// Reads and writes `spec.replicas` as a `Scale`.
    Scale,
    /// Writes `spec.finalizers` of a namespace.
    Finalize,
    /// Sets a pod's node.
    Binding,
    /// Deletes a pod politely.
    Eviction,
    /// Reads a pod's log.
    Log,
    /// Turns the connection over to what goes on in a pod.
    Stream(Streaming),
    /// Is answered by [`crate::rest::Reviewer`].
    Review(Review),
}

/// What a connection can be turned over to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is a subresource of Kubernetes, named as there")]
pub enum Streaming {
    Exec,
    Attach,
    PortForward,
}

/// What is asked and not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is a kind of Kubernetes, named as there")]
pub enum Review {
    SelfSubjectReview,
    TokenReview,
    SubjectAccessReview,
    SelfSubjectAccessReview,
    LocalSubjectAccessReview,
    SelfSubjectRulesReview,
    /// `serviceaccounts/token`
    TokenRequest,
}

impl Subresource {
    const fn own(name: &'static str, behaviour: Behaviour) -> Self {
        Self { name, group_version: None, kind: "", verbs: GET_PATCH_UPDATE, behaviour, schema: None }
    }
}

const fn stream(name: &'static str, kind: &'static str, streaming: Streaming) -> Subresource {
    Subresource { kind, verbs: &["create", "get"], ..Subresource::own(name, Behaviour::Stream(streaming)) }
}

const STATUS: Subresource = Subresource::own("status", Behaviour::Status);
const SCALE: Subresource = Subresource {
    group_version: Some(("autoscaling", "v1")),
    kind: "Scale",
    schema: Some(define::<k8s_openapi::api::autoscaling::v1::Scale>()),
    ..Subresource::own("scale", Behaviour::Scale)
};

impl Kind {
    /// What most kinds are: namespaced, with all verbs, a name and an age.
    const fn new(
        group: &'static str,
        plural: &'static str,
        singular: &'static str,
        kind: &'static str,
    ) -> Self {
        Self {
            group,
            version: "v1",
            plural,
            singular,
            kind,
            short_names: &[],
            categories: &[],
            namespaced: true,
            verbs: ALL_VERBS,
            subresources: &[],
            columns: cells::AGE_ONLY,
            fields: &[],
            schema: define::<bool>(),
            storage: plural,
            name_rule: NameRule::Subdomain,
            prepare: |_, _| {},
            validate: |_, _| Vec::new(),
            status_at_creation: false,
            generation: false,
            view: None,
            review: None,
        }
    }

    /// A kind that is asked and not kept.
    const fn asked(
        group: &'static str,
        plural: &'static str,
        singular: &'static str,
        kind: &'static str,
        review: Review,
        schema: Define,
    ) -> Self {
        Self {
            namespaced: false,
            verbs: CREATE,
            schema,
            review: Some(review),
            ..Self::new(group, plural, singular, kind)
        }
    }

    /// `v1` or `apps/v1`
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `PodList`
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// `pods` or `deployments.apps`, as messages name it.
    pub fn qualified(&self) -> String {
        qualified(self.group, self.plural)
    }

    /// The subresource of this name.
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|sub| sub.name == name)
    }

    /// Whether writing an object leaves `status` alone.
    pub(crate) fn has_status(&self) -> bool {
        self.subresources.iter().any(|sub| sub.behaviour == Behaviour::Status)
    }

    /// An object of this kind out of a stored one.
    pub(crate) fn shown(&self, stored: &Value) -> Value {
        let mut object = stored.clone();
        if let Some(view) = self.view {
            (view.from_storage)(&mut object);
        }
        crate::object::set(&mut object, &["apiVersion"], self.api_version());
        crate::object::set(&mut object, &["kind"], self.kind);
        object
    }
}

fn qualified(group: &str, plural: &str) -> String {
    if group.is_empty() { plural.into() } else { format!("{plural}.{group}") }
}

/// Groups in the order discovery tells them.
// UPSTREAM: recorded from a running server (kube-apiserver 1.36).
pub const GROUPS: &[&str] = &[
    "",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "rbac.authorization.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

const TABLES: &[&[Kind]] = &[
    core::KINDS,
    apps::KINDS,
    events::KINDS,
    reviews::AUTHENTICATION,
    reviews::AUTHORIZATION,
    batch::KINDS,
    certificates::KINDS,
    networking::KINDS,
    rbac::KINDS,
    coordination::KINDS,
    discovery::KINDS,
    flowcontrol::KINDS,
];

/// Every kind, in the order of discovery.
pub fn all() -> impl Iterator<Item = &'static Kind> {
    TABLES.iter().copied().flatten()
}

/// The kinds of one group and version.
pub fn of(group: &str, version: &str) -> impl Iterator<Item = &'static Kind> {
    all().filter(move |kind| kind.group == group && kind.version == version)
}

/// The versions of a group; empty where there is no such group.
pub fn versions(group: &str) -> Vec<&'static str> {
    let mut versions = Vec::new();
    for kind in all().filter(|kind| kind.group == group) {
        if !versions.contains(&kind.version) {
            versions.push(kind.version);
        }
    }
    versions
}

/// One resource.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    of(group, version).find(|kind| kind.plural == plural)
}

/// One resource by its kind.
pub fn by_kind(group: &str, kind: &str) -> Option<&'static Kind> {
    all().find(|entry| entry.group == group && entry.kind == kind)
}

/// The age of `timestamp` as kubectl's tables tell it; `<unknown>` for none.
pub(crate) fn age(timestamp: &str, now: Timestamp) -> String {
    cells::age(timestamp, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent() {
        for group in GROUPS {
            assert!(!versions(group).is_empty(), "{group} has no kinds");
        }
        for kind in all() {
            assert!(GROUPS.contains(&kind.group), "{}", kind.qualified());
            assert_eq!(kind.singular, kind.kind.to_lowercase());
            assert_eq!(
                all().filter(|k| k.qualified() == kind.qualified()).count(),
                1,
                "{}",
                kind.qualified()
            );
            assert!(kind.subresources.is_sorted_by_key(|sub| sub.name), "{}", kind.qualified());
        }
        for (group, version) in GROUPS.iter().flat_map(|g| versions(g).into_iter().map(move |v| (*g, v))) {
            assert!(of(group, version).is_sorted_by_key(|kind| kind.plural), "{group}/{version}");
        }
    }
}
