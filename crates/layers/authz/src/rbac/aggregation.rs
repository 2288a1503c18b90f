//! ClusterRoles that are made of others: the work of the aggregation controller, not of the authorizer.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::rbac::v1::{ClusterRole, PolicyRule},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::rule::list;

/// The rules of each aggregated role, by its name, as they are once the controller has come to rest.
///
/// Rules come in the order of the role's selectors, and under one selector in the order of role names;
/// equal rules come once. What an aggregated role has among its own rules is replaced. A selector that
/// is not valid keeps its role as it is.
///
/// Roles that select each other in a circle get what flows into the circle from outside; where the
/// controller would keep rules that were in it by hand, ours drops them (stricter).
pub fn fill(roles: &[ClusterRole]) -> BTreeMap<String, Vec<PolicyRule>> {
    let sources: BTreeMap<&str, &ClusterRole> =
        roles.iter().map(|role| (role.metadata.name.as_deref().unwrap_or_default(), role)).collect();
    let mut chosen: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut filled: BTreeMap<&str, Vec<PolicyRule>> = BTreeMap::new();
    for (name, role) in &sources {
        if role.aggregation_rule.is_none() {
            continue;
        }
        match chosen_by(role, &sources) {
            Some(names) => {
                chosen.insert(name, names);
                filled.insert(name, Vec::new());
            }
            None => {
                filled.insert(name, role.rules.clone().unwrap_or_default());
            }
        }
    }
    // A chain of roles that feed each other settles after as many sweeps as it is long.
    for _ in 0..=chosen.len() {
        let mut settled = true;
        for (name, sources_of) in &chosen {
            let rules = collect(sources_of, &sources, &filled);
            settled &= filled.insert(name, rules.clone()) == Some(rules);
        }
        if settled {
            break;
        }
    }
    filled.into_iter().map(|(name, rules)| (name.to_owned(), rules)).collect()
}

/// The names of the roles whose rules an aggregated role takes over directly, by the role's name. Roles
/// that are not aggregated, and those with a selector that is not valid, are not in it.
pub fn sources(roles: &[ClusterRole]) -> BTreeMap<String, Vec<String>> {
    let all: BTreeMap<&str, &ClusterRole> =
        roles.iter().map(|role| (role.metadata.name.as_deref().unwrap_or_default(), role)).collect();
    let aggregated = all.iter().filter(|(_, role)| role.aggregation_rule.is_some());
    aggregated
        .filter_map(|(name, role)| {
            let mut feeding: Vec<String> = chosen_by(role, &all)?.into_iter().map(str::to_owned).collect();
            feeding.sort_unstable();
            feeding.dedup();
            Some(((*name).to_owned(), feeding))
        })
        .collect()
}

/// The names of the roles that feed `role`, selector by selector; `None` if a selector is not valid.
fn chosen_by<'a>(role: &ClusterRole, all: &BTreeMap<&'a str, &ClusterRole>) -> Option<Vec<&'a str>> {
    let own_name = role.metadata.name.as_deref().unwrap_or_default();
    let selectors =
        role.aggregation_rule.iter().flat_map(|rule| rule.cluster_role_selectors.iter().flatten());
    let mut names = Vec::new();
    for selector in selectors {
        for (name, candidate) in all {
            let labels = candidate.metadata.labels.as_ref();
            if selects(selector, |key| labels?.get(key))? && *name != own_name {
                names.push(*name);
            }
        }
    }
    Some(names)
}

fn collect(
    names: &[&str],
    sources: &BTreeMap<&str, &ClusterRole>,
    filled: &BTreeMap<&str, Vec<PolicyRule>>,
) -> Vec<PolicyRule> {
    let mut rules: Vec<PolicyRule> = Vec::new();
    for name in names {
        let own = || sources.get(name)?.rules.as_ref();
        for rule in filled.get(name).or_else(own).into_iter().flatten() {
            if !rules.iter().any(|known| equal(known, rule)) {
                rules.push(rule.clone());
            }
        }
    }
    rules
}

/// Equal in every list and its order; an absent list is an empty one.
fn equal(a: &PolicyRule, b: &PolicyRule) -> bool {
    let parts = |rule: &PolicyRule| {
        [&rule.api_groups, &rule.resources, &rule.resource_names, &rule.non_resource_urls]
            .map(|l| list(l).to_vec())
    };
    a.verbs == b.verbs && parts(a) == parts(b)
}

/// Whether a label selector selects; `None` if it is not valid.
fn selects<'a>(selector: &LabelSelector, label: impl Fn(&str) -> Option<&'a String>) -> Option<bool> {
    let mut selected = selector.match_labels.iter().flatten().all(|(key, value)| label(key) == Some(value));
    for requirement in selector.match_expressions.iter().flatten() {
        let (value, values) = (label(&requirement.key), list(&requirement.values));
        selected &= match (requirement.operator.as_str(), values) {
            ("In", [_, ..]) => value.is_some_and(|value| values.contains(value)),
            ("NotIn", [_, ..]) => !value.is_some_and(|value| values.contains(value)),
            ("Exists", []) => value.is_some(),
            ("DoesNotExist", []) => value.is_none(),
            _ => return None,
        };
    }
    Some(selected)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Roles as `name, labels, selectors, own verbs`, and the verbs that aggregated ones end up with.
    fn check(roles: &[(&str, &str, Option<serde_json::Value>, &str)], expected: &[(&str, &str)]) {
        let roles: Vec<ClusterRole> = roles
            .iter()
            .map(|(name, label, selectors, verb)| {
                let rule = selectors.as_ref().map(|s| serde_json::json!({"clusterRoleSelectors": s}));
                serde_json::from_value(serde_json::json!({
                    "metadata": {"name": name, "labels": {*label: "yes"}},
                    "aggregationRule": rule,
                    "rules": [{"verbs": [verb], "apiGroups": [""], "resources": ["pods"]}],
                }))
                .unwrap()
            })
            .collect();
        let found = fill(&roles);
        let verbs = |rules: &Vec<PolicyRule>| {
            rules.iter().flat_map(|r| r.verbs.clone()).collect::<Vec<_>>().join(" ")
        };
        let found: Vec<(&str, String)> =
            found.iter().map(|(name, rules)| (name.as_str(), verbs(rules))).collect();
        let expected: Vec<(&str, String)> = expected.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
        assert_eq!(found, expected);
    }

    fn label(label: &str) -> Option<serde_json::Value> {
        Some(serde_json::json!([{"matchLabels": {label: "yes"}}]))
    }

    #[test]
    fn circles_and_chains_settle() {
        let chain = [
            ("a", "x", label("b"), "old"),
            ("b", "b", label("c"), "old"),
            ("c", "c", label("d"), "old"),
            ("d", "d", None, "get"),
        ];
        check(&chain, &[("a", "get"), ("b", "get"), ("c", "get")]);
        // What was in the circle by hand is gone; what flows in from `d` is there.
        let circle = [("a", "a", label("b"), "old"), ("b", "b", label("a"), "old"), ("d", "b", None, "get")];
        check(&circle, &[("a", "get"), ("b", "get")]);
    }

    #[test]
    fn an_invalid_selector_keeps_the_role() {
        let expression = |operator: &str, values: &[&str]| {
            Some(
                serde_json::json!([{"matchExpressions": [{"key": "b", "operator": operator, "values": values}]}]),
            )
        };
        for (operator, values) in [("In", &[][..]), ("NotIn", &[]), ("Exists", &["yes"]), ("in", &["yes"])] {
            check(
                &[("a", "a", expression(operator, values), "old"), ("d", "b", None, "get")],
                &[("a", "old")],
            );
        }
        check(&[("a", "a", expression("In", &["yes"]), "old"), ("d", "b", None, "get")], &[("a", "get")]);
    }
}
