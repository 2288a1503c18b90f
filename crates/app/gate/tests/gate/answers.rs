//! What the gate says itself.

use crate::world::{World, request};

#[test]
fn a_certificate_and_a_token_get_through() {
    let world = World::new();
    let list = request("GET /api/v1/namespaces/default/pods?limit=5", &[]);
    assert_eq!(world.dev().roundtrip(&list).unwrap().status, 200);
    let seen = world.upstream.take();
    assert_eq!(seen[0].line, "GET /api/v1/namespaces/default/pods?limit=5 HTTP/1.1");
    assert_eq!(seen[0].header_values("impersonate-user").collect::<Vec<_>>(), ["dev"]);
    assert_eq!(
        seen[0].header_values("impersonate-group").collect::<Vec<_>>(),
        ["dev", "system:authenticated"]
    );
    assert_eq!(seen[0].header_values("x-forwarded-for").collect::<Vec<_>>(), ["127.0.0.1"]);
    let response = world.ask(&request("GET /version", &["Authorization: Bearer tok-dev"]));
    assert_eq!(response.status, 200);
    assert_eq!(world.upstream.take()[0].header_values("authorization").count(), 0);
}
