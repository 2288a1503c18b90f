//! An AuthorizationConfiguration: any text is refused with a place, or makes a chain that decides, twice
//! the same.
#![no_main]

use std::collections::HashSet;

use authz::{Authz, DenyList, Mode, node::Node, rbac::Rbac};
use config::authorization::{Authorizer, AuthorizerKind, parse};
use libfuzzer_sys::fuzz_target;
use types::{Answers, Attributes, NoTrace, Timestamp, User, selector::Selectors};

fuzz_target!(|text: &[u8]| {
    let read = || parse("authz.yaml", text);
    let authorizers = match read() {
        Ok(authorizers) => authorizers,
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("authz.yaml"), "{told}");
            return;
        }
    };
    assert!(!authorizers.is_empty());
    assert_eq!(Some(&authorizers), read().ok().as_ref());
    let names: HashSet<&str> = authorizers.iter().map(|authorizer| authorizer.name.as_str()).collect();
    assert_eq!(names.len(), authorizers.len(), "every name stands once");

    let kinds: Vec<&str> = authorizers.iter().map(|authorizer| authorizer.kind.name()).collect();
    let built_in: Vec<&str> = kinds.into_iter().filter(|kind| *kind != "Webhook").collect();
    let distinct: HashSet<&str> = built_in.iter().copied().collect();
    assert_eq!(distinct.len(), built_in.len(), "every built-in type stands once");
    assert!(built_in.iter().all(|kind| names.contains(kind.to_lowercase().as_str())));

    let Some(modes) = authorizers.into_iter().map(mode).collect::<Option<Vec<Mode>>>() else { return };
    let chain = Authz::new(DenyList::default(), modes);
    let user = User::new("alice", ["dev"]);
    for (resource_request, resource) in [(true, "pods"), (false, "")] {
        let at = Attributes {
            user: &user,
            verb: "get",
            resource_request,
            namespace: "ns",
            api_group: "",
            api_version: "v1",
            resource,
            subresource: "",
            name: "web",
            path: "/version",
            selectors: &Selectors::NONE,
        };
        let decide = || chain.decide(&at, Timestamp::UNIX_EPOCH, &Answers::none(), &mut NoTrace);
        assert_eq!(decide(), decide());
    }
});

/// As the gate builds it; it refuses ABAC itself.
fn mode(authorizer: Authorizer) -> Option<Mode> {
    Some(match authorizer.kind {
        AuthorizerKind::Node => Mode::Node(Node::default()),
        AuthorizerKind::Rbac => Mode::Rbac(Rbac::default()),
        AuthorizerKind::AlwaysAllow => Mode::AlwaysAllow,
        AuthorizerKind::AlwaysDeny => Mode::AlwaysDeny,
        AuthorizerKind::Webhook(webhook) => Mode::Webhook(webhook.into_authorizer(&authorizer.name)),
        AuthorizerKind::Abac => return None,
    })
}
