//! How much of a request goes on record.

use types::Attributes;

use crate::Stage;

/// How much an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// No event at all.
    None,
    /// Who asked for what, when, and how it ended; no bodies.
    Metadata,
}

impl Level {
    /// As it stands in events and policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
        }
    }
}

/// A set of stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages(u8);

impl Stages {
    /// The set with `stage` in it.
    #[must_use]
    pub const fn with(self, stage: Stage) -> Self {
        Self(self.0 | 1 << stage as u8)
    }

    /// Whether `stage` is in the set.
    pub const fn contains(self, stage: Stage) -> bool {
        self.0 & 1 << stage as u8 != 0
    }
}

/// What a policy says about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// How much its events tell.
    pub level: Level,
    /// The stages that leave no event.
    pub omitted: Stages,
}

/// Decides, request by request, what goes on record: `audit.k8s.io/v1 Policy`.
#[derive(Clone, Debug)]
pub struct Policy(Evaluation);

impl Policy {
    /// Every request at [`Level::Metadata`], every stage.
    pub const fn metadata() -> Self {
        Self(Evaluation { level: Level::Metadata, omitted: Stages(0) })
    }

    /// Nothing goes on record.
    // UPSTREAM: without --audit-policy-file nothing is recorded (kube-apiserver 1.36)
    pub const fn none() -> Self {
        Self(Evaluation { level: Level::None, omitted: Stages(0) })
    }

    /// What goes on record about a request. Asked once a request; it holds for all its stages.
    pub const fn evaluate(&self, _: &Attributes<'_>) -> Evaluation {
        self.0
    }
}
