//! What one authenticator says, and what all of them together come to.

use std::{borrow::Cow, fmt, sync::Arc};

use http::{HeaderMap, HeaderValue, header};
use types::{Reason, Timestamp, User, group, username};

/// A requester that an authenticator vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who it is. Shared, because one certificate or token serves many requests.
    pub user: Arc<User>,
    /// The last moment at which the credential is good; `None` if it never runs out. Nothing may
    /// remember the identity, or keep a watch open for it, beyond this.
    pub valid_until: Option<Timestamp>,
}

impl Identity {
    /// Whether the credential is still good at `now`.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| now <= until)
    }

    /// The identity with `system:authenticated` as last group.
    // UPSTREAM: not for `system:anonymous`, and not if the user is in `system:authenticated` or
    // `system:unauthenticated` already (kube-apiserver 1.36)
    #[must_use]
    pub fn with_authenticated(&self) -> Self {
        let user = &self.user;
        if user.name == username::ANONYMOUS
            || user.in_group(group::AUTHENTICATED)
            || user.in_group(group::UNAUTHENTICATED)
        {
            return self.clone();
        }
        let mut user = User::clone(user);
        user.groups.push(group::AUTHENTICATED.into());
        Self { user: Arc::new(user), valid_until: self.valid_until }
    }
}

/// One authenticator's answer: kube-apiserver's `(user, ok, err)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The credential is good.
    User(Identity),
    /// No credential of this authenticator's kind was shown.
    NoOpinion,
    /// A credential was shown and is not good, or could not be judged.
    Failed(AuthnFailure),
}

/// Why a credential was not accepted. Clients never see it (they get the same 401 for everything);
/// it is for traces, logs and `TokenReview`, and never holds the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthnFailure {
    /// The sentence, worded as kube-apiserver words it where it has one.
    pub message: Cow<'static, str>,
    /// Whether the credential could not be judged, rather than was found bad.
    pub unanswered: bool,
}

impl AuthnFailure {
    /// The credential is bad.
    pub fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), unanswered: false }
    }

    /// A fact that is needed to judge the credential could not be had.
    pub fn unanswered(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), unanswered: true }
    }
}

/// What authenticators leave behind beside their answer, whether they accept or refuse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    /// Texts for `Warning: 299` headers of the response, in order.
    pub warnings: Vec<Cow<'static, str>>,
    /// Annotations for the audit event. A key comes once: the first to set it wins, as in
    /// kube-apiserver.
    pub annotations: Vec<(&'static str, String)>,
}

impl Remarks {
    /// Adds a warning for the client.
    pub fn warn(&mut self, warning: impl Into<Cow<'static, str>>) {
        self.warnings.push(warning.into());
    }

    /// Adds an audit annotation unless its key is already there.
    pub fn annotate(&mut self, key: &'static str, value: impl Into<String>) {
        if !self.annotations.iter().any(|(k, _)| *k == key) {
            self.annotations.push((key, value.into()));
        }
    }

    /// Adds all that `other` holds.
    pub fn append(&mut self, other: &Self) {
        self.warnings.extend(other.warnings.iter().cloned());
        for (key, value) in &other.annotations {
            self.annotate(key, value.as_str());
        }
    }
}

/// Where the credential that was accepted stood, and so what must not go on to the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Consumed {
    /// Not in a header.
    #[default]
    Nothing,
    /// In the `Authorization` headers, which all go.
    Authorization,
    /// Among the WebSocket subprotocols; this value takes the place of all
    /// `Sec-WebSocket-Protocol` headers.
    WebSocketProtocol(HeaderValue),
}

impl Consumed {
    /// Takes the credential out of `headers`.
    pub fn strip(&self, headers: &mut HeaderMap) {
        match self {
            Self::Nothing => {}
            Self::Authorization => {
                headers.remove(header::AUTHORIZATION);
            }
            Self::WebSocketProtocol(rest) => {
                headers.insert(header::SEC_WEBSOCKET_PROTOCOL, rest.clone());
            }
        }
    }
}

/// The requester is known (or is anonymous, where that is allowed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who it is, `system:authenticated` included.
    pub identity: Identity,
    /// For which audiences the credential is good; empty where it has none.
    pub audiences: Vec<String>,
    /// Warnings and audit annotations.
    pub remarks: Remarks,
    /// What must not go on to the upstream.
    pub consumed: Consumed,
}

/// The requester is not known: 401.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unauthorized {
    /// What was wrong with each credential, in the order tried; empty if none was shown.
    pub failures: Vec<AuthnFailure>,
    /// Warnings and audit annotations.
    pub remarks: Remarks,
}

impl Unauthorized {
    /// Why, from the closed set.
    pub fn reason(&self) -> Reason {
        if self.failures.is_empty() {
            Reason::NoCredential
        } else if self.failures.iter().any(|failure| failure.unanswered) {
            Reason::CannotJudgeCredential
        } else {
            Reason::BadCredential
        }
    }
}

/// What `TokenReview` says of it.
// UPSTREAM: one sentence as it is, several in brackets, equal ones once (kube-apiserver 1.36)
impl fmt::Display for Unauthorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sentences: Vec<&str> = Vec::new();
        for AuthnFailure { message, .. } in &self.failures {
            if !sentences.contains(&message.as_ref()) {
                sentences.push(message);
            }
        }
        match sentences.as_slice() {
            [one] => f.write_str(one),
            several => write!(f, "[{}]", several.join(", ")),
        }
    }
}
