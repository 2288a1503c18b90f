//! Layer 4: may they do this?

use std::sync::Arc;

use ::authz::{Opinion, Outcome, forbidden};
use types::{Answers, Attributes, Layer, NoTrace, Reason, Step, Timestamp, User, quote};

use super::{StageResult, flow::Seated, pass_because, refuse, request::Request};
use crate::{
    answer::Answer,
    exchange::Exchange,
    worker::{Gate, Worker},
};

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

/// What the authorizers say to one access question, for this stage and for every other that has to
/// know. Webhooks are asked where there are any; a chain that cannot come to an end is an error.
pub(crate) async fn authorize(gate: &Gate, at: &Attributes<'_>, now: Timestamp) -> Opinion {
    let decide = |answers: &Answers| gate.authz.decide(at, now, answers, &mut NoTrace);
    // Without webhooks nothing is asked, and nothing is awaited.
    match decide(&Answers::none()) {
        Step::Done(opinion) => opinion,
        Step::Ask(_) => Box::pin(remote::drive(&gate.remote, now, decide)).await.unwrap_or_else(|error| {
            Opinion { error: Some(::authz::Error(error.to_string())), ..Opinion::no_opinion("") }
        }),
    }
}

/// Asks the authorizers. Only an Allow lets the request on.
pub(crate) async fn decide(
    worker: &Worker,
    seated: Seated,
    request: &Request,
    exchange: &mut Exchange,
) -> StageResult<Permitted> {
    let user = seated.into_user();
    let attributes = request.info.attributes(&user);
    let opinion = authorize(&worker.gate, &attributes, exchange.at).await;
    if let Some(record) = exchange.record() {
        for (key, value) in opinion.annotations() {
            record.annotate(key, value);
        }
    }
    match opinion.outcome() {
        Outcome::Allowed => pass_because(Permitted { user }, Layer::Authorization, Reason::Allowed, ""),
        Outcome::Forbidden => {
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
            let sentence = format!("Internal Server Error: {}: {error}", quote(request.target().as_str()));
            let detail = error.to_string();
            Err(refuse(Layer::Authorization, Reason::CannotDecide, detail, Answer::Internal(sentence)))
        }
    }
}
