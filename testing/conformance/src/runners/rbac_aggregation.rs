//! `rbac_aggregation.jsonl`: what the aggregation controller makes of a set of ClusterRoles.

use std::collections::BTreeMap;

use authz::rbac::aggregation;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use serde::Deserialize;

use crate::{Case, Flip, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    objects: Vec<ClusterRole>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    rules: BTreeMap<String, Vec<PolicyRule>>,
}

/// Compares the rules of every aggregated role, in their order.
pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let expect: Expect = case.expect()?;
    let mut found = aggregation::fill(&given.objects);
    for rules in found.values_mut() {
        *rules = flip.decision(std::mem::take(rules), |mut rules| {
            rules.push(PolicyRule { verbs: vec!["*".to_owned()], ..PolicyRule::default() });
            rules
        });
    }
    if found == expect.rules { Ok(()) } else { Err(format!("found {found:?}, expected {:?}", expect.rules)) }
}
