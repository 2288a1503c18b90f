//! What the last changes of a world were about.
//!
//! What has been worked out for an identity stays good until a change concerns it. A writer only
//! notes whom each change is about; every answer catches up when it is next asked for.

use std::sync::Arc;

use types::User;

use super::{
    object::{Holder, ScopedHolder},
    role_set::RoleNumber,
    world::World,
};

/// How many changes are remembered. What nobody has asked about for longer is worked out anew.
const CHANGES: usize = 64;

/// One change that is about more than this is about everything.
const PARTS: usize = 64;

/// A part of a change.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// A binding came, went or became another, and this is one of its holders.
    Held(ScopedHolder),
    /// A role's rules came, went or became others; `scope` is its namespace.
    Role { scope: Box<str>, role: RoleNumber },
}

/// The parts of a change that is being made.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// Tells this change from any other; `None` for a world that is not being changed.
    change: Option<Arc<()>>,
    /// Also a binding without subjects makes a new world, though it concerns nobody.
    any: bool,
    parts: Vec<Part>,
    /// There were too many to keep.
    everything: bool,
}

/// One published change.
struct Change {
    /// Of the world that came of it.
    version: u64,
    parts: Parts,
}

/// The last changes, oldest first; each made the version after the one before.
#[derive(Clone, Default)]
pub(super) struct Changes(Vec<Arc<Change>>);

impl Parts {
    /// For a change that begins. The token is to be shown when it ends: a world that somebody has put in
    /// the place of the one that was to be changed does not have it.
    pub(super) fn begin() -> (Self, Arc<()>) {
        let token = Arc::new(());
        (Self { change: Some(Arc::clone(&token)), ..Self::default() }, token)
    }

    /// A change about which nothing is known.
    pub(super) fn everything() -> Self {
        Self { any: true, everything: true, ..Self::default() }
    }

    pub(super) fn are_of(&self, token: &Arc<()>) -> bool {
        self.change.as_ref().is_some_and(|change| Arc::ptr_eq(change, token))
    }

    /// Something has changed.
    pub(super) fn mark(&mut self) {
        self.any = true;
    }

    pub(super) fn add(&mut self, part: Part) {
        self.mark();
        if self.parts.len() < PARTS {
            self.parts.push(part);
        } else {
            self.everything = true;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.any
    }
}

impl Changes {
    pub(super) fn push(&mut self, version: u64, parts: Parts) {
        if self.0.len() >= CHANGES {
            self.0.remove(0);
        }
        self.0.push(Arc::new(Change { version, parts }));
    }

    /// Whether what `user` holds in `scope` of `world`, the newest one, may be other than it was at
    /// `version`.
    pub(super) fn concern(&self, version: u64, world: &World, user: &User, scope: &str) -> bool {
        let is_known = self.0.first().is_some_and(|oldest| oldest.version <= version + 1);
        let mut since = self.0.iter().filter(|change| change.version > version);
        !is_known
            || since.any(|change| {
                change.parts.everything
                    || change.parts.parts.iter().any(|part| part.concerns(world, user, scope))
            })
    }
}

impl Part {
    fn concerns(&self, world: &World, user: &User, scope: &str) -> bool {
        match self {
            Self::Held(held) => {
                *held.scope == *scope
                    && match held.holder {
                        Holder::User => *held.name == *user.name,
                        Holder::Group => user.in_group(&held.name),
                    }
            }
            // Whoever held it through a binding that has changed meanwhile is concerned by that change.
            Self::Role { scope: own, role } => {
                (own.is_empty() || **own == *scope) && world.holds(user, scope, *role)
            }
        }
    }
}
