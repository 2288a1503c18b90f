//! Who may do what in the lab: RBAC over the lab's own objects, for what kube-apiserver asks its
//! authorizer beside the request itself: reviews, and who may grant what.

mod grants;

use std::{fmt::Display, sync::Arc};

use authz::{
    Authz, DenyList, Mode,
    rbac::{Kind, Rbac, RbacObject, World},
};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use crate::store::{Event, Key, Store};

pub use grants::Grants;
pub(crate) use grants::Write;

/// The lab's authorizer. It follows the store when it is asked, so that an answer is never older than
/// the question.
pub(crate) struct Access {
    rbac: Rbac,
    authz: Authz,
    /// Up to which revision the store is known; `None` before the first question.
    seen: Mutex<Option<u64>>,
}

impl Default for Access {
    fn default() -> Self {
        let rbac = Rbac::default();
        let authz = Authz::new(DenyList::default(), vec![Mode::Rbac(rbac.clone())]);
        Self { rbac, authz, seen: Mutex::new(None) }
    }
}

impl Access {
    /// The authorizer as of now. Reads the store: not for a caller that is changing it.
    pub(crate) fn authorizer(&self, store: &Store) -> &Authz {
        self.follow(store);
        &self.authz
    }

    /// Who may grant what, as of now. Reads the store, too; what it returns does not.
    pub(crate) fn grants(&self, store: &Store) -> Grants {
        self.follow(store);
        Grants::new(self.rbac.snapshot())
    }

    fn follow(&self, store: &Store) {
        let mut seen = self.seen.lock();
        if *seen == Some(store.revision()) {
            return;
        }
        if let Some(Ok((events, revision))) = seen.map(|revision| store.events_after(revision)) {
            let ours: Vec<&Arc<Event>> =
                events.iter().filter(|event| kind_of(&event.key).is_some()).collect();
            if !ours.is_empty() {
                self.rbac.update(|world| ours.iter().for_each(|event| take(world, event)));
            }
            *seen = Some(revision);
            return;
        }
        let (objects, revision) = store.everything();
        self.rbac.update(|world| {
            for kind in Kind::ALL {
                let of_kind = objects.iter().filter(|(key, _)| kind_of(key) == Some(kind));
                world.replace(kind, of_kind.filter_map(|(key, object)| read(kind, key, object)));
            }
        });
        *seen = Some(revision);
    }
}

fn take(world: &mut World, event: &Event) {
    let Some(kind) = kind_of(&event.key) else { return };
    match read(kind, &event.key, &event.object) {
        Some(object) if !event.deleted => world.apply(object),
        _ => world.remove(kind, &event.key.namespace, &event.key.name),
    }
}

fn kind_of(key: &Key) -> Option<Kind> {
    Some(match &*key.resource {
        "roles" => Kind::Role,
        "clusterroles" => Kind::ClusterRole,
        "rolebindings" => Kind::RoleBinding,
        "clusterrolebindings" => Kind::ClusterRoleBinding,
        _ => return None,
    })
}

/// An object as the authorizer takes it. One that cannot be read grants nothing.
fn read(kind: Kind, key: &Key, object: &Value) -> Option<RbacObject> {
    fn as_type<'a, T: Deserialize<'a> + Into<RbacObject>>(
        object: &'a Value,
    ) -> Result<RbacObject, impl Display> {
        T::deserialize(object).map(Into::into)
    }
    let read = match kind {
        Kind::Role => as_type::<Role>(object).map_err(|e| e.to_string()),
        Kind::ClusterRole => as_type::<ClusterRole>(object).map_err(|e| e.to_string()),
        Kind::RoleBinding => as_type::<RoleBinding>(object).map_err(|e| e.to_string()),
        Kind::ClusterRoleBinding => as_type::<ClusterRoleBinding>(object).map_err(|e| e.to_string()),
    };
    read.inspect_err(|error| tracing::error!(?key, error, "an RBAC object cannot be read")).ok()
}
