//! The way of a request, from its head to the last byte of its answer, in one straight line.
//!
//! ```text
//! accept ─► network ─► tls ─► request ─► authn ─► audit ─► standing ─► impersonation ─► flow ─► authz ─► admission ─► upstream
//! ```
//!
//! The order is kube-apiserver's, with ours set in. It cannot be changed without changing the
//! permits of `stages/`: each call below needs what the one before it returned.

use std::{convert::Infallible, sync::Arc};

use http::Response;
use hyper::body::Incoming;
use types::{Layer, Timestamp};

use crate::{
    answer::{self, AUDIT_ID, Answer, Manner},
    audit_id,
    body::Body,
    exchange::Exchange,
    http1::{BadHead, Line},
    stages::{
        Noted, Refused, admission,
        audit::{self, Recorded},
        authn, authz, flow, impersonation,
        request::{self, Arrival, Read, Request},
        standing,
        tls::Secured,
        upstream::{self, Unanswered},
    },
    worker::Worker,
};

/// Answers one request of a connection. Layers 1 and 2 have let the connection pass.
///
/// hyper moves the future around before it polls it, so what is rare and large lies behind a pointer.
pub(crate) async fn answer(
    worker: Arc<Worker>,
    secured: Arc<Secured>,
    line: Option<Arc<Line>>,
    request: http::Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    // A request of HTTP/1.1 that did not come through the reader is one that hyper found by itself:
    // nothing that it says of the target is believed.
    let head = line.as_ref().map(|line| line.take_head().unwrap_or(Err(BadHead::Unannounced)));
    let audit_id = audit_id::of(request.headers().get(AUDIT_ID));
    let mut exchange = Box::new(Exchange::new(&worker, line, Timestamp::now(), audit_id));
    let (read, mut request) = match request::read(&secured, Arrival { request, head }).noted(&mut exchange) {
        Ok(read) => read,
        Err(refused) => {
            let manner = Manner::unread(exchange.line().is_some());
            return Ok(respond(&refused.answer, &manner, exchange));
        }
    };
    Ok(match decide(&worker, &secured, read, &mut request, &mut exchange).await {
        Ok(recorded) => {
            if let Some(own) = worker.gate.own_paths.on_main(request.info.path()) {
                return Ok(respond(&own.answer(&worker.gate, &request.headers), &request.manner(), exchange));
            }
            match upstream::forward(&worker, recorded, &secured, request, exchange).await {
                Ok(response) => response,
                Err(unanswered) => {
                    let Unanswered { refused, manner, mut exchange } = *unanswered;
                    exchange.note(&refused.verdict);
                    respond(&refused.answer, &manner, exchange)
                }
            }
        }
        Err(refused) => {
            if refused.verdict.layer == Layer::Authentication {
                audit::failed_authentication(&worker, &secured, &request, &mut exchange);
            }
            // Whether the record could be kept does not change a refusal.
            let _refused_anyway = exchange.recorded().await;
            respond(&refused.answer, &request.manner(), exchange)
        }
    })
}

/// Layers 3 to 6, in kube-apiserver's order.
async fn decide(
    worker: &Worker,
    secured: &Secured,
    read: Read<'_>,
    request: &mut Request,
    exchange: &mut Exchange,
) -> Result<Recorded, Box<Refused>> {
    let known = authn::identify(worker, read, request, exchange).await.noted(exchange)?;
    let begun = audit::begin(worker, known, secured, request, exchange).noted(exchange)?;
    let standing = standing::check(worker, begun, request).noted(exchange)?;
    let acting = impersonation::decide(worker, standing, request, exchange).await.noted(exchange)?;
    let seated = flow::take_seat(worker, acting, request, exchange).noted(exchange)?;
    let permitted = authz::decide(worker, seated, request, exchange).await.noted(exchange)?;
    let admitted = admission::admit(permitted).noted(exchange)?;
    audit::recorded(admitted, exchange).await.noted(exchange)
}

/// The gate answers itself.
fn respond(answer: &Answer, manner: &Manner, mut exchange: Box<Exchange>) -> Response<Body> {
    let (mut parts, text) = answer::write(answer, manner, &exchange.audit_id).into_parts();
    exchange.warn(&mut parts.headers);
    exchange.refused(
        parts.status.as_u16(),
        answer.status().filter(|_| manner.acceptable().is_some()),
        manner.long_running,
    );
    Response::from_parts(parts, Body::own(text, Some(exchange)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, C, D, F>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// hyper keeps room for one with each connection, and moves it there for each request.
    #[test]
    fn what_a_request_holds_while_it_runs_stays_small() {
        let size = size_of_future(answer);
        assert!(size <= 3 * 1024, "{size} bytes");
    }
}
