//! Layer 4: may they do this?

use std::{sync::Arc, time::Instant};

use ::authz::{Opinion, Outcome, forbidden};
use telemetry::{Authorization, AuthorizerSeries};
use types::{Answers, Attributes, Decision, Layer, Question, Reason, Step, Timestamp, User, quote};

use super::{StageResult, flow::Seated, pass_because, refuse, request::Request};
use crate::{answer::Answer, authorizers::Authorizers, exchange::Exchange, recent::Said, worker::Worker};

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

/// What the authorizers say to one request, webhooks among them. A chain that cannot come to an end is an
/// error.
async fn authorize(worker: &Worker, at: &Attributes<'_>, exchange: &mut Exchange) -> Opinion {
    let began = Instant::now();
    let (opinion, decided) = match at_once(worker, at, exchange.at) {
        Ok(decided) => decided,
        Err(asked) => Box::pin(asking(worker, at, exchange, asked)).await,
    };
    let result = match (opinion.decision, &opinion.error) {
        (Decision::Allow, _) => Authorization::Allowed,
        (_, Some(_)) => Authorization::Error,
        (Decision::Deny, None) => Authorization::Denied,
        (Decision::NoOpinion, None) => Authorization::NoOpinion,
    };
    worker.metrics.authorized(result, began.elapsed(), decided);
    opinion
}

/// An opinion, and whose it is.
type Decided = (Opinion, Option<(AuthorizerSeries, Decision)>);

/// Who has been asked, and what.
type Asked = (Arc<Authorizers>, Question);

/// Where no webhook has to be asked, nothing is awaited.
fn at_once(worker: &Worker, at: &Attributes<'_>, now: Timestamp) -> Result<Decided, Asked> {
    let authorizers = worker.gate.authorizers.load();
    let mut meter = authorizers.meter(&worker.metrics);
    match authorizers.chain.decide(at, now, &Answers::none(), &mut meter) {
        Step::Done(opinion) => Ok((opinion, meter.decided())),
        Step::Ask(question) => Err((Arc::clone(&authorizers), question)),
    }
}

async fn asking(worker: &Worker, at: &Attributes<'_>, exchange: &mut Exchange, asked: Asked) -> Decided {
    let now = exchange.at;
    let decide = || {
        |authorizers: &Authorizers, answers: &Answers| {
            let mut meter = authorizers.meter(&worker.metrics);
            match authorizers.chain.decide(at, now, answers, &mut meter) {
                Step::Done(opinion) => {
                    let said = Said::among(Layer::Authorization, answers);
                    Step::Done(((opinion, meter.decided()), said))
                }
                Step::Ask(question) => Step::Ask(question),
            }
        }
    };
    match worker.gate.authorizers.drive(Some(asked), None, now, decide).await {
        Ok((decided, said)) => {
            exchange.consulted(said);
            decided
        }
        Err(error) => {
            let error = Some(::authz::Error(error.to_string()));
            (Opinion { error, ..Opinion::no_opinion("") }, None)
        }
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
    let opinion = authorize(worker, &attributes, exchange).await;
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
                Decision::Deny => Reason::Denied,
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
