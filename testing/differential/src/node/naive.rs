//! The Node authorizer's rules read word by word: objects as they came, every question answered by
//! looking at all of them. What a pod or a volume names is found by path in its JSON.

use std::collections::{BTreeMap, BTreeSet};

use authz::node::{Kind, NodeObject, Path, Vertex, VertexKind};
use k8s_openapi::api::{
    certificates::v1beta1::PodCertificateRequest,
    core::v1::{PersistentVolume, Pod},
    resource::v1::ResourceSlice,
    storage::v1::VolumeAttachment,
};
use serde_json::Value;
use types::{Attributes, selector::FieldOperator};

use super::Mutant;

/// Where pods name secrets; `*` is every element.
const POD_SECRETS: &[&str] = &[
    "spec/imagePullSecrets/*/name",
    "spec/containers/*/envFrom/*/secretRef/name",
    "spec/containers/*/env/*/valueFrom/secretKeyRef/name",
    "spec/initContainers/*/envFrom/*/secretRef/name",
    "spec/initContainers/*/env/*/valueFrom/secretKeyRef/name",
    "spec/ephemeralContainers/*/envFrom/*/secretRef/name",
    "spec/ephemeralContainers/*/env/*/valueFrom/secretKeyRef/name",
    "spec/volumes/*/azureFile/secretName",
    "spec/volumes/*/cephfs/secretRef/name",
    "spec/volumes/*/cinder/secretRef/name",
    "spec/volumes/*/flexVolume/secretRef/name",
    "spec/volumes/*/projected/sources/*/secret/name",
    "spec/volumes/*/rbd/secretRef/name",
    "spec/volumes/*/secret/secretName",
    "spec/volumes/*/scaleIO/secretRef/name",
    "spec/volumes/*/iscsi/secretRef/name",
    "spec/volumes/*/storageos/secretRef/name",
    "spec/volumes/*/csi/nodePublishSecretRef/name",
];
const POD_CONFIG_MAPS: &[&str] = &[
    "spec/containers/*/envFrom/*/configMapRef/name",
    "spec/containers/*/env/*/valueFrom/configMapKeyRef/name",
    "spec/initContainers/*/envFrom/*/configMapRef/name",
    "spec/initContainers/*/env/*/valueFrom/configMapKeyRef/name",
    "spec/ephemeralContainers/*/envFrom/*/configMapRef/name",
    "spec/ephemeralContainers/*/env/*/valueFrom/configMapKeyRef/name",
    "spec/volumes/*/projected/sources/*/configMap/name",
    "spec/volumes/*/configMap/name",
];
/// Where volumes name secrets that a kubelet sees, and whether one without a namespace is in the claim's.
const VOLUME_SECRETS: &[(&str, bool)] = &[
    ("spec/cephfs/secretRef", true),
    ("spec/cinder/secretRef", false),
    ("spec/flexVolume/secretRef", true),
    ("spec/rbd/secretRef", true),
    ("spec/scaleIO/secretRef", true),
    ("spec/iscsi/secretRef", true),
    ("spec/storageos/secretRef", false),
    ("spec/csi/nodePublishSecretRef", false),
    ("spec/csi/nodeStageSecretRef", false),
    ("spec/csi/nodeExpandSecretRef", false),
];

/// An object of the API, whole.
#[derive(Clone, Debug)]
pub(super) enum Whole {
    Pod(Pod),
    PersistentVolume(PersistentVolume),
    VolumeAttachment(VolumeAttachment),
    ResourceSlice(ResourceSlice),
    PodCertificateRequest(PodCertificateRequest),
}

impl From<Whole> for NodeObject {
    fn from(object: Whole) -> Self {
        match object {
            Whole::Pod(o) => o.into(),
            Whole::PersistentVolume(o) => o.into(),
            Whole::VolumeAttachment(o) => o.into(),
            Whole::ResourceSlice(o) => o.into(),
            Whole::PodCertificateRequest(o) => o.into(),
        }
    }
}

impl Whole {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Pod(_) => Kind::Pod,
            Self::PersistentVolume(_) => Kind::PersistentVolume,
            Self::VolumeAttachment(_) => Kind::VolumeAttachment,
            Self::ResourceSlice(_) => Kind::ResourceSlice,
            Self::PodCertificateRequest(_) => Kind::PodCertificateRequest,
        }
    }

    pub(super) fn key(&self) -> (Option<&str>, Option<&str>) {
        let metadata = match self {
            Self::Pod(o) => &o.metadata,
            Self::PersistentVolume(o) => &o.metadata,
            Self::VolumeAttachment(o) => &o.metadata,
            Self::ResourceSlice(o) => &o.metadata,
            Self::PodCertificateRequest(o) => &o.metadata,
        };
        (metadata.namespace.as_deref(), metadata.name.as_deref())
    }

    fn json(&self) -> Value {
        match self {
            Self::Pod(o) => serde_json::to_value(o),
            Self::PersistentVolume(o) => serde_json::to_value(o),
            Self::VolumeAttachment(o) => serde_json::to_value(o),
            Self::ResourceSlice(o) => serde_json::to_value(o),
            Self::PodCertificateRequest(o) => serde_json::to_value(o),
        }
        .unwrap_or_default()
    }
}

type Id = (Kind, String, String);

/// An object as it was seen last, and as it was when it was last looked at.
#[derive(Clone)]
struct Known {
    seen: Value,
    counts: Option<Value>,
}

/// Everything that there is, and the mistake that is made about it, if any.
#[derive(Clone)]
pub(super) struct Naive {
    objects: BTreeMap<Id, Known>,
    mutant: Option<Mutant>,
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    all(object, path).first().copied().unwrap_or_default()
}

/// The texts at a path.
fn all<'a>(object: &'a Value, path: &str) -> Vec<&'a str> {
    let mut found = vec![object];
    for step in path.split('/') {
        found = found
            .into_iter()
            .flat_map(|value| match step {
                "*" => value.as_array().into_iter().flatten().collect(),
                key => value.get(key).into_iter().collect::<Vec<_>>(),
            })
            .collect();
    }
    found.into_iter().filter_map(Value::as_str).collect()
}

fn plural(kind: VertexKind) -> String {
    format!("{}s", kind.as_str())
}

fn id(kind: Kind, object: &Value) -> Id {
    (kind, text(object, "metadata/namespace").to_owned(), text(object, "metadata/name").to_owned())
}

impl Naive {
    pub(super) fn new(mutant: Option<Mutant>) -> Self {
        Self { objects: BTreeMap::new(), mutant }
    }

    fn makes(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(super) fn apply(&mut self, object: &Whole) {
        let (kind, now) = (object.kind(), object.json());
        let id = id(kind, &now);
        let known = self.objects.get(&id).cloned();
        let ephemeral = |pod: &Value| {
            pod.pointer("/spec/ephemeralContainers").and_then(Value::as_array).map_or(0, Vec::len)
        };
        let statuses = |pod: &Value| pod.pointer("/status/resourceClaimStatuses").cloned();
        let looked_at = match (kind, &known) {
            (Kind::Pod, _) if text(&now, "spec/nodeName").is_empty() => false,
            (Kind::Pod, Some(_)) if self.makes(Mutant::EveryUpdateIsNews) => true,
            (Kind::Pod, Some(Known { seen, .. })) => {
                let differ = |path| text(seen, path) != text(&now, path);
                differ("spec/nodeName") && !self.makes(Mutant::MovedPodStays)
                    || differ("metadata/uid") && !self.makes(Mutant::UidDropped)
                    || ephemeral(&now) > ephemeral(seen) && !self.makes(Mutant::EphemeralIsNoNews)
                    || statuses(&now) != statuses(seen) && !self.makes(Mutant::ClaimStatusIsNoNews)
                    || differ("status/extendedResourceClaimStatus/resourceClaimName")
                        && self.makes(Mutant::ExtendedClaimIsNews)
            }
            (Kind::ResourceSlice | Kind::PodCertificateRequest, Some(_)) => {
                self.makes(Mutant::SliceUpdateIsNews)
            }
            (Kind::VolumeAttachment, Some(_)) => !self.makes(Mutant::AttachmentStays),
            _ => true,
        };
        let counts = if looked_at { Some(now.clone()) } else { known.and_then(|known| known.counts) };
        self.objects.insert(id, Known { seen: now, counts });
    }

    pub(super) fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        let id = (kind, namespace.to_owned(), name.to_owned());
        if kind == Kind::Pod && self.makes(Mutant::DeletedPodStays)
            || kind == Kind::PersistentVolume && self.makes(Mutant::DeletedVolumeStays)
        {
            return;
        }
        let Some(known) = self.objects.get(&id) else { return };
        if kind == Kind::Pod && text(&known.seen, "spec/nodeName").is_empty() && known.counts.is_some() {
            return;
        }
        self.objects.remove(&id);
    }

    /// These are all there are of a kind. One that cannot be what was known by its name is another one.
    pub(super) fn replace(&mut self, kind: Kind, objects: &[Whole]) {
        let listed: BTreeSet<Id> = objects.iter().map(|object| id(kind, &object.json())).collect();
        if !self.makes(Mutant::ListForgetsNothing) {
            self.objects.retain(|id, _| id.0 != kind || listed.contains(id));
        }
        for object in objects {
            let now = object.json();
            let id = id(kind, &now);
            let is_another = self.objects.get(&id).is_some_and(|known| match kind {
                Kind::Pod => {
                    text(&known.seen, "spec/nodeName").is_empty()
                        || text(&known.seen, "metadata/uid") != text(&now, "metadata/uid")
                }
                // An update that was not looked at has not changed whose it is.
                _ => known
                    .counts
                    .as_ref()
                    .is_none_or(|counts| text(counts, "spec/nodeName") != text(&now, "spec/nodeName")),
            });
            if is_another && !self.makes(Mutant::SameNameIsSame) {
                self.objects.remove(&id);
            }
            self.apply(object);
        }
    }

    fn counting(&self, of: Kind) -> impl Iterator<Item = (&Id, &Value)> {
        self.objects
            .iter()
            .filter(move |(id, _)| id.0 == of)
            .filter_map(|(id, known)| Some((id, known.counts.as_ref()?)))
    }

    fn is_on(&self, object: &Value, node: &str) -> bool {
        let of = text(object, "spec/nodeName");
        of == node
            || self.makes(Mutant::NodePrefix) && of.starts_with(node)
            || self.makes(Mutant::NodeDropped) && !of.is_empty()
    }

    /// Whether a pod of the node names it.
    fn names(&self, node: &str, resource: &str, namespace: &str, name: &str) -> bool {
        self.counting(Kind::Pod)
            .filter(|(id, pod)| {
                (id.1 == namespace || self.makes(Mutant::NamespaceDropped)) && self.is_on(pod, node)
            })
            .any(|(_, pod)| self.pod_names(pod, resource).contains(name))
    }

    fn volume(&self, node: &str, volume: &Value) -> bool {
        let (namespace, name) = (text(volume, "spec/claimRef/namespace"), text(volume, "spec/claimRef/name"));
        self.names(node, "persistentvolumeclaims", namespace, name)
    }

    /// Whether there is a way from the node.
    pub(super) fn reaches(&self, node: &str, resource: &str, namespace: &str, name: &str) -> bool {
        let bound = |kind| {
            let is_it = |id: &Id| (id.1.as_str(), id.2.as_str()) == (namespace, name);
            self.counting(kind).any(|(id, object)| is_it(id) && self.is_on(object, node))
        };
        match resource {
            "pods" => bound(Kind::Pod),
            "volumeattachments" => bound(Kind::VolumeAttachment),
            "resourceslices" => bound(Kind::ResourceSlice),
            "podcertificaterequests" => bound(Kind::PodCertificateRequest),
            "persistentvolumes" => self
                .counting(Kind::PersistentVolume)
                .any(|(id, volume)| namespace.is_empty() && id.2 == name && self.volume(node, volume)),
            "secrets" => {
                self.names(node, resource, namespace, name)
                    || self.counting(Kind::PersistentVolume).any(|(_, volume)| {
                        let secret = (namespace.to_owned(), name.to_owned());
                        self.volume_secrets(volume).contains(&secret) && self.volume(node, volume)
                    })
            }
            _ => self.names(node, resource, namespace, name),
        }
    }

    /// Whether a way leads from what is asked for to the node, each vertex by the next one's word.
    pub(super) fn is_way(&self, path: &Path, at: &Attributes<'_>, node: &str) -> bool {
        let [vertices @ .., last] = path.vertices() else { return false };
        let Some(first) = vertices.first() else { return false };
        let of_kind = |kind, namespace: &str, name: &str| {
            self.objects
                .get(&(kind, namespace.to_owned(), name.to_owned()))
                .and_then(|known| known.counts.as_ref())
        };
        let step = |from: &Vertex, to: &Vertex| match to.kind {
            VertexKind::Node => {
                from.kind == VertexKind::Pod
                    || vertices.len() == 1
                        && self.reaches(node, &plural(from.kind), &from.namespace, &from.name)
            }
            VertexKind::Pod => of_kind(Kind::Pod, &to.namespace, &to.name).is_some_and(|pod| {
                self.is_on(pod, node)
                    && from.namespace == to.namespace
                    && self.pod_names(pod, &plural(from.kind)).contains(&from.name)
            }),
            VertexKind::PersistentVolume => {
                of_kind(Kind::PersistentVolume, "", &to.name).is_some_and(|volume| {
                    self.volume_secrets(volume).contains(&(from.namespace.clone(), from.name.clone()))
                })
            }
            VertexKind::PersistentVolumeClaim => {
                of_kind(Kind::PersistentVolume, "", &from.name).is_some_and(|volume| {
                    text(volume, "spec/claimRef/namespace") == to.namespace
                        && text(volume, "spec/claimRef/name") == to.name
                })
            }
            _ => false,
        };
        (plural(first.kind).as_str(), first.namespace.as_str(), first.name.as_str())
            == (at.resource, at.namespace, at.name)
            && (last.kind, last.name.as_str()) == (VertexKind::Node, node)
            && path.vertices().windows(2).all(|pair| matches!(pair, [from, to] if step(from, to)))
    }

    /// What kube-apiserver says: whether it allows, and the reason.
    pub(super) fn decide(&self, gate: bool, at: &Attributes<'_>) -> (bool, String) {
        let Some(node) = at.user.name.strip_prefix("system:node:") else { return (false, String::new()) };
        if !at.user.groups.iter().any(|group| group == "system:nodes") && !self.makes(Mutant::GroupDropped) {
            return (false, String::new());
        }
        if node.is_empty() {
            return (false, "unknown node for user \"system:node:\"".to_owned());
        }
        let refused = |reason: &str| (false, reason.to_owned());
        let allowed = || (true, String::new());
        let related = || match () {
            () if at.name.is_empty() => refused("No Object name found"),
            () if self.reaches(node, at.resource, at.namespace, at.name) => allowed(),
            () => refused(&format!("no relationship found between node '{node}' and this object")),
        };
        let own_selector = at.selectors.field.as_ref().is_ok_and(|selector| {
            let wanted = |required: &&types::selector::FieldRequirement| {
                (required.field.as_str(), required.value.as_str()) == ("spec.nodeName", node)
                    && (required.operator == FieldOperator::Equals || self.makes(Mutant::OperatorDropped))
            };
            selector.requirements().iter().find(wanted).is_some()
        });
        let (verb, sub) = (at.verb, at.subresource);
        let is_read = ["get", "list", "watch"].contains(&verb);
        let read = || match () {
            () if !is_read => refused("can only read resources of this type"),
            () if !sub.is_empty() => refused("cannot read subresource"),
            () if at.namespace.is_empty() => refused("can only read namespaced object of this type"),
            () => related(),
        };
        match format!("{}/{}", at.api_group, at.resource).as_str() {
            "/secrets" | "/configmaps" => read(),
            "/serviceaccounts" if (verb, sub) == ("get", "") => read(),
            "/serviceaccounts" => match (verb, sub) {
                ("create", "token") if !at.name.is_empty() => related(),
                ("create", _) if !at.name.is_empty() => {
                    refused("can only create token subresource of serviceaccount")
                }
                _ => refused("can only create tokens for individual service accounts"),
            },
            "/persistentvolumeclaims" if sub == "status" => match verb {
                "update" | "patch" => related(),
                _ => refused("can only get/update/patch this type"),
            },
            "/persistentvolumeclaims"
            | "/persistentvolumes"
            | "resource.k8s.io/resourceclaims"
            | "storage.k8s.io/volumeattachments" => match (verb, sub) {
                ("get", "") => related(),
                ("get", _) => refused("cannot get subresource"),
                _ => refused("can only get individual resources of this type"),
            },
            "resource.k8s.io/resourceslices" => match (verb, sub) {
                (_, sub) if !sub.is_empty() => refused("cannot authorize ResourceSlice subresources"),
                ("create", _) => allowed(),
                ("get" | "update" | "patch" | "delete", _) => related(),
                ("list" | "watch" | "deletecollection", _) if own_selector => allowed(),
                ("list" | "watch" | "deletecollection", _) => refused(
                    "can only list/watch/deletecollection resourceslices with nodeName field selector",
                ),
                _ => refused(
                    "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
                ),
            },
            "certificates.k8s.io/podcertificaterequests" if gate => match (verb, sub) {
                (_, sub) if !sub.is_empty() => {
                    refused("nodes may not access the status subresource of PodCertificateRequests")
                }
                ("create", _) => allowed(),
                ("get", _) => related(),
                ("list" | "watch", _) if own_selector => allowed(),
                ("list" | "watch", _) => {
                    refused("can only list/watch podcertificaterequests with nodeName field selector")
                }
                _ => refused(&format!("nodes may not {verb} podcertificaterequests")),
            },
            "/pods" => match (verb, sub) {
                ("get", "") => related(),
                ("list" | "watch", "") if own_selector => allowed(),
                ("list" | "watch", "") if !at.name.is_empty() => related(),
                ("list" | "watch", "") => {
                    refused("can only list/watch pods with spec.nodeName field selector")
                }
                ("create" | "delete", "") | ("update" | "patch", "status") | ("create", "eviction") => {
                    allowed()
                }
                _ => refused(""),
            },
            _ => refused(""),
        }
    }

    /// What a pod names of a resource.
    fn pod_names(&self, pod: &Value, resource: &str) -> BTreeSet<String> {
        let is_mirror = pod
            .pointer("/metadata/annotations")
            .and_then(|all| all.get("kubernetes.io/config.mirror"))
            .is_some();
        let mut found = BTreeSet::new();
        let mut add =
            |paths: &[&str]| found.extend(paths.iter().flat_map(|path| all(pod, path)).map(str::to_owned));
        match resource {
            _ if is_mirror && !self.makes(Mutant::MirrorPodCounts) => {}
            "secrets" if self.makes(Mutant::KindsMixed) => {
                add(POD_SECRETS);
                add(POD_CONFIG_MAPS);
            }
            "secrets" => add(POD_SECRETS),
            "configmaps" => add(POD_CONFIG_MAPS),
            "serviceaccounts" => add(&["spec/serviceAccountName"]),
            "persistentvolumeclaims" => {
                add(&["spec/volumes/*/persistentVolumeClaim/claimName"]);
                let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
                let ephemeral = volumes.into_iter().flatten().filter(|volume| {
                    volume.get("ephemeral").is_some() && volume.get("persistentVolumeClaim").is_none()
                });
                found
                    .extend(ephemeral.map(|v| format!("{}-{}", text(pod, "metadata/name"), text(v, "name"))));
            }
            "resourceclaims" => {
                add(&[
                    "spec/resourceClaims/*/resourceClaimName",
                    "status/extendedResourceClaimStatus/resourceClaimName",
                ]);
                let list = |path| pod.pointer(path).and_then(Value::as_array).into_iter().flatten();
                for claim in list("/spec/resourceClaims") {
                    let is_made = claim.get("resourceClaimName").is_none()
                        && claim.get("resourceClaimTemplateName").is_some();
                    let made = list("/status/resourceClaimStatuses")
                        .find(|made| made.get("name") == claim.get("name"));
                    found.extend(
                        made.filter(|_| is_made).map(|made| text(made, "resourceClaimName").to_owned()),
                    );
                }
            }
            _ => {}
        }
        found.remove("");
        found
    }

    /// Namespaces and names of the secrets of a volume that a kubelet sees.
    fn volume_secrets(&self, volume: &Value) -> BTreeSet<(String, String)> {
        let claims = text(volume, "spec/claimRef/namespace");
        let mut found = BTreeSet::new();
        let mut add = |namespace: &str, name: &str, or_claims: bool| {
            let namespace = if namespace.is_empty() && or_claims && !self.makes(Mutant::ClaimNamespaceDropped)
            {
                claims
            } else {
                namespace
            };
            if !name.is_empty() {
                found.insert((namespace.to_owned(), name.to_owned()));
            }
        };
        add(text(volume, "spec/azureFile/secretNamespace"), text(volume, "spec/azureFile/secretName"), true);
        if self.makes(Mutant::ControllerSecretVisible) {
            let secret = |part| text(volume, &format!("spec/csi/controllerPublishSecretRef/{part}"));
            add(secret("namespace"), secret("name"), false);
        }
        for (path, or_claims) in VOLUME_SECRETS {
            add(
                text(volume, &format!("{path}/namespace")),
                text(volume, &format!("{path}/name")),
                *or_claims,
            );
        }
        found
    }
}
