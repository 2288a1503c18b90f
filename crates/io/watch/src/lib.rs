//! The cluster's RBAC objects, watched.
//!
//! [`RbacWatch`] lists and watches roles and bindings upstream with the gate's own credential and
//! keeps an [`Rbac`] handle up to date. Each kind is listed and watched by a task of its own; one
//! task writes, in batches of whatever has come.
//!
//! What the gate decides with meanwhile:
//! - Before a kind has been listed for the first time, nothing of it is known. RBAC only ever
//!   grants, so whatever is missing is a denial: a gate that never synced answers closed.
//! - When a watch breaks, the objects known last stay in force and the kind is degraded, with the
//!   reason, until a new list has replaced them. A grant that was taken back meanwhile holds on
//!   until then: API servers out of reach cannot be asked, and denying everybody whenever they are
//!   restarted would make people remove the gate.
//! - A server that vanishes without a word is noticed by TCP keep-alive after about a minute, one
//!   that hangs when its watch does not end in time: after five and a half.

mod follow;
mod status;

use std::{sync::Arc, time::Duration};

use authz::rbac::{Kind, Rbac};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use types::Timestamp;
use upstream::{IdentityHeaders, OwnService, Pool, Upstream};

use self::follow::{Change, follow};
pub use self::status::{Health, KindStatus};

/// Changes that may wait for the writer; a watch that is ahead of it waits too.
const QUEUE: usize = 256;

/// The running watch; it ends when this is dropped.
#[derive(Debug)]
pub struct RbacWatch {
    status: watch::Receiver<Vec<KindStatus>>,
    /// Aborted when dropped.
    _tasks: JoinSet<()>,
}

/// Not every kind has been listed in time.
#[derive(Debug, thiserror::Error)]
#[error("RBAC objects are not in sync after {after:?}: {}", .waiting.join("; "))]
pub struct NotSynced {
    /// The time given.
    pub after: Duration,
    /// A sentence for each kind that is waited for.
    pub waiting: Vec<String>,
}

impl RbacWatch {
    /// Starts to watch, within a tokio runtime. From now on nobody else may write to `rbac`.
    pub fn start(upstream: Arc<Upstream>, rbac: Rbac) -> Self {
        let service = OwnService::new(Pool::new(upstream, IdentityHeaders::default()));
        let client = kube::Client::new(service, "default");
        let (changes, queue) = mpsc::channel(QUEUE);
        let (publish, status) = watch::channel(Kind::ALL.map(KindStatus::starting).to_vec());
        let mut tasks = JoinSet::new();
        tasks.spawn(follow::<ClusterRole>(client.clone(), Kind::ClusterRole, changes.clone()));
        tasks.spawn(follow::<Role>(client.clone(), Kind::Role, changes.clone()));
        tasks.spawn(follow::<ClusterRoleBinding>(client.clone(), Kind::ClusterRoleBinding, changes.clone()));
        tasks.spawn(follow::<RoleBinding>(client, Kind::RoleBinding, changes));
        tasks.spawn(write(queue, rbac, publish));
        Self { status, _tasks: tasks }
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
        Err(NotSynced { after: within, waiting })
    }

    /// How each kind fares now.
    pub fn status(&self) -> Vec<KindStatus> {
        self.status.borrow().clone()
    }

    /// Tells of every change of [`RbacWatch::status`].
    pub fn subscribe(&self) -> watch::Receiver<Vec<KindStatus>> {
        self.status.clone()
    }
}

/// The one writer: applies what has come, then tells so.
async fn write(mut queue: mpsc::Receiver<Change>, rbac: Rbac, status: watch::Sender<Vec<KindStatus>>) {
    let mut batch = Vec::with_capacity(QUEUE);
    while queue.recv_many(&mut batch, QUEUE).await > 0 {
        let now = Timestamp::now();
        let mut kinds = status.borrow().clone();
        for change in &batch {
            if let Some(kind) = kinds.iter_mut().find(|kind| kind.kind == change.kind()) {
                kind.note(change, now);
            }
        }
        // A reason alone is no reason to publish a new world, which begins with cold caches.
        if batch.iter().any(|change| !matches!(change, Change::Lost(..))) {
            rbac.update(|world| {
                for change in batch.drain(..) {
                    match change {
                        Change::Listed(kind, objects) => world.replace(kind, objects),
                        Change::Applied(_, object) => world.apply(*object),
                        Change::Deleted(kind, namespace, name) => world.remove(kind, &namespace, &name),
                        Change::Lost(..) => {}
                    }
                }
            });
        }
        batch.clear();
        // Those who wait for a status may rely on what it says having been applied.
        status.send_replace(kinds);
    }
}

#[cfg(test)]
mod tests;
