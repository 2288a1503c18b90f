//! Workloads.

use k8s_openapi::api::apps::v1 as api;
use serde_json::{Value, json};

use super::{
    Cell, Column, FieldError, Kind, SCALE, STATUS,
    cells::{AGE, each},
    core::pod_defaults,
    define,
    rules::{immutable, pod_spec, selector_matches_template},
};
use crate::object::{default, enter, number, text};

const GROUP: &str = "apps";

const CONTAINERS: Column = Column::wide("Containers", Cell::With(|o| each(o, TEMPLATE_CONTAINERS, "/name")));
const IMAGES: Column = Column::wide("Images", Cell::With(|o| each(o, TEMPLATE_CONTAINERS, "/image")));
const SELECTOR: Column = Column::wide("Selector", Cell::Labels("/spec/selector/matchLabels"));
const TEMPLATE_CONTAINERS: &str = "/spec/template/spec/containers";

pub(super) const KINDS: &[Kind] = &[
    Kind {
        short_names: &["ds"],
        categories: &["all"],
        subresources: &[STATUS],
        columns: &[
            Column::new("Desired", Cell::Number("/status/desiredNumberScheduled")),
            Column::new("Current", Cell::Number("/status/currentNumberScheduled")),
            Column::new("Ready", Cell::Number("/status/numberReady")),
            Column::new("Up-to-date", Cell::Number("/status/updatedNumberScheduled")),
            Column::new("Available", Cell::Number("/status/numberAvailable")),
            Column::new("Node Selector", Cell::Labels("/spec/template/spec/nodeSelector")),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        prepare: |set, _| {
            template_defaults(set);
            default(set, &["spec", "revisionHistoryLimit"], 10);
            rolling(set, "updateStrategy", json!({"maxSurge": 0, "maxUnavailable": 1}));
        },
        validate,
        schema: define::<api::DaemonSet>(),
        generation: true,
        ..Kind::new(GROUP, "daemonsets", "daemonset", "DaemonSet")
    },
    Kind {
        short_names: &["deploy"],
        categories: &["all"],
        subresources: &[SCALE, STATUS],
        columns: &[
            Column::new("Ready", Cell::With(ready)),
            Column::new("Up-to-date", Cell::Number("/status/updatedReplicas")),
            Column::new("Available", Cell::Number("/status/availableReplicas")),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        prepare: |deployment, _| {
            template_defaults(deployment);
            default(deployment, &["spec", "replicas"], 1);
            default(deployment, &["spec", "revisionHistoryLimit"], 10);
            default(deployment, &["spec", "progressDeadlineSeconds"], 600);
            rolling(deployment, "strategy", json!({"maxSurge": "25%", "maxUnavailable": "25%"}));
        },
        validate,
        schema: define::<api::Deployment>(),
        generation: true,
        ..Kind::new(GROUP, "deployments", "deployment", "Deployment")
    },
    Kind {
        short_names: &["rs"],
        categories: &["all"],
        subresources: &[SCALE, STATUS],
        columns: &[
            Column::new("Desired", Cell::Number("/spec/replicas")),
            Column::new("Current", Cell::Number("/status/replicas")),
            Column::new("Ready", Cell::Number("/status/readyReplicas")),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        fields: &[("status.replicas", "/status/replicas")],
        prepare: |set, _| {
            template_defaults(set);
            default(set, &["spec", "replicas"], 1);
        },
        validate,
        schema: define::<api::ReplicaSet>(),
        generation: true,
        ..Kind::new(GROUP, "replicasets", "replicaset", "ReplicaSet")
    },
    Kind {
        short_names: &["sts"],
        categories: &["all"],
        subresources: &[SCALE, STATUS],
        columns: &[Column::new("Ready", Cell::With(ready)), AGE, CONTAINERS, IMAGES],
        prepare: |set, _| {
            template_defaults(set);
            default(set, &["spec", "replicas"], 1);
            default(set, &["spec", "podManagementPolicy"], "OrderedReady");
        },
        validate,
        schema: define::<api::StatefulSet>(),
        generation: true,
        ..Kind::new(GROUP, "statefulsets", "statefulset", "StatefulSet")
    },
];

/// A strategy without a type is to roll, in these steps.
fn rolling(object: &mut Value, strategy: &str, steps: Value) {
    default(object, &["spec", strategy, "type"], "RollingUpdate");
    if text(object, &format!("/spec/{strategy}/type")) == "RollingUpdate" {
        default(object, &["spec", strategy, "rollingUpdate"], steps);
    }
}

fn ready(object: &Value) -> String {
    format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas"))
}

/// Fills in the pod template.
pub(super) fn template_defaults(object: &mut Value) {
    pod_defaults(enter(object, &["spec", "template", "spec"]));
}

fn validate(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut wrong = selector_matches_template(object);
    let nothing = Value::Null;
    wrong.extend(pod_spec(object.pointer("/spec/template/spec").unwrap_or(&nothing), "spec.template.spec"));
    wrong.extend(immutable(object, old, &["spec.selector"]));
    let replicas = number(object, "/spec/replicas");
    if replicas < 0 {
        let detail = "must be greater than or equal to 0";
        wrong.push(FieldError::invalid("spec.replicas", &replicas.into(), detail));
    }
    wrong
}
