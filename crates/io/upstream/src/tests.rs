//! Requests over loopback TLS to an upstream that remembers.

use std::{
    collections::HashSet,
    io,
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
    thread::ThreadId,
    time::Duration,
};

use bytes::Bytes;
use config::{ClusterAccess, Token};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use testkit::{Folder, Message, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::Service as _;
use types::{Secret, User};

use super::*;

type Body = Full<Bytes>;

fn access(server: &testkit::Upstream) -> ClusterAccess {
    let folder = Folder::new();
    config::kubeconfig::load(&folder.write("kubeconfig", server.kubeconfig()), None).unwrap()
}

fn pool_with(access: &ClusterAccess, limits: Limits) -> Pool<Body> {
    Pool::new(Arc::new(Upstream::new(access, limits).unwrap()), IdentityHeaders::default())
}

fn pool(server: &testkit::Upstream) -> Pool<Body> {
    pool_with(&access(server), Limits::default())
}

fn jane() -> Identity {
    Identity::new(&User::new("jane", ["dev", "system:authenticated"])).unwrap()
}

fn request(method: Method, target: &str) -> Request<Body> {
    Request::builder().method(method).uri(target).body(Full::new(Bytes::from_static(b"hello"))).unwrap()
}

/// The response read to its end.
async fn read(res: http::Response<PooledBody<Body>>) -> (StatusCode, Bytes) {
    (res.status(), res.into_body().collect().await.unwrap().to_bytes())
}

/// An upstream that counts its connections, which have a thread each.
fn counting(
    answer: impl Fn(&Message) -> Reply + Send + Sync + 'static,
) -> (testkit::Upstream, impl Fn() -> usize) {
    let threads: Arc<Mutex<HashSet<ThreadId>>> = Arc::default();
    let server = testkit::Upstream::start({
        let threads = Arc::clone(&threads);
        move |request| {
            threads.lock().insert(std::thread::current().id());
            answer(request)
        }
    });
    (server, move || threads.lock().len())
}

fn label(error: &SendError) -> &'static str {
    match error {
        SendError::Connect { .. } => "connect",
        SendError::Handshake { .. } => "handshake",
        SendError::ConnectTimeout { .. } => "connect_timeout",
        SendError::HungUp { .. } => "hung_up",
        SendError::NoAnswer { .. } => "no_answer",
        SendError::Broken(_) => "broken",
    }
}

/// Whether it is certain that the server saw nothing of the request.
fn nothing_sent(error: &SendError) -> bool {
    !matches!(error, SendError::NoAnswer { .. } | SendError::Broken(_))
}

#[tokio::test]
async fn one_connection_carries_one_request_after_another() {
    const LARGE: usize = 300_000;
    let (server, connections) = counting(|request| match request.line.contains("large") {
        false => Reply::json(200, "{}"),
        true => {
            let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{LARGE:x}\r\n");
            Reply::Bytes([head.into_bytes(), vec![b'x'; LARGE], b"\r\n0\r\n\r\n".to_vec()].concat())
        }
    });
    let pool = pool(&server);
    for _ in 0..20 {
        let res = pool.forward(&jane(), request(Method::POST, "/api")).await.unwrap();
        assert_eq!(read(res).await, (StatusCode::OK, Bytes::from_static(b"{}")));
    }
    assert_eq!(connections(), 1);
    for _ in 0..20 {
        let res = pool.send(request(Method::GET, "/large")).await.unwrap();
        assert_eq!(read(res).await.1.len(), LARGE);
    }
    assert_eq!(connections(), 1, "a chunked body of many records is no reason for another");
    let both = tokio::join!(pool.send(request(Method::GET, "/a")), pool.send(request(Method::GET, "/b")));
    assert_eq!(connections(), 2);
    read(both.0.unwrap()).await;
    read(both.1.unwrap()).await;
}

#[tokio::test]
async fn identity_and_credential_are_the_gates_on_every_way() {
    let server = testkit::Upstream::start(|request| match request.header("upgrade") {
        Some(_) => Reply::Echo(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: SPDY/3.1\r\n\r\n".to_vec(),
        ),
        None => Reply::json(200, "{}"),
    });
    let forged = |target: &str| {
        let mut req = request(Method::POST, target);
        for (name, value) in [
            ("host", "evil.example"),
            ("authorization", "Bearer client"),
            ("impersonate-user", "root"),
            ("impersonate-group", "system:masters"),
            ("impersonate_group", "system:masters"),
            ("impersonate-extra-scopes", "all"),
            ("x-remote-user", "root"),
            ("connection", "impersonate-user, x-private"),
            ("x-private", "1"),
            ("x-public", "1"),
        ] {
            req.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        req
    };
    let mut with_token = access(&server);
    with_token.token = Some(Token::Fixed(Secret::new("own")));
    for (pool, own) in
        [(pool(&server), None), (pool_with(&with_token, Limits::default()), Some("Bearer own"))]
    {
        read(pool.forward(&jane(), forged("/api/v1/pods?watch=true")).await.unwrap()).await;
        let spdy = HeaderValue::from_static("SPDY/3.1");
        let res = pool.upgrade(&jane(), spdy, forged("/exec")).await.unwrap();
        assert_eq!(res.status(), StatusCode::SWITCHING_PROTOCOLS);

        let seen = server.take();
        assert_eq!(
            seen.iter().map(|m| m.line.as_str()).collect::<Vec<_>>(),
            ["POST /api/v1/pods?watch=true HTTP/1.1", "POST /exec HTTP/1.1"]
        );
        for message in &seen {
            let mut left: Vec<_> = message.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
            left.retain(|line| !line.starts_with("content-length"));
            left.sort();
            let mut expected = vec![
                format!("host: {}", server.address()),
                "impersonate-group: dev".to_owned(),
                "impersonate-group: system:authenticated".to_owned(),
                "impersonate-user: jane".to_owned(),
                "x-public: 1".to_owned(),
            ];
            expected.extend(own.map(|own| format!("authorization: {own}")));
            if message.line.contains("exec") {
                expected.extend(["connection: Upgrade".to_owned(), "upgrade: SPDY/3.1".to_owned()]);
            }
            expected.sort();
            assert_eq!(left, expected);
        }
    }
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    let server = testkit::Upstream::start(|_| {
        Reply::Echo(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: SPDY/3.1\r\n\r\nfirst"
                .to_vec(),
        )
    });
    let pool = pool(&server);
    let spdy = HeaderValue::from_static("SPDY/3.1");
    let req = Request::get("/exec").body(Full::default()).unwrap();
    let res = pool.upgrade(&jane(), spdy, req).await.unwrap();
    let mut stream = TokioIo::new(hyper::upgrade::on(res).await.unwrap());
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"first");
    stream.write_all(b"again").await.unwrap();
    stream.flush().await.unwrap();
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"again");
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn an_upgrade_that_is_refused_is_an_ordinary_response() {
    let large = "x".repeat(200_000);
    let server = testkit::Upstream::start(move |_| Reply::json(403, &large));
    let pool = pool(&server);
    let spdy = HeaderValue::from_static("SPDY/3.1");
    let res = pool.upgrade(&jane(), spdy, request(Method::POST, "/exec")).await.unwrap();
    assert_eq!(res.status(), StatusCode::FORBIDDEN);
    assert_eq!(res.into_body().collect().await.unwrap().to_bytes().len(), 200_000);
    assert_eq!(pool.idle(), 0);
}

/// The server closes without having said so: whether the pool notices in time or not, no request
/// is lost.
#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    let (server, connections) =
        counting(|_| Reply::Last(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()));
    let pool = pool(&server);
    let mut kept = 0;
    for _ in 0..20 {
        match pool.send(request(Method::POST, "/")).await {
            Ok(res) => {
                kept += 1;
                read(res).await;
            }
            // Written in the moment before the close arrived: nobody can know what came of it.
            Err(error) => assert!(!nothing_sent(&error), "{error}"),
        }
    }
    assert!(connections() >= kept, "{} connections for {kept} responses", connections());
    assert_eq!(server.seen().len(), connections());
}

#[tokio::test]
async fn an_idle_connection_grows_too_old() {
    let (server, connections) = counting(|_| Reply::json(200, "{}"));
    let limits = Limits { idle_timeout: Duration::ZERO, ..Limits::default() };
    let pool = pool_with(&access(&server), limits);
    for _ in 0..3 {
        read(pool.send(request(Method::GET, "/")).await.unwrap()).await;
    }
    assert_eq!(connections(), 3);
}

#[tokio::test]
async fn idle_connections_are_bounded() {
    let (server, connections) = counting(|_| Reply::json(200, "{}"));
    let pool = pool_with(&access(&server), Limits { max_idle: 1, ..Limits::default() });
    let [a, b, c] = [(); 3].map(|()| pool.send(request(Method::GET, "/")));
    let (a, b, c) = tokio::join!(a, b, c);
    for res in [a, b, c] {
        read(res.unwrap()).await;
    }
    assert_eq!((connections(), pool.idle()), (3, 1));
}

#[tokio::test]
async fn a_response_that_is_dropped_closes_its_connection() {
    let (server, connections) = counting(|_| {
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n".to_vec())
    });
    let pool = pool(&server);
    let mut res = pool.send(request(Method::GET, "/watch")).await.unwrap();
    let frame = res.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "{}");
    drop(res);
    assert_eq!(pool.idle(), 0);
    drop(pool.send(request(Method::GET, "/watch")).await.unwrap());
    assert_eq!(connections(), 2);
}

#[tokio::test]
async fn nobody_there_and_nobody_who_may_be_believed() {
    let server = testkit::Upstream::that_says_yes();
    let send = async |access: &ClusterAccess| {
        let limits = Limits { connect_timeout: Duration::from_millis(200), ..Limits::default() };
        let error = pool_with(access, limits).send(request(Method::GET, "/")).await.unwrap_err();
        assert!(nothing_sent(&error));
        (label(&error), error.to_string())
    };

    let mut another = access(&server);
    another.ca.text = testkit::Authority::new("another").pem().as_bytes().to_vec();
    let (label, text) = send(&another).await;
    assert_eq!((label, text.contains("UnknownIssuer")), ("handshake", true), "{text}");

    let mut another = access(&server);
    another.tls_server_name = Some("kubernetes".to_owned());
    assert_eq!(send(&another).await.0, "handshake");

    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut elsewhere = access(&server);
    elsewhere.port = silent.local_addr().unwrap().port();
    let (label, text) = send(&elsewhere).await;
    assert_eq!(label, "connect_timeout");
    assert_eq!(text, format!("cannot connect to 127.0.0.1:{} within 200ms", elsewhere.port));

    drop(silent);
    let (label, text) = send(&elsewhere).await;
    assert_eq!(label, "connect");
    assert!(text.ends_with("Connection refused (os error 111)"), "{text}");
    assert!(server.seen().is_empty());
}

/// TLS 1.3 tells a client only after its handshake that its certificate is refused.
#[tokio::test]
async fn a_server_that_hangs_up_is_not_asked_forever() {
    let server = testkit::Upstream::that_says_yes();
    let mut access = access(&server);
    access.client_certificate = None;
    access.token = Some(Token::Fixed(Secret::new("own")));
    let pool = pool_with(&access, Limits::default());
    for _ in 0..20 {
        let error = pool.send(request(Method::GET, "/")).await.unwrap_err();
        assert!(matches!(label(&error), "hung_up" | "broken"), "{error}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_gates_own_requests_are_signed_and_do_not_wait_forever() {
    let server = testkit::Upstream::start(|request| match request.line.contains("hang") {
        true => loop {
            std::thread::park();
        },
        false => Reply::json(200, "{}"),
    });
    let mut service = OwnService::new(pool(&server));
    service.answer_within = Duration::from_millis(200);
    let res = service.call(request(Method::GET, "/")).await.unwrap();
    assert_eq!(read(res).await.0, StatusCode::OK);
    let seen = server.take();
    assert!(seen[0].header("user-agent").unwrap().starts_with("portcullis/"));
    assert_eq!(seen[0].header("impersonate-user"), None);
    let error = service.call(request(Method::GET, "/hang")).await.unwrap_err();
    assert_eq!((label(&error), nothing_sent(&error)), ("no_answer", false));
}

#[test]
fn credentials_that_cannot_be_sent() {
    let server = testkit::Upstream::that_says_yes();
    for token in ["", "a\nb"] {
        let mut access = access(&server);
        access.token = Some(Token::Fixed(Secret::new(token)));
        let error = Upstream::new(&access, Limits::default()).unwrap_err().to_string();
        assert!(
            error.ends_with("the bearer token is empty or has characters that no header may have"),
            "{error}"
        );
    }
    let mut access = access(&server);
    let (chain, key) = access.client_certificate.as_mut().unwrap();
    std::mem::swap(&mut chain.text, &mut key.text);
    let error = Upstream::new(&access, Limits::default()).unwrap_err().to_string();
    assert!(error.contains("client.crt: no certificate"), "{error}");
}

#[test]
fn a_token_file_is_read_again_after_a_minute() -> io::Result<()> {
    let folder = Folder::new();
    let path = folder.write("token", "new\n");
    let token = Token::File { path: path.clone(), first: Secret::new("old") };
    let credential = credential::Credential::new(Some(&token)).unwrap();
    let start = std::time::Instant::now();
    let at = |seconds| credential.authorization(start + Duration::from_secs(seconds)).unwrap();
    assert_eq!(at(30), "Bearer old");
    assert_eq!(at(90), "Bearer new");
    std::fs::remove_file(&path)?;
    assert_eq!(at(200), "Bearer new", "the last good token stays in use");
    Ok(())
}

#[tokio::test]
async fn a_watch_that_hangs_ends_and_begins_on_another_connection() {
    let (server, connections) = counting(|_| {
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nevent\r\n".to_vec())
    });
    let mut service = OwnService::new(pool(&server));
    service.body_within = Duration::from_millis(200);
    for times in 1..3 {
        let res = service.call(request(Method::GET, "/watch")).await.unwrap();
        assert_eq!(read(res).await, (StatusCode::OK, "event".into()));
        assert_eq!(connections(), times);
    }
}
