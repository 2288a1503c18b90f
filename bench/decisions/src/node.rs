//! The Node authorizer: decisions and changes.

use std::{hint::black_box, thread, time::Duration};

use authz::node::{Kind, Node, NodeObject};
use k8s_openapi::{
    api::core::v1::{
        CSIPersistentVolumeSource, ConfigMapVolumeSource, Container, EnvFromSource, LocalObjectReference,
        ObjectReference, PersistentVolume, PersistentVolumeClaimVolumeSource, PersistentVolumeSpec, Pod,
        PodSpec, SecretEnvSource, SecretReference, SecretVolumeSource, Volume,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use types::{Attributes, Decision, User, selector::Selectors};

use crate::{
    Options,
    changes::{CHANGE, reading},
    clock::{Times, once, over_and_over, show},
    report::Report,
};

pub(crate) const NODES: usize = 5_000;
pub(crate) const PODS: usize = 100_000;
const NAMESPACES: usize = 500;

/// One pod in so many has a volume.
pub(crate) const WITH_VOLUME: usize = 4;

/// The aim for a decision.
const DECISION: Duration = Duration::from_nanos(250);

static NONE: Selectors = Selectors::NONE;

pub(crate) fn measure(options: &Options) -> Vec<Report> {
    let node = world();
    let decisions = decisions(options, &node);
    let (changes, readers) = changes(options, &node);
    vec![decisions, changes, readers]
}

/// Pods spread over nodes and namespaces.
pub(crate) fn world() -> Node {
    let node = Node::new(false);
    node.update(|graph| {
        graph.replace(Kind::PersistentVolume, (0..PODS).step_by(WITH_VOLUME).map(volume));
        graph.replace(Kind::Pod, (0..PODS).map(pod));
    });
    node
}

fn metadata(namespace: &str, name: String) -> ObjectMeta {
    let namespace = Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty());
    ObjectMeta { namespace, uid: Some(format!("uid-of-{name}")), name: Some(name), ..ObjectMeta::default() }
}

fn namespace_of(number: usize) -> String {
    format!("namespace-{}", number % NAMESPACES)
}

fn node_of(number: usize) -> String {
    format!("node-{}.example.com", number % NODES)
}

/// A pod with a secret and a config map of its own, another secret and config map that all pods of its
/// namespace share, and sometimes a claim.
fn pod(number: usize) -> NodeObject {
    let secret = |secret_name: String| Volume {
        name: "secret".to_owned(),
        secret: Some(SecretVolumeSource { secret_name: Some(secret_name), ..SecretVolumeSource::default() }),
        ..Volume::default()
    };
    let config = |name: String| Volume {
        name: "config".to_owned(),
        config_map: Some(ConfigMapVolumeSource { name, ..ConfigMapVolumeSource::default() }),
        ..Volume::default()
    };
    let claim = |claim_name: String| Volume {
        name: "data".to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name, read_only: None }),
        ..Volume::default()
    };
    let mut volumes = vec![
        secret(format!("tls-of-application-{number}")),
        config(format!("settings-of-application-{number}")),
        config("kube-root-ca.crt".to_owned()),
    ];
    if number.is_multiple_of(WITH_VOLUME) {
        volumes.push(claim(format!("data-of-application-{number}")));
    }
    let environment =
        SecretEnvSource { name: format!("environment-of-application-{number}"), optional: None };
    let container = Container {
        env_from: Some(vec![EnvFromSource { secret_ref: Some(environment), ..EnvFromSource::default() }]),
        ..Container::default()
    };
    let spec = PodSpec {
        node_name: Some(node_of(number)),
        service_account_name: Some("default".to_owned()),
        image_pull_secrets: Some(vec![LocalObjectReference { name: "registry-credentials".to_owned() }]),
        containers: vec![container],
        volumes: Some(volumes),
        ..PodSpec::default()
    };
    let metadata = metadata(&namespace_of(number), format!("application-{number}"));
    Pod { metadata, spec: Some(spec), status: None }.into()
}

/// The volume of the pod of that number.
fn volume(number: usize) -> NodeObject {
    let secret = SecretReference {
        namespace: Some("storage".to_owned()),
        name: Some(format!("keys-of-volume-{number}")),
    };
    let csi = CSIPersistentVolumeSource {
        driver: "csi.example.com".to_owned(),
        node_publish_secret_ref: Some(secret),
        ..CSIPersistentVolumeSource::default()
    };
    let claim = ObjectReference {
        namespace: Some(namespace_of(number)),
        name: Some(format!("data-of-application-{number}")),
        ..ObjectReference::default()
    };
    let spec =
        PersistentVolumeSpec { csi: Some(csi), claim_ref: Some(claim), ..PersistentVolumeSpec::default() };
    let metadata = metadata("", format!("volume-{number}"));
    PersistentVolume { metadata, spec: Some(spec), status: None }.into()
}

/// A question of the kubelet of node 8.
fn question<'a>(
    user: &'a User,
    verb: &'a str,
    (api_group, resource): (&'a str, &'a str),
    namespace: &'a str,
    name: &'a str,
) -> Attributes<'a> {
    Attributes {
        user,
        verb,
        resource_request: true,
        namespace,
        api_group,
        api_version: "v1",
        resource,
        subresource: "",
        name,
        path: "",
        selectors: &NONE,
    }
}

fn kubelet() -> User {
    User::new("system:node:node-8.example.com", ["system:nodes", "system:authenticated"])
}

fn decisions(options: &Options, node: &Node) -> Report {
    let mut report = Report::new("Node: decisions", 2, &["asked", "answer", "each time"]);
    let (kubelet, alice) = (kubelet(), User::new("alice", ["system:authenticated"]));
    let (secrets, own) = (("", "secrets"), "node-8.example.com");
    let (yes, no) = (Decision::Allow, Decision::NoOpinion);
    let lease = ("coordination.k8s.io", "leases");
    let secret = |user, namespace, name| question(user, "get", secrets, namespace, name);
    let asked = [
        ("the secret of a pod on the node", yes, secret(&kubelet, "namespace-8", "tls-of-application-8")),
        (
            "a secret that a whole namespace shares",
            yes,
            secret(&kubelet, "namespace-8", "registry-credentials"),
        ),
        ("the secret of a volume of a pod", yes, secret(&kubelet, "storage", "keys-of-volume-8")),
        ("the secret of a pod on another node", no, secret(&kubelet, "namespace-9", "tls-of-application-9")),
        ("a secret that nobody names", no, secret(&kubelet, "namespace-8", "other")),
        ("its own Node", yes, question(&kubelet, "get", ("", "nodes"), "", own)),
        ("another Node", no, question(&kubelet, "get", ("", "nodes"), "", "node-9.example.com")),
        ("to renew its lease", yes, question(&kubelet, "update", lease, "kube-node-lease", own)),
        ("to create an event", yes, question(&kubelet, "create", ("", "events"), "namespace-8", "")),
        ("a secret, by somebody who is no node", no, secret(&alice, "namespace-8", "tls-of-application-8")),
    ];
    for (what, expected, at) in asked {
        assert_eq!(node.decide(&at).decision, expected, "the world is not what it should be");
        let each = over_and_over(options.decisions, || node.decide(black_box(&at)));
        let answer = if expected == Decision::Allow { "allow" } else { "no opinion" };
        report.row([what.to_owned(), answer.to_owned(), show(each)]);
        report.aim(&format!("Node: {what}"), each, DECISION);
    }
    report
}

fn changes(options: &Options, node: &Node) -> (Report, Report) {
    let header = ["", "p50", "p99", "max"];
    let mut writers = Report::new("Node: one changed object", 1, &header);
    let mut readers = Report::new("Node: readers meanwhile, the secret of a pod on the node", 1, &header);
    let user = kubelet();
    let at = question(&user, "get", ("", "secrets"), "namespace-8", "tls-of-application-8");
    let decide = || drop(black_box(node.decide(&at)));
    let (idle, ()) = reading(decide, || thread::sleep(Duration::from_millis(500)));
    readers.times(&format!("no changes, {} decisions", idle.count()), &idle);
    for (what, object) in [("a pod", pod as fn(usize) -> NodeObject), ("a volume", volume)] {
        let times = |change: &dyn Fn(NodeObject)| {
            let numbers = (0..options.changes).map(|number| number * WITH_VOLUME);
            let objects = numbers.map(|number| object(number % PODS));
            objects.map(|object| once(|| change(object))).collect::<Times>()
        };
        let remove = |object: NodeObject| node.remove(object.kind(), object.namespace(), object.name());
        let (read, (gone, back)) = reading(decide, || (times(&remove), times(&|object| node.apply(object))));
        for (how, changed) in [("goes", gone), ("comes", back)] {
            writers.times(&format!("{what} {how}"), &changed);
            writers.aim(&format!("Node: {what} {how}"), changed.median(), CHANGE);
        }
        readers
            .times(&format!("while {what} after another goes and comes, {} decisions", read.count()), &read);
    }
    (writers, readers)
}
