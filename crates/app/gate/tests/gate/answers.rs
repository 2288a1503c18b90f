//! What the gate says itself, what it passes on, and what it puts on record.

use crate::world::{World, request};

#[test]
fn a_certificate_and_a_token_get_through() {
    let world = World::new();
    let list = request("GET /api/v1/namespaces/default/pods?limit=5", &[]);
    assert_eq!(world.dev().roundtrip(&list).unwrap().status, 200);
    let seen = world.upstream.take();
    assert_eq!(seen[0].line, "GET /api/v1/namespaces/default/pods?limit=5 HTTP/1.1");
    assert_eq!(seen[0].header_values("impersonate-user").collect::<Vec<_>>(), ["dev"]);
    let response = world.ask(&request("GET /version", &["Authorization: Bearer tok-dev"]));
    assert_eq!(response.status, 200);
    assert_eq!(world.upstream.take().len(), 1);
}

#[test]
fn unauthorized_byte_for_byte() {
    let world = World::new();
    let compact = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\
                   \"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}\n";
    let indented = "{\n  \"kind\": \"Status\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {},\n  \"status\": \"Failure\",\n  \
                    \"message\": \"Unauthorized\",\n  \"reason\": \"Unauthorized\",\n  \"code\": 401\n}";
    let check = |headers: &[&str], target: &str, expected: &str| {
        let response = world.ask(&request(&format!("GET {target}"), headers));
        assert_eq!((response.status, response.text().as_str()), (401, expected), "{headers:?} {target}");
        let names: Vec<_> = response
            .message
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| *name != "Date")
            .collect();
        assert_eq!(names, ["Content-Type", "Cache-Control", "Audit-Id", "Content-Length"]);
        assert_eq!(response.message.header("cache-control"), Some("no-cache, private"));
    };
    check(&[], "/api/v1/namespaces", compact);
    check(&["User-Agent: kubectl/v1.36.0"], "/api/v1/namespaces", compact);
    check(&["User-Agent: curl/8.5.0"], "/api/v1/namespaces", indented);
    check(&["Authorization: Bearer wrong"], "/api/v1/namespaces?pretty=true", indented);
    let head = world.ask(&request("HEAD /api/v1/namespaces", &[]));
    assert_eq!((head.status, head.text().as_str()), (401, ""));
    assert_eq!(head.message.header("content-length"), Some(&*compact.len().to_string()));
}

#[test]
fn forbidden_in_kube_apiservers_words() {
    let world = World::new();
    let response =
        world.dev().roundtrip(request("GET /api/v1/namespaces/prod/secrets", &["Audit-ID: my-own"])).unwrap();
    assert_eq!(response.status, 403);
    assert_eq!(
        response.text(),
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"secrets is forbidden: \
         User \\\"dev\\\" cannot list resource \\\"secrets\\\" in API group \\\"\\\" in the namespace \\\"prod\\\"\",\
         \"reason\":\"Forbidden\",\"details\":{\"kind\":\"secrets\"},\"code\":403}\n"
    );
    assert_eq!(response.message.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(response.message.header("audit-id"), Some("my-own"));
}

#[test]
fn http2_is_served_by_the_same_line() {
    let world = World::new();
    let answers = world.http2(&["/version", "/api/v1/secrets", "/api/v1/pods#x"], Some("tok-dev"));
    assert_eq!(answers, [200, 403, 200]);
    let lines: Vec<_> = world.upstream.take().into_iter().map(|message| message.line).collect();
    // The library has cut `#x` off before anybody could see it; what is left is decided on.
    assert_eq!(lines, ["GET /version HTTP/1.1", "GET /api/v1/pods HTTP/1.1"]);
    assert_eq!(world.http2(&["/version"], None), [401]);
}

#[test]
fn each_request_is_on_record() {
    let mut world = World::new();
    assert_eq!(world.ask(&request("GET /version", &["Audit-ID: a"])).status, 401);
    assert_eq!(world.dev().roundtrip(request("GET /api/v1/pods", &["Audit-ID: b"])).unwrap().status, 200);
    assert_eq!(
        world.dev().roundtrip(request("GET /api/v1/secrets?x=%2f", &["Audit-ID: c"])).unwrap().status,
        403
    );
    assert_eq!(
        world.dev().roundtrip(request("GET /api/v1/pods?watch=1", &["Audit-ID: d"])).unwrap().status,
        200
    );
    let events = world.audit();
    let of = |id: &str| -> Vec<(String, String, u64, String)> {
        let events = events.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let events = events.filter(|event| event["auditID"] == *id);
        events
            .map(|event| {
                let text =
                    |pointer| event.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
                let code = event.pointer("/responseStatus/code").and_then(|v| v.as_u64()).unwrap_or_default();
                let decision = text("/annotations/authorization.k8s.io~1decision");
                (text("/stage"), text("/user/username"), code, decision)
            })
            .collect()
    };
    let event = |stage: &str, user: &str, code, decision: &str| {
        (stage.to_owned(), user.to_owned(), code, decision.to_owned())
    };
    assert_eq!(of("a"), [event("ResponseStarted", "", 401, "")]);
    assert_eq!(
        of("b"),
        [event("RequestReceived", "dev", 0, ""), event("ResponseComplete", "dev", 200, "allow")]
    );
    assert_eq!(
        of("c"),
        [event("RequestReceived", "dev", 0, ""), event("ResponseComplete", "dev", 403, "forbid")]
    );
    assert_eq!(
        of("d"),
        [
            event("RequestReceived", "dev", 0, ""),
            event("ResponseStarted", "dev", 200, "allow"),
            event("ResponseComplete", "dev", 200, "allow")
        ]
    );
    assert!(events.iter().any(|line| line.contains("\"requestURI\":\"/api/v1/secrets?x=%2f\"")));
}

#[test]
fn an_upstream_that_fails_is_told_to_the_client() {
    let world =
        World::answering(|_| testkit::Reply::Last(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n".to_vec()));
    let response = world.dev().roundtrip(request("GET /version", &[])).unwrap();
    assert_eq!(response.status, 502, "{}", response.text());
    assert!(response.text().contains("broke the connection off"));
    // Nobody listens there any more.
    let mut world = World::new();
    let mut client = world.dev();
    world.upstream = testkit::Upstream::that_says_yes();
    let response = client.roundtrip(request("GET /version", &[])).unwrap();
    assert_eq!(response.status, 503, "{}", response.text());
    assert_eq!(response.message.header("content-type"), Some("application/json"));
}
