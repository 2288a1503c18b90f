//! The roles and bindings of a cluster, and who holds which.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
    mem,
    sync::Arc,
};

use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};
use types::{User, quote};

use super::{
    changes::{Part, Parts},
    holdings::{Held, Holdings},
    index::Index,
    object::{Binding, Key, KeyRef, Kind, RbacObject, ScopedHolder, ScopedRole},
    role_set::{RoleNumber, RoleSet},
};
use crate::shards::Shards;

/// Roles and bindings. A clone is cheap, and a change to one leaves the other as it was.
#[derive(Clone)]
pub struct World {
    roles: Shards<Key, Slot>,
    bindings: Shards<Key, Arc<Binding>>,
    /// Every binding under each of its holders.
    pub(super) held: Shards<ScopedHolder, Holdings>,
    /// Every binding under its role; as `subject` stands the first one.
    pub(super) bound: Shards<ScopedRole, Holdings>,
    pub(super) index: Index,
    /// The roles that bindings refer to and that are not there.
    pub(super) missing: Arc<RoleSet>,
    /// Numbers below `next_number` that no role has.
    free_numbers: Arc<Vec<RoleNumber>>,
    next_number: RoleNumber,
    /// What has changed since the change began that is being made.
    parts: Parts,
}

/// The number of all bindings' roles that cannot exist.
const NO_ROLE: RoleNumber = 0;

/// A role that is there, or that bindings wait for.
#[derive(Clone)]
struct Slot {
    number: RoleNumber,
    /// How many bindings refer to it.
    references: usize,
    rules: Option<Arc<[PolicyRule]>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            roles: Shards::default(),
            bindings: Shards::default(),
            held: Shards::default(),
            bound: Shards::default(),
            index: Index::default(),
            missing: Arc::default(),
            free_numbers: Arc::default(),
            next_number: NO_ROLE + 1,
            parts: Parts::default(),
        }
    }
}

impl World {
    /// Adds an object, or puts it in the place of the one of the same kind, namespace and name.
    pub fn apply(&mut self, object: impl Into<RbacObject>) {
        let object = object.into();
        let key = object.key();
        match object {
            RbacObject::Role(o) => self.put_role(&key, o.rules),
            RbacObject::ClusterRole(o) => self.put_role(&key, o.rules),
            RbacObject::RoleBinding(o) => self.put_binding(key, o.role_ref, o.subjects),
            RbacObject::ClusterRoleBinding(o) => self.put_binding(key, o.role_ref, o.subjects),
        }
    }

    /// Takes an object out, if it is there. `namespace` plays no part for cluster-wide kinds.
    pub fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        let namespace = if kind.is_namespaced() { namespace } else { "" };
        let key = KeyRef { kind, namespace, name };
        match kind {
            Kind::Role | Kind::ClusterRole => self.set_rules(key, None),
            Kind::RoleBinding | Kind::ClusterRoleBinding => {
                if let Some(old) = self.bindings.remove(&key) {
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

    /// Every RoleBinding and ClusterRoleBinding, in no order.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().map(|(_, binding)| &**binding)
    }

    /// Every Role and ClusterRole as kind, namespace (empty for a ClusterRole), name and rules, in no
    /// order.
    pub fn roles(&self) -> impl Iterator<Item = (Kind, &str, &str, &[PolicyRule])> {
        let there = self.roles.iter().filter_map(|(key, slot)| Some((key, slot.rules.as_deref()?)));
        there.map(|(key, rules)| (key.kind, &*key.namespace, &*key.name, rules))
    }

    /// All rules that `user` holds in `namespace` (empty: cluster-wide ones only), and why others could
    /// not be found. Rules held through two bindings come twice; those of ClusterRoleBindings come
    /// first, otherwise bindings come in the order of their names.
    pub fn rules_for(&self, user: &User, namespace: &str) -> (Vec<PolicyRule>, Vec<String>) {
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for (binding, _) in self.bindings_for(user, namespace) {
            match self.rules_of(binding) {
                Ok(found) => rules.extend_from_slice(found),
                Err(error) => errors.push(error),
            }
        }
        (rules, errors)
    }

    /// The bindings that apply to `user` in `namespace` (empty: ClusterRoleBindings only), and which of
    /// their subjects is the first to mean the user: ClusterRoleBindings first, otherwise in the order of
    /// their names.
    // UPSTREAM: the real server walks them in no fixed order (kube-apiserver 1.36); ours makes answers repeatable.
    pub fn bindings_for(&self, user: &User, namespace: &str) -> Vec<(&Binding, usize)> {
        let inner = Some(namespace).filter(|namespace| !namespace.is_empty());
        let mut bindings = Vec::new();
        for scope in std::iter::once("").chain(inner) {
            let mut found: BTreeMap<&str, &Held> = BTreeMap::new();
            for (_, held) in self.holdings_of(user, scope).flat_map(Holdings::iter) {
                let first = found.entry(held.binding.name()).or_insert(held);
                if held.comes_before(first) {
                    *first = held;
                }
            }
            bindings.extend(found.into_values().map(|held| (&*held.binding, held.subject as usize)));
        }
        bindings
    }

    /// The rules of one Role or ClusterRole; `None` if it is not there. `namespace` is empty for
    /// cluster-wide kinds.
    pub fn rules(&self, kind: Kind, namespace: &str, name: &str) -> Option<&[PolicyRule]> {
        self.roles.get(&KeyRef { kind, namespace, name })?.rules.as_deref()
    }

    /// The rules that a binding grants, or why there are none, in kube-apiserver's words.
    pub fn rules_of(&self, binding: &Binding) -> Result<&[PolicyRule], String> {
        let slot = binding.role_key().and_then(|key| self.roles.get(&key));
        slot.and_then(|slot| slot.rules.as_deref()).ok_or_else(|| {
            let resource = match binding.role_ref().kind.as_str() {
                "Role" => "role",
                "ClusterRole" => "clusterrole",
                other => return format!("unsupported role reference kind: {}", quote(other)),
            };
            format!("{resource}.rbac.authorization.k8s.io {} not found", quote(&binding.role_ref().name))
        })
    }

    /// From now on, what changes is noted.
    pub(super) fn begin(&mut self) -> Arc<()> {
        let (parts, token) = Parts::begin();
        self.parts = parts;
        token
    }

    /// What has changed since the change of that token began: everything, if this is another world.
    pub(super) fn end(&mut self, token: &Arc<()>) -> Parts {
        let parts = mem::take(&mut self.parts);
        if parts.are_of(token) { parts } else { Parts::everything() }
    }

    fn keys(&self, kind: Kind) -> impl Iterator<Item = &Key> {
        let roles = self.roles.iter().filter(|(_, slot)| slot.rules.is_some()).map(|(key, _)| key);
        roles.chain(self.bindings.iter().map(|(key, _)| key)).filter(move |key| key.kind == kind)
    }

    fn put_role(&mut self, key: &Key, rules: Option<Vec<PolicyRule>>) {
        self.set_rules(key.as_ref(), Some(rules.unwrap_or_default()));
    }

    /// `None` for a role that is not there, or no longer.
    fn set_rules(&mut self, key: KeyRef<'_>, rules: Option<Vec<PolicyRule>>) {
        if self.roles.get(&key).and_then(|slot| slot.rules.as_deref()) == rules.as_deref() {
            return;
        }
        let rules: Option<Arc<[PolicyRule]>> = rules.map(Arc::from);
        let number = self.slot(key, |slot| slot.number);
        let old = self.slot(key, |slot| mem::replace(&mut slot.rules, rules.clone()));
        self.index.replace(number, old.as_deref().unwrap_or_default(), rules.as_deref().unwrap_or_default());
        self.parts.add(Part::Role { scope: key.namespace.into(), role: number });
        self.settle(key);
    }

    fn put_binding(&mut self, key: Key, role: RoleRef, subjects: Option<Vec<Subject>>) {
        let subjects = subjects.unwrap_or_default();
        if let Some(old) = self.bindings.get(&key) {
            if old.role == role && old.subjects == subjects {
                return;
            }
            let old = Arc::clone(old);
            self.unlist(&old);
        }
        let binding = Arc::new(Binding { key: key.clone(), role, subjects });
        self.list(&binding);
        self.bindings.insert(key, binding);
    }

    fn list(&mut self, binding: &Arc<Binding>) {
        self.parts.mark();
        let number = match binding.role_key() {
            Some(key) => {
                let number = self.slot(key, |slot| {
                    slot.references += 1;
                    slot.number
                });
                self.settle(key);
                number
            }
            None => {
                Arc::make_mut(&mut self.missing).insert(NO_ROLE);
                NO_ROLE
            }
        };
        if let Some(scope) = binding.scope() {
            let role = ScopedRole { scope: scope.into(), role: number };
            add(&mut self.bound, role, number, Held { binding: Arc::clone(binding), subject: 0 });
        }
        for (holder, subject) in binding.scoped_holders() {
            add(&mut self.held, holder.clone(), number, Held { binding: Arc::clone(binding), subject });
            self.parts.add(Part::Held(holder));
        }
    }

    fn unlist(&mut self, binding: &Binding) {
        self.parts.mark();
        let number =
            binding.role_key().and_then(|key| self.roles.get(&key)).map_or(NO_ROLE, |slot| slot.number);
        if let Some(scope) = binding.scope() {
            take(&mut self.bound, &ScopedRole { scope: scope.into(), role: number }, binding.name());
        }
        for (holder, _) in binding.scoped_holders() {
            take(&mut self.held, &holder, binding.name());
            self.parts.add(Part::Held(holder));
        }
        if let Some(key) = binding.role_key() {
            self.slot(key, |slot| slot.references = slot.references.saturating_sub(1));
            self.settle(key);
        }
    }

    /// Changes the slot of a role, which is made if there is none.
    fn slot<T>(&mut self, key: KeyRef<'_>, change: impl FnOnce(&mut Slot) -> T) -> T {
        if let Some(slot) = self.roles.get_mut(&key) {
            return change(slot);
        }
        let free = (!self.free_numbers.is_empty()).then(|| Arc::make_mut(&mut self.free_numbers).pop());
        let number = free.flatten().unwrap_or_else(|| {
            let number = self.next_number;
            self.next_number += 1;
            number
        });
        let mut slot = Slot { number, references: 0, rules: None };
        let done = change(&mut slot);
        self.roles.insert(key.to_owned(), slot);
        done
    }

    /// After a change to a slot: gives it up if nobody needs it, and notes whether bindings miss its role.
    fn settle(&mut self, key: KeyRef<'_>) {
        let Some(slot) = self.roles.get(&key) else { return };
        let (number, is_missing) = (slot.number, slot.rules.is_none() && slot.references > 0);
        let is_needed = slot.rules.is_some() || slot.references > 0;
        if self.missing.contains(number) != is_missing {
            let missing = Arc::make_mut(&mut self.missing);
            if is_missing { missing.insert(number) } else { missing.remove(number) }
        }
        if !is_needed {
            self.roles.remove(&key);
            Arc::make_mut(&mut self.free_numbers).push(number);
        }
    }
}

/// Puts a binding among those of a holder or of a role.
fn add<K: Eq + Hash + Clone>(to: &mut Shards<K, Holdings>, key: K, role: RoleNumber, held: Held) {
    if let Some(holdings) = to.get_mut(&key) {
        holdings.insert(role, held);
        return;
    }
    let mut holdings = Holdings::default();
    holdings.insert(role, held);
    to.insert(key, holdings);
}

/// Takes the binding of that name from among those of a holder or of a role.
fn take<K: Eq + Hash + Clone>(from: &mut Shards<K, Holdings>, key: &K, name: &str) {
    let Some(holdings) = from.get_mut(key) else { return };
    holdings.remove(name);
    if holdings.is_empty() {
        from.remove(key);
    }
}

#[cfg(test)]
mod tests;
