//! `rbac_escalation.jsonl`: what may be granted by somebody who holds these rules.

use authz::rbac::escalation;
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Deserialize;
use types::User;

use crate::{Case, Flip, Outcome};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Given {
    owner_rules: Vec<PolicyRule>,
    servant_rules: Vec<PolicyRule>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    covered: bool,
    uncovered: Vec<PolicyRule>,
    message: Option<String>,
}

/// Compares the uncovered rules in their order, and the message for `alice`.
pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let expect: Expect = case.expect()?;
    let uncovered = escalation::uncovered(&given.owner_rules, &given.servant_rules);
    let covered = flip.decision(uncovered.is_empty(), |covered| !covered);
    let alice = User::new("alice", ["dev", "system:authenticated"]);
    let message = (!uncovered.is_empty()).then(|| escalation::refusal(&alice, &uncovered, &[]));
    let found = Expect { covered, uncovered, message };
    if found == expect { Ok(()) } else { Err(format!("found {found:?}, expected {expect:?}")) }
}
