//! Priority and fairness.

use k8s_openapi::api::flowcontrol::v1 as api;
use serde_json::Value;

use super::{Cell, Column, FieldError, Kind, STATUS, cells::AGE, define};
use crate::object::{list, number, text};

const GROUP: &str = "flowcontrol.apiserver.k8s.io";

pub(super) const KINDS: &[Kind] = &[
    Kind {
        namespaced: false,
        subresources: &[STATUS],
        columns: &[
            Column::new("PriorityLevel", Cell::Text("/spec/priorityLevelConfiguration/name")),
            Column::new("MatchingPrecedence", Cell::Number("/spec/matchingPrecedence")),
            Column::new("DistinguisherMethod", Cell::TextOrNone("/spec/distinguisherMethod/type")),
            AGE,
            Column::new("MissingPL", Cell::With(missing_level)),
        ],
        prepare: |schema, _| crate::object::default(schema, &["spec", "matchingPrecedence"], 1000),
        validate: flow_schema,
        schema: define::<api::FlowSchema>(),
        generation: true,
        ..Kind::new(GROUP, "flowschemas", "flowschema", "FlowSchema")
    },
    Kind {
        namespaced: false,
        subresources: &[STATUS],
        columns: &[
            Column::new("Type", Cell::Text("/spec/type")),
            Column::new(
                "NominalConcurrencyShares",
                Cell::With(|level| limited(level, "nominalConcurrencyShares")),
            ),
            Column::new("Queues", Cell::With(|level| limited(level, "limitResponse/queuing/queues"))),
            Column::new("HandSize", Cell::With(|level| limited(level, "limitResponse/queuing/handSize"))),
            Column::new(
                "QueueLengthLimit",
                Cell::With(|level| limited(level, "limitResponse/queuing/queueLengthLimit")),
            ),
            AGE,
        ],
        validate: |level, _| super::rules::require(level, &["spec.type"]),
        schema: define::<api::PriorityLevelConfiguration>(),
        generation: true,
        ..Kind::new(
            GROUP,
            "prioritylevelconfigurations",
            "prioritylevelconfiguration",
            "PriorityLevelConfiguration",
        )
    },
];

fn flow_schema(schema: &Value, _: Option<&Value>) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    if text(schema, "/spec/priorityLevelConfiguration/name").is_empty() {
        wrong.push(FieldError::required(
            "spec.priorityLevelConfiguration.name",
            "must reference a priority level",
        ));
    }
    let precedence = number(schema, "/spec/matchingPrecedence");
    if !(1..=10_000).contains(&precedence) {
        let (field, value) = ("spec.matchingPrecedence", precedence.into());
        let detail =
            if precedence < 1 { "must be a positive value" } else { "must not be greater than 10000" };
        wrong.push(FieldError::invalid(field, &value, detail));
    }
    wrong
}

fn missing_level(schema: &Value) -> String {
    let dangling = list(schema, "/status/conditions").iter().find(|c| text(c, "/type") == "Dangling");
    dangling.map_or("?", |condition| text(condition, "/status")).to_owned()
}

fn limited(level: &Value, at: &str) -> String {
    let base = if text(level, "/spec/type") == "Exempt" { "/spec/exempt" } else { "/spec/limited" };
    match level.pointer(&format!("{base}/{at}")) {
        Some(value) => value.to_string(),
        None => "<none>".into(),
    }
}
