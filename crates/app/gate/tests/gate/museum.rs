//! The museum of identity headers: none of a client's reaches the upstream, on any path.

use testkit::{Message, Reply};

use crate::world::{World, request};

/// Headers that some server, or some proxy, would take for an identity. Those of the first kind
/// are refused, to somebody who may not impersonate; all others are stripped.
const FORGED: [(&str, u16); 5] = [
    ("Impersonate-User: admin", 403),
    ("impersonate-group: system:masters", 400),
    ("IMPERSONATE-UID: 0", 400),
    ("Impersonate-Extra-Scopes: all", 400),
    ("Impersonate-Extra-acme.com%2fproject: p", 400),
];

const STRIPPED: [&str; 16] = [
    "Impersonate-User: ",
    "IMPERSONATE-UID: ",
    "impersonate-anything: x",
    "Impersonate-Groups: system:masters",
    "X-Remote-User: admin",
    "x-remote-group: system:masters",
    "X-REMOTE-UID: 0",
    "X-Remote-Extra-Scopes: all",
    "X_Remote_User: admin",
    "X.Remote.Group: system:masters",
    "Impersonate_User: admin",
    "Impersonate.Group: system:masters",
    "IMPERSONATE_EXTRA_scopes: all",
    "impersonate_uid: 0",
    "X-Remote_User: admin",
    "x-Remote.Extra-x: y",
];

/// REST, a list, a watch, logs, an upgrade, a path without a resource, and paths that end in errors.
const LINES: [&str; 7] = [
    "GET /api/v1/namespaces/default/pods/web",
    "GET /api/v1/pods?limit=1",
    "GET /api/v1/pods?watch=1",
    "GET /api/v1/namespaces/default/pods/web/log?follow=true",
    "GET /version",
    "DELETE /api/v1/namespaces/default/pods/gone",
    "GET /api/v1/namespaces/default/secrets",
];

fn upgrade(headers: &[&str]) -> String {
    let all: Vec<_> = ["Connection: Upgrade", "Upgrade: SPDY/3.1"].iter().chain(headers).copied().collect();
    request("POST /api/v1/namespaces/default/pods/web/exec?command=ls", &all)
}

/// Only the identity that the gate set, once, and the gate's own connection headers.
fn assert_only_dev(message: &Message, about: &str) {
    let mut identity: Vec<_> = message
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| {
            let plain = name.replace(['_', '.'], "-");
            plain.starts_with("impersonate-") || plain.starts_with("x-remote-")
        })
        .collect();
    identity.sort();
    let mut expected = vec![
        ("impersonate-group".to_owned(), "dev".to_owned()),
        ("impersonate-group".to_owned(), "system:authenticated".to_owned()),
        ("impersonate-user".to_owned(), "dev".to_owned()),
    ];
    if identity.iter().any(|(name, _)| name == "impersonate-uid") {
        expected.push(("impersonate-uid".to_owned(), "1".to_owned()));
    }
    expected.extend(
        identity
            .iter()
            .filter(|(name, value)| {
                name.starts_with("impersonate-extra-authentication.kubernetes.io") && !value.is_empty()
            })
            .cloned(),
    );
    expected.sort();
    assert_eq!(identity, expected, "{about}");
}

fn world() -> World {
    World::answering(|message| {
        if message.header("upgrade").is_some() {
            return Reply::Echo(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
                    .to_vec(),
            );
        }
        match message.line.contains("/gone") {
            true => Reply::json(404, "{}"),
            false => Reply::json(200, "{}"),
        }
    })
}

#[test]
fn stripped_whatever_they_are_called() {
    let world = world();
    let certificate = world.certificate("dev", &["dev"]);
    for forged in STRIPPED.iter().map(|header| vec![*header]).chain([STRIPPED.to_vec()]) {
        for line in LINES {
            let response = world.connect(Some(&certificate)).roundtrip(request(line, &forged)).unwrap();
            let allowed = !line.contains("secrets");
            assert_eq!(response.status == 403, !allowed, "{line} {forged:?}");
            let seen = world.upstream.take();
            assert_eq!(seen.len(), usize::from(allowed), "{line} {forged:?}");
            seen.iter().for_each(|message| assert_only_dev(message, line));
        }
        let mut client = world.connect(Some(&certificate));
        assert_eq!(client.roundtrip(upgrade(&forged)).unwrap().status, 101);
        let seen = world.upstream.take();
        assert_eq!(seen.len(), 1);
        assert_only_dev(&seen[0], "upgrade");
    }
}

#[test]
fn impersonation_is_refused_however_it_is_asked_for() {
    let world = world();
    let certificate = world.certificate("dev", &["dev"]);
    for (header, status) in FORGED {
        let nominated = format!("Connection: {}", header.split(':').next().unwrap());
        for headers in
            [vec![header], vec![header, header], vec![header, &nominated], vec![&nominated, header]]
        {
            for line in LINES {
                let response = world.connect(Some(&certificate)).roundtrip(request(line, &headers)).unwrap();
                assert_eq!(response.status, status, "{line} {headers:?}");
            }
            let response = world.connect(Some(&certificate)).roundtrip(upgrade(&headers)).unwrap();
            assert_eq!(response.status, status, "upgrade {headers:?}");
        }
    }
    assert_eq!(world.upstream.take(), []);
}

#[test]
fn connection_cannot_nominate_what_the_gate_sets() {
    let world = world();
    let certificate = world.certificate("dev", &["dev"]);
    for nominated in ["Impersonate-User", "Impersonate-Group, X-Forwarded-For", "Authorization, Host, X-Odd"]
    {
        let headers =
            [&*format!("Connection: keep-alive, {nominated}"), "X-Odd: 1", "Keep-Alive: 5", "TE: trailers"];
        let response =
            world.connect(Some(&certificate)).roundtrip(request("GET /version", &headers)).unwrap();
        assert_eq!(response.status, 200);
        let seen = world.upstream.take();
        assert_only_dev(&seen[0], nominated);
        assert_eq!(seen[0].header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(seen[0].header("x-odd").is_none(), nominated.contains("X-Odd"), "{nominated}");
        assert_eq!((seen[0].header("keep-alive"), seen[0].header("te")), (None, None));
    }
}

#[test]
fn the_clients_credential_and_address_stay_here() {
    let world = world();
    let headers = [
        "Authorization: Bearer tok-dev",
        "X-Forwarded-For: 10.0.0.1",
        "X-Real-Ip: 10.0.0.2",
        "Forwarded: for=10.0.0.3",
    ];
    assert_eq!(world.ask(&request("GET /version", &headers)).status, 200);
    assert_eq!(
        world
            .dev()
            .roundtrip(request("GET /version", &["Authorization: Basic Zm9vOmJhcg=="]))
            .unwrap()
            .status,
        200
    );
    for message in world.upstream.take() {
        assert_eq!(message.header_values("x-forwarded-for").collect::<Vec<_>>(), ["127.0.0.1"]);
        for name in ["authorization", "x-real-ip", "forwarded"] {
            assert_eq!(message.header(name), None, "{name}");
        }
    }
}

#[test]
fn http2_is_no_way_around() {
    let world = world();
    let bearer = ("authorization", "Bearer tok-dev");
    let ask = |headers: &[String], status: u16| {
        let headers: Vec<_> = headers.iter().map(|header| header.split_once(": ").unwrap()).collect();
        let headers: Vec<_> = [bearer].into_iter().chain(headers).collect();
        assert_eq!(world.http2_requests(&[("GET", "/version", &headers)]), [status], "{headers:?}");
    };
    let lower = |header: &str| header.to_ascii_lowercase();
    for (header, status) in FORGED {
        ask(&[lower(header)], status);
    }
    assert_eq!(world.upstream.take(), []);
    ask(&STRIPPED.map(lower), 200);
    ask(&["x-forwarded-for: 10.0.0.1".to_owned(), "host: other".to_owned(), "te: trailers".to_owned()], 200);
    for message in world.upstream.take() {
        assert_only_dev(&message, "HTTP/2");
        assert_eq!(message.header_values("x-forwarded-for").collect::<Vec<_>>(), ["127.0.0.1"]);
        let host = world.upstream.address().to_string();
        assert_eq!(message.header_values("host").collect::<Vec<_>>(), [host]);
        assert_eq!((message.header("te"), message.header("authorization")), (None, None));
    }
    let many = "x".repeat(70_000);
    assert_eq!(world.http2_requests(&[("GET", "/version", &[bearer, ("x-long", &many)])]), [431]);
    assert_eq!(world.upstream.take(), []);
}
