//! `SelfSubjectRulesReview`: everything a user may do in a namespace, as far as it can be listed.

use std::sync::Arc;

use k8s_openapi::api::{
    authorization::v1::{NonResourceRule, ResourceRule, SubjectRulesReviewStatus},
    rbac::v1::PolicyRule,
};
use types::{Status, StatusReason, User};

use crate::{Mode, node::node_name, opinion::aggregate, rbac::Snapshot};

/// One authorizer as a source of rules.
#[derive(Clone)]
pub enum Resolver {
    /// Lists what roles grant.
    Rbac(Arc<Snapshot>),
    /// Cannot list what it allows, and says so for the users it decides about: nodes.
    Node,
    /// Lists everything.
    AlwaysAllow,
    /// Lists nothing.
    AlwaysDeny,
    /// Cannot list what it allows, to nobody.
    Webhook,
}

impl Resolver {
    /// The resolver that belongs to a mode, on its newest state.
    pub fn of(mode: &Mode) -> Self {
        match mode {
            Mode::Node(_) => Self::Node,
            Mode::Rbac(rbac) => Self::Rbac(rbac.snapshot()),
            Mode::AlwaysAllow => Self::AlwaysAllow,
            Mode::AlwaysDeny => Self::AlwaysDeny,
            Mode::Webhook(_) => Self::Webhook,
        }
    }
}

/// What could be listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RulesReview {
    /// Rules about resources; a rule reached twice stands twice.
    pub resource_rules: Vec<ResourceRule>,
    /// Rules about paths.
    pub non_resource_rules: Vec<NonResourceRule>,
    /// Whether an authorizer may allow more than it can list.
    pub incomplete: bool,
    /// What went wrong while listing.
    pub errors: Vec<String>,
}

/// Collects the rules of every resolver, in order.
///
/// `system:masters` gets nothing of its own here, though it may do everything. Without a namespace the
/// review is refused.
// UPSTREAM: the superuser authorizer is no rule resolver (kube-apiserver 1.36)
pub fn rules_review(
    resolvers: &[Resolver],
    user: &User,
    namespace: &str,
) -> Result<RulesReview, Box<Status>> {
    if namespace.is_empty() {
        return Err(Status::failure(400, StatusReason::BadRequest, "no namespace on request").into());
    }
    let mut review = RulesReview::default();
    for resolver in resolvers {
        match resolver {
            Resolver::Rbac(snapshot) => {
                let (rules, errors) = snapshot.world().rules_for(user, namespace);
                rules.into_iter().for_each(|rule| review.add(rule));
                review.errors.extend(errors);
            }
            Resolver::Node if node_name(user).is_some() => {
                review.incomplete = true;
                review.errors.push("node authorizer does not support user rule resolution".into());
            }
            Resolver::Webhook => {
                review.incomplete = true;
                review.errors.push("webhook authorizer does not support user rule resolution".into());
            }
            Resolver::AlwaysAllow => review.add(PolicyRule {
                api_groups: everything(),
                resources: everything(),
                non_resource_urls: everything(),
                resource_names: None,
                verbs: vec!["*".into()],
            }),
            Resolver::Node | Resolver::AlwaysDeny => {}
        }
    }
    Ok(review)
}

impl RulesReview {
    /// As the API answers it.
    pub fn status(self) -> SubjectRulesReviewStatus {
        let error = aggregate(self.errors.iter().map(String::as_str));
        SubjectRulesReviewStatus {
            evaluation_error: (!error.is_empty()).then_some(error),
            incomplete: self.incomplete,
            non_resource_rules: self.non_resource_rules,
            resource_rules: self.resource_rules,
        }
    }

    /// A rule about both resources and paths counts as one of each.
    fn add(&mut self, rule: PolicyRule) {
        let has = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|l| !l.is_empty());
        if has(&rule.non_resource_urls) {
            self.non_resource_rules.push(NonResourceRule {
                non_resource_urls: rule.non_resource_urls,
                verbs: rule.verbs.clone(),
            });
        }
        if has(&rule.resources) {
            self.resource_rules.push(ResourceRule {
                api_groups: rule.api_groups,
                resource_names: rule.resource_names,
                resources: rule.resources,
                verbs: rule.verbs,
            });
        }
    }
}

fn everything() -> Option<Vec<String>> {
    Some(vec!["*".into()])
}
