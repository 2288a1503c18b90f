//! Nobody may grant what they do not hold.

use std::collections::HashMap;

use k8s_openapi::api::rbac::v1::PolicyRule;
use types::{User, quote, quote_list};

use super::rule::{covers_path, list};
use crate::opinion::aggregate;

/// What of the servant's rules the owner's do not cover: rules of one verb, one resource and one name
/// each (or one verb and one path), in order, duplicates kept. A rule with an empty list grants nothing
/// and breaks down to nothing.
///
/// The verbs `escalate` and `bind`, and `system:masters`, are the caller's to ask about first.
pub fn uncovered(owner: &[PolicyRule], servant: &[PolicyRule]) -> Vec<PolicyRule> {
    let mut atoms: Vec<PolicyRule> = servant.iter().flat_map(break_down).collect();
    atoms.retain(|atom| !owner.iter().any(|rule| covers_atom(rule, atom)));
    atoms
}

/// The message for a client that tried to grant what `missing` lists; `errors` are what kept some of
/// its own rules from being found.
pub fn refusal(user: &User, missing: &[PolicyRule], errors: &[String]) -> String {
    let mut lines: Vec<String> = compact(missing).iter().map(describe).collect();
    lines.sort();
    lines.dedup();
    let mut message = format!(
        "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        quote(&user.name),
        quote_list(&user.groups),
        lines.join("\n")
    );
    if !errors.is_empty() {
        let errors = aggregate(errors.iter().map(String::as_str));
        message.push_str(&format!("; resolution errors: [{errors}]"));
    }
    message
}

fn break_down(rule: &PolicyRule) -> Vec<PolicyRule> {
    let only = |text: &String| Some(vec![text.clone()]);
    let mut atoms = Vec::new();
    for group in list(&rule.api_groups) {
        for resource in list(&rule.resources) {
            for verb in &rule.verbs {
                let atom = PolicyRule {
                    api_groups: only(group),
                    resources: only(resource),
                    verbs: vec![verb.clone()],
                    ..PolicyRule::default()
                };
                match list(&rule.resource_names) {
                    [] => atoms.push(atom),
                    names => atoms.extend(
                        names.iter().map(|name| PolicyRule { resource_names: only(name), ..atom.clone() }),
                    ),
                }
            }
        }
    }
    for url in list(&rule.non_resource_urls) {
        for verb in &rule.verbs {
            atoms.push(PolicyRule {
                non_resource_urls: only(url),
                verbs: vec![verb.clone()],
                ..PolicyRule::default()
            });
        }
    }
    atoms
}

/// Whether one rule covers an atom. Each list of the atom has at most one member.
// UPSTREAM: an owner limited to names covers no paths, even where both stand in one rule (kube-apiserver 1.36)
fn covers_atom(owner: &PolicyRule, atom: &PolicyRule) -> bool {
    let has = |list: &[String], text: &str| list.iter().any(|member| member == text);
    let has_or_all = |list: &[String], text: &str| has(list, "*") || has(list, text);
    let resources = list(&owner.resources);
    let names = list(&owner.resource_names);
    atom.verbs.iter().all(|verb| has_or_all(&owner.verbs, verb))
        && list(&atom.api_groups).iter().all(|group| has_or_all(list(&owner.api_groups), group))
        && list(&atom.resources).iter().all(|resource| {
            has_or_all(resources, resource)
                || resource.split_once('/').is_some_and(|(_, sub)| has(resources, &format!("*/{sub}")))
        })
        && list(&atom.non_resource_urls)
            .iter()
            .all(|path| list(&owner.non_resource_urls).iter().any(|url| covers_path(url, path)))
        && (names.is_empty()
            || (!list(&atom.resource_names).is_empty()
                && list(&atom.resource_names).iter().all(|name| has(names, name))))
}

/// Puts the verbs of atoms about the same resource and name together. Atoms about paths stay apart.
fn compact(atoms: &[PolicyRule]) -> Vec<PolicyRule> {
    let about = |rule: &PolicyRule| {
        [&rule.api_groups, &rule.resources, &rule.resource_names].map(|of| list(of).to_vec())
    };
    let mut place: HashMap<_, usize> = HashMap::new();
    let mut compacted: Vec<PolicyRule> = Vec::new();
    for atom in atoms {
        let next = compacted.len();
        let place =
            if atom.non_resource_urls.is_some() { next } else { *place.entry(about(atom)).or_insert(next) };
        match compacted.get_mut(place) {
            Some(rule) => rule.verbs.extend_from_slice(&atom.verbs),
            None => compacted.push(atom.clone()),
        }
    }
    compacted
}

/// `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`
fn describe(rule: &PolicyRule) -> String {
    let fields: Vec<String> = [
        ("APIGroups", list(&rule.api_groups)),
        ("Resources", list(&rule.resources)),
        ("NonResourceURLs", list(&rule.non_resource_urls)),
        ("ResourceNames", list(&rule.resource_names)),
        ("Verbs", &rule.verbs),
    ]
    .into_iter()
    .filter(|(_, values)| !values.is_empty())
    .map(|(name, values)| format!("{name}:{}", quote_list(values)))
    .collect();
    format!("{{{}}}", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::rbac::v1::{ClusterRole, ClusterRoleBinding, RoleRef, Subject},
        apimachinery::pkg::apis::meta::v1::ObjectMeta,
    };

    use super::*;
    use crate::rbac::World;

    #[test]
    fn grants_what_is_held_and_tells_why_not() {
        let named = |name: &str| ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() };
        let rule = |verb: &str| PolicyRule {
            api_groups: Some(vec![String::new()]),
            resources: Some(vec!["pods".into()]),
            verbs: vec![verb.into()],
            ..PolicyRule::default()
        };
        let mut world = World::default();
        world.apply(ClusterRole {
            metadata: named("r"),
            rules: Some(vec![rule("get")]),
            aggregation_rule: None,
        });
        for role in ["r", "gone"] {
            let subject = Subject { kind: "User".into(), name: "alice".into(), ..Subject::default() };
            world.apply(ClusterRoleBinding {
                metadata: named(role),
                role_ref: RoleRef { api_group: None, kind: "ClusterRole".into(), name: role.into() },
                subjects: Some(vec![subject]),
            });
        }
        let alice = User::new("alice", [""; 0]);
        let (held, errors) = world.rules_for(&alice, "ns");
        assert_eq!(uncovered(&held, &[rule("get")]), []);
        assert_eq!(
            refusal(&alice, &uncovered(&held, &[rule("get"), rule("list")]), &errors),
            "user \"alice\" (groups=[]) is attempting to grant RBAC permissions not currently held:\n\
             {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\"]}; \
             resolution errors: [clusterrole.rbac.authorization.k8s.io \"gone\" not found]"
        );
    }
}
