//! Upgrades: exec, attach, port-forward, proxied WebSockets.
//!
//! HTTP/1.1 with a connection of its own upstream. Only a 101 switches protocols, no byte of
//! the client goes on before it, no redirect is followed, and any other answer closes the
//! connection.

use std::{sync::Arc, time::Duration};

use ::upstream::Identity;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use telemetry::Stream;
use tokio::io::AsyncWriteExt as _;
use types::User;

use super::{
    request::Request,
    tls::Secured,
    upstream::{Unanswered, end_of_hop, failed, outgoing},
};
use crate::{body::Body, exchange::Exchange, worker::Worker};

/// How long a side that does not read may keep the other from being closed.
const FAREWELL: Duration = Duration::from_millis(200);

/// Sends the request on; on a 101 connects both sides.
pub(super) async fn forward(
    worker: &Arc<Worker>,
    user: &User,
    identity: &Identity,
    secured: &Secured,
    mut request: Box<Request>,
    mut exchange: Box<Exchange>,
) -> Result<Response<Body>, Box<Unanswered>> {
    let manner = request.manner();
    let client = request.on_upgrade.take();
    let protocol = request.upgrade().cloned().unwrap_or(HeaderValue::from_static(""));
    let (outgoing, labels) = outgoing(*request, secured, &exchange);
    let response = match worker.pool.upgrade(identity, protocol, outgoing).await {
        Ok(response) => response,
        Err(error) => {
            let refused = failed(worker, &error);
            return Err(Box::new(Unanswered { refused, manner, exchange }));
        }
    };
    let code = response.status().as_u16();
    let kind = if code == 101 { Stream::Upgrade } else { Stream::Response };
    exchange.answered(code, labels.series(worker, user, code), Some(worker.metrics.stream(kind)));
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(switch_protocols(response, client, exchange));
    }
    let (mut parts, body) = response.into_parts();
    end_of_hop(&mut parts.headers);
    exchange.mark(&mut parts.headers);
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(Response::from_parts(parts, Body::direct(body, exchange, manner.long_running)))
}

/// Answers 101 and lets bytes pass in both directions until one side ends.
fn switch_protocols(
    response: Response<Incoming>,
    client: Option<OnUpgrade>,
    exchange: Box<Exchange>,
) -> Response<Body> {
    let protocol = response.headers().get(header::UPGRADE).cloned();
    let mut answer = Response::new(Body::none());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let mut headers = response.headers().clone();
    end_of_hop(&mut headers);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Some(protocol) = protocol {
        headers.insert(header::UPGRADE, protocol);
    }
    *answer.headers_mut() = headers;
    if let Some(line) = exchange.line() {
        line.let_through();
    }
    tokio::spawn(async move {
        // Until one side ends, the credential or the gate does: dropping the exchange closes the
        // books.
        let end = exchange.end();
        let _open = exchange;
        let Some(client) = client else { return };
        let Ok((client, upstream)) = tokio::try_join!(client, hyper::upgrade::on(response)) else { return };
        let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut client, &mut upstream) => {}
            // Not a byte passes from here on; both sides are told, if they listen.
            () = end => {
                let told = async { tokio::join!(client.shutdown(), upstream.shutdown()) };
                drop(tokio::time::timeout(FAREWELL, told).await);
            }
        }
    });
    answer
}
