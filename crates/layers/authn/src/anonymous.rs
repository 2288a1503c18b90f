//! Requests without a credential.

use std::sync::Arc;

use types::{User, group, username};

use crate::Identity;

/// Whether, and where, a request without any credential is served as `system:anonymous`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// Nowhere: such a request is answered 401.
    #[default]
    Refused,
    /// On every path.
    Everywhere,
    /// On these paths only, each compared with the decoded path byte by byte.
    // UPSTREAM: no wildcard, no cleaning, the query plays no part (kube-apiserver 1.36)
    OnPaths(Vec<String>),
}

impl Anonymous {
    /// From `anonymous` of an `AuthenticationConfiguration`: no conditions means every path.
    pub fn new(enabled: bool, paths: impl IntoIterator<Item = String>) -> Self {
        let paths: Vec<String> = paths.into_iter().collect();
        match (enabled, paths.is_empty()) {
            (false, _) => Self::Refused,
            (true, true) => Self::Everywhere,
            (true, false) => Self::OnPaths(paths),
        }
    }

    /// Whether `path` (decoded once) is served without a credential.
    pub fn allows(&self, path: &str) -> bool {
        match self {
            Self::Refused => false,
            Self::Everywhere => true,
            Self::OnPaths(paths) => paths.iter().any(|allowed| allowed == path),
        }
    }

    /// Who such a requester is.
    pub fn identity() -> Identity {
        Identity {
            user: Arc::new(User::new(username::ANONYMOUS, [group::UNAUTHENTICATED])),
            valid_until: None,
        }
    }
}
