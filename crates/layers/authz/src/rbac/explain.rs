//! Why: every grant there is, where a decision is content with the first.
//!
//! Nothing here is remembered, and nothing on the hot path comes here.

use k8s_openapi::api::rbac::v1::PolicyRule;
use types::{Attributes, Evidence, Grant, ObjectName, User, quote};

use super::{
    Kind, Snapshot, World,
    object::Binding,
    rule::{covers, list},
};

/// A binding as it stands in the cluster, and what it grants.
#[derive(Clone, Debug)]
pub struct Bound<'a> {
    /// The binding itself; a ClusterRoleBinding has no namespace and grants in all of them.
    pub binding: ObjectName,
    /// What its `roleRef` names, whether or not it is there.
    pub role: ObjectName,
    /// Those of its subjects that mean somebody, in their order: `User`, `Group` or `ServiceAccount`.
    pub subjects: Vec<ObjectName>,
    /// The rules of its role, or why there are none.
    pub rules: Result<&'a [PolicyRule], String>,
}

impl Snapshot {
    /// What RBAC went by: a [`Grant`] for every binding of the user that allows the request, then
    /// every binding that leads nowhere. One that allows is enough, so for the opposite all of the
    /// grants have to go.
    pub fn evidence(&self, at: &Attributes<'_>) -> Vec<Evidence> {
        let (mut grants, mut broken) = (Vec::new(), Vec::new());
        for bound in self.world().bound_for(at.user, at.namespace) {
            let Bound { binding, role, subjects, rules } = bound;
            match rules {
                Ok(rules) => {
                    let found = rules.iter().enumerate().find(|(_, rule)| allows(rule, at));
                    let subject = subjects.into_iter().next().unwrap_or_default();
                    grants.extend(found.map(|(rule, text)| {
                        Evidence::Grant(Grant { binding, role, subject, rule, rule_text: describe(text) })
                    }));
                }
                Err(error) => broken.push(Evidence::BrokenBinding { binding, error }),
            }
        }
        if grants.is_empty() {
            let rule = smallest(at);
            grants.push(Evidence::Lack { rule: describe(&rule), roles: self.world().roles_allowing(at) });
        }
        grants.append(&mut broken);
        grants
    }
}

/// The rule that allows this request and no other.
pub fn smallest(at: &Attributes<'_>) -> PolicyRule {
    let only = |text: &str| Some(vec![text.to_owned()]).filter(|_| !text.is_empty());
    let verbs = vec![at.verb.to_owned()];
    if !at.resource_request {
        return PolicyRule { verbs, non_resource_urls: only(at.path), ..PolicyRule::default() };
    }
    PolicyRule {
        verbs,
        api_groups: Some(vec![at.api_group.to_owned()]),
        resources: Some(vec![at.combined_resource().into_owned()]),
        resource_names: only(at.name),
        non_resource_urls: None,
    }
}

impl World {
    /// Every binding that grants somewhere, with what it grants: those of the cluster first, then by
    /// namespace and name.
    pub fn bound(&self) -> Vec<Bound<'_>> {
        let granting = self.bindings().filter(|binding| binding.scope().is_some());
        let mut bound: Vec<_> = granting.map(|binding| self.bound_by(binding, None)).collect();
        bound.sort_by(|a, b| {
            (&a.binding.namespace, &a.binding.name).cmp(&(&b.binding.namespace, &b.binding.name))
        });
        bound
    }

    /// The same for the bindings that count for `user` in `namespace` (empty: outside of all), each with
    /// the one subject that means the user; the cluster's first, each scope in the order of names.
    pub fn bound_for(&self, user: &User, namespace: &str) -> Vec<Bound<'_>> {
        let bindings = self.bindings_for(user, namespace).into_iter();
        bindings.map(|(binding, subject)| self.bound_by(binding, Some(subject))).collect()
    }

    /// The roles that would allow the request if somebody were bound to them where it is made: those of
    /// its namespace and those of the cluster, the narrowest first: those that need a `*` for it come
    /// last, those of the system's own parts before them, fewer rules before more.
    fn roles_allowing(&self, at: &Attributes<'_>) -> Vec<ObjectName> {
        let mut roles: Vec<_> = self
            .roles()
            .filter(|(kind, namespace, ..)| *kind == Kind::ClusterRole || *namespace == at.namespace)
            .filter_map(|(kind, namespace, name, rules)| {
                let mut allowing = rules.iter().filter(|rule| allows(rule, at)).peekable();
                allowing.peek()?;
                let wide = allowing.all(|rule| by_wildcard(rule, at));
                let role = ObjectName::new(kind.as_str(), namespace, name);
                Some((wide, name.starts_with("system:"), rules.len(), role))
            })
            .collect();
        roles.sort();
        roles.into_iter().map(|(.., role)| role).collect()
    }

    fn bound_by<'a>(&'a self, binding: &'a Binding, only: Option<usize>) -> Bound<'a> {
        let Binding { key, role, .. } = binding;
        let role_namespace = if role.kind == "Role" { &*key.namespace } else { "" };
        let subjects = binding.subjects.iter().zip(binding.holders()).enumerate();
        let subjects =
            subjects.filter(|(place, (_, holder))| holder.is_some() && only.is_none_or(|o| o == *place));
        Bound {
            binding: ObjectName::new(key.kind.as_str(), &*key.namespace, &*key.name),
            role: ObjectName::new(&*role.kind, role_namespace, &*role.name),
            subjects: subjects
                .map(|(_, (subject, _))| match subject.kind.as_str() {
                    "ServiceAccount" => ObjectName::new(
                        "ServiceAccount",
                        binding.service_account_namespace(subject),
                        &*subject.name,
                    ),
                    kind => ObjectName::new(kind, "", &*subject.name),
                })
                .collect(),
            rules: self.rules_of(binding),
        }
    }
}

/// Whether a rule allows a request, its name included.
pub fn allows(rule: &PolicyRule, at: &Attributes<'_>) -> bool {
    match names_covered(rule, at) {
        Some([]) => true,
        Some(names) => names.iter().any(|name| name == at.name),
        None => false,
    }
}

/// The names for which a rule allows a request whatever its own name is: none listed means all of
/// them. `None`: the rule is about something else.
// UPSTREAM: resourceNames limits resources only, never paths (kube-apiserver 1.36)
pub fn names_covered<'a>(rule: &'a PolicyRule, at: &Attributes<'_>) -> Option<&'a [String]> {
    let names = if at.resource_request { list(&rule.resource_names) } else { &[] };
    covers(rule, at).then_some(names)
}

/// Whether a rule that covers a request would not without its stars.
pub fn by_wildcard(rule: &PolicyRule, at: &Attributes<'_>) -> bool {
    let without = |list: &Option<Vec<String>>| {
        list.as_ref().map(|list| list.iter().filter(|text| !text.contains('*')).cloned().collect())
    };
    let plain = PolicyRule {
        verbs: rule.verbs.iter().filter(|verb| *verb != "*").cloned().collect(),
        api_groups: without(&rule.api_groups),
        resources: without(&rule.resources),
        non_resource_urls: without(&rule.non_resource_urls),
        resource_names: rule.resource_names.clone(),
    };
    names_covered(&plain, at).is_none()
}

/// The rule on one line, as YAML: `{apiGroups: [""], resources: ["pods"], verbs: ["get", "list"]}`.
pub fn describe(rule: &PolicyRule) -> String {
    let fields = [
        ("apiGroups", list(&rule.api_groups)),
        ("resources", list(&rule.resources)),
        ("resourceNames", list(&rule.resource_names)),
        ("nonResourceURLs", list(&rule.non_resource_urls)),
        ("verbs", &rule.verbs),
    ];
    let fields: Vec<String> = fields
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| {
            let values: Vec<String> = values.iter().map(|value| quote(value)).collect();
            format!("{name}: [{}]", values.join(", "))
        })
        .collect();
    format!("{{{}}}", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use types::selector::Selectors;

    use super::*;
    use crate::rbac::{Rbac, RbacObject};

    fn world() -> Rbac {
        let objects = json!([
            {"kind": "ClusterRole", "metadata": {"name": "view"}, "rules": [
                {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"], "verbs": ["get"]},
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
            ]},
            {"kind": "ClusterRoleBinding", "metadata": {"name": "all"},
             "roleRef": {"kind": "ClusterRole", "name": "view"},
             "subjects": [{"kind": "ServiceAccount", "name": "nobody"}, {"kind": "Group", "name": "dev"}]},
            {"kind": "ClusterRoleBinding", "metadata": {"name": "gone"},
             "roleRef": {"kind": "ClusterRole", "name": "gone"},
             "subjects": [{"kind": "User", "name": "alice"}]},
            {"kind": "Role", "metadata": {"name": "all-secrets", "namespace": "ns"}, "rules": [
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]},
            {"kind": "Role", "metadata": {"name": "all-secrets", "namespace": "other"}, "rules": [
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]},
            {"kind": "RoleBinding", "metadata": {"name": "here", "namespace": "ns"},
             "roleRef": {"kind": "ClusterRole", "name": "view"},
             "subjects": [{"kind": "ServiceAccount", "name": "sa"}, {"kind": "User", "name": "alice"}]},
        ]);
        let objects: Vec<RbacObject> = serde_json::from_value(objects).unwrap();
        let rbac = Rbac::default();
        objects.into_iter().for_each(|object| rbac.apply(object));
        rbac
    }

    #[test]
    fn names_every_grant_and_every_broken_binding() {
        let alice = User::new("alice", ["dev"]);
        let at = Attributes {
            user: &alice,
            verb: "list",
            resource_request: true,
            namespace: "ns",
            api_group: "",
            api_version: "v1",
            resource: "pods",
            subresource: "",
            name: "",
            path: "",
            selectors: &Selectors::NONE,
        };
        let say = |evidence: Vec<Evidence>| -> Vec<String> {
            let say = |evidence| match evidence {
                Evidence::Grant(g) => {
                    format!("{} of {} to {}: {} {}", g.binding, g.role, g.subject, g.rule, g.rule_text)
                }
                Evidence::BrokenBinding { binding, error } => format!("{binding}: {error}"),
                Evidence::Lack { rule, roles } => {
                    let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
                    format!("lacks {rule}: {}", roles.join(", "))
                }
                other => format!("{other:?}"),
            };
            evidence.into_iter().map(say).collect()
        };
        let snapshot = world().snapshot();
        let rule = r#"1 {apiGroups: [""], resources: ["pods"], verbs: ["get", "list"]}"#;
        let broken = r#"ClusterRoleBinding gone: clusterrole.rbac.authorization.k8s.io "gone" not found"#;
        assert_eq!(
            say(snapshot.evidence(&at)),
            [
                format!("ClusterRoleBinding all of ClusterRole view to Group dev: {rule}"),
                format!("RoleBinding ns/here of ClusterRole view to User alice: {rule}"),
                broken.to_owned(),
            ]
        );
        let lack = r#"lacks {apiGroups: [""], resources: ["secrets"], verbs: ["get"]}: Role ns/all-secrets"#;
        let secrets = Attributes { resource: "secrets", verb: "get", ..at };
        assert_eq!(say(snapshot.evidence(&secrets)), [lack, broken]);
        let path = Attributes { resource_request: false, verb: "get", path: "/x", ..at };
        let lack = r#"lacks {nonResourceURLs: ["/x"], verbs: ["get"]}: "#;
        assert_eq!(say(snapshot.evidence(&path)), [lack, broken]);
        let named = Attributes { resource: "secrets", verb: "get", name: "a", namespace: "", ..at };
        assert_eq!(say(snapshot.evidence(&named)).len(), 2);
    }

    #[test]
    fn lists_bindings_with_the_subjects_that_mean_somebody() {
        let snapshot = world().snapshot();
        let found: Vec<String> = snapshot
            .world()
            .bound()
            .iter()
            .map(|bound| {
                let subjects: Vec<String> = bound.subjects.iter().map(ToString::to_string).collect();
                format!("{} {}: {}", bound.binding, bound.rules.is_ok(), subjects.join(", "))
            })
            .collect();
        assert_eq!(
            found,
            [
                "ClusterRoleBinding all true: Group dev",
                "ClusterRoleBinding gone false: User alice",
                "RoleBinding ns/here true: ServiceAccount ns/sa, User alice",
            ]
        );
    }
}
