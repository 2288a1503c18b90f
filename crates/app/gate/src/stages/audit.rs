//! Layer 6, beginning: from here on the request is on record, whatever becomes of it.

use std::sync::Arc;

use ::audit::{Outcome, Received, Record};
use http::header;
use types::{Layer, Reason, Status, User};

use super::{
    StageResult, admission::Admitted, authn, authn::Known, pass, refuse, request::Request, tls::Secured,
};
use crate::{answer::Answer, exchange::Exchange, worker::Worker};

/// The request is on record.
pub(crate) struct Begun {
    user: Arc<User>,
}

impl Begun {
    /// Who asks.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// Puts the request on record.
pub(crate) fn begin(
    worker: &Worker,
    known: Known,
    secured: &Secured,
    request: &Request,
    exchange: &mut Exchange,
) -> StageResult<Begun> {
    let user = known.into_user();
    if let Some(record) = record(worker, &user, secured, request, exchange) {
        exchange.begin(record);
    }
    pass(Begun { user }, Layer::Audit)
}

/// Every layer has let the request pass, and that it was asked is as safely on record as the log's
/// mode promises.
pub(crate) struct Recorded {
    user: Arc<User>,
}

impl Recorded {
    /// For whom.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// Waits until the request is on record, and only then lets it go upstream.
pub(crate) async fn recorded(admitted: Admitted, exchange: &mut Exchange) -> StageResult<Recorded> {
    match exchange.recorded().await {
        Ok(()) => pass(Recorded { user: admitted.into_user() }, Layer::Audit),
        // UPSTREAM: blocking-strict fails the request (kube-apiserver 1.36)
        Err(error) => {
            let answer = Answer::internal_error(&error.to_string());
            Err(refuse(Layer::Audit, Reason::CannotDecide, error.to_string(), answer))
        }
    }
}

/// Puts a request on record that failed authentication.
pub(crate) fn failed_authentication(
    worker: &Worker,
    secured: &Secured,
    request: &Request,
    exchange: &mut Exchange,
) {
    let Some(record) = record(worker, &User::default(), secured, request, exchange) else { return };
    match request.manner().acceptable() {
        Some(_) => exchange.record_unauthorized(record, Outcome::Status(&Status::unauthorized())),
        None => {
            let attempted = authn::attempted(request, secured.showed_certificate());
            exchange.record_unauthorized(record, Outcome::Message(401, &attempted));
        }
    }
}

fn record(
    worker: &Worker,
    user: &User,
    secured: &Secured,
    request: &Request,
    exchange: &Exchange,
) -> Option<Record> {
    let audit = worker.gate.audit.as_ref()?;
    let attributes = request.info.attributes(user);
    let user_agent = request.headers.get(header::USER_AGENT).map_or(&b""[..], |value| value.as_bytes());
    let received = Received {
        audit_id: &String::from_utf8_lossy(exchange.audit_id.as_bytes()),
        request_uri: request.target().as_str().as_bytes(),
        attributes: &attributes,
        source_ips: &[secured.peer().ip()],
        user_agent,
        at: exchange.at,
    };
    Record::new(audit.policy.evaluate(&attributes), &received)
}
