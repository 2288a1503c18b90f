//! The kinds that are read, and how files spell them.

use authz::{node, rbac};

use super::{Wanted, validate::RBAC_GROUP};
use crate::yaml::{Document, FieldError};

/// A kind that an authorizer decides by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rbac(rbac::Kind),
    Node(node::Kind),
}

impl Kind {
    /// The kind that `kind` and the group of `apiVersion` mean.
    pub(super) fn named(name: &str, group: &str) -> Option<Self> {
        let rbac = rbac::Kind::ALL.into_iter().map(Self::Rbac);
        let mut all = rbac.chain(node::Kind::ALL.into_iter().map(Self::Node));
        all.find(|kind| kind.as_str() == name && kind.group() == group)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Rbac(kind) => kind.as_str(),
            Self::Node(kind) => kind.as_str(),
        }
    }

    pub(super) const fn is_namespaced(self) -> bool {
        match self {
            Self::Rbac(kind) => kind.is_namespaced(),
            Self::Node(kind) => kind.is_namespaced(),
        }
    }

    pub(super) const fn is_wanted(self, wanted: Wanted) -> bool {
        match self {
            Self::Rbac(_) => wanted.rbac,
            Self::Node(_) => wanted.node,
        }
    }

    const fn group(self) -> &'static str {
        match self {
            Self::Rbac(_) => RBAC_GROUP,
            Self::Node(node::Kind::Pod | node::Kind::PersistentVolume) => "",
            Self::Node(node::Kind::VolumeAttachment) => "storage.k8s.io",
            Self::Node(node::Kind::ResourceSlice) => "resource.k8s.io",
            Self::Node(node::Kind::PodCertificateRequest) => "certificates.k8s.io",
        }
    }

    /// The version that the gate watches.
    pub(super) const fn api_version(self) -> &'static str {
        match self {
            Self::Rbac(_) => "rbac.authorization.k8s.io/v1",
            Self::Node(node::Kind::Pod | node::Kind::PersistentVolume) => "v1",
            Self::Node(node::Kind::VolumeAttachment) => "storage.k8s.io/v1",
            Self::Node(node::Kind::ResourceSlice) => "resource.k8s.io/v1",
            Self::Node(node::Kind::PodCertificateRequest) => "certificates.k8s.io/v1beta1",
        }
    }

    /// Fields of other versions mean other things.
    pub(super) fn require_version(self, document: &Document, found: &str) -> Result<(), FieldError> {
        let expected = self.api_version();
        if found == expected {
            return Ok(());
        }
        let gone = if matches!(self, Self::Rbac(_)) { ", which Kubernetes no longer serves" } else { "" };
        Err(document.error("apiVersion", format!("expected `{expected}`, found `{found}`{gone}")))
    }
}
