//! Objects and questions over alphabets so small that everything meets everything.

use authz::node::Kind;
use k8s_openapi::{
    api::{
        certificates::v1beta1::{PodCertificateRequest, PodCertificateRequestSpec},
        core::v1::{
            AzureFilePersistentVolumeSource, CSIPersistentVolumeSource, ConfigMapEnvSource,
            ConfigMapKeySelector, ConfigMapProjection, ConfigMapVolumeSource, Container, EnvFromSource,
            EnvVar, EnvVarSource, EphemeralContainer, EphemeralVolumeSource, LocalObjectReference,
            ObjectReference, PersistentVolume, PersistentVolumeClaimVolumeSource, PersistentVolumeSpec, Pod,
            PodExtendedResourceClaimStatus, PodResourceClaim, PodResourceClaimStatus, PodSpec, PodStatus,
            ProjectedVolumeSource, RBDPersistentVolumeSource, SecretEnvSource, SecretKeySelector,
            SecretProjection, SecretReference, SecretVolumeSource, Volume, VolumeProjection,
        },
        resource::v1::{ResourceSlice, ResourceSliceSpec},
        storage::v1::{VolumeAttachment, VolumeAttachmentSpec},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use types::{Attributes, User, selector::Selectors};

use super::naive::Whole;
use crate::Dice;

/// What stands twice is chosen twice as often, so that enough questions are allowed.
const NODES: &[&str] = &["n1", "n1", "n1", "n1", "n1", "n2", "n11"];
const NAMESPACES: &[&str] = &["x", "x", "x", "x", "y"];
/// Of objects, of claims, of whatever is named.
const NAMES: &[&str] = &["a", "a", "a", "a", "a", "b", "c"];
/// Pods are few, so that they often change; `a-v` is the claim of pod `a`'s ephemeral volume `v`.
const PODS: &[&str] = &["a", "b"];
const CLAIMS: &[&str] = &["a", "a", "a-v", "b"];

fn one(dice: &mut Dice, of: &[&'static str]) -> &'static str {
    of.get(dice.roll(of.len())).copied().unwrap_or_default()
}

fn name(dice: &mut Dice) -> String {
    // Seldom empty, which no API server lets pass.
    if dice.roll(24) == 0 { String::new() } else { one(dice, NAMES).to_owned() }
}

/// A node, or none.
fn node(dice: &mut Dice) -> String {
    if dice.roll(10) == 0 { String::new() } else { one(dice, NODES).to_owned() }
}

fn few<T>(dice: &mut Dice, most: usize, mut make: impl FnMut(&mut Dice) -> T) -> Option<Vec<T>> {
    let count = dice.roll(most + 1);
    (count > 0).then(|| (0..count).map(|_| make(dice)).collect())
}

/// Namespace and name that an object of the kind may have.
pub(super) fn key(dice: &mut Dice, kind: Kind) -> (&'static str, &'static str) {
    let namespace = if kind.is_namespaced() { one(dice, NAMESPACES) } else { "" };
    (namespace, one(dice, if kind == Kind::Pod { PODS } else { NAMES }))
}

pub(super) fn object(dice: &mut Dice, kind: Kind) -> Whole {
    let (namespace, name) = key(dice, kind);
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()).filter(|_| kind.is_namespaced()),
        ..ObjectMeta::default()
    };
    match kind {
        Kind::Pod => Whole::Pod(pod(dice, metadata)),
        Kind::PersistentVolume => Whole::PersistentVolume(PersistentVolume {
            metadata,
            spec: Some(volume_spec(dice)),
            status: None,
        }),
        Kind::VolumeAttachment => {
            let spec = VolumeAttachmentSpec { node_name: node(dice), ..VolumeAttachmentSpec::default() };
            Whole::VolumeAttachment(VolumeAttachment { metadata, spec, status: None })
        }
        Kind::ResourceSlice => {
            let spec = ResourceSliceSpec { node_name: Some(node(dice)), ..ResourceSliceSpec::default() };
            Whole::ResourceSlice(ResourceSlice { metadata, spec })
        }
        Kind::PodCertificateRequest => {
            let spec =
                PodCertificateRequestSpec { node_name: node(dice), ..PodCertificateRequestSpec::default() };
            Whole::PodCertificateRequest(PodCertificateRequest { metadata, spec, status: None })
        }
    }
}

fn pod(dice: &mut Dice, mut metadata: ObjectMeta) -> Pod {
    metadata.uid = Some(one(dice, &["1", "1", "1", "2"]).to_owned());
    if dice.roll(10) == 0 {
        metadata.annotations = Some([("kubernetes.io/config.mirror".to_owned(), String::new())].into());
    }
    let spec = PodSpec {
        node_name: Some(node(dice)),
        service_account_name: Some(name(dice)),
        image_pull_secrets: few(dice, 3, |dice| LocalObjectReference { name: name(dice) }),
        containers: few(dice, 3, container).unwrap_or_default(),
        init_containers: few(dice, 1, container),
        ephemeral_containers: few(dice, 1, |dice| {
            let Container { env, env_from, .. } = container(dice);
            EphemeralContainer { env, env_from, ..EphemeralContainer::default() }
        }),
        volumes: few(dice, 8, volume),
        resource_claims: few(dice, 3, |dice| PodResourceClaim {
            name: one(dice, &["r", "s"]).to_owned(),
            resource_claim_name: (dice.roll(2) == 0).then(|| name(dice)),
            resource_claim_template_name: (dice.roll(2) == 0).then(|| "t".to_owned()),
        }),
        ..PodSpec::default()
    };
    let status = PodStatus {
        resource_claim_statuses: few(dice, 1, |dice| PodResourceClaimStatus {
            name: one(dice, &["r", "s"]).to_owned(),
            resource_claim_name: (dice.roll(4) > 0).then(|| name(dice)),
        }),
        extended_resource_claim_status: (dice.roll(4) == 0).then(|| PodExtendedResourceClaimStatus {
            resource_claim_name: name(dice),
            request_mappings: Vec::new(),
        }),
        ..PodStatus::default()
    };
    Pod { metadata, spec: Some(spec), status: Some(status) }
}

fn container(dice: &mut Dice) -> Container {
    let env_from = few(dice, 1, |dice| EnvFromSource {
        secret_ref: (dice.roll(2) == 0).then(|| SecretEnvSource { name: name(dice), optional: None }),
        config_map_ref: (dice.roll(2) == 0).then(|| ConfigMapEnvSource { name: name(dice), optional: None }),
        prefix: None,
    });
    let env = few(dice, 1, |dice| {
        let secret_key_ref = (dice.roll(2) == 0)
            .then(|| SecretKeySelector { name: name(dice), ..SecretKeySelector::default() });
        let config_map_key_ref = (dice.roll(2) == 0)
            .then(|| ConfigMapKeySelector { name: name(dice), ..ConfigMapKeySelector::default() });
        let source = EnvVarSource { secret_key_ref, config_map_key_ref, ..EnvVarSource::default() };
        EnvVar { name: "V".to_owned(), value: None, value_from: Some(source) }
    });
    Container { env, env_from, ..Container::default() }
}

fn volume(dice: &mut Dice) -> Volume {
    let mut volume = Volume { name: "v".to_owned(), ..Volume::default() };
    match dice.roll(6) {
        0 => {
            volume.secret =
                Some(SecretVolumeSource { secret_name: Some(name(dice)), ..SecretVolumeSource::default() });
        }
        1 => {
            volume.config_map =
                Some(ConfigMapVolumeSource { name: name(dice), ..ConfigMapVolumeSource::default() });
        }
        2 => volume.ephemeral = Some(EphemeralVolumeSource::default()),
        3 => {
            let sources = few(dice, 2, |dice| VolumeProjection {
                secret: (dice.roll(2) == 0)
                    .then(|| SecretProjection { name: name(dice), ..SecretProjection::default() }),
                config_map: (dice.roll(2) == 0)
                    .then(|| ConfigMapProjection { name: name(dice), ..ConfigMapProjection::default() }),
                ..VolumeProjection::default()
            });
            volume.projected = Some(ProjectedVolumeSource { sources, default_mode: None });
        }
        _ => {
            volume.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource {
                claim_name: one(dice, CLAIMS).to_owned(),
                read_only: None,
            });
        }
    }
    volume
}

fn volume_spec(dice: &mut Dice) -> PersistentVolumeSpec {
    let claim_ref = (dice.roll(6) > 0).then(|| ObjectReference {
        namespace: Some(one(dice, NAMESPACES).to_owned()),
        name: Some(one(dice, CLAIMS).to_owned()),
        ..ObjectReference::default()
    });
    let secret = |dice: &mut Dice| {
        (dice.roll(2) == 0).then(|| SecretReference {
            namespace: (dice.roll(3) > 0).then(|| one(dice, NAMESPACES).to_owned()),
            name: Some(name(dice)),
        })
    };
    let mut spec = PersistentVolumeSpec { claim_ref, ..PersistentVolumeSpec::default() };
    match dice.roll(3) {
        0 => {
            spec.azure_file = Some(AzureFilePersistentVolumeSource {
                secret_name: name(dice),
                secret_namespace: (dice.roll(2) == 0).then(|| one(dice, NAMESPACES).to_owned()),
                ..AzureFilePersistentVolumeSource::default()
            });
        }
        1 => {
            spec.rbd = Some(RBDPersistentVolumeSource {
                secret_ref: secret(dice),
                ..RBDPersistentVolumeSource::default()
            });
        }
        _ => {
            spec.csi = Some(CSIPersistentVolumeSource {
                node_publish_secret_ref: secret(dice),
                node_stage_secret_ref: secret(dice),
                node_expand_secret_ref: secret(dice),
                controller_publish_secret_ref: secret(dice),
                ..CSIPersistentVolumeSource::default()
            });
        }
    }
    spec
}

/// A question, with everything that its attributes borrow.
#[derive(Clone, Debug)]
pub(super) struct Question {
    user: User,
    verb: &'static str,
    namespace: &'static str,
    api_group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    name: &'static str,
    selectors: Selectors,
}

const RESOURCES: &[(&str, &str)] = &[
    ("", "secrets"),
    ("", "secrets"),
    ("", "secrets"),
    ("", "configmaps"),
    ("", "persistentvolumeclaims"),
    ("", "persistentvolumes"),
    ("", "pods"),
    ("", "serviceaccounts"),
    ("resource.k8s.io", "resourceclaims"),
    ("resource.k8s.io", "resourceslices"),
    ("storage.k8s.io", "volumeattachments"),
    ("certificates.k8s.io", "podcertificaterequests"),
];

impl Question {
    pub(super) fn roll(dice: &mut Dice) -> Self {
        let (api_group, resource) = RESOURCES.get(dice.roll(RESOURCES.len())).copied().unwrap_or_default();
        let cluster_wide = matches!(resource, "persistentvolumes" | "resourceslices" | "volumeattachments");
        let is_plain = dice.roll(8) > 0;
        let groups: &[&str] = if dice.roll(24) == 0 { &["system:authenticated"] } else { &["system:nodes"] };
        let user = if dice.roll(24) == 0 { "system:node:" } else { one(dice, NODES) };
        let user = if user.starts_with('n') { format!("system:node:{user}") } else { user.to_owned() };
        let verbs =
            ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "frob"];
        let verb = if is_plain { "get" } else { one(dice, &verbs) };
        let lists = matches!(verb, "list" | "watch" | "deletecollection");
        let fields =
            ["", "spec.nodeName=n1", "spec.nodeName=n2", "spec.nodeName!=n1", "nodeName=n1", "spec.nodeName"];
        Self {
            user: User::new(user, groups.iter().copied()),
            verb,
            namespace: if cluster_wide || dice.roll(24) == 0 { "" } else { one(dice, NAMESPACES) },
            api_group,
            resource,
            subresource: if is_plain { "" } else { one(dice, &["", "", "", "status", "token", "eviction"]) },
            name: match (dice.roll(16), resource) {
                (0, _) => "",
                (1..10, _) => "a",
                (_, "persistentvolumeclaims") => one(dice, CLAIMS),
                _ => one(dice, NAMES),
            },
            selectors: if lists { Selectors::parse(one(dice, &fields), "") } else { Selectors::NONE },
        }
    }

    pub(super) fn attributes(&self) -> Attributes<'_> {
        Attributes {
            user: &self.user,
            verb: self.verb,
            resource_request: true,
            namespace: self.namespace,
            api_group: self.api_group,
            api_version: "v1",
            resource: self.resource,
            subresource: self.subresource,
            name: self.name,
            path: "",
            selectors: &self.selectors,
        }
    }
}
