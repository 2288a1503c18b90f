//! Impersonation against a naive reading of it: whoever the effective user is made of has been asked
//! for and allowed.

use std::{cell::RefCell, collections::BTreeSet};

use proptest::prelude::*;
use types::{group, selector::Selectors, username};

use super::*;

fn at<'a>(user: &'a User, verb: &'a str, name: &'a str) -> Attributes<'a> {
    static NONE: Selectors = Selectors::NONE;
    Attributes {
        user,
        verb,
        resource_request: true,
        namespace: "ns",
        api_group: "",
        api_version: "v1",
        resource: "pods",
        subresource: "",
        name,
        path: "/p",
        selectors: &NONE,
    }
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000 + seconds).unwrap()
}

/// A check as `verb resource/subresource name`.
fn words(at: &Attributes<'_>) -> String {
    format!("{} {} {}", at.verb, at.combined_resource(), at.name)
}

/// Decides, with the checks that were made; `allows` answers them.
fn decide(
    impersonation: &Impersonation,
    wanted: &User,
    at: &Attributes<'_>,
    now: Timestamp,
    allows: impl Fn(&str) -> bool,
) -> (Result<Impersonated, Box<Status>>, Vec<String>) {
    let mut checks = Vec::new();
    let step = impersonation.decide(wanted, at, now, &mut |at| {
        let words = words(at);
        let opinion = if allows(&words) { Opinion::allow("") } else { Opinion::no_opinion("") };
        checks.push(words);
        Step::Done(opinion)
    });
    let Step::Done(decided) = step else { panic!("nothing asks") };
    (decided, checks)
}

fn headers(lines: &[(&str, &[u8])]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| {
            (name.parse::<http::HeaderName>().unwrap(), http::HeaderValue::from_bytes(value).unwrap())
        })
        .collect()
}

#[test]
fn successes_are_remembered_for_ten_seconds_and_no_longer() {
    let impersonation = Impersonation::new(true);
    let (imp, bob) = (User::new("imp", [""; 0]), User::new("bob", ["g"]));
    let constrained = |words: &str| words.contains("user-info");
    let asked = |now, at: &Attributes<'_>, wanted: &User| {
        decide(&impersonation, wanted, at, second(now), constrained).1
    };
    let get = at(&imp, "get", "p");
    let all = [
        "impersonate-on:user-info:get pods p",
        "impersonate:user-info users bob",
        "impersonate:user-info groups g",
    ];
    assert_eq!(asked(0, &get, &bob), all);
    assert!(asked(9, &get, &bob).is_empty());
    assert_eq!(asked(9, &at(&imp, "get", "q"), &bob), ["impersonate-on:user-info:get pods q"]);
    assert_eq!(asked(9, &at(&imp, "list", "p"), &bob), ["impersonate-on:user-info:list pods p"]);
    assert!(asked(9, &at(&imp, "get", "q"), &bob).is_empty());
    // One that rests on a remembered one is as old as that.
    let q = ["impersonate-on:user-info:get pods q".to_owned(), all[1].to_owned(), all[2].to_owned()];
    assert_eq!(asked(10, &at(&imp, "get", "q"), &bob), q);
    assert_eq!(asked(10, &get, &bob), all[..1]);
    assert!(asked(19, &get, &bob).is_empty());
    assert_eq!(asked(20, &get, &bob), all);
    // Another requester of the same name, and another wanted user, are others.
    let twin = User { uid: "2".to_owned(), ..imp.clone() };
    assert_eq!(asked(21, &at(&twin, "get", "p"), &bob), all);
    let more = User::new("bob", ["g", "h"]);
    assert_eq!(asked(21, &get, &more).len(), 4);
    let shifted = User { uid: "g".to_owned(), groups: vec![], ..bob.clone() };
    assert_eq!(asked(21, &get, &shifted).len(), 3);
    // A clock that was set back.
    assert_eq!(asked(-1, &get, &bob), all);
    // A refusal is not remembered.
    let ok = |allowed: bool| decide(&impersonation, &bob, &get, second(40), |_| allowed).0.is_ok();
    assert!(!ok(false) && ok(true) && ok(false));
}

#[test]
fn a_right_that_was_taken_away_ends_within_ten_seconds_of_the_last_check() {
    let impersonation = Impersonation::new(true);
    let (imp, bob) = (User::new("imp", [""; 0]), User::new("bob", [""; 0]));
    let at = at(&imp, "get", "p");
    let ok = |now, allowed: bool| decide(&impersonation, &bob, &at, second(now), |_| allowed).0.is_ok();
    assert!(ok(0, true));
    // Used all the time, it does not live on.
    assert_eq!((1..=12).map(|now| ok(now, false)).filter(|ok| *ok).count(), 9);
}

#[test]
fn the_name_that_stands_for_every_node_is_nobodys() {
    let impersonation = Impersonation::new(true);
    let imp = User::new("imp", [""; 0]);
    let star = User::new("system:node:*", [""; 0]);
    let (found, checks) =
        decide(&impersonation, &star, &at(&imp, "get", "p"), second(0), |words| words.contains("user-info"));
    assert_eq!(checks, ["impersonate-on:user-info:get pods p", "impersonate:user-info users system:node:*"]);
    assert_eq!(found.unwrap().user.groups, ["system:authenticated"]);
}

#[test]
fn errors_of_authorizers_refuse() {
    let check = |constrained: bool, opinion: Opinion, expected: Result<(), &str>| {
        let impersonation = Impersonation::new(constrained);
        let (imp, bob) = (User::new("imp", [""; 0]), User::new("bob", [""; 0]));
        let step = impersonation
            .decide(&bob, &at(&imp, "get", "p"), second(0), &mut |_| Step::Done(opinion.clone()));
        let Step::Done(found) = step else { panic!("nothing asks") };
        match (found, expected) {
            (Ok(_), Ok(())) => {}
            (Err(status), Err(end)) => {
                assert!(status.code == 403 && status.message.ends_with(end), "{status:?}")
            }
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    };
    let failed = |opinion| Opinion { error: Some(crate::Error("down".to_owned())), ..opinion };
    check(true, failed(Opinion::no_opinion("why")), Err("namespace \"ns\": down: why"));
    check(true, failed(Opinion::no_opinion("")), Err("namespace \"ns\": down"));
    check(true, failed(Opinion::allow("")), Ok(()));
    check(false, failed(Opinion::no_opinion("why")), Err("at the cluster scope: why"));
    check(false, failed(Opinion::allow("")), Err("at the cluster scope"));
    check(false, Opinion::deny("no"), Err("at the cluster scope: no"));
}

#[test]
fn a_question_is_asked_before_anything_is_decided() {
    for constrained in [true, false] {
        let impersonation = Impersonation::new(constrained);
        let (imp, bob) = (User::new("imp", [""; 0]), User::new("bob", ["a", "b", "c", "d"]));
        let question = || {
            Question::Object(types::ObjectRef {
                kind: types::ObjectKind::Pod,
                namespace: String::new(),
                name: "x".to_owned(),
            })
        };
        // Whichever check the question stands at, nothing is allowed and nothing is remembered.
        for last in 0..8 {
            let mut number = 0;
            let step = impersonation.decide(&bob, &at(&imp, "get", "p"), second(0), &mut |at| {
                number += 1;
                let star = at.name == "*";
                if number > last {
                    Step::Ask(question())
                } else if star {
                    Step::Done(Opinion::no_opinion(""))
                } else {
                    Step::Done(Opinion::allow(""))
                }
            });
            let all = if constrained { 7 } else { 5 };
            assert_eq!(matches!(step, Step::Ask(_)), last < all, "{last}");
        }
    }
}

#[test]
fn extras_that_no_constrained_mode_takes() {
    let check = |key: &str, value: &str, expected: &str| {
        let impersonation = Impersonation::new(true);
        let imp = User::new("imp", [""; 0]);
        let wanted =
            User { extra: [(key.to_owned(), vec![value.to_owned()])].into(), ..User::new("bob", [""; 0]) };
        let (found, _) = decide(&impersonation, &wanted, &at(&imp, "get", "p"), second(0), |words| {
            words.contains("user-info")
        });
        let message = found.err().map(|status| status.message).unwrap_or_default();
        let why = message.split_once("at the cluster scope: ").map_or("", |(_, why)| why);
        assert_eq!(why, expected, "{key}");
    };
    let invalid = |why: &str| format!("impersonating an invalid key in extra is not allowed: {why}");
    check("acme.io/Foo-._~%!$&'()*+,;=:/x".to_lowercase().as_str(), "v", "");
    check("acme.io/Foo", "v", "impersonating a non-lowercase key in extra is not allowed: \"acme.io/Foo\"");
    check("", "v", "impersonating the empty string key in extra is not allowed");
    check("acme.io/a", "", "impersonating the empty string value in extra is not allowed");
    let path = "must be a domain-prefixed path (such as \"acme.io/foo\")";
    for key in ["a", "/a", "a/"] {
        check(key, "v", &invalid(&format!("extra.key: Invalid value: \"{key}\": {path}")));
    }
    let bad_path = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
    check("a/b c", "v", &invalid(&format!("extra.key: Invalid value: \"b c\": {bad_path}")));
    let subdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    check(
        "A/ü",
        "v",
        &invalid(&format!(
            "[extra.key: Invalid value: \"A\": {subdomain}, extra.key: Invalid value: \"ü\": {bad_path}]"
        )),
    );
}

#[test]
fn headers_as_they_are_read() {
    let check = |constrained: bool,
                 lines: &[(&str, &[u8])],
                 expected: Result<Option<User>, &str>,
                 left: &[&str]| {
        let mut headers = headers(lines);
        match (Impersonation::new(constrained).requested(&mut headers), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(status), Err(message)) => assert_eq!((status.code, status.message.as_str()), (400, message)),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
        assert_eq!(headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), left);
    };
    let bob = || User::new("bob", [""; 0]);
    check(true, &[("accept", b"a"), ("impersonate_user", b"bob")], Ok(None), &["accept", "impersonate_user"]);
    check(true, &[("impersonate-user", b"bob"), ("x", b"")], Ok(Some(bob())), &["x"]);
    // What is no UTF-8 is somebody else's name from here on.
    check(true, &[("impersonate-user", b"b\xffb")], Ok(Some(User::new("b\u{fffd}b", [""; 0]))), &[]);
    let extra = |key: &str, values: &[&str]| User {
        extra: [(key.to_owned(), values.iter().map(|v| (*v).to_owned()).collect())].into(),
        ..bob()
    };
    for (name, key) in [
        ("%41", "A"),
        ("A", "a"),
        ("a%2", "a%2"),
        ("a%2g%41", "a%2g%41"),
        ("a+b", "a+b"),
        ("%ff", "\u{fffd}"),
        ("%C3%BC", "ü"),
    ] {
        let name = format!("Impersonate-Extra-{name}");
        check(true, &[("impersonate-user", b"bob"), (&name, b"v,w")], Ok(Some(extra(key, &["v,w"]))), &[]);
    }
    let wanted =
        &[("impersonate-extra-a", &b"\"q\""[..]), ("impersonate-uid", b"u"), ("impersonate-group", b"")];
    let left = ["impersonate-extra-a", "impersonate-uid", "impersonate-group"];
    check(
        true,
        wanted,
        Err(
            "requested &user.DefaultInfo{Name:\"\", UID:\"u\", Groups:[]string{\"\"}, Extra:map[string][]string{\"a\":[]string{\"\\\"q\\\"\"}}} without impersonating a user name",
        ),
        &left,
    );
    check(
        false,
        wanted,
        Err(
            "requested [{Group      } {UserExtra  \"q\"  authentication.k8s.io/v1  a} {UID  u  authentication.k8s.io/v1  }] without impersonating a user",
        ),
        &left,
    );
}

/// Small alphabets, so that things meet.
fn wanted() -> impl Strategy<Value = User> {
    let names = [
        "bob",
        "imp",
        username::ANONYMOUS,
        "system:node:n1",
        "system:node:N",
        "system:node:*",
        "system:serviceaccount:ns:sa",
        "system:serviceaccount:ns:",
    ];
    let groups =
        ["", "*", "a", "b", group::MASTERS, group::NODES, group::AUTHENTICATED, group::UNAUTHENTICATED];
    let keys = ["a", "acme.io/a", "acme.io/b", "*"];
    (
        proptest::sample::select(names.to_vec()),
        proptest::sample::select(&["", "", "u"][..]),
        proptest::collection::vec(proptest::sample::select(groups.to_vec()), 0..6),
        proptest::collection::btree_map(
            proptest::sample::select(keys.to_vec()),
            proptest::collection::vec(proptest::sample::select(vec!["v", "w", "*"]), 1..3),
            0..3,
        ),
    )
        .prop_map(|(name, uid, groups, extra)| User {
            name: name.to_owned(),
            uid: uid.to_owned(),
            groups: groups.into_iter().map(str::to_owned).collect(),
            extra: extra
                .into_iter()
                .map(|(key, values)| (key.to_owned(), values.into_iter().map(str::to_owned).collect()))
                .collect(),
        })
}

/// Every part of the effective user that needs a check of its own, and the checks that would do.
fn needed(user: &User, wanted: &User, mode: Mode) -> Vec<Vec<String>> {
    let verb = mode.verb();
    let service_account =
        user.name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let service_account = service_account.map(|(_, name)| name).filter(|name| !name.is_empty());
    let node = user.name.strip_prefix("system:node:").filter(|node| *node == "n1");
    let mut parts = vec![vec![match (service_account, node, mode) {
        (_, Some(_), Mode::AssociatedNode) => format!("{verb} nodes *"),
        (_, Some(node), Mode::ArbitraryNode) => format!("{verb} nodes {node}"),
        (Some(name), ..) => format!("{verb} serviceaccounts {name}"),
        _ => format!("{verb} users {}", user.name),
    }]];
    for group in &user.groups {
        let implied = matches!(group.as_str(), "system:serviceaccounts" | "system:serviceaccounts:ns")
            && service_account.is_some()
            && wanted.groups.is_empty()
            || group == group::NODES && matches!(mode, Mode::AssociatedNode | Mode::ArbitraryNode)
            || group == group::AUTHENTICATED && !wanted.in_group(group)
            || group == group::UNAUTHENTICATED && user.name == username::ANONYMOUS && !wanted.in_group(group);
        if !implied {
            let mut any = vec![format!("{verb} groups {group}")];
            if mode == Mode::UserInfo && wanted.groups.len() >= 4 {
                any.push(format!("{verb} groups *"));
            }
            parts.push(any);
        }
    }
    if !user.uid.is_empty() {
        parts.push(vec![format!("{verb} uids {}", user.uid)]);
    }
    for (key, values) in &user.extra {
        for value in values {
            let mut any = vec![format!("{verb} userextras/{key} {value}")];
            if mode == Mode::UserInfo && user.extra.values().map(Vec::len).sum::<usize>() >= 4 {
                any.push(format!("{verb} userextras/* *"));
            }
            parts.push(any);
        }
    }
    if mode != Mode::Legacy {
        parts.push(vec![format!("impersonate-on:{}:get pods p", mode.name())]);
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn nobody_becomes_more_than_was_allowed(
        constrained: bool,
        requests in proptest::collection::vec((wanted(), 0..15_i64, any::<u64>()), 1..6),
        on_node: bool,
    ) {
        let impersonation = Impersonation::new(constrained);
        let mut requester = User::new("system:serviceaccount:ns:imp", ["g"]);
        if on_node {
            requester.extra.insert(types::extra::NODE_NAME.to_owned(), vec!["n1".to_owned()]);
        }
        // Everything that was ever allowed within the last ten seconds; remembered or not.
        let allowed = RefCell::new(BTreeSet::<(i64, String)>::new());
        let mut now = 0;
        for (wanted, later, seed) in requests {
            now += later;
            // Each check of this request is allowed or not by its words: three of four are.
            let allows = |words: &str| {
                let mut hash = seed | 1;
                for byte in words.bytes() {
                    hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
                }
                let yes = (hash >> 40) % 4 != 0;
                if yes {
                    allowed.borrow_mut().insert((now, words.to_owned()));
                }
                yes
            };
            let (found, _) = decide(&impersonation, &wanted, &at(&requester, "get", "p"), second(now), allows);
            let Ok(Impersonated { user, mode }) = found else { continue };
            prop_assert!(constrained || mode == Mode::Legacy);
            prop_assert_eq!((&user.name, &user.uid, &user.extra), (&wanted.name, &wanted.uid, &wanted.extra));
            prop_assert!(user.in_group(group::AUTHENTICATED) || user.in_group(group::UNAUTHENTICATED));
            prop_assert!(mode == Mode::Legacy || !user.in_group(group::MASTERS));
            if !wanted.groups.is_empty() {
                prop_assert!(user.groups.starts_with(&wanted.groups));
            }
            let oldest = if mode == Mode::Legacy { now } else { now - 9 };
            for any in needed(&user, &wanted, mode) {
                let known = allowed.borrow();
                let has = known.iter().any(|(when, words)| *when >= oldest && any.contains(words));
                prop_assert!(has, "{:?} in {:?} without any of {:?}", user, mode, any);
            }
        }
    }
}
