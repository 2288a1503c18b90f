//! Mistakes that one could make about the Node authorizer.

/// A mistake, planted in the naive reading; see [`rbac::Mutant`](crate::rbac::Mutant).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A pod of any node counts.
    NodeDropped,
    /// `n1` may what `n11` may.
    NodePrefix,
    /// Every user called `system:node:…` is a node.
    GroupDropped,
    /// A secret of the name in any namespace.
    NamespaceDropped,
    /// Secrets and ConfigMaps of a name are the same.
    KindsMixed,
    /// Mirror pods give access to what they name.
    MirrorPodCounts,
    /// Controllers' secrets are for kubelets, too.
    ControllerSecretVisible,
    /// A volume's secret without a namespace is in none.
    ClaimNamespaceDropped,
    /// `spec.nodeName!=n1` is as good as `spec.nodeName=n1`.
    OperatorDropped,
    /// A pod that is removed stays.
    DeletedPodStays,
    /// A volume that is removed stays.
    DeletedVolumeStays,
    /// A pod's new node is not noticed.
    MovedPodStays,
    /// A new pod of the name is not noticed.
    UidDropped,
    /// New ephemeral containers are not noticed.
    EphemeralIsNoNews,
    /// Claims that are made for a pod are not noticed.
    ClaimStatusIsNoNews,
    /// A claim made for extended resources is noticed by itself.
    ExtendedClaimIsNews,
    /// Every update of a pod is looked at.
    EveryUpdateIsNews,
    /// Updates of slices are looked at.
    SliceUpdateIsNews,
    /// An attachment's new node is not noticed.
    AttachmentStays,
    /// What is missing from a new list stays.
    ListForgetsNothing,
    /// What a new list has under a known name is what was known.
    SameNameIsSame,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 21] = [
        Self::NodeDropped,
        Self::NodePrefix,
        Self::GroupDropped,
        Self::NamespaceDropped,
        Self::KindsMixed,
        Self::MirrorPodCounts,
        Self::ControllerSecretVisible,
        Self::ClaimNamespaceDropped,
        Self::OperatorDropped,
        Self::DeletedPodStays,
        Self::DeletedVolumeStays,
        Self::MovedPodStays,
        Self::UidDropped,
        Self::EphemeralIsNoNews,
        Self::ClaimStatusIsNoNews,
        Self::ExtendedClaimIsNews,
        Self::EveryUpdateIsNews,
        Self::SliceUpdateIsNews,
        Self::AttachmentStays,
        Self::ListForgetsNothing,
        Self::SameNameIsSame,
    ];
}
