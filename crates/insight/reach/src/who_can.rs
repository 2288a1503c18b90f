//! Who can do this?

use authz::rbac::explain::{self, Bound};
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Serialize;
use types::{Attributes, ObjectName, User};

use crate::{Cluster, Question, detours};

/// Everybody who can, by RBAC. `system:masters` can in any case and is not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WhoCan {
    /// Who holds it outright: one entry a subject and binding.
    pub granted: Vec<Holder>,
    /// Who holds it for some objects only, where the question is about no object in particular.
    pub limited: Vec<Limited>,
    /// Who could get there: become somebody else, or grant themselves what they lack.
    pub detours: Vec<Detour>,
}

/// A subject that can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// User, group or service account.
    pub subject: ObjectName,
    /// The binding that grants it.
    pub binding: ObjectName,
    /// The role that it grants.
    pub role: ObjectName,
    /// The rule of the role.
    pub rule: String,
    /// Whether the rule covers the request only by a `*`.
    pub by_wildcard: bool,
    /// The ways by which an aggregated role comes to the rule; empty for a role of its own rules.
    pub aggregated_from: Vec<String>,
}

/// A subject that can, for these names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limited {
    /// Who, and through what.
    #[serde(flatten)]
    pub holder: Holder,
    /// `resourceNames` of the rule.
    pub names: Vec<String>,
}

/// A subject that could get there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detour {
    /// `impersonate users`
    pub may: String,
    /// Which names only; empty for all.
    pub names: Vec<String>,
    /// Who, and through what.
    #[serde(flatten)]
    pub holder: Holder,
}

impl Cluster {
    /// Who can do what `question` asks, in its namespace; with `everywhere` also who can in any single
    /// one. In the order of bindings, those of the cluster first.
    pub fn who_can(&self, question: &Question, everywhere: bool) -> WhoCan {
        let nobody = User::default();
        let at = question.attributes(&nobody);
        let snapshot = self.rbac().snapshot();
        let bindings = snapshot.world().bound();
        let mut found = self.holders(&bindings, &at, everywhere);
        let detours = detours::questions(&bindings, &at).into_iter().flat_map(|question| {
            let at = question.attributes(&nobody);
            let may = question.what();
            let found = self.holders(&bindings, &at, everywhere);
            let outright = found.granted.into_iter().map(|holder| (holder, Vec::new()));
            let limited = found.limited.into_iter().map(|limited| (limited.holder, limited.names));
            let all: Vec<_> = outright
                .chain(limited)
                .filter(|(holder, _)| question.can_be_lent_by(holder))
                .map(|(holder, names)| Detour { may: may.clone(), names, holder })
                .collect();
            all
        });
        found.detours = detours.collect();
        found
    }

    fn holders(&self, bindings: &[Bound<'_>], at: &Attributes<'_>, everywhere: bool) -> WhoCan {
        let mut found = WhoCan::default();
        for bound in bindings {
            let counts = bound.binding.namespace.is_empty()
                || at.resource_request && everywhere
                || bound.binding.namespace == at.namespace;
            let (true, Ok(rules)) = (counts, &bound.rules) else { continue };
            if let Some(rule) = rules.iter().find(|rule| explain::allows(rule, at)) {
                found.granted.extend(self.holders_by(bound, rule, at));
                continue;
            }
            if !at.name.is_empty() {
                continue;
            }
            for rule in rules.iter() {
                let Some(names) = explain::names_covered(rule, at) else { continue };
                let limited = |holder| Limited { holder, names: names.to_vec() };
                found.limited.extend(self.holders_by(bound, rule, at).into_iter().map(limited));
            }
        }
        found
    }

    fn holders_by(&self, bound: &Bound<'_>, rule: &PolicyRule, at: &Attributes<'_>) -> Vec<Holder> {
        let aggregated_from = self.aggregated_from(&bound.role, at);
        let mut holders: Vec<Holder> = Vec::new();
        for subject in &bound.subjects {
            if holders.iter().any(|known| known.subject == *subject) {
                continue;
            }
            holders.push(Holder {
                subject: subject.clone(),
                binding: bound.binding.clone(),
                role: bound.role.clone(),
                rule: explain::describe(rule),
                by_wildcard: explain::by_wildcard(rule, at),
                aggregated_from: aggregated_from.clone(),
            });
        }
        holders
    }
}
