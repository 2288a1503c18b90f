//! `rbac.jsonl`: one world, many questions.

use authz::{
    Opinion,
    rbac::{Rbac, RbacObject},
};
use serde::Deserialize;

use crate::{
    Case, Flip, Outcome,
    given::{GivenAttributes, world},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Given {
    objects: Vec<RbacObject>,
    #[serde(default)]
    objects_from: String,
    requests: Vec<GivenAttributes>,
}

#[derive(Deserialize)]
struct Expect {
    results: Vec<Expected>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    decision: String,
    /// Exact, unless one of the others is there.
    reason: String,
    /// Several bindings allow: any of them may be named.
    reason_any_of: Vec<String>,
    /// Several errors, in any order.
    reason_errors: Vec<String>,
}

/// Asks every question twice, so that remembered answers are held to the same record.
pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let expect: Expect = case.expect()?;
    if given.requests.len() != expect.results.len() {
        return Err("as many results as requests are needed".to_owned());
    }
    let rbac = Rbac::new(world(given.objects, &given.objects_from)?);
    for pass in ["cold", "warm"] {
        for (number, (request, expected)) in given.requests.iter().zip(&expect.results).enumerate() {
            let mut found = request.ask(|at| rbac.decide(at));
            found.decision = flip.authorization(found.decision);
            if !meets(&found, expected) {
                return Err(format!("request {number} ({pass}): found {found:?}, expected {expected:?}"));
            }
        }
    }
    Ok(())
}

fn meets(found: &Opinion, expected: &Expected) -> bool {
    let reason = &*found.reason;
    let reason_meets = if !expected.reason_any_of.is_empty() {
        expected.reason_any_of.iter().any(|any| any == reason)
    } else if !expected.reason_errors.is_empty() {
        let list = reason.strip_prefix("RBAC: [").and_then(|list| list.strip_suffix(']'));
        list.is_some_and(|list| {
            sorted(list.split(", ")) == sorted(expected.reason_errors.iter().map(String::as_str))
        })
    } else {
        expected.reason == reason
    };
    reason_meets && found.error.is_none() && format!("{:?}", found.decision) == expected.decision
}

fn sorted<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    texts
}
