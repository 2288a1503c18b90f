//! Authorizers against readings of their rules that are too simple to be wrong.
//!
//! Worlds of objects are made of small colliding alphabets and changed in every way there is; after
//! each change both are asked the same questions, and must agree.
//!
//! That a comparison can fail is shown by mutants: mistakes planted on one side, each of which it must
//! notice.

mod dice;
pub mod node;
pub mod rbac;

pub use dice::Dice;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Triples of user, request and state of the world that were decided by both.
    pub decisions: u64,
    /// How many of them are allowed.
    pub allowed: u64,
    /// Worlds that began empty.
    pub worlds: u64,
    /// Changes made to them; one may concern several objects.
    pub changes: u64,
}

impl Tally {
    /// Of the decisions, in per cent.
    pub fn percent_allowed(&self) -> u64 {
        100 * self.allowed / self.decisions.max(1)
    }

    fn add(&mut self, other: &Self) {
        self.decisions += other.decisions;
        self.allowed += other.allowed;
        self.worlds += other.worlds;
        self.changes += other.changes;
    }
}

/// The two do not agree: what was asked, what was found and what was expected.
#[derive(Debug)]
pub struct Difference(String);

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Difference {}
