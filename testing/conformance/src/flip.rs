//! Proof that a runner can fail.

use types::Decision;

/// Turns one decision of a runner into its opposite, once, when armed.
#[derive(Debug, Default)]
pub struct Flip {
    armed: bool,
    used: bool,
}

impl Flip {
    /// Leaves every decision as it is.
    pub fn off() -> Self {
        Self::default()
    }

    /// Flips the first decision that passes.
    pub fn armed() -> Self {
        Self { armed: true, used: false }
    }

    /// Whether a decision has been flipped.
    pub fn used(&self) -> bool {
        self.used
    }

    /// The decision, or `opposite(decision)` the first time when armed.
    pub fn decision<T>(&mut self, decision: T, opposite: impl FnOnce(T) -> T) -> T {
        if self.armed && !self.used {
            self.used = true;
            opposite(decision)
        } else {
            decision
        }
    }

    /// The same for what an authorizer says: what is allowed is not, and the other way round.
    pub fn authorization(&mut self, decision: Decision) -> Decision {
        self.decision(decision, |decision| match decision {
            Decision::Allow => Decision::NoOpinion,
            Decision::Deny | Decision::NoOpinion => Decision::Allow,
        })
    }
}
