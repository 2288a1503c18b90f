//! `METHOD TARGET`: reading a request line never panics, and what is read holds together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use request::{RequestInfo, RequestInfoError, Target};
use types::User;

fuzz_target!(|line: &str| {
    let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
    let info = match RequestInfo::parse(method, target) {
        Ok(info) => info,
        Err(RequestInfoError::NoKind { info, .. }) => *info,
        Err(RequestInfoError::Rejected(_)) => return,
    };
    let parsed = Target::parse(method, target).expect("read before");
    assert!(target.ends_with(parsed.path_and_query()), "the target is forwarded as it stood");
    assert!(parsed.path_and_query().is_empty() || parsed.path_and_query().starts_with(['/', '*', '?']));
    if !parsed.raw_path().contains('%') {
        assert_eq!(info.path(), parsed.raw_path());
    }

    let parts: Vec<&str> = info.parts().collect();
    let at = |index: usize| parts.get(index).copied().unwrap_or_default();
    if !info.is_resource_request() {
        assert!(parts.is_empty() && info.resource().is_empty());
    }
    assert_eq!(info.resource(), at(0));
    if !at(1).is_empty() {
        assert_eq!(info.name(), at(1));
    }
    if info.verb() != "proxy" {
        assert_eq!(info.subresource(), at(2));
    }
    for text in parts.iter().chain(&[info.namespace(), info.api_group(), info.api_version()]) {
        assert!(info.path().contains(text) && !text.contains('/'));
    }
    let narrowed = matches!(info.verb(), "list" | "watch" | "deletecollection");
    assert!(narrowed || info.field_selector().is_empty() && info.label_selector().is_empty());
    if info.verb() == "list" || info.verb() == "deletecollection" {
        assert!(at(1).is_empty(), "what names an object is no list");
    }
    let user = User::default();
    assert_eq!(info.attributes(&user).name, info.name());
    if parsed.path_and_query().starts_with(['/', '*']) {
        // What goes upstream is read there as it was here.
        let there = match RequestInfo::parse(method, parsed.path_and_query()) {
            Ok(info) => info,
            Err(RequestInfoError::NoKind { info, .. }) => *info,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(there, info);
    }
});
