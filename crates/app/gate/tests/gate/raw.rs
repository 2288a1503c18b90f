//! Request lines and framings, byte by byte.

use testkit::Reply;

use crate::world::{World, request};

const TOKEN: &str = "Authorization: Bearer tok-root";

fn world() -> World {
    World::with(testkit::Upstream::that_says_yes(), |options, folder| {
        options.token_auth_file = Some(folder.write("root.csv", "tok-root,root,0,\"system:masters\"\n"));
    })
}

#[test]
fn the_target_goes_on_byte_for_byte_or_not_at_all() {
    let world = world();
    let check = |target: &str, forwarded: Option<&str>| {
        let response = world.ask(&request(&format!("GET {target}"), &[TOKEN]));
        let seen: Vec<_> = world.upstream.take().into_iter().map(|message| message.line).collect();
        match forwarded {
            Some(target) => {
                assert_eq!(
                    (response.status, seen),
                    (200, vec![format!("GET {target} HTTP/1.1")]),
                    "{target}"
                );
            }
            None => {
                assert_eq!((response.status, response.text().as_str()), (400, "400 Bad Request"), "{target}");
                assert_eq!(seen, [""; 0], "{target}");
            }
        }
    };
    for same in [
        "/",
        "//",
        "//api/v1/pods",
        "/api/v1/namespaces//pods",
        "/a/../b",
        "/./",
        "/%2f",
        "/api%2fv1%2Fpods",
        "/a?",
        "/a??b",
        "/a?b=c&b=%00",
        "/a;b=c",
        "/ü",
        "/a|b^{}\\\"",
        "/a%20b",
        "*",
        "/a?x=http://b/c",
        "/@:!$'()",
    ] {
        check(same, Some(same));
    }
    check("http://other/api/v1/pods?x=y", Some("/api/v1/pods?x=y"));
    check("HTTPS://other:1//api", Some("//api"));
    for refused in [
        "/a#b",
        "/a?b#c",
        "/#",
        "#",
        "http://other",
        "http://other?x",
        "mailto:x",
        "a/b",
        "?x",
        "/a`b",
        "/<x>",
        "/%zz",
        "/a%",
        "http://a:b/",
        "/a\u{7f}",
    ] {
        check(refused, None);
    }
    // What is longer than the library can hold, but not longer than a head may be.
    check(&format!("/{}", "a".repeat(60_000)), Some(&format!("/{}", "a".repeat(60_000))));
    let long = world.ask(&request(&format!("GET /{}", "a".repeat(70_000)), &[TOKEN]));
    assert_eq!(long.status, 431);
    assert_eq!(world.upstream.take().len(), 0);
}

#[test]
fn heads_that_two_readers_could_read_differently_are_refused() {
    let world = world();
    let start = format!("POST /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: gate\r\n{TOKEN}\r\n");
    let second = format!("GET /smuggled HTTP/1.1\r\nHost: gate\r\n{TOKEN}\r\n\r\n");
    for rest in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "Content-Length: 5, 5\r\n\r\nhello",
        "Content-Length: +5\r\n\r\nhello",
        "Content-Length: 0x5\r\n\r\nhello",
        "Content-Length : 5\r\n\r\nhello",
        "Content-Length:\r\n\r\n",
        "Content-Length\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n",
        "X: a\r\n Content-Length: 5\r\n\r\nhello",
        "X: a\n\r\n",
        "X: a\r\r\n\r\n",
        "X: a\0\r\n\r\n",
        "Host: other\r\n\r\n",
        "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\nhello",
        ": x\r\n\r\n",
    ] {
        let mut client = world.connect(None);
        client.send(format!("{start}{rest}{second}")).unwrap();
        assert_eq!(client.receive(false).unwrap().status, 400, "{rest:?}");
        assert!(client.receive(false).is_err(), "a second answer to {rest:?}");
    }
    for head in [
        "GET /version\r\n\r\n",
        "GET  /version HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /version HTTP/1.1\r\n\r\n",
        "GET /version HTTP/0.9\r\nHost: a\r\n\r\n",
        "CONNECT /version HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT gate:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET /version HTTP/1.1\r\nHost: a\r\n\r\n",
        "G@T /version HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = world.connect(None);
        client.send(head).unwrap();
        assert_eq!(client.receive(false).unwrap().status, 400, "{head:?}");
    }
    assert_eq!(world.upstream.take(), []);
}

#[test]
fn too_many_headers_are_refused() {
    let world = world();
    let headers = vec!["X: y"; 300];
    assert_eq!(world.ask(&request("GET /version", &headers)).status, 431);
    let most: Vec<_> = std::iter::repeat_n("X: y", 200).chain([TOKEN]).collect();
    assert_eq!(world.ask(&request("GET /version", &most)).status, 200);
    assert_eq!(world.upstream.take()[0].header_values("x").count(), 200);
}

#[test]
fn pipelined_requests_are_answered_in_order_with_their_own_targets() {
    let world = World::with(
        testkit::Upstream::start(|message| Reply::json(200, &format!("{:?}", message.line))),
        |options, folder| {
            options.token_auth_file = Some(folder.write("root.csv", "tok-root,root,0,\"system:masters\"\n"));
        },
    );
    let post = format!(
        "POST /3 HTTP/1.1\r\nHost: gate\r\n{TOKEN}\r\nContent-Length: 40\r\n\r\n{}",
        "GET /no HTTP/1.1\r\nHost: gate\r\n\r\n12345678"
    );
    let all = [
        request("GET /1", &[TOKEN]),
        request("GET /2#", &[TOKEN]).replace('#', "?"),
        post,
        request("DELETE /4", &[TOKEN]),
    ]
    .concat();
    let mut client = world.connect(None);
    // However the bytes come.
    for piece in all.as_bytes().chunks(7) {
        client.send(piece).unwrap();
    }
    for line in ["GET /1 HTTP/1.1", "GET /2? HTTP/1.1", "POST /3 HTTP/1.1", "DELETE /4 HTTP/1.1"] {
        let response = client.receive(false).unwrap();
        assert_eq!((response.status, response.text()), (200, format!("{line:?}")));
    }
    let seen: Vec<_> = world.upstream.take().into_iter().map(|message| message.body.len()).collect();
    assert_eq!(seen, [0, 0, 40, 0]);
}

#[test]
fn a_chunked_body_passes_and_ends_the_connection() {
    let world = world();
    let chunked = format!(
        "POST /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: gate\r\n{TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: gate\r\n{TOKEN}\r\n\r\n"
    );
    let mut client = world.connect(None);
    let response = client.roundtrip(chunked).unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.message.header("connection"), Some("close"));
    assert!(client.receive(false).is_err());
    let seen = world.upstream.take();
    assert_eq!((seen.len(), seen[0].body.as_slice()), (1, &b"hello world"[..]));
}

#[test]
fn a_body_that_is_not_read_does_not_become_a_request() {
    let world = world();
    let inner = request("GET /smuggled", &[TOKEN]);
    let mut client = world.connect(None);
    client
        .send(format!("POST /x HTTP/1.1\r\nHost: gate\r\nContent-Length: {}\r\n\r\n{inner}", inner.len()))
        .unwrap();
    assert_eq!(client.receive(false).unwrap().status, 401);
    // Either the connection goes on behind the body, or it is closed.
    if client.send(request("GET /next", &[TOKEN])).is_ok()
        && let Ok(response) = client.receive(false)
    {
        assert_eq!(response.status, 200);
    }
    assert!(world.upstream.take().iter().all(|message| message.line == "GET /next HTTP/1.1"));
}
