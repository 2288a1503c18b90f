//! The way to an answer that nobody remembers: which roles cover the question, and does the user hold
//! one of them?
//!
//! The second question can be asked from both ends. As a rule few bindings lead to the roles in
//! question, and to see whether one of them means the user is a matter of comparing names. Where there
//! are many, the user's own are gone through: a look-up for each of its groups, which may be hundreds,
//! and then as many steps as there are bindings, which may be thousands.

use std::sync::Arc;

use types::{Attributes, User};

use super::{
    holdings::{Held, Holdings},
    index::Reach,
    object::{Holder, ScopedHolderRef, ScopedRoleRef},
    role_set::{RoleBits, RoleNumber},
    rule::{covers, list},
    world::World,
};

/// Why a request is allowed.
pub(super) type Why = Arc<str>;

/// A binding of somebody else's costs as much as looking up this many groups.
const GROUPS: usize = 4;

/// And as much as so many steps through the bindings that a user holds.
const WALKED: usize = 64;

/// Groups that are looked up together.
const AT_ONCE: usize = 32;

/// So many bindings are fewer than it takes to look for what `user` holds.
fn few_for(user: &User) -> usize {
    user.groups.len() / GROUPS + 2
}

/// What a user may, in one scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Why objects of every name are allowed; `None` if they are not.
    pub(super) every_name: Option<Why>,
    /// Whether objects of some names may be; not looked at where every name is allowed.
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
        let every_name = self.first(at.user, scope, every_name, |held| self.grants_every_name(held, at));
        // Whoever may have every object may have those of some names.
        let some_names = every_name.is_none() && self.holds_any(at.user, scope, &some_names);
        Found { every_name, some_names }
    }

    /// As [`World::find`], for requests of `at.name` in rules with `resourceNames`.
    pub(super) fn find_named(&self, at: &Attributes<'_>, scope: &str) -> Option<Why> {
        let mut candidates = self.index.candidates(Reach::SomeNames, at);
        candidates.intersect([self.index.naming(at.name), None]);
        self.first(at.user, scope, candidates, |held| self.grants_name(held, at))
    }

    /// Of the bindings to one of `roles` that `user` holds in `scope`, the first by name that grants.
    fn first(
        &self,
        user: &User,
        scope: &str,
        mut roles: RoleBits,
        grants: impl Fn(&Held) -> bool,
    ) -> Option<Why> {
        if roles.is_empty() {
            return None;
        }
        let mut holders = Vec::new();
        let mut bound = self.bound_to(&roles, scope, few_for(user));
        if bound.is_none() {
            holders.extend(self.holdings_of(user, scope));
            let held: usize = holders.iter().map(|holdings| holdings.about_len()).sum();
            bound = self.bound_to(&roles, scope, held / WALKED);
        }
        let mut first: Option<Held> = None;
        // Whether no later binding of the same holder, or to the same role, needs to be tried.
        let mut is_settled = |role, held: &Held| {
            if !roles.contains(role) {
                return false;
            }
            let is_later = first.as_ref().is_some_and(|first| !held.comes_before(first));
            if !is_later && grants(held) {
                first = Some(held.clone());
                return true;
            }
            if !is_later {
                // The index knew no better; no other binding needs to try this role.
                roles.remove(role);
            }
            is_later
        };
        match bound {
            Some(bound) => bound.into_iter().for_each(|holdings| {
                holdings.any(|role, held| held.of(user).is_some_and(|held| is_settled(role, &held)));
            }),
            None => holders.into_iter().for_each(|holdings| {
                holdings.any(&mut is_settled);
            }),
        }
        first.as_ref().map(reason)
    }

    /// Whether `user` holds one of `roles` in `scope`.
    fn holds_any(&self, user: &User, scope: &str, roles: &RoleBits) -> bool {
        match self.bound_to(roles, scope, few_for(user)) {
            Some(bound) => bound.iter().any(|holdings| holdings.any(|_, held| held.of(user).is_some())),
            None => {
                self.holdings_of(user, scope).any(|holdings| holdings.any(|role, _| roles.contains(role)))
            }
        }
    }

    /// The bindings to any of `roles` in `scope`, whoever holds them; `None` if there are more than `most`.
    fn bound_to(&self, roles: &RoleBits, scope: &str, most: usize) -> Option<Vec<&Holdings>> {
        let (mut bound, mut left) = (Vec::new(), most);
        if roles.count() > most {
            return None;
        }
        for role in roles.iter() {
            if let Some(holdings) = self.bound.get(&ScopedRoleRef { scope, role }) {
                left -= holdings.len_within(left)?;
                bound.push(holdings);
            }
        }
        Some(bound)
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
        let mut broken: Vec<&Held> = Vec::new();
        match self.bound_to(&missing, scope, few_for(user)) {
            Some(bound) => {
                let bound = bound.into_iter().flat_map(|holdings| holdings.iter());
                broken.extend(bound.map(|(_, held)| held).filter(|held| held.of(user).is_some()));
            }
            None => {
                let held = self.holdings_of(user, scope).flat_map(|holdings| holdings.iter());
                broken.extend(held.filter(|(role, _)| missing.contains(*role)).map(|(_, held)| held));
            }
        }
        broken.sort_by(|a, b| a.binding.key.name.cmp(&b.binding.key.name));
        broken.into_iter().filter_map(|held| self.rules_of(&held.binding).err()).collect()
    }

    /// The holdings of everybody that `user` is; those that are empty are left out.
    pub(super) fn holdings_of<'w, 'a>(
        &'w self,
        user: &'a User,
        scope: &'a str,
    ) -> impl Iterator<Item = &'w Holdings> {
        let holder = move |holder, name| ScopedHolderRef { scope, holder, name };
        let own = self.held.get(&holder(Holder::User, &user.name));
        let of_groups = user.groups.chunks(AT_ONCE).flat_map(move |groups| {
            self.held.get_each(groups.iter().map(move |group| holder(Holder::Group, group)))
        });
        own.into_iter().chain(of_groups)
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

impl Held {
    /// As `user` holds the binding, if so.
    fn of(&self, user: &User) -> Option<Self> {
        self.binding.subject_of(user).map(|subject| Self { binding: Arc::clone(&self.binding), subject })
    }
}

fn reason(held: &Held) -> Why {
    format!("RBAC: allowed by {}", held.binding.describe(held.subject as usize)).into()
}
