//! The Node authorizer: a kubelet reads what the pods of its node need, and no other node's.
//!
//! [`Node`] is the handle through which many readers decide while one writer follows the cluster's
//! Pods, PersistentVolumes, VolumeAttachments, ResourceSlices and PodCertificateRequests. **Secrets and
//! ConfigMaps are never looked at**: they are names in the specs of pods and volumes. Of every object
//! only the names are kept that a decision can need.
//!
//! # Readers and the writer
//!
//! A [`Graph`] is copied on write: its maps are cut into pieces behind `Arc`s, a change copies the few
//! pieces that it touches and is published with one atomic pointer swap, as in [`rbac`](crate::rbac). A
//! kubelet asks for hundreds of objects at a time when a node starts, which is when pods change most:
//! behind a lock those questions would wait for the writer, and every reader would write to the lock's
//! cache line. A snapshot also lets `explain` name the path that a decision was made by, whatever has
//! changed since. The price is that a pod which comes or goes copies some dozen pieces, tens of
//! microseconds in a cluster of 10,000 pods, spent by the writer alone.
//!
//! # Who is a node
//!
//! Users in the group `system:nodes` whose name begins with `system:node:`. About anybody else there is
//! no opinion, and there is never a Deny: another authorizer may still allow.
//!
//! Invariant: nothing but the snapshot and the attributes goes into a decision, and a graph that never
//! heard of an object does not allow it.

mod decide;
mod graph;
mod grounds;
mod object;
mod reach;

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use types::{Attributes, User, group, username};

pub use graph::Graph;
pub use grounds::{Grounds, Path, Vertex};
pub use object::{Kind, NodeObject, VertexKind};

use crate::Opinion;

/// The Node authorizer: a handle to the newest state, cheap to clone and to share between threads.
#[derive(Clone, Default)]
pub struct Node(Arc<Shared>);

#[derive(Default)]
struct Shared {
    newest: ArcSwap<Graph>,
    /// Held while a change is made, so that no two writers start from the same graph.
    writer: Mutex<()>,
    pod_certificate_requests: bool,
}

/// One state of the graph, to hold on to.
#[derive(Clone)]
pub struct Snapshot {
    graph: Arc<Graph>,
    pod_certificate_requests: bool,
}

impl Node {
    /// An authorizer that knows of no objects yet. `pod_certificate_requests` is the feature gate
    /// `PodCertificateRequest`: without it their resource is like any that nodes have no part in.
    // UPSTREAM: the gate is off by default (kube-apiserver 1.36)
    pub fn new(pod_certificate_requests: bool) -> Self {
        Self(Arc::new(Shared { pod_certificate_requests, ..Shared::default() }))
    }

    /// Whether PodCertificateRequests are judged, and have to be followed.
    pub fn judges_pod_certificate_requests(&self) -> bool {
        self.0.pod_certificate_requests
    }

    /// May they? Never Deny, never an error.
    pub fn decide(&self, at: &Attributes<'_>) -> Opinion {
        decide(&self.0.newest.load(), self.0.pod_certificate_requests, at)
    }

    /// The newest state.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            graph: self.0.newest.load_full(),
            pod_certificate_requests: self.0.pod_certificate_requests,
        }
    }

    /// Changes the graph; readers see all of the change or nothing. One call with many changes is much
    /// cheaper than many calls.
    pub fn update(&self, change: impl FnOnce(&mut Graph)) {
        let _one_at_a_time = self.0.writer.lock();
        let mut graph = Graph::clone(&self.0.newest.load());
        change(&mut graph);
        self.0.newest.store(Arc::new(graph));
    }

    /// Takes in one object as it is now, new or changed.
    pub fn apply(&self, object: impl Into<NodeObject>) {
        let object = object.into();
        self.update(|graph| graph.apply(object));
    }

    /// Takes out one object, if it is there. `namespace` plays no part for cluster-wide kinds.
    pub fn remove(&self, kind: Kind, namespace: &str, name: &str) {
        self.update(|graph| graph.remove(kind, namespace, name));
    }
}

impl Snapshot {
    /// As [`Node::decide`], on this state.
    pub fn decide(&self, at: &Attributes<'_>) -> Opinion {
        decide(&self.graph, self.pod_certificate_requests, at)
    }

    /// Why the user may, for people to read; `None` if the answer is not Allow. Slower than a decision.
    pub fn grounds(&self, at: &Attributes<'_>) -> Option<Grounds> {
        let name = node_name(at.user)?;
        let grant = decide::judge(&self.graph, self.pod_certificate_requests, name, at).ok()?;
        Some(grounds::grounds(&self.graph, name, grant))
    }

    /// The graph itself.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

fn decide(graph: &Graph, pod_certificate_requests: bool, at: &Attributes<'_>) -> Opinion {
    let Some(name) = node_name(at.user) else { return Opinion::no_opinion("") };
    match decide::judge(graph, pod_certificate_requests, name, at) {
        Ok(_) => Opinion::allow(""),
        Err(reason) => Opinion::no_opinion(&*reason),
    }
}

/// The name of the node that `user` is the kubelet of, which may be empty; `None` for everybody else.
pub fn node_name(user: &User) -> Option<&str> {
    user.name.strip_prefix(username::NODE_PREFIX).filter(|_| user.in_group(group::NODES))
}
