//! What can be told about a watch.

use std::fmt;

use types::Timestamp;

use crate::{family::Family, follow::Change};

/// Whether the objects of a kind follow the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// They do.
    On,
    /// They do not, and those known last are used.
    Degraded {
        /// What went wrong last, or that the first list is still awaited.
        reason: String,
    },
}

/// How the watch of one kind fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindStatus {
    /// The kind, as `kind` spells it.
    pub kind: &'static str,
    /// On or degraded.
    pub health: Health,
    /// Since when it is so.
    pub since: Timestamp,
    /// Whether it has been listed at least once.
    pub synced: bool,
    /// Lists, changes and deletions that were applied so far.
    pub applied: u64,
    /// When the last of them was.
    pub changed: Option<Timestamp>,
}

impl KindStatus {
    pub(crate) fn starting(kind: &'static str) -> Self {
        let health = Health::Degraded { reason: "not listed yet".to_owned() };
        Self { kind, health, since: Timestamp::now(), synced: false, applied: 0, changed: None }
    }

    /// Takes a change into account that is about to be applied.
    pub(crate) fn note<F: Family>(&mut self, change: &Change<F>, now: Timestamp) {
        let was_on = self.health == Health::On;
        if !matches!(change, Change::Lost(..)) {
            self.applied += 1;
            self.changed = Some(now);
        }
        match change {
            Change::Lost(_, reason) => {
                if was_on {
                    self.since = now;
                }
                self.health = Health::Degraded { reason: reason.clone() };
            }
            Change::Listed(..) => {
                if !was_on {
                    self.since = now;
                }
                self.health = Health::On;
                self.synced = true;
            }
            Change::Applied(..) | Change::Deleted(..) => {}
        }
    }
}

impl fmt::Display for KindStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, since, .. } = self;
        match &self.health {
            Health::On => write!(f, "{kind}: on since {since}"),
            Health::Degraded { reason } => write!(f, "{kind}: degraded since {since}: {reason}"),
        }
    }
}
