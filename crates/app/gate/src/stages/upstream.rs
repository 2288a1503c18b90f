//! Did the API server answer?

use std::{pin::pin, sync::Arc};

use ::request::RequestInfo;
use ::upstream::{PooledBody, SendError};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header, uri::PathAndQuery,
};
use hyper::body::Incoming;
use telemetry::{DryRun, RequestLabels, Series, Stream, UpstreamFailure};
use types::{Layer, Reason, Status, StatusReason, User};

use super::{Refused, audit::Recorded, refuse, request::Request, tls::Secured, upgrade};
use crate::{
    answer::{AUDIT_ID, Answer, Manner},
    body::Body,
    exchange::Exchange,
    worker::Worker,
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What else the API server, or somebody between, may take for the client's address.
static ADDRESS_HEADERS: [HeaderName; 2] = [HeaderName::from_static("x-real-ip"), header::FORWARDED];

/// A request that came to no answer of the upstream's: the gate answers itself.
pub(crate) struct Unanswered {
    pub(crate) refused: Box<Refused>,
    pub(crate) manner: Manner,
    pub(crate) exchange: Box<Exchange>,
}

/// Sends the request on and streams the answer back.
pub(crate) async fn forward(
    worker: &Arc<Worker>,
    recorded: Recorded,
    secured: &Secured,
    request: Box<Request>,
    exchange: Box<Exchange>,
) -> Result<Response<Body>, Box<Unanswered>> {
    let user = recorded.into_user();
    let manner = request.manner();
    let identity = match worker.identity(&user) {
        Ok(identity) => identity,
        // Fail closed: upstream would take it for somebody else's request.
        Err(error) => {
            let answer = Answer::internal_error("the user cannot be told to the API server in full");
            let refused = refuse(Layer::Upstream, Reason::UpstreamFailed, error.to_string(), answer);
            return Err(Box::new(Unanswered { refused, manner, exchange }));
        }
    };
    if request.upgrade().is_some() {
        return Box::pin(upgrade::forward(worker, &user, &identity, secured, request, exchange)).await;
    }
    let (outgoing, labels) = outgoing(*request, secured, &exchange);
    let mut sent = pin!(worker.pool.forward(&identity, outgoing));
    let received = if manner.long_running {
        sent.await
    } else {
        match tokio::time::timeout(worker.gate.bounds.response_head, sent.as_mut()).await {
            Ok(received) => received,
            Err(_) => {
                let refused = timed_out(worker);
                return Err(Box::new(Unanswered { refused, manner, exchange }));
            }
        }
    };
    match received {
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            let refused = switched_unasked(worker);
            Err(Box::new(Unanswered { refused, manner, exchange }))
        }
        Ok(response) => Ok(relay(worker, &user, &labels, response, &manner, exchange)),
        Err(error) => {
            let refused = failed(worker, &error);
            Err(Box::new(Unanswered { refused, manner, exchange }))
        }
    }
}

/// The upstream's answer as it goes to the client: its head at once, its body as it comes.
fn relay(
    worker: &Worker,
    user: &User,
    labels: &Labels,
    response: Response<PooledBody<Incoming>>,
    manner: &Manner,
    mut exchange: Box<Exchange>,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let code = parts.status.as_u16();
    let stream = manner.long_running.then(|| {
        let kind = if labels.info.verb() == "watch" { Stream::Watch } else { Stream::Response };
        worker.metrics.stream(kind)
    });
    exchange.answered(code, labels.series(worker, user, code), stream);
    end_of_hop(&mut parts.headers);
    exchange.mark(&mut parts.headers);
    if manner.last_on_connection {
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Response::from_parts(parts, Body::pooled(body, exchange, manner.long_running))
}

/// The request as it goes upstream, but for identity and credential, which the pool sets; and what
/// is still needed of it here.
pub(super) fn outgoing(
    request: Request,
    secured: &Secured,
    exchange: &Exchange,
) -> (http::Request<Incoming>, Labels) {
    let target = request.target().clone();
    let Request { method, mut headers, body, info, .. } = request;
    let is_patch = method == Method::PATCH;
    let content_type = is_patch.then(|| headers.get(header::CONTENT_TYPE).cloned()).flatten();
    for name in &ADDRESS_HEADERS {
        headers.remove(name);
    }
    // The gate has answered it already, when it began to read the body.
    headers.remove(header::EXPECT);
    match secured.address() {
        Some(address) => drop(headers.insert(X_FORWARDED_FOR, address.clone())),
        None => drop(headers.remove(X_FORWARDED_FOR)),
    }
    headers.insert(AUDIT_ID, exchange.audit_id.clone());
    let mut outgoing = http::Request::new(body);
    *outgoing.method_mut() = method.clone();
    *outgoing.uri_mut() = Uri::from(target.clone());
    *outgoing.headers_mut() = headers;
    (outgoing, Labels { method, info, target, content_type })
}

/// What decides where a request counts, once the rest of it has gone upstream.
pub(super) struct Labels {
    method: Method,
    info: RequestInfo,
    target: PathAndQuery,
    content_type: Option<HeaderValue>,
}

impl Labels {
    pub(super) fn series(&self, worker: &Worker, user: &User, code: u16) -> Series {
        series(worker, &self.method, &self.info, &self.target, self.content_type.as_ref(), user, code)
    }
}

/// Where a request counts.
pub(super) fn series(
    worker: &Worker,
    method: &Method,
    info: &RequestInfo,
    target: &PathAndQuery,
    content_type: Option<&HeaderValue>,
    user: &User,
    code: u16,
) -> Series {
    let attributes = info.attributes(user);
    let labels = RequestLabels {
        method: method.as_str(),
        attributes: &attributes,
        content_type: content_type.and_then(|value| value.to_str().ok()).unwrap_or_default(),
        dry_run: DryRun::of(target.query().unwrap_or_default()),
    };
    worker.metrics.series(&labels, code)
}

/// The answer to a request whose way upstream failed.
pub(super) fn failed(worker: &Worker, error: &SendError) -> Box<Refused> {
    tracing::warn!(%error, "a request could not be forwarded");
    let (how, answer) = match error {
        SendError::Connect { .. } => (UpstreamFailure::Connect, Answer::upstream_unavailable()),
        SendError::ConnectTimeout { .. } => (UpstreamFailure::Timeout, Answer::upstream_unavailable()),
        SendError::Handshake { .. } => (UpstreamFailure::Tls, Answer::upstream_unavailable()),
        SendError::NoAnswer { .. } => (UpstreamFailure::Timeout, Answer::upstream_unavailable()),
        SendError::HungUp { .. } => (UpstreamFailure::Broken, Answer::upstream_unavailable()),
        SendError::Broken(_) => (UpstreamFailure::Broken, Answer::upstream_broke_off()),
    };
    worker.metrics.upstream_failed(how);
    refuse(Layer::Upstream, Reason::UpstreamFailed, error.to_string(), answer)
}

fn timed_out(worker: &Worker) -> Box<Refused> {
    worker.metrics.upstream_failed(UpstreamFailure::Timeout);
    let message = "Timeout: the API server behind the gate did not answer in time";
    let answer = Answer::Status(Status::failure(504, StatusReason::Timeout, message));
    refuse(Layer::Upstream, Reason::UpstreamFailed, "no response head in time", answer)
}

/// Nobody asked to leave HTTP, so nobody knows what follows a 101.
fn switched_unasked(worker: &Worker) -> Box<Refused> {
    worker.metrics.upstream_failed(UpstreamFailure::Broken);
    let why = "a 101 to a request that did not ask for one";
    refuse(Layer::Upstream, Reason::UpstreamFailed, why, Answer::upstream_broke_off())
}

/// Takes away what was meant for the connection to the upstream only.
pub(super) fn end_of_hop(headers: &mut HeaderMap) {
    let nominated = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
    let hop_by_hop = headers.keys().filter(|name| is_hop_by_hop(name)).cloned();
    let unwanted: Vec<HeaderName> = nominated.chain(hop_by_hop).collect();
    for name in unwanted {
        headers.remove(name);
    }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}
