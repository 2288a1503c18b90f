//! RBAC read off the page: no index, no memory, every binding walked for every question. What the
//! engine is compared with, so it shares no code with it.

use std::collections::BTreeSet;

use authz::rbac::{Kind, RbacObject};
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};
use types::{Attributes, User};

use super::Mutant;

/// All objects, in a plain list, read rightly or with one mistake.
#[derive(Clone, Default)]
pub(crate) struct Naive {
    objects: Vec<RbacObject>,
    mutant: Option<Mutant>,
}

/// What the engine may say.
#[derive(Debug, PartialEq)]
pub(crate) enum Expected {
    /// Allow, for any of these reasons.
    Allow(BTreeSet<String>),
    /// No opinion, because of all of these errors.
    NoOpinion(BTreeSet<String>),
}

impl Naive {
    pub(crate) fn new(mutant: Option<Mutant>) -> Self {
        Self { objects: Vec::new(), mutant }
    }

    fn makes(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn apply(&mut self, object: RbacObject) {
        let (kind, namespace, name) = identity(&object);
        let is_there =
            self.objects.iter().any(|known| identity(known) == (kind, namespace.clone(), name.clone()));
        let is_role = matches!(kind, Kind::Role | Kind::ClusterRole);
        let is_referred_to = || {
            self.objects
                .iter()
                .filter_map(role_of)
                .any(|role| role.kind == kind.as_str() && role.name == name)
        };
        let goes_unnoticed = match self.mutant {
            Some(Mutant::ReplacedBindingStays) => is_there && !is_role,
            Some(Mutant::ReplacedRoleStays) => is_there && is_role,
            Some(Mutant::LateRoleUnnoticed) => !is_there && is_role && is_referred_to(),
            _ => false,
        };
        if !goes_unnoticed {
            self.take_out(kind, &namespace, &name);
            self.objects.push(object);
        }
    }

    pub(crate) fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        let stays = match kind {
            Kind::Role | Kind::ClusterRole => self.makes(Mutant::RemovedRoleStays),
            Kind::RoleBinding | Kind::ClusterRoleBinding => self.makes(Mutant::RemovedBindingStays),
        };
        if !stays {
            self.take_out(kind, namespace, name);
        }
    }

    fn take_out(&mut self, kind: Kind, namespace: &str, name: &str) {
        self.objects.retain(|object| identity(object) != (kind, namespace.to_owned(), name.to_owned()));
    }

    pub(crate) fn of(&self, kind: Kind) -> Vec<RbacObject> {
        self.objects.iter().filter(|object| identity(object).0 == kind).cloned().collect()
    }

    pub(crate) fn decide(&self, at: &Attributes<'_>) -> Expected {
        let mut errors = BTreeSet::new();
        for scope in ["", at.namespace] {
            let mut reasons = BTreeSet::new();
            for (description, rules) in self.grants(at.user, scope) {
                match rules {
                    Ok(rules) if self.any_allows(&rules, at) => {
                        reasons.insert(format!("RBAC: allowed by {description}"));
                    }
                    Ok(_) => {}
                    Err(_) if self.makes(Mutant::MissingRoleIsSilent) => {}
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

    pub(crate) fn rules_for(&self, user: &User, namespace: &str) -> (Vec<PolicyRule>, Vec<String>) {
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
        for object in &self.objects {
            let (kind, namespace, name) = identity(object);
            let (role, subjects, called) = match object {
                RbacObject::ClusterRoleBinding(b) if scope.is_empty() => (&b.role_ref, &b.subjects, name),
                RbacObject::RoleBinding(b)
                    if !scope.is_empty()
                        && (namespace == scope || self.makes(Mutant::BindingNamespaceDropped)) =>
                {
                    (&b.role_ref, &b.subjects, format!("{name}/{namespace}"))
                }
                _ => continue,
            };
            let most = if self.makes(Mutant::FirstSubjectOnly) { 1 } else { usize::MAX };
            let subjects = subjects.iter().flatten().take(most);
            let mut called_as = subjects.filter_map(|subject| self.means(subject, user, scope));
            let subject = match self.makes(Mutant::LastSubjectNamed) {
                true => called_as.last(),
                false => called_as.next(),
            };
            if let Some(subject) = subject {
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
        let is_kind = |kind: &str| role.kind == kind || self.makes(Mutant::RoleKindDropped);
        let found = |object: &&RbacObject| match object {
            RbacObject::Role(r) => {
                is_kind("Role")
                    && (!scope.is_empty() || self.makes(Mutant::RoleForTheCluster))
                    && r.metadata.name.as_ref() == Some(name)
                    && (r.metadata.namespace.as_deref() == Some(scope)
                        || self.makes(Mutant::RoleNamespaceDropped)
                        || scope.is_empty())
            }
            RbacObject::ClusterRole(r) => is_kind("ClusterRole") && r.metadata.name.as_ref() == Some(name),
            _ => false,
        };
        match (role.kind.as_str(), self.objects.iter().find(found)) {
            (_, Some(RbacObject::Role(r))) => Ok(r.rules.clone().unwrap_or_default()),
            (_, Some(RbacObject::ClusterRole(r))) => Ok(r.rules.clone().unwrap_or_default()),
            ("Role", _) => Err(format!("role.rbac.authorization.k8s.io \"{name}\" not found")),
            ("ClusterRole", _) => Err(format!("clusterrole.rbac.authorization.k8s.io \"{name}\" not found")),
            (kind, _) => Err(format!("unsupported role reference kind: \"{kind}\"")),
        }
    }

    /// How the reason calls the subject, if it means `user`.
    fn means(&self, subject: &Subject, user: &User, scope: &str) -> Option<String> {
        let name = &subject.name;
        let groups = if self.makes(Mutant::FirstGroupOnly) { 1 } else { usize::MAX };
        let is_user = user.name == *name;
        let is_group = user.groups.iter().take(groups).any(|group| group == name);
        let (means, called) = match subject.kind.as_str() {
            "User" => (is_user, format!("User \"{name}\"")),
            "Group" => (is_group, format!("Group \"{name}\"")),
            "ServiceAccount" => {
                let own = subject.namespace.clone().unwrap_or_default();
                let required = self.makes(Mutant::AccountNamespaceRequired);
                let namespace = if own.is_empty() && !required { scope.to_owned() } else { own };
                let username = format!("system:serviceaccount:{namespace}:{name}");
                let means = match self.makes(Mutant::AccountNamespaceDropped) {
                    true => user.name.starts_with("system:") && user.name.ends_with(&format!(":{name}")),
                    false => !namespace.is_empty() && user.name == username,
                };
                (means, format!("ServiceAccount \"{name}/{namespace}\""))
            }
            _ => return None,
        };
        let means = means
            || self.makes(Mutant::StarSubject) && name == "*"
            || self.makes(Mutant::SubjectKindDropped) && (is_user || is_group);
        means.then_some(called)
    }

    fn any_allows(&self, rules: &[PolicyRule], at: &Attributes<'_>) -> bool {
        let most = if self.makes(Mutant::FirstRuleOnly) { 1 } else { usize::MAX };
        rules.iter().take(most).any(|rule| self.allows(rule, at))
    }

    fn allows(&self, rule: &PolicyRule, at: &Attributes<'_>) -> bool {
        let member =
            |list: &Option<Vec<String>>, text: &str| list.iter().flatten().any(|member| member == text);
        let star_verb = !self.makes(Mutant::StarVerbIsPlain);
        let verb = rule.verbs.iter().any(|verb| verb == at.verb || verb == "*" && star_verb);
        let names = || rule.resource_names.iter().flatten();
        let any_name = names().next().is_none()
            || names().any(|name| name == "*") && self.makes(Mutant::StarInResourceNames)
            || names().any(|name| name.is_empty()) && self.makes(Mutant::EmptyResourceName)
            || at.name.is_empty() && self.makes(Mutant::NamelessRequests);
        if !at.resource_request {
            let url = rule.non_resource_urls.iter().flatten().any(|url| self.covers_path(url, at.path))
                || self.makes(Mutant::ResourcesCoverPaths) && member(&rule.resources, "*");
            let name = any_name || !self.makes(Mutant::ResourceNamesLimitPaths);
            return verb && url && name;
        }
        let group = member(&rule.api_groups, at.api_group)
            || member(&rule.api_groups, "*")
            || self.makes(Mutant::ApiGroupDropped);
        let resource = if at.subresource.is_empty() {
            member(&rule.resources, at.resource) || member(&rule.resources, "*")
        } else {
            member(&rule.resources, &format!("{}/{}", at.resource, at.subresource))
                || member(&rule.resources, &format!("*/{}", at.subresource))
                    && !self.makes(Mutant::StarSlashIsPlain)
                || member(&rule.resources, "*") && !self.makes(Mutant::StarWithoutSubresources)
                || member(&rule.resources, &format!("{}/*", at.resource))
                    && self.makes(Mutant::SubresourceStar)
                || member(&rule.resources, at.resource) && self.makes(Mutant::ResourceCoversSubresources)
        };
        verb && group && resource && (any_name || member(&rule.resource_names, at.name))
    }

    fn covers_path(&self, url: &str, path: &str) -> bool {
        let prefix = match (url.strip_suffix('*'), self.mutant) {
            (Some(rest), Some(Mutant::OneStarDropped)) => Some(rest),
            (Some(rest), Some(Mutant::PrefixWithoutSlash)) => Some(rest.trim_end_matches(['*', '/'])),
            (Some(rest), _) => Some(rest.trim_end_matches('*')),
            (None, _) => None,
        };
        let inside = || url.split_once('*').filter(|_| self.makes(Mutant::StarInsidePath));
        url == path
            || prefix.is_some_and(|prefix| path.starts_with(prefix))
            || inside().is_some_and(|(start, end)| path.starts_with(start) && path.ends_with(end))
    }
}

fn role_of(object: &RbacObject) -> Option<&RoleRef> {
    match object {
        RbacObject::RoleBinding(binding) => Some(&binding.role_ref),
        RbacObject::ClusterRoleBinding(binding) => Some(&binding.role_ref),
        RbacObject::Role(_) | RbacObject::ClusterRole(_) => None,
    }
}

/// Kind, namespace and name.
pub(crate) fn identity(object: &RbacObject) -> (Kind, String, String) {
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
