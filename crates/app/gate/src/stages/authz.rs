//! Layer 4: may they do this?

use std::sync::Arc;

use ::authz::{Opinion, Outcome, forbidden};
use types::{Answers, Layer, NoTrace, Reason, Step, User};

use super::{StageResult, flow::Seated, pass_because, refuse, request::Request};
use crate::{answer::Answer, exchange::Exchange, worker::Worker};

/// An authorizer allowed it.
pub(crate) struct Permitted {
    user: Arc<User>,
}

impl Permitted {
    /// For whom.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// Asks the authorizers. Only an Allow lets the request on.
pub(crate) fn decide(
    worker: &Worker,
    seated: Seated,
    request: &Request,
    exchange: &mut Exchange,
) -> StageResult<Permitted> {
    let user = seated.into_user();
    let attributes = request.info.attributes(&user);
    let step = worker.gate.authz.decide(&attributes, exchange.at, &Answers::none(), &mut NoTrace);
    let opinion = match step {
        Step::Done(opinion) => opinion,
        // None of the authorizers that can be configured asks; should one, nothing is allowed.
        Step::Ask(_) => Opinion {
            error: Some(::authz::Error("a question to the outside was not answered".to_owned())),
            ..Opinion::no_opinion("")
        },
    };
    match opinion.outcome() {
        Outcome::Allowed => {
            if let Some(record) = exchange.record() {
                record.allowed(opinion.reason.to_string());
            }
            pass_because(Permitted { user }, Layer::Authorization, Reason::Allowed, "")
        }
        Outcome::Forbidden => {
            if let Some(record) = exchange.record() {
                record.forbidden(opinion.reason.to_string());
            }
            let status = forbidden(&attributes, &opinion.reason);
            let reason = match opinion.decision {
                types::Decision::Deny => Reason::Denied,
                _ => Reason::NotAllowed,
            };
            let detail = opinion.reason.to_string();
            Err(refuse(Layer::Authorization, reason, detail, Answer::Forbidden(status)))
        }
        // UPSTREAM: an error without an Allow is a 500 in plain text (kube-apiserver 1.36)
        Outcome::Failed(error) => {
            let target = request.target().as_str();
            let sentence = format!("Internal Server Error: {target:?}: {error}");
            let detail = error.to_string();
            Err(refuse(Layer::Authorization, Reason::CannotDecide, detail, Answer::Internal(sentence)))
        }
    }
}
