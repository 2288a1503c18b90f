//! The objects of the cluster that authorizers decide by, watched.
//!
//! [`Watch::rbac`] lists and watches roles and bindings upstream with the gate's own credential and
//! keeps an [`Rbac`] handle up to date; [`Watch::node`] does it with the pods, volumes and the like
//! that a [`Node`] handle decides by. Each kind is listed and watched by a task of its own; one task
//! writes, in batches of whatever has come. Of a pod only the names that it holds outlive its parsing.
//! Secrets and ConfigMaps are not among the kinds.
//!
//! What the gate decides with meanwhile:
//! - Before a kind has been listed for the first time, nothing of it is known. Both authorizers only
//!   ever grant, so whatever is missing is a denial: a gate that never synced answers closed.
//! - When a watch breaks, the objects known last stay in force and the kind is degraded, with the
//!   reason, until a new list has replaced them. A grant that was taken back meanwhile, or the pod that
//!   was moved, holds on until then: API servers out of reach cannot be asked, and denying everybody
//!   whenever they are restarted would make people remove the gate.
//! - A server that vanishes without a word is noticed by TCP keep-alive after about a minute, one
//!   that hangs when its watch does not end in time: after five and a half.

mod family;
mod follow;
mod list;
mod status;

use std::{sync::Arc, time::Duration};

use authz::{
    node::{self, Node},
    rbac::{self, Rbac},
};
use k8s_openapi::api::{
    certificates::v1beta1::PodCertificateRequest,
    core::v1::{PersistentVolume, Pod},
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    resource::v1::ResourceSlice,
    storage::v1::VolumeAttachment,
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use types::Timestamp;
use upstream::{IdentityHeaders, OwnService, Pool, Upstream};

pub use self::list::{ListError, list_node, list_rbac};
pub use self::status::{Health, KindStatus};
use self::{
    family::Family,
    follow::{Change, follow},
};

/// Changes that may wait for the writer; a watch that is ahead of it waits too.
const QUEUE: usize = 256;

/// The running watch; it ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    /// Whose objects, in words.
    of: &'static str,
    status: watch::Receiver<Vec<KindStatus>>,
    /// Aborted when dropped.
    _tasks: JoinSet<()>,
}

/// Not every kind has been listed in time.
#[derive(Debug, thiserror::Error)]
#[error("{of} are not in sync after {after:?}: {}", .waiting.join("; "))]
pub struct NotSynced {
    /// Whose objects, in words.
    pub of: &'static str,
    /// The time given.
    pub after: Duration,
    /// A sentence for each kind that is waited for.
    pub waiting: Vec<String>,
}

impl Watch {
    /// Starts to watch roles and bindings, within a tokio runtime. From now on nobody else may write to
    /// `rbac`.
    pub fn rbac(upstream: Arc<Upstream>, rbac: Rbac) -> Self {
        use rbac::Kind;
        Following::new(upstream, "RBAC objects")
            .kind::<ClusterRole>(Kind::ClusterRole)
            .kind::<Role>(Kind::Role)
            .kind::<ClusterRoleBinding>(Kind::ClusterRoleBinding)
            .kind::<RoleBinding>(Kind::RoleBinding)
            .write_to(rbac)
    }

    /// Starts to watch what a Node authorizer decides by, within a tokio runtime;
    /// PodCertificateRequests only if it judges them. From now on nobody else may write to `node`.
    pub fn node(upstream: Arc<Upstream>, node: Node) -> Self {
        use node::Kind;
        let mut following = Following::new(upstream, "objects of the Node authorizer")
            .kind::<Pod>(Kind::Pod)
            .kind::<PersistentVolume>(Kind::PersistentVolume)
            .kind::<VolumeAttachment>(Kind::VolumeAttachment)
            .kind::<ResourceSlice>(Kind::ResourceSlice);
        if node.judges_pod_certificate_requests() {
            following = following.kind::<PodCertificateRequest>(Kind::PodCertificateRequest);
        }
        following.write_to(node)
    }

    /// Waits until each kind has been listed once and applied.
    pub async fn synced(&self, within: Duration) -> Result<(), NotSynced> {
        let mut status = self.status.clone();
        let all = |kinds: &Vec<KindStatus>| kinds.iter().all(|kind| kind.synced);
        if let Ok(Ok(_)) = tokio::time::timeout(within, status.wait_for(all)).await {
            return Ok(());
        }
        let kinds = self.status();
        let waiting = kinds.iter().filter(|kind| !kind.synced).map(KindStatus::to_string).collect();
        Err(NotSynced { of: self.of, after: within, waiting })
    }

    /// Whose objects these are, in words: `RBAC objects`.
    pub fn of(&self) -> &'static str {
        self.of
    }

    /// How each kind fares now.
    pub fn status(&self) -> Vec<KindStatus> {
        self.status.borrow().clone()
    }

    /// Tells of every change of [`Watch::status`].
    pub fn subscribe(&self) -> watch::Receiver<Vec<KindStatus>> {
        self.status.clone()
    }
}

/// A watch that is being put together.
struct Following<F: Family> {
    of: &'static str,
    client: kube::Client,
    changes: mpsc::Sender<Change<F>>,
    queue: mpsc::Receiver<Change<F>>,
    kinds: Vec<KindStatus>,
    tasks: JoinSet<()>,
}

impl<F: Family> Following<F> {
    fn new(upstream: Arc<Upstream>, of: &'static str) -> Self {
        let service = OwnService::new(Pool::new(upstream, IdentityHeaders::default()));
        let client = kube::Client::new(service, "default");
        let (changes, queue) = mpsc::channel(QUEUE);
        Self { of, client, changes, queue, kinds: Vec::new(), tasks: JoinSet::new() }
    }

    fn kind<K>(mut self, kind: F::Kind) -> Self
    where
        K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
        F::Object: From<K>,
    {
        self.kinds.push(KindStatus::starting(F::name(kind)));
        self.tasks.spawn(follow::<K, F>(self.client.clone(), kind, self.changes.clone()));
        self
    }

    fn write_to(self, family: F) -> Watch {
        let Self { of, queue, kinds, mut tasks, .. } = self;
        let (publish, status) = watch::channel(kinds);
        tasks.spawn(write(queue, family, publish));
        Watch { of, status, _tasks: tasks }
    }
}

/// The one writer: applies what has come, then tells so.
async fn write<F: Family>(
    mut queue: mpsc::Receiver<Change<F>>,
    family: F,
    status: watch::Sender<Vec<KindStatus>>,
) {
    let mut batch = Vec::with_capacity(QUEUE);
    while queue.recv_many(&mut batch, QUEUE).await > 0 {
        let now = Timestamp::now();
        let mut kinds = status.borrow().clone();
        for change in &batch {
            let name = F::name(change.kind());
            if let Some(kind) = kinds.iter_mut().find(|kind| kind.kind == name) {
                kind.note(change, now);
            }
        }
        // A reason alone is no reason to publish a new state, which may begin with cold caches.
        if batch.iter().any(|change| !matches!(change, Change::Lost(..))) {
            family.write(batch.drain(..));
        }
        batch.clear();
        // Those who wait for a status may rely on what it says having been applied.
        status.send_replace(kinds);
    }
}

#[cfg(test)]
mod tests;
