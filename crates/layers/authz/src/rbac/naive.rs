//! RBAC read off the page: no index, no memory, every binding walked for every question. What the
//! engine is compared with, so it shares no code with it.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};
use types::{Attributes, User};

use super::{Kind, RbacObject};

/// All objects, in a plain list.
#[derive(Clone, Default)]
pub(super) struct Naive(Vec<RbacObject>);

/// What the engine may say.
#[derive(Debug, PartialEq)]
pub(super) enum Expected {
    /// Allow, for any of these reasons.
    Allow(BTreeSet<String>),
    /// No opinion, because of all of these errors.
    NoOpinion(BTreeSet<String>),
}

impl Naive {
    pub(super) fn apply(&mut self, object: RbacObject) {
        let (kind, namespace, name) = identity(&object);
        self.remove(kind, &namespace, &name);
        self.0.push(object);
    }

    pub(super) fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        self.0.retain(|object| identity(object) != (kind, namespace.to_owned(), name.to_owned()));
    }

    pub(super) fn of(&self, kind: Kind) -> Vec<RbacObject> {
        self.0.iter().filter(|object| identity(object).0 == kind).cloned().collect()
    }

    pub(super) fn decide(&self, at: &Attributes<'_>) -> Expected {
        let mut errors = BTreeSet::new();
        for scope in ["", at.namespace] {
            let mut reasons = BTreeSet::new();
            for (description, rules) in self.grants(at.user, scope) {
                match rules {
                    Ok(rules) if rules.iter().any(|rule| allows(rule, at)) => {
                        reasons.insert(format!("RBAC: allowed by {description}"));
                    }
                    Ok(_) => {}
                    Err(error) => drop(errors.insert(error)),
                }
            }
            if !reasons.is_empty() {
                return Expected::Allow(reasons);
            }
            if at.namespace.is_empty() {
                break;
            }
        }
        Expected::NoOpinion(errors)
    }

    pub(super) fn rules_for(&self, user: &User, namespace: &str) -> (Vec<PolicyRule>, Vec<String>) {
        let mut grants = self.grants(user, "");
        if !namespace.is_empty() {
            grants.extend(self.grants(user, namespace));
        }
        let (mut all, mut errors) = (Vec::new(), Vec::new());
        for (_, rules) in grants {
            match rules {
                Ok(rules) => all.extend(rules),
                Err(error) => errors.push(error),
            }
        }
        (all, errors)
    }

    /// Every binding of a scope that applies to `user`: how it is called, and what it grants.
    fn grants(&self, user: &User, scope: &str) -> Vec<(String, Result<Vec<PolicyRule>, String>)> {
        let mut grants = Vec::new();
        for object in &self.0 {
            let (kind, namespace, name) = identity(object);
            let (role, subjects, called) = match object {
                RbacObject::ClusterRoleBinding(b) if scope.is_empty() => (&b.role_ref, &b.subjects, name),
                RbacObject::RoleBinding(b) if !scope.is_empty() && namespace == scope => {
                    (&b.role_ref, &b.subjects, format!("{name}/{namespace}"))
                }
                _ => continue,
            };
            let subjects = subjects.iter().flatten();
            if let Some(subject) = subjects.filter_map(|subject| means(subject, user, scope)).next() {
                let (role_kind, role_name) = (&role.kind, &role.name);
                let description =
                    format!("{} \"{called}\" of {role_kind} \"{role_name}\" to {subject}", kind.as_str());
                grants.push((description, self.rules(role, scope)));
            }
        }
        grants
    }

    fn rules(&self, role: &RoleRef, scope: &str) -> Result<Vec<PolicyRule>, String> {
        let name = &role.name;
        let found = |object: &&RbacObject| match object {
            RbacObject::Role(r) => {
                role.kind == "Role"
                    && !scope.is_empty()
                    && r.metadata.name.as_ref() == Some(name)
                    && r.metadata.namespace.as_deref() == Some(scope)
            }
            RbacObject::ClusterRole(r) => {
                role.kind == "ClusterRole" && r.metadata.name.as_ref() == Some(name)
            }
            _ => false,
        };
        match (role.kind.as_str(), self.0.iter().find(found)) {
            (_, Some(RbacObject::Role(r))) => Ok(r.rules.clone().unwrap_or_default()),
            (_, Some(RbacObject::ClusterRole(r))) => Ok(r.rules.clone().unwrap_or_default()),
            ("Role", _) => Err(format!("role.rbac.authorization.k8s.io \"{name}\" not found")),
            ("ClusterRole", _) => Err(format!("clusterrole.rbac.authorization.k8s.io \"{name}\" not found")),
            (kind, _) => Err(format!("unsupported role reference kind: \"{kind}\"")),
        }
    }
}

pub(super) fn identity(object: &RbacObject) -> (Kind, String, String) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match object {
        RbacObject::Role(o) => (Kind::Role, text(&o.metadata.namespace), text(&o.metadata.name)),
        RbacObject::ClusterRole(o) => (Kind::ClusterRole, String::new(), text(&o.metadata.name)),
        RbacObject::RoleBinding(o) => {
            (Kind::RoleBinding, text(&o.metadata.namespace), text(&o.metadata.name))
        }
        RbacObject::ClusterRoleBinding(o) => {
            (Kind::ClusterRoleBinding, String::new(), text(&o.metadata.name))
        }
    }
}

/// How the reason calls the subject, if it means `user`.
fn means(subject: &Subject, user: &User, scope: &str) -> Option<String> {
    let name = &subject.name;
    let (means, called) = match subject.kind.as_str() {
        "User" => (user.name == *name, format!("User \"{name}\"")),
        "Group" => (user.groups.contains(name), format!("Group \"{name}\"")),
        "ServiceAccount" => {
            let own = subject.namespace.clone().unwrap_or_default();
            let namespace = if own.is_empty() { scope.to_owned() } else { own };
            let username = format!("system:serviceaccount:{namespace}:{name}");
            (!namespace.is_empty() && user.name == username, format!("ServiceAccount \"{name}/{namespace}\""))
        }
        _ => (false, String::new()),
    };
    means.then_some(called)
}

fn allows(rule: &PolicyRule, at: &Attributes<'_>) -> bool {
    let member = |list: &Option<Vec<String>>, text: &str| list.iter().flatten().any(|member| member == text);
    let verb = rule.verbs.iter().any(|verb| verb == at.verb || verb == "*");
    if !at.resource_request {
        let url = rule.non_resource_urls.iter().flatten().any(|url| match url.ends_with('*') {
            true => at.path.starts_with(url.trim_end_matches('*')),
            false => at.path == url,
        });
        return verb && url;
    }
    let group = member(&rule.api_groups, at.api_group) || member(&rule.api_groups, "*");
    let resource = if at.subresource.is_empty() {
        member(&rule.resources, at.resource) || member(&rule.resources, "*")
    } else {
        member(&rule.resources, &format!("{}/{}", at.resource, at.subresource))
            || member(&rule.resources, &format!("*/{}", at.subresource))
            || member(&rule.resources, "*")
    };
    let any_name = rule.resource_names.iter().flatten().next().is_none();
    verb && group && resource && (any_name || member(&rule.resource_names, at.name))
}
