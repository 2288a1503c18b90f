//! What token authenticators answer, and where a good token may be remembered.

use std::sync::Arc;

use types::Timestamp;

use crate::{AuthnFailure, Identity, Remarks};

/// A token that was accepted, and all that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUser {
    /// Whose it is.
    pub identity: Identity,
    /// Those of the audiences asked for that the token is good for; empty where tokens of its kind
    /// have none.
    pub audiences: Vec<String>,
    /// Warnings and audit annotations, repeated with every request that shows the token.
    pub remarks: Remarks,
}

/// A token authenticator's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenAnswer {
    /// The token is good.
    Accepted(Arc<TokenUser>),
    /// The token is not of this authenticator's kind.
    NoOpinion,
    /// The token is of this kind and is not good.
    Refused(Vec<AuthnFailure>, Remarks),
}

/// Remembers good tokens, so that a signature is not verified for every request.
///
/// The memory belongs to one [`Authn`](crate::Authn): whoever replaces that (new keys, a
/// revocation) starts with an empty memory. An implementation keys by a keyed hash of the token,
/// bounds its size and forgets after ten seconds at most.
// UPSTREAM: successes of all token authenticators are cached for 10 s, failures not at all
// (kube-apiserver 1.36)
pub trait TokenMemory {
    /// What was remembered of `token`. The caller checks that the token has not run out.
    fn recall(&self, token: &str, now: Timestamp) -> Option<Arc<TokenUser>>;

    /// Remembers `user` for `token`. `then` is the time of the oldest fact that this rests on: the
    /// ten seconds begin there.
    fn keep(&self, token: &str, user: &Arc<TokenUser>, then: Timestamp);
}

/// Remembers nothing: for `explain`, replays and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl TokenMemory for NoMemory {
    fn recall(&self, _: &str, _: Timestamp) -> Option<Arc<TokenUser>> {
        None
    }

    fn keep(&self, _: &str, _: &Arc<TokenUser>, _: Timestamp) {}
}
