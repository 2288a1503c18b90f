//! Which objects belong together, and who keeps them.

use std::fmt::Debug;

use authz::{
    node::{self, Node, NodeObject},
    rbac::{self, Rbac, RbacObject},
};

use crate::follow::Change;

/// The objects that one authorizer decides by; implemented by its handle.
pub(crate) trait Family: Sized + Send + 'static {
    type Kind: Copy + Debug + Send + 'static;
    /// What is kept of an object.
    type Object: Debug + Send + 'static;

    /// As `kind` spells it.
    fn name(kind: Self::Kind) -> &'static str;

    /// Whether a server that does not serve the kind simply has none of it.
    fn may_be_absent(kind: Self::Kind) -> bool;

    /// Makes the changes, all at once.
    fn write(&self, changes: impl Iterator<Item = Change<Self>>);
}

impl Family for Rbac {
    type Kind = rbac::Kind;
    type Object = RbacObject;

    fn name(kind: rbac::Kind) -> &'static str {
        kind.as_str()
    }

    fn may_be_absent(_: rbac::Kind) -> bool {
        false
    }

    fn write(&self, changes: impl Iterator<Item = Change<Self>>) {
        self.update(|world| {
            for change in changes {
                match change {
                    Change::Listed(kind, objects) => world.replace(kind, objects),
                    Change::Applied(_, object) => world.apply(*object),
                    Change::Deleted(kind, namespace, name) => world.remove(kind, &namespace, &name),
                    Change::Lost(..) => {}
                }
            }
        });
    }
}

impl Family for Node {
    type Kind = node::Kind;
    type Object = NodeObject;

    fn name(kind: node::Kind) -> &'static str {
        kind.as_str()
    }

    /// Clusters older than 1.34 have no ResourceSlices of this version, PodCertificateRequests are not
    /// not served by default.
    fn may_be_absent(kind: node::Kind) -> bool {
        kind != node::Kind::Pod
    }

    fn write(&self, changes: impl Iterator<Item = Change<Self>>) {
        self.update(|graph| {
            for change in changes {
                match change {
                    Change::Listed(kind, objects) => graph.replace(kind, objects),
                    Change::Applied(_, object) => graph.apply(*object),
                    Change::Deleted(kind, namespace, name) => graph.remove(kind, &namespace, &name),
                    Change::Lost(..) => {}
                }
            }
        });
    }
}
