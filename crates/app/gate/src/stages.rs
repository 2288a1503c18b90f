//! The stages of a request, in the order in which `pipeline.rs` calls them.
//!
//! Each stage takes the permit of the one before it and makes its own. A permit's fields are
//! private to its stage, so nobody else can make one: a stage that is left out, or called too
//! early, does not compile.

pub(crate) mod admission;
pub(crate) mod audit;
pub(crate) mod authn;
pub(crate) mod authz;
pub(crate) mod flow;
pub(crate) mod impersonation;
pub(crate) mod network;
pub(crate) mod request;
pub(crate) mod standing;
pub(crate) mod tls;
pub(crate) mod upgrade;
pub(crate) mod upstream;

use std::borrow::Cow;

use types::{Decision, Layer, Reason, Verdict};

use crate::{answer::Answer, exchange::Exchange};

/// What a stage says: the permit for the next stage and why, or a refusal and why.
pub(crate) type StageResult<P> = Result<(P, Verdict), Box<Refused>>;

/// A request ends here.
pub(crate) struct Refused {
    pub(crate) verdict: Verdict,
    pub(crate) answer: Answer,
}

/// The layer has nothing against the request.
pub(crate) fn pass<P>(permit: P, layer: Layer) -> StageResult<P> {
    pass_because(permit, layer, Reason::Passed, "")
}

/// The same, for a reason.
pub(crate) fn pass_because<P>(
    permit: P,
    layer: Layer,
    reason: Reason,
    detail: impl Into<Cow<'static, str>>,
) -> StageResult<P> {
    Ok((permit, Verdict { layer, decision: Decision::Allow, reason, detail: detail.into() }))
}

/// The request ends at this layer.
pub(crate) fn refuse(
    layer: Layer,
    reason: Reason,
    detail: impl Into<Cow<'static, str>>,
    answer: Answer,
) -> Box<Refused> {
    let verdict = Verdict { layer, decision: Decision::Deny, reason, detail: detail.into() };
    Box::new(Refused { verdict, answer })
}

/// Takes a stage's verdict down and goes on with its permit.
pub(crate) trait Noted<P> {
    fn noted(self, exchange: &mut Exchange) -> Result<P, Box<Refused>>;
}

impl<P> Noted<P> for StageResult<P> {
    fn noted(self, exchange: &mut Exchange) -> Result<P, Box<Refused>> {
        match self {
            Ok((permit, verdict)) => {
                exchange.note(&verdict);
                Ok(permit)
            }
            Err(refused) => {
                exchange.note(&refused.verdict);
                Err(refused)
            }
        }
    }
}
