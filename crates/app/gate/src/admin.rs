//! The admin address: health, metrics and status, over plain HTTP and on loopback only.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;

use crate::{
    answer::{self, Manner},
    own_paths::OwnPath,
    worker::Gate,
};

/// Serves the admin address, if there is one, and carries the gate's watches until it is stopped.
pub(crate) async fn serve(gate: Arc<Gate>, listener: Option<TcpListener>, stopped: oneshot::Receiver<()>) {
    let serving = async {
        if let Some(listener) = listener
            && let Err(error) = accept(gate, listener).await
        {
            tracing::error!(%error, "the admin address is not served");
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serving => {}
        _ = stopped => {}
    }
}

async fn accept(gate: Arc<Gate>, listener: TcpListener) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let gate = Arc::clone(&gate);
        let service = service_fn(move |request: Request<Incoming>| {
            let response = answer(&gate, &request);
            async move { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(async move {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(TokioIo::new(tcp), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection to the admin address broke off");
            }
        });
    }
}

/// Whether `Host` is an address or `localhost`: nothing that others could make lead here.
fn names_an_address(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    host.parse::<SocketAddr>().is_ok()
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
        || host.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case("localhost"))
}

fn answer(gate: &Gate, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let refused = |code, text: &'static str| {
        let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = code;
        response
    };
    // A web page can make a browser ask loopback addresses. It then has to name itself, unless its
    // own name was made to lead here: then it asks for that name.
    if request.headers().contains_key(header::ORIGIN) || !names_an_address(request.headers()) {
        return refused(StatusCode::FORBIDDEN, "not for browsers\n");
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    match OwnPath::on_admin(request.uri().path()) {
        Some(own) => {
            let answer = own.answer(gate, request.headers());
            answer::write(&answer, &Manner::default(), &HeaderValue::from_static("")).map(Full::new)
        }
        None => refused(StatusCode::NOT_FOUND, "404 page not found\n"),
    }
}
