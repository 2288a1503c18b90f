//! Worlds to decide in.

use std::sync::Arc;

use authz::rbac::{Rbac, RbacObject, World};
use k8s_openapi::{
    api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleBinding, RoleRef, Subject},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use types::{Attributes, User, selector::Selectors};

/// Groups of the user that has many.
pub(crate) const MANY: usize = 200;

/// Rules of the role that has many.
const RULES: usize = 1000;

static NONE: Selectors = Selectors::NONE;

/// How bindings are spread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Half grant in the cluster to one of 1,000 groups, half in one of 100 namespaces to a user; ten
    /// bindings to each role.
    Spread,
    /// All grant in the cluster to one of 200 groups, each a role of its own: whoever is in the groups
    /// holds everything there is.
    Dense,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    Plain,
    ManyGroups,
}

impl Asker {
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::ManyGroups];

    /// As tables say it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "few",
            Self::ManyGroups => "200",
        }
    }

    /// Someone of this sort whom nobody has met under this number.
    pub(crate) fn user(self, number: usize) -> User {
        match self {
            Self::Plain => User::new(format!("u{number}"), ["g1", "system:authenticated"]),
            Self::ManyGroups => User::new(format!("m{number}"), (0..MANY).map(|group| format!("g{group}"))),
        }
    }
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A binding of the cluster allows it.
    Allow,
    /// Nobody may.
    NoOpinion,
    /// Nobody may, but many may something of the sort, under other names.
    OtherName,
}

impl Asked {
    pub(crate) const ALL: [Self; 3] = [Self::Allow, Self::NoOpinion, Self::OtherName];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::NoOpinion => "no opinion",
            Self::OtherName => "no opinion, name",
        }
    }

    pub(crate) fn by(self, user: &User) -> Attributes<'_> {
        let (verb, resource) = match self {
            Self::Allow => ("get", "thing1"),
            Self::NoOpinion => ("delete", "thing1"),
            Self::OtherName => ("update", "limited"),
        };
        Attributes {
            user,
            verb,
            resource_request: true,
            namespace: "ns1",
            api_group: "bench.example.com",
            api_version: "v1",
            resource,
            subresource: "",
            name: "name0x",
            path: "",
            selectors: &NONE,
        }
    }
}

pub(crate) fn rbac(bindings: usize, shape: Shape) -> Rbac {
    Rbac::new(world(bindings, shape))
}

fn world(bindings: usize, shape: Shape) -> World {
    let mut world = World::default();
    let roles = if shape == Shape::Dense { bindings } else { bindings.div_ceil(10) };
    (0..roles).for_each(|number| world.apply(role(number)));
    (0..bindings).for_each(|number| world.apply(binding(number, roles, shape)));
    // One role of many rules, held by everybody.
    let rules = (0..RULES).map(|rule| self::rule(&["get", "create"], &format!("long{rule}"), None)).collect();
    world.apply(ClusterRole { metadata: metadata("long", ""), rules: Some(rules), aggregation_rule: None });
    world.apply(cluster_role_binding("long", "long", subject("Group", "g1")));
    world
}

fn role(number: usize) -> RbacObject {
    let rules = vec![
        rule(&["get", "list", "watch"], &format!("thing{number}"), None),
        rule(&["get", "update"], "limited", Some(format!("name{number}"))),
    ];
    let metadata = metadata(&format!("role{number}"), "");
    ClusterRole { metadata, rules: Some(rules), aggregation_rule: None }.into()
}

fn rule(verbs: &[&str], resource: &str, name: Option<String>) -> PolicyRule {
    PolicyRule {
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        api_groups: Some(vec!["bench.example.com".to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        resource_names: name.map(|name| vec![name]),
        non_resource_urls: None,
    }
}

/// The binding of that number; the first ones grant to everybody who asks.
fn binding(number: usize, roles: usize, shape: Shape) -> RbacObject {
    let (name, role) = (format!("binding{number}"), format!("role{}", number % roles));
    match shape {
        Shape::Dense => cluster_role_binding(&name, &role, subject("Group", &format!("g{}", number % MANY))),
        Shape::Spread if number % 2 == 1 => {
            cluster_role_binding(&name, &role, subject("Group", &format!("g{}", number % 1000)))
        }
        Shape::Spread => RoleBinding {
            metadata: metadata(&name, &format!("ns{}", number / 2 % 100)),
            role_ref: role_ref(&role),
            subjects: Some(vec![subject("User", &format!("u{number}"))]),
        }
        .into(),
    }
}

/// A binding that comes and goes: the same object with another subject each time.
pub(crate) fn changed_binding(number: usize, group: &str) -> RbacObject {
    cluster_role_binding(&format!("changed{}", number % 2), "role1", subject("Group", group))
}

fn cluster_role_binding(name: &str, role: &str, subject: Subject) -> RbacObject {
    ClusterRoleBinding {
        metadata: metadata(name, ""),
        role_ref: role_ref(role),
        subjects: Some(vec![subject]),
    }
    .into()
}

fn metadata(name: &str, namespace: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
        ..ObjectMeta::default()
    }
}

fn role_ref(role: &str) -> RoleRef {
    RoleRef { api_group: None, kind: "ClusterRole".to_owned(), name: role.to_owned() }
}

fn subject(kind: &str, name: &str) -> Subject {
    Subject { api_group: None, kind: kind.to_owned(), name: name.to_owned(), namespace: None }
}

/// A role and its binding, by which `user` may act as anybody.
pub(crate) fn may_impersonate(user: &str) -> [RbacObject; 2] {
    let rule = PolicyRule {
        verbs: vec!["impersonate".to_owned()],
        api_groups: Some(vec![String::new()]),
        resources: Some(["users", "groups", "serviceaccounts"].map(str::to_owned).to_vec()),
        ..PolicyRule::default()
    };
    let metadata = metadata("impersonator", "");
    let role = ClusterRole { metadata, rules: Some(vec![rule]), aggregation_rule: None };
    [role.into(), cluster_role_binding("impersonator", "impersonator", subject("User", user))]
}

/// A user whom `rbac` knows by its `Arc`, as the gate introduces those of connections and tokens.
pub(crate) fn introduced(rbac: &Rbac, user: User) -> Arc<User> {
    let user = Arc::new(user);
    rbac.introduce(&user);
    user
}
