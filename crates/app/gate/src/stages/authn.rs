//! Layer 3: who is asking?

use std::sync::Arc;

use ::authn::{AuthnFailure, Credentials, Unauthorized};
use types::{Answers, Layer, NoTrace, Reason, Step, User};

use super::{
    StageResult, pass, refuse,
    request::{Read, Request},
};
use crate::{answer::Answer, exchange::Exchange, worker::Worker};

/// The requester is known, or is anonymous where that is allowed.
pub(crate) struct Known {
    user: Arc<User>,
}

impl Known {
    /// Who asks.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// Decides who asks, and takes the credential that was accepted off the request.
pub(crate) async fn identify(
    worker: &Worker,
    read: Read<'_>,
    request: &mut Request,
    exchange: &mut Exchange,
) -> StageResult<Known> {
    match authenticate(worker, &read, request, exchange).await {
        Ok(authenticated) => {
            authenticated.consumed.strip(&mut request.headers);
            exchange.remark(&authenticated.remarks);
            exchange.ends_with(&authenticated.identity);
            let user = authenticated.identity.user;
            worker.metrics.authenticated(&user.name);
            pass(Known { user }, Layer::Authentication)
        }
        Err(unauthorized) => {
            exchange.remark(&unauthorized.remarks);
            let reason = unauthorized.reason();
            if reason == Reason::NoCredential {
                worker.metrics.unauthenticated();
            } else {
                worker.metrics.authentication_failed();
            }
            let why = match unauthorized.failures.first() {
                Some(failure) => failure.message.clone(),
                None => "no credential was shown".into(),
            };
            Err(refuse(Layer::Authentication, reason, why, Answer::Unauthorized))
        }
    }
}

async fn authenticate(
    worker: &Worker,
    read: &Read<'_>,
    request: &Request,
    exchange: &Exchange,
) -> Result<::authn::Authenticated, Unauthorized> {
    let gate = &worker.gate;
    let now = exchange.at;
    let decide = |answers: &Answers| {
        let credentials = Credentials {
            certificate: read.secured().certificate(),
            headers: &request.headers,
            path: request.info.path(),
            memory: &worker.tokens,
        };
        gate.authn.authenticate(&credentials, now, answers, &mut NoTrace)
    };
    // Nearly always nothing is asked, and nothing is awaited.
    match decide(&Answers::none()) {
        Step::Done(outcome) => outcome,
        Step::Ask(_) => {
            let asked = Box::pin(remote::drive_confirmed(&gate.remote, now, Result::is_err, decide)).await;
            asked.unwrap_or_else(|error| {
                let failures = vec![AuthnFailure::unanswered(error.to_string())];
                Err(Unauthorized { failures, ..Unauthorized::default() })
            })
        }
    }
}

/// What the audit event of a 401 says where its body could not be written as the client accepts it.
// UPSTREAM: names the kinds of credentials that were shown, in this order (kube-apiserver 1.36)
pub(crate) fn attempted(request: &Request, showed_certificate: bool) -> String {
    let authorization =
        request.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let scheme = authorization.and_then(|value| value.trim().split_once(' ')).map(|(scheme, _)| scheme);
    let shown = [
        (scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic")), "basic"),
        (scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer")), "bearer"),
        (showed_certificate, "x509"),
    ];
    let shown: Vec<_> = shown.iter().filter(|(shown, _)| *shown).map(|(_, name)| *name).collect();
    if shown.is_empty() {
        "Authentication failed, no credentials provided".to_owned()
    } else {
        format!("Authentication failed, attempted: {}", shown.join(", "))
    }
}
