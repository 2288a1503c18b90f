//! Watches, logs and upgrades.

use std::io::Read;

use testkit::Reply;

use crate::world::{World, request};

const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";

fn exec(headers: &[&str]) -> String {
    let all: Vec<_> = ["Connection: Upgrade", "Upgrade: SPDY/3.1"].iter().chain(headers).copied().collect();
    request("POST /api/v1/namespaces/default/pods/web/exec?command=ls", &all)
}

#[test]
fn a_watch_streams_event_by_event() {
    // The body never ends: whatever the client reads has come through while it was open.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n6\r\nevent1\r\n";
    let world = World::answering(move |_| Reply::Bytes(head.into()));
    let mut client = world.dev();
    client.send(request("GET /api/v1/pods?watch=true", &[])).unwrap();
    assert_eq!(client.receive_head().unwrap().status, 200);
    let mut event = [0; 11];
    client.stream().read_exact(&mut event).unwrap();
    assert_eq!(&event, b"6\r\nevent1\r\n");
}

#[test]
fn a_101_connects_both_sides() {
    let world = World::answering(|_| Reply::Echo(SWITCH.to_vec()));
    let mut client = world.dev();
    let response = client.roundtrip(exec(&[])).unwrap();
    assert_eq!(response.status, 101);
    assert_eq!(response.message.header("upgrade"), Some("SPDY/3.1"));
    client.send(b"\0\x01 bytes of any kind \r\n\r\n").unwrap();
    let mut echoed = [0; 25];
    client.stream().read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"\0\x01 bytes of any kind \r\n\r\n");
    let seen = world.upstream.take();
    assert_eq!((seen.len(), seen[0].header("upgrade")), (1, Some("SPDY/3.1")));
    assert_eq!(seen[0].header("impersonate-user"), Some("dev"));
}

#[test]
fn bytes_behind_an_upgrade_request_wait_for_the_101() {
    let early = b"early bytes";
    let world = World::answering(|_| Reply::Echo(SWITCH.to_vec()));
    let mut client = world.dev();
    client.send([exec(&[]).as_bytes(), early].concat()).unwrap();
    assert_eq!(client.receive_head().unwrap().status, 101);
    let mut echoed = [0; 11];
    client.stream().read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, early);
}

#[test]
fn anything_but_a_101_closes_and_lets_nothing_through() {
    for (reply, status) in [
        (Reply::json(403, "{}"), 403),
        (Reply::json(200, "{}"), 200),
        (
            Reply::Bytes(
                b"HTTP/1.1 302 Found\r\nLocation: https://other/\r\nContent-Length: 0\r\n\r\n".to_vec(),
            ),
            302,
        ),
    ] {
        let world = World::answering(move |_| reply.clone());
        let mut client = world.dev();
        let smuggled = request("GET /api/v1/pods?smuggled", &[]);
        client.send(exec(&[]) + &smuggled).unwrap();
        let response = client.receive(false).unwrap();
        assert_eq!((response.status, response.message.header("connection")), (status, Some("close")));
        assert!(client.receive(false).is_err());
        assert_eq!(world.upstream.take().len(), 1);
    }
}

#[test]
fn an_upgrade_is_judged_like_any_request() {
    let world = World::answering(|_| Reply::Echo(SWITCH.to_vec()));
    let forbidden = exec(&[]).replace("/exec", "/attach");
    let mut client = world.dev();
    client.send(forbidden + "bytes behind").unwrap();
    let response = client.receive(false).unwrap();
    assert_eq!((response.status, response.message.header("connection")), (403, Some("close")));
    assert_eq!(world.ask(&exec(&["Authorization: Bearer wrong"])).status, 401);
    assert_eq!(world.upstream.take(), []);
}

#[test]
fn h2c_is_not_an_upgrade() {
    let world = World::new();
    let headers =
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"];
    assert_eq!(world.dev().roundtrip(request("GET /version", &headers)).unwrap().status, 200);
    let seen = world.upstream.take();
    assert_eq!((seen[0].header("upgrade"), seen[0].header("http2-settings")), (None, None));
}

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    // Neither the answer nor the rest of a watch is waited for once the client is gone: the gate
    // counts the exchange as ended.
    let mut world =
        World::answering(|_| Reply::Bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()));
    let mut client = world.dev();
    client.send(request("GET /api/v1/pods?watch=1", &["Audit-ID: left"])).unwrap();
    assert_eq!(client.receive_head().unwrap().status, 200);
    drop(client);
    world.until_on_record("left", "ResponseComplete");
    assert!(world.audit().iter().any(|event| event.contains("\"code\":200")));
}

#[test]
fn a_watch_ends_with_the_certificate() {
    let world =
        World::answering(|_| Reply::Bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()));
    let seconds = 3;
    let certificate = world.short_lived("dev", &["dev"], seconds);
    let mut client = world.connect(Some(&certificate));
    client.send(request("GET /api/v1/pods?watch=1", &[])).unwrap();
    // The same by the way of an upgrade that the server does not care for.
    let mut other = world.connect(Some(&certificate));
    other.send(request("GET /api/v1/pods?watch=1", &["Connection: Upgrade", "Upgrade: x"])).unwrap();
    assert_eq!(other.receive_head().unwrap().status, 200);
    assert_eq!(client.receive_head().unwrap().status, 200);
    let mut rest = Vec::new();
    client.stream().take(5).read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"0\r\n\r\n", "a clean end");
    assert_eq!(other.stream().take(5).read(&mut [0; 5]).unwrap(), 5);
    // The connection lives on, the credential does not.
    assert_eq!(client.roundtrip(request("GET /version", &[])).unwrap().status, 401);
}
