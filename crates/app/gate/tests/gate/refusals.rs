//! A request that any layer stops reaches no upstream.

use std::io::Read;

use testkit::{Client, Spec, Upstream};

use crate::world::{World, request};

/// Every message that reached the upstream, by its marker header.
fn markers(upstream: &Upstream) -> Vec<String> {
    upstream.take().iter().filter_map(|message| message.header("x-marker").map(str::to_owned)).collect()
}

#[test]
fn a_refused_request_reaches_no_upstream() {
    let world = World::with(Upstream::that_says_yes(), |options, _| {
        options.deny_user = vec!["eve".to_owned()];
        options.max_mutating_requests_inflight = 1;
    });
    let token = "Authorization: Bearer tok-dev";
    let check = |marker: &str, line: &str, headers: &[&str], status: u16| {
        let own = format!("X-Marker: {marker}");
        let headers: Vec<_> = headers.iter().copied().chain([own.as_str()]).collect();
        assert_eq!(world.ask(&request(line, &headers)).status, status, "{marker}");
    };
    check("request", "GET /api/v1/pods#x", &[token], 400);
    check("request", "GET /api/v1/pods/%zz", &[token], 400);
    check("request", "GET /api/v1/watch", &[token], 500);
    check("no credential", "GET /version", &[], 401);
    check("bad token", "GET /version", &["Authorization: Bearer wrong"], 401);
    check("standing", "GET /version", &["Authorization: Bearer tok-eve"], 403);
    check("impersonation", "GET /version", &[token, "Impersonate-User: admin"], 403);
    check("authorization", "GET /api/v1/secrets", &[token], 403);
    check("authorization", "DELETE /api/v1/namespaces/default/pods/x/status", &[token], 403);
    let strangers = testkit::Authority::new("strangers");
    let admin = Spec { common_name: Some("admin"), organizations: &["system:masters"], ..Spec::default() };
    let mut stranger = world.connect(Some(&strangers.client(&admin)));
    let line = request("GET /version", &["X-Marker: stranger"]);
    assert_eq!(stranger.roundtrip(line).unwrap().status, 401);

    // The positive control: the same way in, and nothing against it.
    check("allowed", "GET /version", &[token], 200);
    assert_eq!(markers(&world.upstream), ["allowed"]);
}

#[test]
fn an_address_outside_the_networks_gets_no_handshake() {
    let open = World::with(Upstream::that_says_yes(), |options, _| {
        options.allow_cidr = vec!["127.0.0.0/8".to_owned()];
    });
    assert_eq!(open.ask(&request("GET /version", &["Authorization: Bearer tok-dev"])).status, 200);
    let shut = World::with(Upstream::that_says_yes(), |options, _| {
        options.allow_cidr = vec!["192.0.2.0/24".to_owned()];
    });
    let mut tcp = std::net::TcpStream::connect(shut.running().address()).unwrap();
    let mut nothing = Vec::new();
    // Closed without a byte; a reset says the same.
    assert_eq!(tcp.read_to_end(&mut nothing).unwrap_or(0), 0);
    assert!(nothing.is_empty());
    let mut client = shut.try_connect(None);
    let refused = client.as_mut().map(|client| client.roundtrip(request("GET /version", &[])));
    assert!(!matches!(refused, Ok(Ok(_))), "a handshake took place");
    assert_eq!(shut.upstream.take().len(), 0);
}

#[test]
fn a_full_room_answers_429() {
    // The upstream holds the first request until the second has been refused.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = parking_lot::Mutex::new(held);
    let (arrived, has_arrived) = std::sync::mpsc::channel::<()>();
    let upstream = Upstream::start(move |_| {
        let _ = arrived.send(());
        let _ = held.lock().recv();
        testkit::Reply::json(200, "{}")
    });
    let world = World::with(upstream, |options, _| options.max_requests_inflight = 1);
    let list = request("GET /api/v1/pods", &["Authorization: Bearer tok-dev"]);
    let mut first: Client = world.connect(None);
    first.send(&list).unwrap();
    has_arrived.recv().unwrap();
    let full = world.ask(&list);
    assert_eq!((full.status, full.text().as_str()), (429, "Too many requests, please try again later.\n"));
    assert_eq!(full.message.header("retry-after"), Some("1"));
    release.send(()).unwrap();
    assert_eq!(first.receive(false).unwrap().status, 200);
    // The seat is free again once the answer has ended.
    release.send(()).unwrap();
    assert_eq!(world.ask(&list).status, 200);
    assert_eq!(world.upstream.take().len(), 2);
}

#[test]
fn a_user_who_cannot_be_expressed_fails_closed() {
    let world = World::with(Upstream::that_says_yes(), |options, folder| {
        options.token_auth_file = Some(folder.write("odd.csv", "tok-odd,\"dev\n\",1,\"system:masters\"\n"));
    });
    let response = world.ask(&request("GET /version", &["Authorization: Bearer tok-odd"]));
    assert_eq!(response.status, 500, "{}", response.text());
    assert_eq!(world.upstream.take().len(), 0);
}
