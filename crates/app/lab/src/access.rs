//! Who may do what in the lab: Node and RBAC over the lab's own objects, for what kube-apiserver asks
//! its authorizers beside the request itself: reviews, and who may grant what.

mod grants;

use authz::{
    Authz, DenyList, Mode,
    node::{self, Graph, Node, NodeObject},
    rbac::{self, Rbac, RbacObject, World},
};
use k8s_openapi::api::{
    core::v1::{PersistentVolume, Pod},
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    resource::v1::ResourceSlice,
    storage::v1::VolumeAttachment,
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use crate::store::{Event, Key, Store};

pub use grants::Grants;
pub(crate) use grants::Write;

/// The lab's authorizer. It follows the store when it is asked, so that an answer is never older than
/// the question.
pub(crate) struct Access {
    node: Node,
    rbac: Rbac,
    authz: Authz,
    /// Up to which revision the store is known; `None` before the first question.
    seen: Mutex<Option<u64>>,
}

impl Default for Access {
    fn default() -> Self {
        let (node, rbac) = (Node::default(), Rbac::default());
        let modes = vec![Mode::Node(node.clone()), Mode::Rbac(rbac.clone())];
        Self { node, rbac, authz: Authz::new(DenyList::default(), modes), seen: Mutex::new(None) }
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
            let of_rbac: Vec<&Event> =
                events.iter().filter(|event| rbac_kind(&event.key).is_some()).map(|event| &**event).collect();
            if !of_rbac.is_empty() {
                self.rbac.update(|world| of_rbac.into_iter().for_each(|event| tell_rbac(world, event)));
            }
            self.node.update(|graph| events.iter().for_each(|event| tell_node(graph, event)));
            *seen = Some(revision);
            return;
        }
        let (objects, revision) = store.everything();
        self.rbac.update(|world| {
            for kind in rbac::Kind::ALL {
                let of_kind = objects.iter().filter(|(key, _)| rbac_kind(key) == Some(kind));
                world.replace(kind, of_kind.filter_map(|(key, object)| rbac_object(kind, key, object)));
            }
        });
        self.node.update(|graph| {
            for kind in node::Kind::ALL {
                let of_kind = objects.iter().filter(|(key, _)| node_kind(key) == Some(kind));
                graph.replace(kind, of_kind.filter_map(|(key, object)| node_object(kind, key, object)));
            }
        });
        *seen = Some(revision);
    }
}

fn tell_rbac(world: &mut World, event: &Event) {
    let Some(kind) = rbac_kind(&event.key) else { return };
    match rbac_object(kind, &event.key, &event.object) {
        Some(object) if !event.deleted => world.apply(object),
        _ => world.remove(kind, &event.key.namespace, &event.key.name),
    }
}

fn tell_node(graph: &mut Graph, event: &Event) {
    let Some(kind) = node_kind(&event.key) else { return };
    match node_object(kind, &event.key, &event.object) {
        Some(object) if !event.deleted => graph.apply(object),
        _ => graph.remove(kind, &event.key.namespace, &event.key.name),
    }
}

fn rbac_kind(key: &Key) -> Option<rbac::Kind> {
    Some(match &*key.resource {
        "roles" => rbac::Kind::Role,
        "clusterroles" => rbac::Kind::ClusterRole,
        "rolebindings" => rbac::Kind::RoleBinding,
        "clusterrolebindings" => rbac::Kind::ClusterRoleBinding,
        _ => return None,
    })
}

fn node_kind(key: &Key) -> Option<node::Kind> {
    Some(match &*key.resource {
        "pods" => node::Kind::Pod,
        "persistentvolumes" => node::Kind::PersistentVolume,
        "volumeattachments" => node::Kind::VolumeAttachment,
        "resourceslices" => node::Kind::ResourceSlice,
        _ => return None,
    })
}

fn rbac_object(kind: rbac::Kind, key: &Key, object: &Value) -> Option<RbacObject> {
    match kind {
        rbac::Kind::Role => read::<Role, _>(key, object),
        rbac::Kind::ClusterRole => read::<ClusterRole, _>(key, object),
        rbac::Kind::RoleBinding => read::<RoleBinding, _>(key, object),
        rbac::Kind::ClusterRoleBinding => read::<ClusterRoleBinding, _>(key, object),
    }
}

fn node_object(kind: node::Kind, key: &Key, object: &Value) -> Option<NodeObject> {
    match kind {
        node::Kind::Pod => read::<Pod, _>(key, object),
        node::Kind::PersistentVolume => read::<PersistentVolume, _>(key, object),
        node::Kind::VolumeAttachment => read::<VolumeAttachment, _>(key, object),
        node::Kind::ResourceSlice => read::<ResourceSlice, _>(key, object),
        // Their gate is off, and nobody asks about them.
        node::Kind::PodCertificateRequest => None,
    }
}

/// An object as the authorizer takes it. One that cannot be read grants nothing.
fn read<'a, T: Deserialize<'a>, O: From<T>>(key: &Key, object: &'a Value) -> Option<O> {
    let read = T::deserialize(object).map(O::from);
    read.inspect_err(|error| tracing::error!(?key, %error, "an object cannot be read and grants nothing"))
        .ok()
}
