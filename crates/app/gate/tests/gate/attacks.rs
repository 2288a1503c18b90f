//! What somebody tries who knows how the gate is built.

use std::io::Read;

use testkit::{Reply, Upstream};

use crate::world::{World, request};

const TOKEN: &str = "Authorization: Bearer tok-root";

fn world() -> World {
    World::with(Upstream::that_says_yes(), |options, folder| {
        options.token_auth_file = Some(folder.write("root.csv", "tok-root,root,0,\"system:masters\"\n"));
    })
}

#[test]
fn a_second_request_behind_chunks_is_never_read() {
    // Whatever answers the first one: a layer, the upstream, or the reading of the request line.
    for line in ["POST /api/v1/watch", "POST /a#b", "POST /x"] {
        for token in [TOKEN, "X: y"] {
            let world = world();
            let mut client = world.connect(None);
            let first = request(line, &[token, "Transfer-Encoding: chunked"]);
            let second = request("GET /second", &[TOKEN]);
            client.send(format!("{first}0\r\n\r\n{second}")).unwrap();
            let response = client.receive(false).unwrap();
            assert_eq!(response.message.header("connection"), Some("close"), "{line} {token}");
            assert!(client.receive(false).is_err(), "{line} {token}");
            assert!(world.upstream.take().iter().all(|seen| seen.line == "POST /x HTTP/1.1"), "{line}");
        }
    }
}

#[test]
fn the_protocol_asked_for_is_one() {
    let world = World::answering(|_| Reply::json(400, "{}"));
    for protocols in [&["Upgrade: h2c", "Upgrade: SPDY/3.1"][..], &["Upgrade: h2c, websocket"]] {
        let headers: Vec<_> = ["Connection: Upgrade"].iter().chain(protocols).copied().collect();
        let line = "POST /api/v1/namespaces/default/pods/web/exec?command=ls";
        let answer = world.dev().roundtrip(request(line, &headers)).unwrap();
        assert_eq!(answer.status, 400, "{protocols:?}");
        assert_eq!(world.upstream.take(), [], "{protocols:?}");
    }
}

#[test]
fn a_body_goes_on_whatever_the_method() {
    let world = world();
    for method in ["GET", "HEAD", "DELETE", "POST", "OPTIONS"] {
        let head = request(&format!("{method} /x"), &[TOKEN, "Transfer-Encoding: chunked"]);
        let mut client = world.connect(None);
        assert_eq!(client.roundtrip(format!("{head}5\r\nhello\r\n0\r\n\r\n")).unwrap().status, 200);
        let nominated = "Connection: Content-Length";
        let head = request(&format!("{method} /x"), &[TOKEN, "Content-Length: 5", nominated]);
        assert_eq!(world.connect(None).roundtrip(format!("{head}hello")).unwrap().status, 200);
        let bodies: Vec<_> = world.upstream.take().into_iter().map(|seen| seen.body).collect();
        assert_eq!(bodies, [b"hello", b"hello"], "{method}");
    }
}

#[test]
fn a_client_that_waits_is_told_to_continue() {
    let world = world();
    let mut client = world.connect(None);
    let head = request("POST /x", &[TOKEN, "Content-Length: 5", "Expect: 100-continue"]);
    client.send(head).unwrap();
    assert_eq!(client.receive(false).unwrap().status, 100);
    client.send("hello").unwrap();
    assert_eq!(client.receive(false).unwrap().status, 200);
    // Refused before it sends: what comes next is no body, and no request either.
    let head = request("POST /x", &["Content-Length: 50", "Expect: 100-continue"]);
    client.send(head).unwrap();
    assert_eq!(client.receive(false).unwrap().status, 401);
    drop(client.send(request("GET /next", &[TOKEN])));
    assert!(client.receive(false).is_err());
    assert_eq!(world.upstream.take().len(), 1);
}

#[test]
fn a_101_that_nobody_asked_for_is_no_answer() {
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes";
    let world = World::answering(|_| Reply::Bytes(switch.to_vec()));
    assert_eq!(world.dev().roundtrip(request("GET /version", &[])).unwrap().status, 502);
    let h2c = ["Connection: Upgrade", "Upgrade: h2c"];
    assert_eq!(world.dev().roundtrip(request("GET /version", &h2c)).unwrap().status, 502);
    assert_eq!(world.http2(&["/version"], Some("tok-dev")), [502]);
}

#[test]
fn a_client_that_sends_ahead_and_leaves_is_noticed() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let world = World::answering(|_| Reply::Bytes(head.to_vec()));
    let mut client = world.dev();
    let watch = request("GET /api/v1/pods?watch=1", &["Audit-ID: left"]);
    client.send(watch + "GET /ahead").unwrap();
    assert_eq!(client.receive_head().unwrap().status, 200);
    drop(client);
    world.until_on_record("left", "ResponseComplete");
}

#[test]
fn many_headers_of_an_answer_pass() {
    let warnings = "warning: 299 - \"unknown field\"\r\n".repeat(200);
    let answer = format!("HTTP/1.1 200 OK\r\n{warnings}content-length: 2\r\n\r\n{{}}");
    let world = World::answering(move |_| Reply::Bytes(answer.clone().into_bytes()));
    let answer = world.dev().roundtrip(request("GET /version", &[])).unwrap();
    assert_eq!((answer.status, answer.message.header_values("warning").count()), (200, 200));
}

#[test]
fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    for head in ["content-length: 10", "transfer-encoding: chunked"] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n3\r\nabc\r\n");
        let world = World::answering(move |_| Reply::Last(bytes.clone().into_bytes()));
        let mut client = world.dev();
        client.send(request("GET /version", &[])).unwrap();
        assert_eq!(client.receive_head().unwrap().status, 200);
        let mut rest = Vec::new();
        drop(client.stream().read_to_end(&mut rest));
        assert!(rest.len() < 10 + usize::from(head.starts_with('t')), "{head} {rest:?}");
        assert!(!rest.ends_with(b"0\r\n\r\n"), "{head}");
    }
}
