//! `rbac_rules.jsonl`: everything a user may do in a namespace.

use std::{collections::BTreeSet, sync::Arc};

use authz::{
    Resolver,
    rbac::{Rbac, RbacObject},
    rules_review,
};
use k8s_openapi::api::authorization::v1::{NonResourceRule, ResourceRule};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Case, Flip, Outcome,
    given::{GivenUser, world},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    objects: Vec<RbacObject>,
    authorizers: Vec<String>,
    user: GivenUser,
    namespace: String,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Expect {
    resource_rules: Vec<ResourceRule>,
    non_resource_rules: Vec<NonResourceRule>,
    incomplete: bool,
    evaluation_errors: BTreeSet<String>,
    /// Only where there is one error.
    evaluation_error: Option<String>,
    error: Option<Value>,
}

/// Compares rules as multisets, errors as a set.
pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let expect = case.expect::<Expect>()?.sorted();
    let snapshot = Rbac::new(world(given.objects, "")?).snapshot();
    let resolvers = given
        .authorizers
        .iter()
        .map(|name| match name.as_str() {
            "RBAC" => Ok(Resolver::Rbac(Arc::clone(&snapshot))),
            "Node" => Ok(Resolver::Node),
            "AlwaysAllow" => Ok(Resolver::AlwaysAllow),
            "AlwaysDeny" => Ok(Resolver::AlwaysDeny),
            other => Err(format!("no resolver `{other}`")),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let found = match rules_review(&resolvers, &given.user.into(), &given.namespace) {
        Err(status) => Expect {
            error: Some(serde_json::json!({
                "code": status.code,
                "reason": status.reason.as_str(),
                "message": status.message,
            })),
            ..Expect::default()
        },
        Ok(review) => {
            let evaluation_errors: BTreeSet<String> = review.errors.iter().cloned().collect();
            let status = review.status();
            Expect {
                resource_rules: status.resource_rules,
                non_resource_rules: status.non_resource_rules,
                incomplete: flip.decision(status.incomplete, |incomplete| !incomplete),
                evaluation_error: status.evaluation_error.filter(|_| evaluation_errors.len() == 1),
                evaluation_errors,
                error: None,
            }
            .sorted()
        }
    };
    if found == expect { Ok(()) } else { Err(format!("found {found:?}, expected {expect:?}")) }
}

impl Expect {
    fn sorted(mut self) -> Self {
        self.resource_rules.sort_by_key(|rule| format!("{rule:?}"));
        self.non_resource_rules.sort_by_key(|rule| format!("{rule:?}"));
        self
    }
}
