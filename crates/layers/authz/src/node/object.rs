//! What the graph is built from: of each object only the names that it holds.

use std::sync::Arc;

use hashbrown::Equivalent;
use k8s_openapi::{
    api::{
        certificates::v1beta1::PodCertificateRequest,
        core::v1::{
            EnvFromSource, EnvVar, PersistentVolume, PersistentVolumeSpec, Pod, PodSpec, PodStatus,
            SecretReference, Volume,
        },
        resource::v1::ResourceSlice,
        storage::v1::VolumeAttachment,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

/// A kind of object that the graph is built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Names what its node may read, once it is bound to one.
    Pod,
    /// Leads from a claim on to a volume and the secrets that mounting it takes.
    PersistentVolume,
    /// Belongs to the node that a volume is attached to.
    VolumeAttachment,
    /// Belongs to the node whose devices it lists.
    ResourceSlice,
    /// Belongs to the node of the pod that a certificate is asked for.
    PodCertificateRequest,
}

impl Kind {
    /// All five.
    pub const ALL: [Self; 5] = [
        Self::Pod,
        Self::PersistentVolume,
        Self::VolumeAttachment,
        Self::ResourceSlice,
        Self::PodCertificateRequest,
    ];

    /// As `kind` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::PersistentVolume => "PersistentVolume",
            Self::VolumeAttachment => "VolumeAttachment",
            Self::ResourceSlice => "ResourceSlice",
            Self::PodCertificateRequest => "PodCertificateRequest",
        }
    }

    /// Whether objects of the kind live in a namespace.
    pub const fn is_namespaced(self) -> bool {
        matches!(self, Self::Pod | Self::PodCertificateRequest)
    }

    pub(super) const fn vertex(self) -> VertexKind {
        match self {
            Self::Pod => VertexKind::Pod,
            Self::PersistentVolume => VertexKind::PersistentVolume,
            Self::VolumeAttachment => VertexKind::VolumeAttachment,
            Self::ResourceSlice => VertexKind::ResourceSlice,
            Self::PodCertificateRequest => VertexKind::PodCertificateRequest,
        }
    }
}

/// What a vertex of the graph stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VertexKind {
    /// Named by a pod; never watched.
    ConfigMap,
    /// Whose kubelet asks.
    Node,
    /// Bound to a claim.
    PersistentVolume,
    /// Named by a pod.
    PersistentVolumeClaim,
    /// Bound to a node.
    Pod,
    /// Made for a node's pod.
    PodCertificateRequest,
    /// Named by a pod or made for it.
    ResourceClaim,
    /// A node's devices.
    ResourceSlice,
    /// Named by a pod or by a volume; never watched.
    Secret,
    /// A pod's.
    ServiceAccount,
    /// A volume at a node.
    VolumeAttachment,
}

impl VertexKind {
    /// In small letters, as `kubectl` takes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Node => "node",
            Self::PersistentVolume => "persistentvolume",
            Self::PersistentVolumeClaim => "persistentvolumeclaim",
            Self::Pod => "pod",
            Self::PodCertificateRequest => "podcertificaterequest",
            Self::ResourceClaim => "resourceclaim",
            Self::ResourceSlice => "resourceslice",
            Self::Secret => "secret",
            Self::ServiceAccount => "serviceaccount",
            Self::VolumeAttachment => "volumeattachment",
        }
    }
}

/// What tells a vertex from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: VertexKind,
    /// Empty for cluster-wide kinds.
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
}

/// A [`Key`] to look up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeyRef<'a> {
    pub(super) kind: VertexKind,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

impl Equivalent<Arc<Key>> for KeyRef<'_> {
    fn equivalent(&self, key: &Arc<Key>) -> bool {
        (self.kind, self.namespace, self.name) == (key.kind, &*key.namespace, &*key.name)
    }
}

impl Key {
    pub(super) fn new(kind: VertexKind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// A namespace that a cluster-wide object is given is ignored.
    fn of(kind: Kind, metadata: &ObjectMeta) -> Self {
        let namespace = metadata.namespace.as_deref().filter(|_| kind.is_namespaced()).unwrap_or_default();
        Self::new(kind.vertex(), namespace, metadata.name.as_deref().unwrap_or_default())
    }

    pub(super) fn borrowed(&self) -> KeyRef<'_> {
        KeyRef { kind: self.kind, namespace: &self.namespace, name: &self.name }
    }
}

/// What the graph needs of an object of one of the five kinds. Made from the API's own types, whose
/// rest is forgotten at once; read from JSON, `kind` says which it is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(from = "ApiObject")]
pub struct NodeObject {
    pub(super) key: Key,
    pub(super) facts: Facts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Facts {
    Pod(PodFacts),
    Volume(VolumeFacts),
    /// The node that a VolumeAttachment, ResourceSlice or PodCertificateRequest belongs to; empty for none.
    Bound(Box<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodFacts {
    /// Empty until the pod is bound.
    pub(super) node: Box<str>,
    /// What of the pod can change its vertex once it is bound.
    pub(super) seen: Seen,
    /// What the pod names, each once; nothing for a mirror pod.
    pub(super) references: Vec<Key>,
}

/// What an update is judged by: if node and these are as they were, it is not looked at further.
// UPSTREAM: everything else that a pod names is taken to be immutable; the claim of
// `status.extendedResourceClaimStatus` is not compared, so it counts from the next change on
// (kube-apiserver 1.36)
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) uid: Box<str>,
    pub(super) ephemeral_containers: usize,
    /// `status.resourceClaimStatuses`, in their order: the claim's name in the pod, and its own.
    pub(super) claims: Box<[ClaimStatus]>,
}

type ClaimStatus = (Box<str>, Option<Box<str>>);

impl Seen {
    /// Whether an update that brings these has to be looked at.
    pub(super) fn has_news(&self, before: &Self) -> bool {
        self.uid != before.uid
            || self.ephemeral_containers > before.ephemeral_containers
            || self.claims != before.claims
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VolumeFacts {
    /// The claim that the volume is bound to.
    pub(super) claim: Option<Key>,
    /// The secrets that a kubelet needs to mount the volume, each once.
    pub(super) secrets: Vec<Key>,
}

impl NodeObject {
    /// The object's kind.
    pub const fn kind(&self) -> Kind {
        match self.key.kind {
            VertexKind::PersistentVolume => Kind::PersistentVolume,
            VertexKind::VolumeAttachment => Kind::VolumeAttachment,
            VertexKind::ResourceSlice => Kind::ResourceSlice,
            VertexKind::PodCertificateRequest => Kind::PodCertificateRequest,
            // The other kinds of vertices have no objects.
            _ => Kind::Pod,
        }
    }

    /// The object's namespace; empty for cluster-wide kinds.
    pub fn namespace(&self) -> &str {
        &self.key.namespace
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.key.name
    }
}

#[derive(serde::Deserialize)]
#[serde(tag = "kind")]
enum ApiObject {
    Pod(Box<Pod>),
    PersistentVolume(Box<PersistentVolume>),
    VolumeAttachment(Box<VolumeAttachment>),
    ResourceSlice(Box<ResourceSlice>),
    PodCertificateRequest(Box<PodCertificateRequest>),
}

impl From<ApiObject> for NodeObject {
    fn from(object: ApiObject) -> Self {
        match object {
            ApiObject::Pod(o) => (*o).into(),
            ApiObject::PersistentVolume(o) => (*o).into(),
            ApiObject::VolumeAttachment(o) => (*o).into(),
            ApiObject::ResourceSlice(o) => (*o).into(),
            ApiObject::PodCertificateRequest(o) => (*o).into(),
        }
    }
}

impl From<Pod> for NodeObject {
    fn from(pod: Pod) -> Self {
        let key = Key::of(Kind::Pod, &pod.metadata);
        let (spec, status) = (pod.spec.unwrap_or_default(), pod.status.unwrap_or_default());
        // UPSTREAM: a mirror pod is the kubelet's own word and gives no access to what it names
        // (kube-apiserver 1.36)
        let is_mirror =
            pod.metadata.annotations.is_some_and(|all| all.contains_key("kubernetes.io/config.mirror"));
        let references = if is_mirror { Vec::new() } else { references(&key, &spec, &status) };
        let seen = Seen {
            uid: pod.metadata.uid.unwrap_or_default().into(),
            ephemeral_containers: spec.ephemeral_containers.map_or(0, |all| all.len()),
            claims: status
                .resource_claim_statuses
                .into_iter()
                .flatten()
                .map(|claim| (claim.name.into(), claim.resource_claim_name.map(Into::into)))
                .collect(),
        };
        let node = spec.node_name.unwrap_or_default().into();
        Self { key, facts: Facts::Pod(PodFacts { node, seen, references }) }
    }
}

impl From<PersistentVolume> for NodeObject {
    fn from(volume: PersistentVolume) -> Self {
        let key = Key::of(Kind::PersistentVolume, &volume.metadata);
        let spec = volume.spec.unwrap_or_default();
        let claim = spec.claim_ref.as_ref().map(|claim| {
            let namespace = claim.namespace.as_deref().unwrap_or_default();
            Key::new(VertexKind::PersistentVolumeClaim, namespace, claim.name.as_deref().unwrap_or_default())
        });
        let secrets = distinct(volume_secrets(&spec));
        Self { key, facts: Facts::Volume(VolumeFacts { claim, secrets }) }
    }
}

impl From<VolumeAttachment> for NodeObject {
    fn from(attachment: VolumeAttachment) -> Self {
        let key = Key::of(Kind::VolumeAttachment, &attachment.metadata);
        Self { key, facts: Facts::Bound(attachment.spec.node_name.into()) }
    }
}

impl From<ResourceSlice> for NodeObject {
    fn from(slice: ResourceSlice) -> Self {
        let key = Key::of(Kind::ResourceSlice, &slice.metadata);
        Self { key, facts: Facts::Bound(slice.spec.node_name.unwrap_or_default().into()) }
    }
}

impl From<PodCertificateRequest> for NodeObject {
    fn from(request: PodCertificateRequest) -> Self {
        let key = Key::of(Kind::PodCertificateRequest, &request.metadata);
        Self { key, facts: Facts::Bound(request.spec.node_name.into()) }
    }
}

/// Everything that a pod names and its node may therefore read.
fn references(pod: &Key, spec: &PodSpec, status: &PodStatus) -> Vec<Key> {
    let mut found = References { namespace: &pod.namespace, keys: Vec::new() };
    found.add(VertexKind::ServiceAccount, spec.service_account_name.as_deref());
    for secret in spec.image_pull_secrets.iter().flatten() {
        found.add(VertexKind::Secret, Some(&secret.name));
    }
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        found.environment(container.env_from.as_deref(), container.env.as_deref());
    }
    for container in spec.ephemeral_containers.iter().flatten() {
        found.environment(container.env_from.as_deref(), container.env.as_deref());
    }
    for volume in spec.volumes.iter().flatten() {
        found.volume(&pod.name, volume);
    }
    for claim in spec.resource_claims.iter().flatten() {
        let made = || {
            let statuses = status.resource_claim_statuses.iter().flatten();
            statuses
                .filter(|made| made.name == claim.name)
                .map(|made| made.resource_claim_name.as_deref())
                .next()
        };
        let name = match (&claim.resource_claim_name, &claim.resource_claim_template_name) {
            (Some(name), _) => Some(name.as_str()),
            // A claim that is made from a template has its name in the status; none yet, or none needed.
            (None, Some(_)) => made().flatten(),
            (None, None) => None,
        };
        found.add(VertexKind::ResourceClaim, name);
    }
    let extended = status.extended_resource_claim_status.as_ref();
    found.add(VertexKind::ResourceClaim, extended.map(|claim| claim.resource_claim_name.as_str()));
    distinct(found.keys)
}

/// The names found so far, all of one namespace.
struct References<'a> {
    namespace: &'a str,
    keys: Vec<Key>,
}

impl References<'_> {
    /// An empty name names nothing.
    fn add(&mut self, kind: VertexKind, name: Option<&str>) {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            self.keys.push(Key::new(kind, self.namespace, name));
        }
    }

    fn environment(&mut self, from: Option<&[EnvFromSource]>, variables: Option<&[EnvVar]>) {
        for source in from.unwrap_or_default() {
            self.add(VertexKind::Secret, source.secret_ref.as_ref().map(|secret| secret.name.as_str()));
            self.add(VertexKind::ConfigMap, source.config_map_ref.as_ref().map(|map| map.name.as_str()));
        }
        for source in variables.unwrap_or_default().iter().filter_map(|variable| variable.value_from.as_ref())
        {
            self.add(VertexKind::Secret, source.secret_key_ref.as_ref().map(|key| key.name.as_str()));
            self.add(VertexKind::ConfigMap, source.config_map_key_ref.as_ref().map(|key| key.name.as_str()));
        }
    }

    // UPSTREAM: a volume has one source; of several, the first in this order would count, for secrets,
    // config maps and claims each (kube-apiserver 1.36)
    fn volume(&mut self, pod: &str, volume: &Volume) {
        if let Some(projected) = &volume.projected {
            for source in projected.sources.iter().flatten() {
                self.add(VertexKind::ConfigMap, source.config_map.as_ref().map(|map| map.name.as_str()));
            }
        } else if let Some(map) = &volume.config_map {
            self.add(VertexKind::ConfigMap, Some(&map.name));
        }
        if let Some(claim) = &volume.persistent_volume_claim {
            self.add(VertexKind::PersistentVolumeClaim, Some(&claim.claim_name));
        } else if volume.ephemeral.is_some() {
            // UPSTREAM: the claim of an ephemeral volume is called after pod and volume (kube-apiserver 1.36)
            self.add(VertexKind::PersistentVolumeClaim, Some(&format!("{pod}-{}", volume.name)));
        }
        self.volume_secrets(volume);
    }

    fn volume_secrets(&mut self, volume: &Volume) {
        let secret = if let Some(source) = &volume.azure_file {
            Some(source.secret_name.as_str())
        } else if let Some(source) = &volume.cephfs {
            source.secret_ref.as_ref().map(|secret| secret.name.as_str())
        } else if let Some(source) = &volume.cinder {
            source.secret_ref.as_ref().map(|secret| secret.name.as_str())
        } else if let Some(source) = &volume.flex_volume {
            source.secret_ref.as_ref().map(|secret| secret.name.as_str())
        } else if let Some(projected) = &volume.projected {
            for source in projected.sources.iter().flatten() {
                self.add(VertexKind::Secret, source.secret.as_ref().map(|secret| secret.name.as_str()));
            }
            None
        } else if let Some(source) = &volume.rbd {
            source.secret_ref.as_ref().map(|secret| secret.name.as_str())
        } else if let Some(source) = &volume.secret {
            source.secret_name.as_deref()
        } else if let Some(source) = &volume.scale_io {
            Some(source.secret_ref.name.as_str())
        } else if let Some(source) = &volume.iscsi {
            source.secret_ref.as_ref().map(|secret| secret.name.as_str())
        } else if let Some(source) = &volume.storageos {
            source.secret_ref.as_ref().map(|secret| secret.name.as_str())
        } else {
            let source = volume.csi.as_ref().and_then(|source| source.node_publish_secret_ref.as_ref());
            source.map(|secret| secret.name.as_str())
        };
        self.add(VertexKind::Secret, secret);
    }
}

/// The secrets of a volume that a kubelet gets to see; those of controllers are not among them.
// UPSTREAM: a secret without a namespace is in that of the claim, but for Cinder, StorageOS and CSI,
// which always name one (kube-apiserver 1.36)
fn volume_secrets(spec: &PersistentVolumeSpec) -> Vec<Key> {
    let claim_namespace = spec.claim_ref.as_ref().and_then(|claim| claim.namespace.as_deref());
    let secret = |namespace: Option<&str>, name: Option<&str>| {
        let name = name.filter(|name| !name.is_empty())?;
        Some(Key::new(VertexKind::Secret, namespace.unwrap_or_default(), name))
    };
    let or_beside_claim = |namespace: Option<&str>, name: Option<&str>| {
        secret(namespace.filter(|namespace| !namespace.is_empty()).or(claim_namespace), name)
    };
    let exact = |of: &SecretReference| secret(of.namespace.as_deref(), of.name.as_deref());
    let beside_claim = |of: &SecretReference| or_beside_claim(of.namespace.as_deref(), of.name.as_deref());
    let one = if let Some(source) = &spec.azure_file {
        or_beside_claim(source.secret_namespace.as_deref(), Some(&source.secret_name))
    } else if let Some(source) = &spec.cephfs {
        source.secret_ref.as_ref().and_then(beside_claim)
    } else if let Some(source) = &spec.cinder {
        source.secret_ref.as_ref().and_then(exact)
    } else if let Some(source) = &spec.flex_volume {
        source.secret_ref.as_ref().and_then(beside_claim)
    } else if let Some(source) = &spec.rbd {
        source.secret_ref.as_ref().and_then(beside_claim)
    } else if let Some(source) = &spec.scale_io {
        beside_claim(&source.secret_ref)
    } else if let Some(source) = &spec.iscsi {
        source.secret_ref.as_ref().and_then(beside_claim)
    } else if let Some(source) = &spec.storageos {
        source.secret_ref.as_ref().and_then(|of| secret(of.namespace.as_deref(), of.name.as_deref()))
    } else {
        let refs = spec.csi.as_ref().map(|source| {
            [&source.node_publish_secret_ref, &source.node_stage_secret_ref, &source.node_expand_secret_ref]
        });
        return refs.into_iter().flatten().flatten().filter_map(exact).collect();
    };
    one.into_iter().collect()
}

fn distinct(mut keys: Vec<Key>) -> Vec<Key> {
    keys.sort_unstable();
    keys.dedup();
    keys
}
