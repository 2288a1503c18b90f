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
//! A question that is new has two halves. Which roles cover it? An index over the texts of all rules
//! says, whoever asks. Which roles does the user hold? Bindings are kept by subject and namespace, so
//! that costs as many look-ups as the user has groups. Roles have numbers, so that the halves meet in
//! sets of bits, and neither the bindings of others nor the length of a role play a part.
//!
//! What came of it is remembered by identity, for each kind of question (verb, group, resource) in
//! each namespace. A remembered answer carries the version of the world in which it is so. A change
//! says whose it is: what others have asked goes on to be good, and who is concerned begins anew
//! before the next decision. An identity is recognised by its value, or, if it was
//! [introduced](Rbac::introduce), by its address. Memory is bounded in bytes, and so is what a decision
//! spends on making room in it.
//!
//! Invariant: nothing but the snapshot and the attributes goes into a decision.

pub mod aggregation;
mod answers;
mod changes;
pub mod escalation;
pub mod explain;
mod holdings;
mod identities;
mod index;
mod object;
mod role_set;
mod rule;
mod search;
mod world;

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use types::{Attributes, User};

pub use object::{Binding, Kind, RbacObject};
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
    /// One more than that of the snapshot before.
    version: u64,
    changes: changes::Changes,
    /// Shared by all snapshots of an [`Rbac`].
    memory: Arc<answers::Memory>,
}

impl Rbac {
    /// An authorizer over `world`.
    pub fn new(world: World) -> Self {
        let rbac = Self::default();
        rbac.update(|empty| *empty = world);
        rbac
    }

    /// Tells of a user whom many requests will come from. As long as this very `Arc` lives, decisions
    /// recognise it by its address; any other user, equal or not, is hashed and compared.
    pub fn introduce(&self, user: &Arc<User>) {
        self.0.newest.load().memory.identities.introduce(user);
    }

    /// May they? Never Deny, never an error: a role that is missing is told in the reason.
    pub fn decide(&self, at: &Attributes<'_>) -> Opinion {
        self.0.newest.load().decide(at)
    }

    /// The newest state, to hold on to.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.newest.load_full()
    }

    /// Changes the world; readers see all of the change or nothing. Every decision that begins after
    /// this has returned is made on the new world. One call with many changes is cheaper than many calls.
    pub fn update(&self, change: impl FnOnce(&mut World)) {
        let _one_at_a_time = self.0.writer.lock();
        let before = self.0.newest.load();
        let mut world = before.world.clone();
        let token = world.begin();
        change(&mut world);
        let parts = world.end(&token);
        if parts.is_empty() {
            return;
        }
        let (version, mut changes) = (before.version + 1, before.changes.clone());
        changes.push(version, parts);
        let memory = Arc::clone(&before.memory);
        self.0.newest.store(Arc::new(Snapshot { world, version, changes, memory }));
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
}

impl Snapshot {
    /// As [`Rbac::decide`], on this state.
    pub fn decide(&self, at: &Attributes<'_>) -> Opinion {
        answers::Asked::new(self, at).decide()
    }

    /// The roles and bindings.
    pub fn world(&self) -> &World {
        &self.world
    }
}
