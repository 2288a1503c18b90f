//! On whose behalf?
//!
//! Decided here, before anything reaches the upstream: the requester may act as somebody else, or
//! the request ends. Whatever the client's identity headers said, none of them goes on.

use std::sync::Arc;

use ::authz::Impersonated;
use telemetry::Stripped;
use types::{Answers, Layer, NoTrace, Reason, Step, User};

use super::{StageResult, pass, pass_because, refuse, request::Request, standing::Standing};
use crate::{answer::Answer, exchange::Exchange, worker::Worker};

/// It is settled for whom the request is made, and no header of the client says otherwise.
pub(crate) struct Acting {
    user: Arc<User>,
}

impl Acting {
    /// For whom.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// Authorization webhooks may be asked about each part of an identity. HTTP/1.1 has no room for
/// more parts than this.
const MAX_QUESTIONS: usize = 256;

/// Takes every identity header off the request, and decides about those that ask to impersonate.
pub(crate) async fn decide(
    worker: &Worker,
    standing: Standing,
    request: &mut Request,
    exchange: &mut Exchange,
) -> StageResult<Acting> {
    let requester = standing.into_user();
    let requested = worker.gate.impersonation.requested(&mut request.headers);
    strip(worker, request);
    match requested {
        Ok(None) => pass(Acting { user: requester }, Layer::Impersonation),
        Ok(Some(wanted)) => Box::pin(impersonate(worker, &requester, &wanted, request, exchange)).await,
        Err(status) => {
            let (reason, detail) = (Reason::MalformedRequest, status.message.clone());
            Err(refuse(Layer::Impersonation, reason, detail, Answer::BadImpersonation(*status)))
        }
    }
}

fn strip(worker: &Worker, request: &mut Request) {
    let stripped = worker.gate.identity_headers.strip(&mut request.headers);
    for (how, count) in [
        (Stripped::Name, stripped.impersonate + stripped.front_proxy),
        (Stripped::Alias, stripped.aliased),
        (Stripped::Nominated, stripped.nominated),
    ] {
        for _ in 0..count {
            worker.metrics.stripped(how);
        }
    }
}

/// Asks the chain of authorizers whether the requester may act as `wanted`.
async fn impersonate(
    worker: &Worker,
    requester: &User,
    wanted: &User,
    request: &Request,
    exchange: &mut Exchange,
) -> StageResult<Acting> {
    let (gate, now) = (&worker.gate, exchange.at);
    let attributes = request.info.attributes(requester);
    let decide = |answers: &Answers| {
        gate.impersonation
            .decide(wanted, &attributes, now, &mut |at| gate.authz.decide(at, now, answers, &mut NoTrace))
    };
    // Without webhooks nothing is asked, and nothing is awaited.
    let decided = match decide(&Answers::none()) {
        Step::Done(decided) => Ok(decided),
        Step::Ask(_) => remote::drive_up_to(MAX_QUESTIONS, &gate.remote, now, decide).await,
    };
    match decided {
        Ok(Ok(impersonated)) => {
            worker.metrics.impersonated(Some(impersonated.mode.name()));
            if let Some(record) = exchange.record() {
                record.impersonated(&impersonated.user, impersonated.constraint());
            }
            let Impersonated { user, mode } = impersonated;
            let detail = format!("as {} by the verb {}", types::quote(&user.name), mode.verb());
            pass_because(Acting { user }, Layer::Impersonation, Reason::Allowed, detail)
        }
        Ok(Err(status)) => {
            worker.metrics.impersonated(None);
            let (reason, detail) = (Reason::ImpersonationRefused, status.message.clone());
            Err(refuse(Layer::Impersonation, reason, detail, Answer::Forbidden(*status)))
        }
        Err(error) => {
            worker.metrics.impersonated(None);
            let answer = Answer::internal_error(&error.to_string());
            Err(refuse(Layer::Impersonation, Reason::CannotDecide, error.to_string(), answer))
        }
    }
}
