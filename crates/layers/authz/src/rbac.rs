//! Role-based access control: roles say what, bindings say who.
//!
//! A [`World`] holds the roles and bindings of a cluster; [`Rbac`] is the handle through which many
//! readers decide on it while one writer follows a watch.
//!
//! # How a change stays cheap, and a decision too
//!
//! Readers see consistent snapshots: the maps of a [`World`] are cut into pieces behind `Arc`s, a
//! change copies the few pieces that it touches and publishes the new world with one atomic pointer
//! swap. So nobody waits for the writer, a decision (or a whole `explain`) can hold on to its
//! snapshot as long as it likes, and a binding in a world of 100,000 costs a few hundred pointers to
//! copy, not 100,000. A lock with one writer would have been shorter, but every reader would touch its
//! cache line, and a decision could not keep its state across a question to the outside.
//!
//! Bindings are indexed by subject and namespace, so finding those of an identity costs as many
//! look-ups as the user has groups, whatever the number of bindings. What an identity is granted is
//! worked out once, and each kind of question about it (verb, group, resource) once as well; both are
//! remembered in a cache that belongs to the snapshot and dies with it. There is nothing to invalidate,
//! and a remembered answer can never be older than the world that is asked.
//!
//! Invariant: nothing but the snapshot and the attributes goes into a decision.

pub mod aggregation;
mod cache;
pub mod escalation;
mod grants;
mod object;
mod rule;
mod world;

#[cfg(test)]
mod compare;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use types::Attributes;

pub use object::{Kind, RbacObject};
pub(crate) use rule::is_joined;
pub use world::World;

use crate::Opinion;

/// The RBAC authorizer: a handle to the newest state, cheap to clone and to share between threads.
#[derive(Clone, Default)]
pub struct Rbac(Arc<Shared>);

#[derive(Default)]
struct Shared {
    newest: ArcSwap<Snapshot>,
    /// Held while a change is made, so that no two writers start from the same world.
    writer: Mutex<()>,
}

/// One state of the world, and what has been worked out about it so far.
#[derive(Default)]
pub struct Snapshot {
    world: World,
    cache: cache::Cache,
}

impl Rbac {
    /// An authorizer over `world`.
    pub fn new(world: World) -> Self {
        let rbac = Self::default();
        rbac.publish(world);
        rbac
    }

    /// May they? Never Deny, never an error: a role that is missing is told in the reason.
    pub fn decide(&self, at: &Attributes<'_>) -> Opinion {
        self.0.newest.load().decide(at)
    }

    /// The newest state, to hold on to.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.newest.load_full()
    }

    /// Changes the world; readers see all of the change or nothing. One call with many changes is much
    /// cheaper than many calls.
    pub fn update(&self, change: impl FnOnce(&mut World)) {
        let _one_at_a_time = self.0.writer.lock();
        let mut world = self.0.newest.load().world.clone();
        change(&mut world);
        self.publish(world);
    }

    /// Adds or replaces one object.
    pub fn apply(&self, object: impl Into<RbacObject>) {
        let object = object.into();
        self.update(|world| world.apply(object));
    }

    /// Removes one object, if it is there. `namespace` plays no part for cluster-wide kinds.
    pub fn remove(&self, kind: Kind, namespace: &str, name: &str) {
        self.update(|world| world.remove(kind, namespace, name));
    }

    fn publish(&self, world: World) {
        self.0.newest.store(Arc::new(Snapshot { world, cache: cache::Cache::default() }));
    }
}

impl Snapshot {
    /// As [`Rbac::decide`], on this state.
    pub fn decide(&self, at: &Attributes<'_>) -> Opinion {
        self.cache.grants(at.user).decide(&self.world, &self.cache, at)
    }

    /// The roles and bindings.
    pub fn world(&self) -> &World {
        &self.world
    }
}
