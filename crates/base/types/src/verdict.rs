//! What a layer says to a request, and why.

use std::borrow::Cow;

use crate::Evidence;

/// The stages a request passes, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// May this address reach the API at all?
    Network,
    /// Is the channel private, and who holds the key?
    Tls,
    /// Is this a request line that we, and the upstream, read the same way?
    Request,
    /// Who is asking?
    Authentication,
    /// Is the requester itself shut out?
    Standing,
    /// On whose behalf?
    Impersonation,
    /// Is there room for it now?
    Flow,
    /// May they do this?
    Authorization,
    /// Is it too much of this kind?
    Admission,
    /// What happened to it?
    Audit,
    /// Did the API server answer?
    Upstream,
}

impl Layer {
    /// Every layer, in the order of the pipeline.
    pub const ALL: [Self; 11] = [
        Self::Network,
        Self::Tls,
        Self::Request,
        Self::Authentication,
        Self::Standing,
        Self::Impersonation,
        Self::Flow,
        Self::Authorization,
        Self::Admission,
        Self::Audit,
        Self::Upstream,
    ];

    /// The layer's name in logs, metrics labels and `explain`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Tls => "tls",
            Self::Request => "request",
            Self::Authentication => "authentication",
            Self::Standing => "standing",
            Self::Impersonation => "impersonation",
            Self::Flow => "flow",
            Self::Authorization => "authorization",
            Self::Admission => "admission",
            Self::Audit => "audit",
            Self::Upstream => "upstream",
        }
    }
}

/// An authorizer's answer: kube-apiserver's `authorizer.Decision`. Only `Allow` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Yes; nobody further is asked.
    Allow,
    /// No; nobody further is asked.
    Deny,
    /// Not mine to say. When all say so, the request is refused.
    NoOpinion,
}

/// Why a layer decided as it did. The set is closed: metrics labels and tests rely on it. What the
/// person should read stands beside it in [`Verdict::detail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The layer has nothing against the request.
    Passed,
    /// The layer is not configured.
    NotConfigured,
    /// The peer's address is outside every allowed network.
    AddressNotAllowed,
    /// The request line cannot be read the same way by everybody.
    MalformedRequest,
    /// No credential was shown, and anonymous requests are refused.
    NoCredential,
    /// A credential was shown and is not good.
    BadCredential,
    /// A credential could not be judged because a question stayed unanswered.
    CannotJudgeCredential,
    /// The requester's name or group is on the deny list.
    DeniedUser,
    /// The request asks to act as somebody else.
    ImpersonationRefused,
    /// As many requests are running as may run.
    TooManyRequests,
    /// An authorizer allowed the request.
    Allowed,
    /// An authorizer denied the request.
    Denied,
    /// No authorizer allowed the request.
    NotAllowed,
    /// Authorization could not be decided.
    CannotDecide,
    /// The upstream could not be reached or broke off.
    UpstreamFailed,
}

impl Reason {
    /// The reason as a metrics label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::NotConfigured => "not_configured",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::MalformedRequest => "malformed_request",
            Self::NoCredential => "no_credential",
            Self::BadCredential => "bad_credential",
            Self::CannotJudgeCredential => "cannot_judge_credential",
            Self::DeniedUser => "denied_user",
            Self::ImpersonationRefused => "impersonation_refused",
            Self::TooManyRequests => "too_many_requests",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::NotAllowed => "not_allowed",
            Self::CannotDecide => "cannot_decide",
            Self::UpstreamFailed => "upstream_failed",
        }
    }
}

/// What one layer said to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which layer.
    pub layer: Layer,
    /// `Allow`: the request goes on. `Deny`: it ends here. `NoOpinion`: one voice of several.
    pub decision: Decision,
    /// Why, from a closed set.
    pub reason: Reason,
    /// Why, for a person: the binding, the network, the file. Never a credential.
    pub detail: Cow<'static, str>,
}

/// Listens to the verdicts that lead to a decision. The gate's hot path passes [`NoTrace`], which
/// compiles to nothing; `explain` passes a list.
pub trait Trace {
    /// Whether anybody listens: lets a caller skip work that only serves the listener.
    fn listens(&self) -> bool {
        true
    }

    /// Takes one verdict.
    fn note(&mut self, verdict: &Verdict);

    /// Takes what the next verdict rests on. Only those who explain keep it.
    fn evidence(&mut self, evidence: Evidence) {
        drop(evidence);
    }

    /// The authorizer at this place of the chain, counted from 0, said Allow or Deny. Told even where
    /// nobody listens: it costs nothing, and counters want no more.
    fn decided(&mut self, authorizer: usize, decision: Decision) {
        let _ = (authorizer, decision);
    }

    /// An authorizer is about to judge its match conditions: whoever measures looks at the clock.
    fn conditions_begin(&mut self) {}

    /// The authorizer at this place has judged them. With one `excluded` it is not asked; one that
    /// `failed` had no value.
    fn conditions_end(&mut self, authorizer: usize, excluded: bool, failed: bool) {
        let _ = (authorizer, excluded, failed);
    }
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    fn listens(&self) -> bool {
        false
    }

    fn note(&mut self, _: &Verdict) {}
}

impl Trace for Vec<Verdict> {
    fn note(&mut self, verdict: &Verdict) {
        self.push(verdict.clone());
    }
}
