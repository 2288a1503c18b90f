//! Objects, changes and questions over alphabets so small that everything meets everything.

use std::sync::Arc;

use authz::rbac::{Kind, RbacObject};
use k8s_openapi::{
    api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use types::{Attributes, User, selector::Selectors};

use crate::Dice;

const NAMESPACES: &[&str] = &["", "ns1", "ns2"];
const USERS: &[&str] =
    &["alice", "bob", "dev", "", "*", "system:serviceaccount:ns1:sa", "system:serviceaccount:ns2:sa"];
const GROUPS: &[&str] = &["dev", "ops", "alice", "*", "system:authenticated"];
const VERBS: &[&str] = &["get", "list", "list", "*", ""];
const API_GROUPS: &[&str] = &["", "apps", "*"];
const RESOURCES: &[&str] = &["pods", "pods/log", "*", "*/log", "pods/*", "*/", "pods", "secrets"];
const SUBRESOURCES: &[&str] = &["", "", "", "log", "*"];
const NAMES: &[&str] = &["", "a", "b", "*"];
const URLS: &[&str] = &["/x", "/x/*", "/y*", "/y**", "/a*b", "*", "/x/z"];
const PATHS: &[&str] = &["/x", "/x/", "/x/z", "/y", "/yy", "/y*z", "/a*b", "/aab", ""];

impl Dice {
    fn one(&mut self, of: &[&'static str]) -> &'static str {
        of.get(self.roll(of.len())).copied().unwrap_or_default()
    }

    /// Mostly one to `most` of them, seldom none.
    fn some(&mut self, of: &[&'static str], most: usize) -> Vec<String> {
        let count = if self.roll(12) == 0 { 0 } else { 1 + self.roll(most) };
        (0..count).map(|_| self.one(of).to_owned()).collect()
    }

    fn list(&mut self, of: &[&'static str], most: usize) -> Option<Vec<String>> {
        Some(self.some(of, most)).filter(|list| !list.is_empty() || self.roll(2) == 0)
    }

    fn rule(&mut self) -> PolicyRule {
        PolicyRule {
            verbs: self.some(VERBS, 3),
            api_groups: self.list(API_GROUPS, 3),
            resources: self.list(RESOURCES, 3),
            resource_names: if self.roll(4) == 0 { self.list(NAMES, 2) } else { None },
            non_resource_urls: self.list(URLS, 2),
        }
    }

    fn rules(&mut self) -> Option<Vec<PolicyRule>> {
        (self.roll(16) > 0).then(|| (0..1 + self.roll(4)).map(|_| self.rule()).collect())
    }
}

/// How many names of each sort there are.
#[derive(Clone, Copy)]
pub(crate) struct Width {
    /// Users and groups besides the odd ones.
    strangers: usize,
    roles: usize,
    bindings: usize,
    /// Most subjects of a binding, and one more.
    subjects: usize,
}

impl Width {
    /// Few objects, so that each question meets all of them.
    pub(crate) const NARROW: Self = Self { strangers: 0, roles: 3, bindings: 5, subjects: 8 };
    /// So many that indexes have several pieces.
    pub(crate) const WIDE: Self = Self { strangers: 30, roles: 150, bindings: 1500, subjects: 3 };

    /// How many objects a world of this width begins with.
    pub(crate) fn at_first(self) -> usize {
        if self.strangers == 0 { 0 } else { 2 * self.bindings }
    }

    fn user_name(self, dice: &mut Dice) -> String {
        let number = dice.roll(USERS.len() + self.strangers);
        USERS.get(number).map_or_else(|| format!("u{number}"), |name| (*name).to_owned())
    }

    fn group(self, dice: &mut Dice) -> String {
        let number = dice.roll(GROUPS.len() + self.strangers);
        GROUPS.get(number).map_or_else(|| format!("g{number}"), |name| (*name).to_owned())
    }

    /// Somebody, with no to three groups, some of them twice.
    pub(crate) fn user(self, dice: &mut Dice) -> User {
        let count = if dice.roll(12) == 0 { 0 } else { 1 + dice.roll(3) };
        User::new(self.user_name(dice), (0..count).map(|_| self.group(dice)).collect::<Vec<_>>())
    }

    fn subject(self, dice: &mut Dice) -> Subject {
        let (kind, name) = match dice.roll(9) {
            0..2 => ("User", self.user_name(dice)),
            2..6 => ("Group", self.group(dice)),
            6..8 => ("ServiceAccount", "sa".to_owned()),
            _ => ("Robot", "alice".to_owned()),
        };
        let namespace = (dice.roll(2) == 0).then(|| dice.one(NAMESPACES).to_owned());
        Subject { api_group: None, kind: kind.into(), name, namespace }
    }

    fn role_ref(self, dice: &mut Dice) -> RoleRef {
        let kind =
            if dice.roll(16) == 0 { "Robot" } else { dice.one(&["Role", "ClusterRole", "ClusterRole"]) };
        RoleRef { api_group: None, kind: kind.into(), name: format!("r{}", dice.roll(self.roles)) }
    }

    /// Namespace and name of an object that is there, or could be.
    pub(crate) fn key(self, dice: &mut Dice, kind: Kind) -> (&'static str, String) {
        let namespace = if kind.is_namespaced() { dice.one(&["ns1", "ns1", "ns2", "ns2", ""]) } else { "" };
        let name = match kind {
            Kind::Role | Kind::ClusterRole => format!("r{}", dice.roll(self.roles)),
            Kind::RoleBinding | Kind::ClusterRoleBinding => format!("b{}", dice.roll(self.bindings)),
        };
        (namespace, name)
    }

    pub(crate) fn object(self, dice: &mut Dice, kind: Kind) -> RbacObject {
        let (namespace, name) = self.key(dice, kind);
        let metadata = ObjectMeta {
            name: Some(name),
            namespace: Some(namespace.into()).filter(|_| kind.is_namespaced()),
            ..ObjectMeta::default()
        };
        let mut subjects = || Some((0..dice.roll(self.subjects)).map(|_| self.subject(dice)).collect());
        match kind {
            Kind::Role => Role { metadata, rules: dice.rules() }.into(),
            Kind::ClusterRole => ClusterRole { metadata, rules: dice.rules(), aggregation_rule: None }.into(),
            Kind::RoleBinding => {
                RoleBinding { metadata, subjects: subjects(), role_ref: self.role_ref(dice) }.into()
            }
            Kind::ClusterRoleBinding => {
                ClusterRoleBinding { metadata, subjects: subjects(), role_ref: self.role_ref(dice) }.into()
            }
        }
    }
}

/// A question, to be asked again when the world has changed.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) user: Arc<User>,
    verb: &'static str,
    resource_request: bool,
    namespace: &'static str,
    api_group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    name: &'static str,
    path: &'static str,
    selectors: Selectors,
}

impl Question {
    pub(crate) fn roll(dice: &mut Dice, user: Arc<User>) -> Self {
        Self {
            user,
            verb: dice.one(&["get", "list", "list", ""]),
            resource_request: dice.roll(4) > 0,
            namespace: dice.one(NAMESPACES),
            api_group: dice.one(&["", "apps"]),
            resource: dice.one(&["pods", "pods", "pods", "pods/log", "secrets", "*"]),
            subresource: dice.one(SUBRESOURCES),
            name: dice.one(NAMES),
            path: dice.one(PATHS),
            selectors: Selectors::NONE,
        }
    }

    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes {
            user: &self.user,
            verb: self.verb,
            resource_request: self.resource_request,
            namespace: self.namespace,
            api_group: self.api_group,
            api_version: "v1",
            resource: self.resource,
            subresource: self.subresource,
            name: self.name,
            path: self.path,
            selectors: &self.selectors,
        }
    }
}
