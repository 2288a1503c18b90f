//! Roles and bindings as the authorizer keeps them.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef, Subject};
use types::{User, quote, username};

use super::role_set::RoleNumber;

/// A kind of RBAC object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Rules for one namespace.
    Role,
    /// Rules for the cluster, or for any namespace that a RoleBinding lends them to.
    ClusterRole,
    /// Grants a role in its own namespace.
    RoleBinding,
    /// Grants a role in every namespace and outside of them.
    ClusterRoleBinding,
}

impl Kind {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Role, Self::ClusterRole, Self::RoleBinding, Self::ClusterRoleBinding];

    /// As `kind` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::ClusterRole => "ClusterRole",
            Self::RoleBinding => "RoleBinding",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
        }
    }

    /// Whether objects of the kind live in a namespace.
    pub const fn is_namespaced(self) -> bool {
        matches!(self, Self::Role | Self::RoleBinding)
    }
}

/// Any of the four, as the API spells them; `kind` says which.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(tag = "kind")]
pub enum RbacObject {
    /// `Role`
    Role(Role),
    /// `ClusterRole`
    ClusterRole(ClusterRole),
    /// `RoleBinding`
    RoleBinding(RoleBinding),
    /// `ClusterRoleBinding`
    ClusterRoleBinding(ClusterRoleBinding),
}

macro_rules! from_api {
    ($($kind:ident),*) => {
        $(impl From<$kind> for RbacObject {
            fn from(object: $kind) -> Self {
                Self::$kind(object)
            }
        })*
    };
}
from_api!(Role, ClusterRole, RoleBinding, ClusterRoleBinding);

impl RbacObject {
    /// What tells the object from all others. A namespace that a cluster-wide object is given is ignored.
    pub(super) fn key(&self) -> Key {
        let (kind, metadata) = match self {
            Self::Role(o) => (Kind::Role, &o.metadata),
            Self::ClusterRole(o) => (Kind::ClusterRole, &o.metadata),
            Self::RoleBinding(o) => (Kind::RoleBinding, &o.metadata),
            Self::ClusterRoleBinding(o) => (Kind::ClusterRoleBinding, &o.metadata),
        };
        let namespace = metadata.namespace.as_deref().filter(|_| kind.is_namespaced()).unwrap_or_default();
        Key { kind, namespace: namespace.into(), name: metadata.name.as_deref().unwrap_or_default().into() }
    }
}

/// Where an object is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Kind,
    /// Empty for cluster-wide kinds.
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
}

impl Key {
    pub(super) fn as_ref(&self) -> KeyRef<'_> {
        KeyRef { kind: self.kind, namespace: &self.namespace, name: &self.name }
    }
}

/// A [`Key`] to look up with.
#[derive(Clone, Copy, Hash)]
pub(super) struct KeyRef<'a> {
    pub(super) kind: Kind,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

impl KeyRef<'_> {
    pub(super) fn to_owned(self) -> Key {
        Key { kind: self.kind, namespace: self.namespace.into(), name: self.name.into() }
    }
}

impl hashbrown::Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        (self.kind, self.namespace, self.name) == (key.kind, &*key.namespace, &*key.name)
    }
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Debug)]
pub struct Binding {
    pub(super) key: Key,
    pub(super) role: RoleRef,
    pub(super) subjects: Vec<Subject>,
}

/// Whom a subject means: every subject is in the end a user's name or a group's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    User,
    Group,
}

/// Somebody in a namespace (or, where it is empty, in the whole cluster).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ScopedHolder {
    pub(super) scope: Box<str>,
    pub(super) holder: Holder,
    pub(super) name: Box<str>,
}

#[derive(Clone, Copy, Hash)]
pub(super) struct ScopedHolderRef<'a> {
    pub(super) scope: &'a str,
    pub(super) holder: Holder,
    pub(super) name: &'a str,
}

impl hashbrown::Equivalent<ScopedHolder> for ScopedHolderRef<'_> {
    fn equivalent(&self, known: &ScopedHolder) -> bool {
        (self.scope, self.holder, self.name) == (&*known.scope, known.holder, &*known.name)
    }
}

/// A role as far as it is bound in a namespace (or, where it is empty, in the whole cluster).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ScopedRole {
    pub(super) scope: Box<str>,
    pub(super) role: RoleNumber,
}

#[derive(Clone, Copy, Hash)]
pub(super) struct ScopedRoleRef<'a> {
    pub(super) scope: &'a str,
    pub(super) role: RoleNumber,
}

impl hashbrown::Equivalent<ScopedRole> for ScopedRoleRef<'_> {
    fn equivalent(&self, known: &ScopedRole) -> bool {
        (self.scope, self.role) == (&*known.scope, known.role)
    }
}

impl Binding {
    /// [`Kind::RoleBinding`] or [`Kind::ClusterRoleBinding`].
    pub fn kind(&self) -> Kind {
        self.key.kind
    }

    /// Empty for a ClusterRoleBinding.
    pub fn namespace(&self) -> &str {
        &self.key.namespace
    }

    /// `metadata.name`
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// What is granted.
    pub fn role_ref(&self) -> &RoleRef {
        &self.role
    }

    /// To whom, in the order of the object.
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// Everybody whom the binding grants to, each once, with the first subject that means them.
    pub(super) fn scoped_holders(&self) -> Vec<(ScopedHolder, u32)> {
        let Some(scope) = self.scope() else { return Vec::new() };
        let mut scoped_holders = Vec::with_capacity(self.subjects.len());
        let mut seen = hashbrown::HashSet::with_capacity(self.subjects.len());
        for (subject, meant) in (0_u32..).zip(self.holders()) {
            let Some((holder, name)) = meant else { continue };
            let holder_key = ScopedHolder { scope: scope.into(), holder, name: name.into() };
            if seen.insert(holder_key.clone()) {
                scoped_holders.push((holder_key, subject));
            }
        }
        scoped_holders
    }

    /// The first of its subjects that means `user`.
    pub(super) fn subject_of(&self, user: &User) -> Option<u32> {
        let means = |(_, subject): &(u32, &Subject)| match subject.kind.as_str() {
            "User" => subject.name == user.name,
            "Group" => user.in_group(&subject.name),
            "ServiceAccount" => {
                let namespace = self.service_account_namespace(subject);
                let rest = user.name.strip_prefix(username::SERVICE_ACCOUNT_PREFIX);
                let rest = rest.and_then(|rest| rest.strip_prefix(namespace)?.strip_prefix(':'));
                !namespace.is_empty() && rest == Some(&*subject.name)
            }
            _ => false,
        };
        (0..).zip(&self.subjects).find(means).map(|(place, _)| place)
    }

    /// Where the role that is granted would be. `None` if the binding cannot refer to any.
    // UPSTREAM: the apiGroup of a roleRef is not looked at; a ClusterRoleBinding's Role is looked for
    // outside of all namespaces, where there is none (kube-apiserver 1.36)
    pub(super) fn role_key(&self) -> Option<KeyRef<'_>> {
        let name = self.role.name.as_str();
        match self.role.kind.as_str() {
            "Role" if !self.key.namespace.is_empty() => {
                Some(KeyRef { kind: Kind::Role, namespace: &self.key.namespace, name })
            }
            "ClusterRole" => Some(KeyRef { kind: Kind::ClusterRole, namespace: "", name }),
            _ => None,
        }
    }

    /// The namespace that the binding grants in; empty for the whole cluster. `None` for a RoleBinding
    /// without a namespace, which cannot exist in a cluster and grants nothing.
    pub(super) fn scope(&self) -> Option<&str> {
        match self.key.kind {
            Kind::RoleBinding if self.key.namespace.is_empty() => None,
            _ => Some(&self.key.namespace),
        }
    }

    /// Whom each subject means, in their order.
    // UPSTREAM: only kind and name (and namespace) of a subject count, not its apiGroup (kube-apiserver 1.36)
    pub(super) fn holders(&self) -> impl Iterator<Item = Option<(Holder, String)>> {
        self.subjects.iter().map(|subject| match subject.kind.as_str() {
            "User" => Some((Holder::User, subject.name.clone())),
            "Group" => Some((Holder::Group, subject.name.clone())),
            // A service account that belongs to no namespace is nobody.
            "ServiceAccount" => {
                Some(self.service_account_namespace(subject)).filter(|namespace| !namespace.is_empty()).map(
                    |ns| (Holder::User, format!("{}{ns}:{}", username::SERVICE_ACCOUNT_PREFIX, subject.name)),
                )
            }
            _ => None,
        })
    }

    /// As a reason names the binding and one of its subjects:
    /// `ClusterRoleBinding "b" of ClusterRole "r" to User "alice"`
    pub fn describe(&self, subject: usize) -> String {
        let name = match self.key.kind {
            Kind::RoleBinding => quote(&format!("{}/{}", self.key.name, self.key.namespace)),
            _ => quote(&self.key.name),
        };
        let subject = self.subjects.get(subject).map(|subject| match subject.kind.as_str() {
            "ServiceAccount" => {
                let namespace = self.service_account_namespace(subject);
                format!("ServiceAccount {}", quote(&format!("{}/{namespace}", subject.name)))
            }
            kind => format!("{kind} {}", quote(&subject.name)),
        });
        let role = quote(&self.role.name);
        format!(
            "{} {name} of {} {role} to {}",
            self.key.kind.as_str(),
            self.role.kind,
            subject.unwrap_or_default()
        )
    }

    /// A service account without namespace is one of the binding's own.
    pub(super) fn service_account_namespace<'a>(&'a self, subject: &'a Subject) -> &'a str {
        subject.namespace.as_deref().filter(|ns| !ns.is_empty()).unwrap_or(&self.key.namespace)
    }
}
