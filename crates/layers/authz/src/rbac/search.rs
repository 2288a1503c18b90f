//! The way to an answer that nobody remembers: which roles cover the question, and does the user hold
//! one of them?

use std::sync::Arc;

use types::{Attributes, User};

use super::{
    holdings::{Held, Holdings, Tried},
    index::Reach,
    object::{ScopedHolderRef, holders_of},
    role_set::{RoleBits, RoleNumber},
    rule::{covers, list},
    world::World,
};

/// Why a request is allowed.
pub(super) type Why = Arc<str>;

/// What a user may, in one scope, whatever the name of the object.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Why objects of every name are allowed; `None` if they are not.
    pub(super) every_name: Option<Why>,
    /// Whether objects of some names may be.
    pub(super) some_names: bool,
}

impl World {
    /// Looks through what `at.user` holds in `scope`. Of several bindings that allow, the first by name
    /// is the reason.
    pub(super) fn find(&self, at: &Attributes<'_>, scope: &str) -> Found {
        let (every_name, some_names) = if at.resource_request {
            (self.index.candidates(Reach::EveryName, at), self.index.candidates(Reach::SomeNames, at))
        } else {
            // UPSTREAM: resourceNames limits resources only, never paths (kube-apiserver 1.36)
            (self.index.candidates(Reach::Paths, at), RoleBits::default())
        };
        if every_name.is_empty() && some_names.is_empty() {
            return Found::default();
        }
        let (mut every_name, mut wanted) = (every_name, some_names.clone());
        wanted.join(&every_name);
        let mut found = Found::default();
        let mut first: Option<&Held> = None;
        for holdings in self.holdings_of(at.user, scope) {
            let better = holdings.find(|role, held| {
                if !wanted.contains(role) {
                    return Tried::No;
                }
                found.some_names = found.some_names || some_names.contains(role);
                if !every_name.contains(role) {
                    return Tried::No;
                }
                if first.is_some_and(|first| !held.comes_before(first)) {
                    return Tried::Enough;
                }
                if self.grants_every_name(held, at) {
                    return Tried::Found;
                }
                // The index knew no better; no other binding needs to try this role.
                every_name.remove(role);
                Tried::No
            });
            first = better.or(first);
        }
        found.every_name = first.map(reason);
        found
    }

    /// As [`World::find`], for requests of `at.name` in rules with `resourceNames`.
    pub(super) fn find_named(&self, at: &Attributes<'_>, scope: &str) -> Option<Why> {
        let mut candidates = self.index.candidates(Reach::SomeNames, at);
        candidates.intersect(&RoleBits::union(self.index.naming(at.name)));
        if candidates.is_empty() {
            return None;
        }
        let mut first: Option<&Held> = None;
        for holdings in self.holdings_of(at.user, scope) {
            let better = holdings.find(|role, held| {
                if !candidates.contains(role) {
                    return Tried::No;
                }
                if first.is_some_and(|first| !held.comes_before(first)) {
                    return Tried::Enough;
                }
                if self.grants_name(held, at) {
                    return Tried::Found;
                }
                candidates.remove(role);
                Tried::No
            });
            first = better.or(first);
        }
        first.map(reason)
    }

    /// Whether some rule of some role limits itself to objects of that name, among others.
    pub(super) fn names(&self, name: &str) -> bool {
        self.index.naming(name).is_some()
    }

    /// Whether `user` holds a role in `scope`.
    pub(super) fn holds(&self, user: &User, scope: &str, role: RoleNumber) -> bool {
        self.holdings_of(user, scope).any(|holdings| holdings.iter().any(|(held, _)| held == role))
    }

    /// Why roles that `user` holds in `scope` could not be found, in the order of the bindings' names.
    pub(super) fn errors_of(&self, user: &User, scope: &str) -> Vec<String> {
        if self.missing.is_empty() {
            return Vec::new();
        }
        let missing = RoleBits::union([&*self.missing]);
        let mut errors: Vec<(&Held, String)> = Vec::new();
        for holdings in self.holdings_of(user, scope) {
            for (_, held) in holdings.iter().filter(|(role, _)| missing.contains(*role)) {
                errors.extend(self.rules_of(&held.binding).err().map(|error| (held, error)));
            }
        }
        errors.sort_by(|(a, _), (b, _)| a.binding.key.name.cmp(&b.binding.key.name));
        errors.into_iter().map(|(_, error)| error).collect()
    }

    /// The holdings of everybody that `user` is; those that are empty are left out.
    pub(super) fn holdings_of(&self, user: &User, scope: &str) -> impl Iterator<Item = &Holdings> {
        holders_of(user)
            .filter_map(move |(holder, name)| self.held.get(&ScopedHolderRef { scope, holder, name }))
    }

    fn grants_every_name(&self, held: &Held, at: &Attributes<'_>) -> bool {
        let is_limited = |names: &Option<Vec<String>>| at.resource_request && !list(names).is_empty();
        let Ok(rules) = self.rules_of(&held.binding) else { return false };
        rules.iter().any(|rule| !is_limited(&rule.resource_names) && covers(rule, at))
    }

    fn grants_name(&self, held: &Held, at: &Attributes<'_>) -> bool {
        let has_name = |names: &Option<Vec<String>>| list(names).iter().any(|name| name == at.name);
        let Ok(rules) = self.rules_of(&held.binding) else { return false };
        rules.iter().any(|rule| has_name(&rule.resource_names) && covers(rule, at))
    }
}

fn reason(held: &Held) -> Why {
    format!("RBAC: allowed by {}", held.binding.describe(held.subject as usize)).into()
}
