//! One client's connection, from accept to its end.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use ::tls::{Alpn, ServerStream};
use http::Request;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use telemetry::Protocol;
use tokio::{net::TcpStream, sync::watch};

use crate::{
    http1::{HeadReader, Line, MAX_HEADERS},
    http2_streams::Http2Streams,
    pipeline,
    stages::{network, tls, tls::Secured},
    worker::{Phase, Worker},
};

/// Serves one connection. Nothing is read from a peer that layer 1 refuses.
pub(crate) async fn serve(worker: Arc<Worker>, tcp: TcpStream, peer: SocketAddr) {
    let Some(allowed) = network::allow(&worker, peer) else { return };
    if tune(&tcp).is_err() {
        return;
    }
    let Some((secured, stream)) = tls::secure(&worker, allowed, tcp).await else { return };
    match secured.protocol() {
        Alpn::Http1 => serve_http1(worker, secured, stream).await,
        Alpn::Http2 => serve_http2(worker, secured, stream).await,
    }
}

fn tune(tcp: &TcpStream) -> io::Result<()> {
    // Answers are whole writes already; waiting to fill packets would only delay watch events.
    tcp.set_nodelay(true)?;
    // A silent watch or shell would never notice otherwise that the client's machine is gone.
    // UPSTREAM: probes too, every 3 minutes (kube-apiserver 1.36)
    let probes = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    SockRef::from(tcp).set_tcp_keepalive(&probes)
}

async fn serve_http1(worker: Arc<Worker>, secured: Secured, stream: ServerStream<TcpStream>) {
    let _open = worker.metrics.connection(Protocol::H1);
    let phase = worker.gate.phase.subscribe();
    let limits = worker.gate.bounds.http1;
    let line = Arc::new(Line::default());
    let io = TokioIo::new(HeadReader::new(stream, Arc::clone(&line), limits));
    let secured = Arc::new(secured);
    let service = service_fn(move |request: Request<Incoming>| {
        pipeline::answer(Arc::clone(&worker), Arc::clone(&secured), Some(Arc::clone(&line)), request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            // As Go writes them.
            .title_case_headers(true)
            // The reader has its own limits on time, and the same one on headers.
            .header_read_timeout(None)
            .max_headers(MAX_HEADERS)
            .max_buf_size(limits.head_bytes + 16 * 1024)
            .serve_connection(io, service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = draining(phase) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP/1.1 connection broke off");
    }
}

async fn serve_http2(worker: Arc<Worker>, secured: Secured, stream: ServerStream<TcpStream>) {
    let _open = worker.metrics.connection(Protocol::H2);
    let phase = worker.gate.phase.subscribe();
    let bounds = worker.gate.bounds;
    let streams = Arc::new(Http2Streams::default());
    let secured = Arc::new(secured);
    let service = service_fn({
        let streams = Arc::clone(&streams);
        move |request: Request<Incoming>| {
            let stream = Http2Streams::open(&streams);
            let answered =
                Box::pin(pipeline::answer(Arc::clone(&worker), Arc::clone(&secured), None, request));
            async move { Ok::<_, Infallible>(answered.await?.map(|body| body.on_stream(stream))) }
        }
    });
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(bounds.http2_streams)
            .max_header_list_size(bounds.http2_header_bytes)
            .max_pending_accept_reset_streams(bounds.http2_pending_resets)
            // Finds out that a silent client's machine is gone.
            .keep_alive_interval(KEEP_ALIVE)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = streams.idle_for(bounds.http1.idle_time) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = draining(phase) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP/2 connection broke off");
    }
}

// UPSTREAM: a ping after 30 s of silence (kube-apiserver 1.36)
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Ends when the gate begins to drain.
async fn draining(mut phase: watch::Receiver<Phase>) {
    // An error means that the gate is gone, which is a reason to end too.
    let _gone = phase.wait_for(|phase| *phase != Phase::Open).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_vanishes_is_probed_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (tcp, _) = listener.accept().await.unwrap();
            tune(&tcp).unwrap();
            assert!(SockRef::from(&tcp).keepalive().unwrap());
            assert_eq!(SockRef::from(&tcp).tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        });
    }
}
