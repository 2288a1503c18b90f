//! Upgrades: exec, attach, port-forward, proxied WebSockets.
//!
//! HTTP/1.1 with a connection of its own upstream. Only a 101 switches protocols, no byte of
//! the client goes on before it, no redirect is followed, and any other answer closes the
//! connection.

use std::{pin::pin, sync::Arc, time::Duration};

use ::upstream::Identity;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use telemetry::{Stream, UpgradedTo};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use types::User;

use super::{
    request::Request,
    tls::Secured,
    upstream::{Unanswered, end_of_hop, failed, outgoing},
};
use crate::{body::Body, exchange::Exchange, worker::Worker};

/// How long a side that does not read may keep the other from being closed.
const FAREWELL: Duration = Duration::from_millis(200);

/// How long a client may take to hang up after it has been told that its upstream has. To close a
/// connection on which something still comes in can cost a client what it has not read yet.
// UPSTREAM: closed at once (kube-apiserver 1.36)
const LAST_BYTES: Duration = Duration::from_millis(500);

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
        let protocol = response.headers().get(header::UPGRADE).map_or(&b""[..], HeaderValue::as_bytes);
        worker.metrics.upgraded(UpgradedTo::of(protocol));
        return Ok(switch_protocols(response, client, exchange));
    }
    let (mut parts, body) = response.into_parts();
    end_of_hop(&mut parts.headers);
    exchange.mark(&mut parts.headers);
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(Response::from_parts(parts, Body::direct(body, exchange, manner.long_running)))
}

/// Answers 101 and lets bytes pass in both directions until one side ends. Nothing that Kubernetes
/// upgrades to goes on in one direction only.
// UPSTREAM: the first side to end ends the other (kube-apiserver 1.36)
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
            () = tunnel(&mut client, &mut upstream) => {}
            // Not a byte passes from here on; both sides are told, if they listen.
            () = end => {
                let told = async { tokio::join!(client.shutdown(), upstream.shutdown()) };
                drop(tokio::time::timeout(FAREWELL, told).await);
            }
        }
    });
    answer
}

/// Hands bytes on in both directions. When one side has ended, the other is told at once, and is
/// then left for good, whether it listens or not.
async fn tunnel<C, U>(client: &mut C, upstream: &mut U)
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (client_reads, client_writes) = tokio::io::split(client);
    let (upstream_reads, upstream_writes) = tokio::io::split(upstream);
    let mut out = pin!(hand_on(client_reads, upstream_writes));
    let mut back = pin!(hand_on(upstream_reads, client_writes));
    tokio::select! {
        () = &mut out => drop(tokio::time::timeout(FAREWELL, back).await),
        () = &mut back => drop(tokio::time::timeout(LAST_BYTES, out).await),
    }
}

/// Copies until `from` ends or `to` is gone, and then says so to `to`.
async fn hand_on<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(mut from: R, mut to: W) {
    // A side that was killed ends without a word, which TLS takes for an error.
    drop(tokio::io::copy(&mut from, &mut to).await);
    drop(to.shutdown().await);
}

#[cfg(test)]
mod tests {
    use std::{io::Read, net::SocketAddr};

    use testkit::{Authority, Client, Folder, Reply, Upstream};

    use super::*;
    use crate::{Options, connection, running::assemble};

    const RBAC: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: dev}
rules: [{apiGroups: [''], resources: ['*'], verbs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: dev}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: dev}]
";

    /// How long anything but a stream may be silent here; minutes in a gate that runs.
    const BOUND: Duration = Duration::from_millis(300);

    /// Serves with every bound on silence shortened, until the end of the test.
    fn serve(upstream: &Upstream, server: &Authority, folder: &Folder) -> SocketAddr {
        let keys = server.server();
        folder.write("rbac/dev.yaml", RBAC);
        let options = Options {
            tls_cert_file: Some(folder.write("server.crt", &keys.certificate_pem)),
            tls_private_key_file: Some(folder.write("server.key", &keys.key_pem)),
            token_auth_file: Some(folder.write("tokens.csv", "tok-dev,dev,1\n")),
            rbac_from: Some(folder.path().join("rbac")),
            upstream_kubeconfig: Some(folder.write("upstream.yaml", upstream.kubeconfig())),
            ..Options::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut gate = assemble(options.load().unwrap(), &runtime).unwrap().0;
        gate.bounds.http1.head_time = BOUND;
        gate.bounds.http1.idle_time = BOUND;
        gate.bounds.response_head = BOUND;
        gate.bounds.seat = BOUND;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            runtime.block_on(async {
                let (worker, _ended) = Worker::new(Arc::new(gate));
                let worker = Arc::new(worker);
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((tcp, peer)) = listener.accept().await {
                    tokio::spawn(connection::serve(Arc::clone(&worker), tcp, peer));
                }
            });
        });
        address
    }

    #[test]
    fn a_silent_stream_outlasts_every_bound() {
        const SWITCH: &[u8] =
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";
        let upstream = Upstream::start(|message| match message.header("upgrade") {
            Some(_) => Reply::Echo(SWITCH.to_vec()),
            None => Reply::json(200, "{}"),
        });
        let (server, folder) = (Authority::new("server"), Folder::new());
        let address = serve(&upstream, &server, &folder);
        let connect = || Client::connect(address, server.pem(), None).unwrap();
        let request = |line: &str, more: &str| {
            format!("{line} HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer tok-dev\r\n{more}\r\n")
        };
        let (mut stream, mut idle) = (connect(), connect());
        let exec = request(
            "POST /api/v1/namespaces/default/pods/web/exec?command=cat",
            "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n",
        );
        assert_eq!(stream.roundtrip(exec).unwrap().status, 101);
        assert_eq!(idle.roundtrip(request("GET /api/v1/pods", "")).unwrap().status, 200);

        std::thread::sleep(BOUND * 5);
        stream.send("said late").unwrap();
        let mut echoed = [0; 9];
        stream.stream().read_exact(&mut echoed).unwrap();
        assert_eq!(&echoed, b"said late");
        // The bounds are there: a connection without a stream has been closed by them.
        assert_eq!(idle.stream().read(&mut [0; 1]).unwrap_or_default(), 0);
    }
}
