//! The roles and bindings of a cluster, and who holds which.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hashbrown::Equivalent;
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};
use types::{User, quote};

use super::object::{Binding, Holder, Key, KeyRef, Kind, RbacObject, holders_of};
use crate::shards::Shards;

/// Roles and bindings. A clone is cheap, and a change to one leaves the other as it was.
#[derive(Clone, Default)]
pub struct World {
    roles: Shards<Key, Arc<[PolicyRule]>>,
    bindings: Shards<Key, Arc<Binding>>,
    /// Every binding under each of its holders.
    held: Shards<ScopedHolder, Arc<Vec<Held>>>,
}

/// Somebody in a namespace (or, where it is empty, in the whole cluster).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ScopedHolder {
    scope: Box<str>,
    holder: Holder,
    name: Box<str>,
}

#[derive(Clone, Copy, Hash)]
struct ScopedHolderRef<'a> {
    scope: &'a str,
    holder: Holder,
    name: &'a str,
}

impl Equivalent<ScopedHolder> for ScopedHolderRef<'_> {
    fn equivalent(&self, holder_key: &ScopedHolder) -> bool {
        (self.scope, self.holder, self.name) == (&*holder_key.scope, holder_key.holder, &*holder_key.name)
    }
}

/// A binding that somebody holds, and as which of its subjects.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) binding: Arc<Binding>,
    /// The first of the binding's subjects that applies.
    pub(super) subject: usize,
}

impl World {
    /// Adds an object, or puts it in the place of the one of the same kind, namespace and name.
    pub fn apply(&mut self, object: impl Into<RbacObject>) {
        let object = object.into();
        let key = object.key();
        match object {
            RbacObject::Role(o) => self.put_role(key, o.rules),
            RbacObject::ClusterRole(o) => self.put_role(key, o.rules),
            RbacObject::RoleBinding(o) => self.put_binding(key, o.role_ref, o.subjects),
            RbacObject::ClusterRoleBinding(o) => self.put_binding(key, o.role_ref, o.subjects),
        }
    }

    /// Takes an object out, if it is there. `namespace` plays no part for cluster-wide kinds.
    pub fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        let namespace = if kind.is_namespaced() { namespace } else { "" };
        let key = KeyRef { kind, namespace, name };
        match kind {
            Kind::Role | Kind::ClusterRole => {
                self.roles.leaf_mut(&key).and_then(|leaf| leaf.remove(&key));
            }
            Kind::RoleBinding | Kind::ClusterRoleBinding => {
                if let Some(old) = self.bindings.leaf_mut(&key).and_then(|leaf| leaf.remove(&key)) {
                    self.unlist(&old);
                }
            }
        }
    }

    /// Makes `objects` all there is of `kind`: what a watch that starts anew needs. Objects of another
    /// kind are added like any.
    pub fn replace(&mut self, kind: Kind, objects: impl IntoIterator<Item = RbacObject>) {
        let mut gone: BTreeSet<Key> = self.keys(kind).cloned().collect();
        for object in objects {
            gone.remove(&object.key());
            self.apply(object);
        }
        for key in gone {
            self.remove(key.kind, &key.namespace, &key.name);
        }
    }

    /// How many objects of `kind` there are, by counting them.
    pub fn count(&self, kind: Kind) -> usize {
        self.keys(kind).count()
    }

    /// All rules that `user` holds in `namespace` (empty: cluster-wide ones only), and why others could
    /// not be found. Rules held through two bindings come twice; those of ClusterRoleBindings come
    /// first, otherwise bindings come in the order of their names.
    pub fn rules_for(&self, user: &User, namespace: &str) -> (Vec<PolicyRule>, Vec<String>) {
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        let inner = Some(namespace).filter(|ns| !ns.is_empty());
        for held in std::iter::once("").chain(inner).flat_map(|scope| self.held_by(user, scope)) {
            match self.rules_of(&held.binding) {
                Ok(found) => rules.extend_from_slice(found),
                Err(error) => errors.push(error),
            }
        }
        (rules, errors)
    }

    /// The rules of one Role or ClusterRole; `None` if it is not there. `namespace` is empty for
    /// cluster-wide kinds.
    pub fn rules(&self, kind: Kind, namespace: &str, name: &str) -> Option<&[PolicyRule]> {
        self.roles.get(&KeyRef { kind, namespace, name }).map(|rules| &**rules)
    }

    /// The bindings that apply to `user` in one scope (empty: the cluster's), in the order of their names.
    // UPSTREAM: the real server walks them in no fixed order (kube-apiserver 1.36); ours makes answers repeatable.
    pub(super) fn held_by(&self, user: &User, scope: &str) -> Vec<Held> {
        let mut found: BTreeMap<&str, &Held> = BTreeMap::new();
        for (holder, name) in holders_of(user) {
            for held in self
                .held
                .get(&ScopedHolderRef { scope, holder, name })
                .into_iter()
                .flat_map(|list| list.iter())
            {
                let first = found.entry(&held.binding.key.name).or_insert(held);
                if held.subject < first.subject {
                    *first = held;
                }
            }
        }
        found.into_values().cloned().collect()
    }

    /// The rules of a binding's role, or why there are none.
    // UPSTREAM: the apiGroup of a roleRef is not looked at; a ClusterRoleBinding's Role is looked for
    // outside of all namespaces, where there is none (kube-apiserver 1.36)
    pub(super) fn rules_of(&self, binding: &Binding) -> Result<&Arc<[PolicyRule]>, String> {
        let name = binding.role.name.as_str();
        let (key, resource) = match binding.role.kind.as_str() {
            "Role" => (KeyRef { kind: Kind::Role, namespace: &binding.key.namespace, name }, "role"),
            "ClusterRole" => (KeyRef { kind: Kind::ClusterRole, namespace: "", name }, "clusterrole"),
            other => return Err(format!("unsupported role reference kind: {}", quote(other))),
        };
        Some(key)
            .filter(|key| key.kind == Kind::ClusterRole || !key.namespace.is_empty())
            .and_then(|key| self.roles.get(&key))
            .ok_or_else(|| format!("{resource}.rbac.authorization.k8s.io {} not found", quote(name)))
    }

    fn keys(&self, kind: Kind) -> impl Iterator<Item = &Key> {
        let (roles, bindings) = (self.roles.iter(), self.bindings.iter());
        roles.map(|(key, _)| key).chain(bindings.map(|(key, _)| key)).filter(move |key| key.kind == kind)
    }

    fn put_role(&mut self, key: Key, rules: Option<Vec<PolicyRule>>) {
        if let Some(leaf) = self.roles.leaf_mut(&key) {
            leaf.insert(key, rules.unwrap_or_default().into());
        }
    }

    fn put_binding(&mut self, key: Key, role: RoleRef, subjects: Option<Vec<Subject>>) {
        let binding = Arc::new(Binding { key: key.clone(), role, subjects: subjects.unwrap_or_default() });
        let old = self.bindings.leaf_mut(&key).and_then(|leaf| leaf.insert(key, Arc::clone(&binding)));
        if let Some(old) = old {
            self.unlist(&old);
        }
        self.list(&binding);
    }

    fn list(&mut self, binding: &Arc<Binding>) {
        for (holder_key, subject) in scoped_holders(binding) {
            if let Some(leaf) = self.held.leaf_mut(&holder_key) {
                let list = leaf.entry(holder_key).or_default();
                Arc::make_mut(list).push(Held { binding: Arc::clone(binding), subject });
            }
        }
    }

    fn unlist(&mut self, binding: &Arc<Binding>) {
        for (holder_key, _) in scoped_holders(binding) {
            let Some(leaf) = self.held.leaf_mut(&holder_key) else { continue };
            let Some(list) = leaf.get_mut(&holder_key).map(Arc::make_mut) else { continue };
            list.retain(|held| !Arc::ptr_eq(&held.binding, binding));
            if list.is_empty() {
                leaf.remove(&holder_key);
            }
        }
    }
}

/// Everybody whom a binding grants to, each once, with the first subject that means them.
fn scoped_holders(binding: &Binding) -> Vec<(ScopedHolder, usize)> {
    let Some(scope) = binding.scope() else { return Vec::new() };
    let mut scoped_holders: Vec<(ScopedHolder, usize)> = Vec::with_capacity(binding.subjects.len());
    let mut seen = hashbrown::HashSet::with_capacity(binding.subjects.len());
    for (subject, meant) in binding.holders().enumerate() {
        let Some((holder, name)) = meant else { continue };
        let holder_key = ScopedHolder { scope: scope.into(), holder, name: name.into() };
        if seen.insert(holder_key.clone()) {
            scoped_holders.push((holder_key, subject));
        }
    }
    scoped_holders
}
