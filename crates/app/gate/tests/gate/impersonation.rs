//! Acting as somebody else: who may, what reaches the upstream then, and what is on record.

use gate::FeatureGates;
use serde_json::{Value, json};
use testkit::{Message, Reply, Upstream};

use crate::{
    admin::admin,
    world::{World, request},
};

/// `imp` may be `alice` with some groups, UID and extras, in the words of before 1.36; `narrow` may
/// be `bob`, but only to get pods.
const RBAC: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: imp}
rules:
- {apiGroups: [''], resources: [users], resourceNames: [alice, mallory, 'system:anonymous'], verbs: [impersonate]}
- {apiGroups: [''], resources: [groups], resourceNames: [dev, quarantine], verbs: [impersonate]}
- {apiGroups: [authentication.k8s.io], resources: [uids], resourceNames: [u-1], verbs: [impersonate]}
- {apiGroups: [authentication.k8s.io], resources: [userextras/acme.com/role], verbs: [impersonate]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: imp}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: imp}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: imp}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: narrow}
rules:
- {apiGroups: [''], resources: [pods], verbs: ['impersonate-on:user-info:get']}
- {apiGroups: [authentication.k8s.io], resources: [users], resourceNames: [bob], verbs: ['impersonate:user-info']}
- {apiGroups: [authentication.k8s.io], resources: [groups], resourceNames: [dev], verbs: ['impersonate:user-info']}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: narrow}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: narrow}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: narrow}]
";

const POD: &str = "GET /api/v1/namespaces/default/pods/web";
const EXEC: &str = "POST /api/v1/namespaces/default/pods/web/exec?command=ls";
const UPGRADE: [&str; 2] = ["Connection: Upgrade", "Upgrade: SPDY/3.1"];

fn world_with(gates: FeatureGates) -> World {
    let upstream = Upstream::start(|message| match message.header("upgrade") {
        Some(_) => Reply::Echo(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n".to_vec(),
        ),
        None => Reply::json(200, "{}"),
    });
    World::with(upstream, |options, folder| {
        folder.write("rbac/imp.yaml", RBAC);
        let tokens =
            "tok-root,root,,system:masters\ntok-imp,imp,7\ntok-narrow,narrow,8\ntok-mallory,mallory,9\n";
        options.token_auth_file = Some(folder.write("tokens.csv", tokens));
        options.deny_user = vec!["mallory".to_owned()];
        options.deny_group = vec!["quarantine".to_owned()];
        options.feature_gates = gates;
    })
}

fn world() -> World {
    world_with(FeatureGates::default())
}

/// The status code for a request with a token and more headers.
fn ask(world: &World, token: &str, line: &str, headers: &[&str]) -> u16 {
    let bearer = format!("Authorization: Bearer tok-{token}");
    let headers: Vec<&str> = [bearer.as_str()].into_iter().chain(headers.iter().copied()).collect();
    world.ask(&request(line, &headers)).status
}

/// What the upstream is told of the user, sorted.
fn told(message: &Message) -> Vec<String> {
    let mut identity: Vec<String> = message
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| name.starts_with("impersonate") || name.starts_with("x-remote"))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    identity.sort();
    identity
}

const ALICE: [&str; 6] = [
    "Impersonate-User: alice",
    "impersonate-group: dev",
    "Impersonate-UID: u-1",
    "Impersonate-Extra-Acme.com%2fRole: a",
    "Impersonate-Extra-acme.com%2Frole: b",
    "Impersonate-Anything: x",
];

const TOLD_ALICE: [&str; 6] = [
    "impersonate-extra-acme.com%2frole: a",
    "impersonate-extra-acme.com%2frole: b",
    "impersonate-group: dev",
    "impersonate-group: system:authenticated",
    "impersonate-uid: u-1",
    "impersonate-user: alice",
];

#[test]
fn the_effective_user_goes_on_whatever_the_request() {
    let world = world();
    let watch = "GET /api/v1/namespaces/default/pods?watch=1";
    let check = |line: &str, more: &[&str], status: u16| {
        let headers = [&ALICE, more].concat();
        assert_eq!(ask(&world, "imp", line, &headers), status, "{line} {more:?}");
        let seen = world.upstream.take();
        assert_eq!(seen.len(), 1, "{line} {more:?}");
        assert_eq!(told(&seen[0]), TOLD_ALICE, "{line} {more:?}");
    };
    check(POD, &[], 200);
    check(watch, &[], 200);
    check(EXEC, &UPGRADE, 101);
    // Whoever names an identity header in `Connection` does not get rid of it, nor of its limits.
    check(POD, &["Connection: Impersonate-User, Impersonate-Group"], 200);
    check(POD, &["X-Remote-User: root", "Impersonate_User: root", "Impersonate.Group: system:masters"], 200);
    // Only the first name and UID count.
    check(POD, &["Impersonate-User: root", "Impersonate-Uid: 0"], 200);

    // An empty one in front of it asks for nothing: imp goes on as imp, who may not.
    let empty = ["Impersonate-User: ", "Impersonate-User: alice"];
    assert_eq!(ask(&world, "imp", POD, &empty), 403);
    assert_eq!(ask(&world, "root", POD, &empty), 200);
    assert_eq!(told(&world.upstream.take()[0])[2], "impersonate-user: root");

    let bearer = ("authorization", "Bearer tok-imp");
    let lower: Vec<(String, &str)> =
        ALICE.iter().filter_map(|h| h.split_once(": ")).map(|(n, v)| (n.to_ascii_lowercase(), v)).collect();
    let headers: Vec<(&str, &str)> =
        lower.iter().map(|(name, value)| (name.as_str(), *value)).chain([bearer]).collect();
    assert_eq!(world.http2_requests(&[("GET", "/api/v1/namespaces/default/pods/web", &headers)]), [200]);
    assert_eq!(told(&world.upstream.take()[0]), TOLD_ALICE);
}

#[test]
fn nothing_that_is_refused_reaches_the_upstream() {
    let world = world();
    let check = |token: &str, line: &str, headers: &[&str], status: u16| {
        assert_eq!(ask(&world, token, line, headers), status, "{token} {line} {headers:?}");
        assert_eq!(world.upstream.take(), [], "{token} {line} {headers:?}");
    };
    let (alice, dev) = ("Impersonate-User: alice", "Impersonate-Group: dev");
    check("imp", POD, &["Impersonate-User: root"], 403);
    check("imp", POD, &["Impersonate-User: root", alice], 403);
    check("imp", POD, &[alice, dev, "Impersonate-Group: system:masters"], 403);
    check("imp", POD, &[alice, dev, "Impersonate-Group: "], 403);
    check("imp", POD, &[alice, dev, "Impersonate-Uid: 0"], 403);
    check("imp", POD, &[alice, dev, "Impersonate-Extra-acme.com%2Frole2: a"], 403);
    check("imp", POD, &[alice, dev, "Impersonate-Extra-scopes: all"], 403);
    check("imp", EXEC, &[&UPGRADE[..], &["Impersonate-User: root"]].concat(), 403);
    // Parts of nobody.
    check("imp", POD, &[dev], 400);
    check("root", POD, &["Impersonate-Uid: 0"], 400);
    check("imp", POD, &["Impersonate-User:", "Impersonate-Extra-a: b"], 400);
    check("imp", EXEC, &[&UPGRADE[..], &[dev]].concat(), 400);
    // Alice herself may do nothing without the group, whatever imp and root may.
    check("imp", POD, &[alice], 403);
    check("root", POD, &[alice], 403);
    check("root", POD, &["Impersonate-User: system:anonymous"], 403);
}

#[test]
fn the_deny_list_meets_requester_and_effective_user() {
    let world = world();
    let (alice, dev) = ("Impersonate-User: alice", "Impersonate-Group: dev");
    let check = |token: &str, headers: &[&str], status: u16| {
        assert_eq!(ask(&world, token, POD, headers), status, "{token} {headers:?}");
        assert_eq!(world.upstream.take().len(), usize::from(status == 200), "{token} {headers:?}");
    };
    check("mallory", &[alice, dev], 403);
    check("imp", &["Impersonate-User: mallory", dev], 403);
    check("root", &["Impersonate-User: mallory", "Impersonate-Group: system:masters"], 403);
    check("imp", &[alice, dev, "Impersonate-Group: quarantine"], 403);
    check("root", &[alice, "Impersonate-Group: system:masters"], 200);
    check("imp", &[alice, dev], 200);
}

#[test]
fn a_right_can_be_limited_to_what_is_done_with_it() {
    let bob = ["Impersonate-User: bob", "Impersonate-Group: dev"];
    let list = "GET /api/v1/namespaces/default/pods";
    let constrained = world();
    assert_eq!(ask(&constrained, "narrow", POD, &bob), 200);
    assert_eq!(ask(&constrained, "narrow", list, &bob), 403, "bob may, but narrow may not as bob");
    assert_eq!(constrained.upstream.take().len(), 1);
    let legacy = world_with(FeatureGates { constrained_impersonation: false, ..FeatureGates::default() });
    assert_eq!(ask(&legacy, "narrow", POD, &bob), 403);
    assert_eq!(legacy.upstream.take(), []);
    assert_eq!(ask(&legacy, "imp", POD, &ALICE), 200);
    assert_eq!(told(&legacy.upstream.take()[0]), TOLD_ALICE);
}

#[test]
fn what_cannot_be_told_upstream_ends_here() {
    let world = world();
    let ask = |headers: &[(&str, &str)]| {
        let all = [&[("authorization", "Bearer tok-root")], headers].concat();
        let status = world.http2_requests(&[("GET", "/api/v1/namespaces/default/pods/web", &all)]);
        (status, world.upstream.take())
    };
    let masters = ("impersonate-group", "system:masters");
    // HTTP/2 does not trim blanks, HTTP/1.1 does, and it is HTTP/1.1 to the upstream.
    let (status, seen) = ask(&[("impersonate-user", " alice"), masters]);
    assert_eq!((status, seen), (vec![500], vec![]));
    // As many groups as a head holds.
    let names: Vec<String> = (0..1000).map(|number| format!("g{number}")).collect();
    let groups = names.iter().map(|name| ("impersonate-group", name.as_str()));
    let many: Vec<_> = [("impersonate-user", "alice"), masters].into_iter().chain(groups).collect();
    let (status, seen) = ask(&many);
    assert_eq!(status, [200]);
    let found: Vec<_> = seen[0].header_values("impersonate-group").collect();
    let expected: Vec<&str> =
        many.iter().skip(1).map(|(_, name)| *name).chain(["system:authenticated"]).collect();
    assert_eq!(found, expected, "all of them, in their order");
    let long = "x".repeat(30_000);
    let (status, seen) = ask(&[("impersonate-user", &long), masters]);
    assert_eq!((status, seen[0].header("impersonate-user")), (vec![200], Some(long.as_str())));
    let key = format!("impersonate-extra-{}", "%20".repeat(3_000));
    let (status, seen) = ask(&[("impersonate-user", "alice"), masters, (&key, "v")]);
    assert_eq!((status, seen[0].header(&key)), (vec![200], Some("v")));
}

#[test]
fn the_record_has_both_users() {
    let mut world = world();
    let bob = ["Impersonate-User: bob", "Impersonate-Group: dev"];
    let id = |id: &'static str, headers: &[&'static str]| [headers, &[id]].concat();
    ask(&world, "imp", POD, &id("Audit-ID: legacy", &ALICE));
    ask(&world, "narrow", POD, &id("Audit-ID: constrained", &bob));
    ask(&world, "imp", POD, &id("Audit-ID: refused", &bob));
    ask(&world, "root", POD, &id("Audit-ID: not-allowed", &["Impersonate-User: bob"]));
    let (_, metrics) = admin(&world, "GET /metrics HTTP/1.1");
    // Whoever is in system:masters may in the first mode that covers bob.
    for (decision, mode, count) in [("allowed", "legacy", 1), ("allowed", "user-info", 2), ("denied", "", 1)]
    {
        let line = format!(
            "apiserver_impersonation_attempts_total{{decision=\"{decision}\",mode=\"{mode}\"}} {count}\n"
        );
        assert!(metrics.contains(&line), "{line}");
    }
    // `imp` is asked about in the constrained words first, and the second time in those that were good
    // the first time; `narrow` and `root` in the constrained ones alone.
    check_counts(&metrics, [("allowed", "legacy", 5), ("allowed", "user-info", 5)]);
    check_counts(&metrics, [("denied", "legacy", 1), ("denied", "user-info", 2)]);
    let took = "apiserver_impersonation_attempts_duration_seconds_count{decision=\"allowed\",mode=\"user-info\"} 2\n";
    assert!(metrics.contains(took), "{metrics}");
    let events: Vec<Value> = world.audit().iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let check = |id: &str, user: &str, impersonated: Value, constraint: Value| {
        let of = |stage: &str| {
            let found = events.iter().find(|event| event["auditID"] == id && event["stage"] == stage);
            found.unwrap_or_else(|| panic!("no {stage} of {id}"))
        };
        let received = of("RequestReceived");
        assert_eq!((&received["user"]["username"], received.get("impersonatedUser")), (&json!(user), None));
        let complete = of("ResponseComplete");
        assert_eq!(complete["user"]["username"], user, "{id}");
        assert_eq!(complete["impersonatedUser"], impersonated, "{id}");
        assert_eq!(complete["authenticationMetadata"]["impersonationConstraint"], constraint, "{id}");
    };
    let alice = json!({
        "username": "alice", "uid": "u-1", "groups": ["dev", "system:authenticated"],
        "extra": { "acme.com/role": ["a", "b"] },
    });
    check("legacy", "imp", alice, Value::Null);
    let bob = json!({ "username": "bob", "groups": ["dev", "system:authenticated"] });
    check("constrained", "narrow", bob, "impersonate:user-info".into());
    check("refused", "imp", Value::Null, Value::Null);
    let bob = json!({ "username": "bob", "groups": ["system:authenticated"] });
    check("not-allowed", "root", bob, "impersonate:user-info".into());
}

/// How many single questions there were to the authorizers, and whose decisions they were.
#[track_caller]
fn check_counts(metrics: &str, expected: [(&str, &str, u64); 2]) {
    for (decision, mode, count) in expected {
        for family in ["total", "duration_seconds_count"] {
            let line = format!(
                "apiserver_impersonation_authorization_attempts_{family}\
                 {{decision=\"{decision}\",mode=\"{mode}\"}} {count}\n"
            );
            assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
        }
    }
}

/// What a webhook was asked, as `user verb resource name`.
fn asked(review: &Message) -> String {
    let review: Value = serde_json::from_slice(&review.body).unwrap();
    let text =
        |part: &str| review.pointer(&format!("/spec/{part}")).and_then(Value::as_str).unwrap_or_default();
    let parts = ["user", "resourceAttributes/verb", "resourceAttributes/resource", "resourceAttributes/name"];
    parts.map(text).join(" ")
}

fn behind_webhook(hook: &Upstream) -> World {
    World::with(Upstream::that_says_yes(), |options, folder| {
        options.rbac_from = None;
        options.authorization_mode = Some(vec!["Webhook".to_owned()]);
        options.authorization_webhook_config_file = Some(folder.write("hook.yaml", hook.kubeconfig()));
        options.authorization_webhook_version = Some("v1".to_owned());
    })
}

#[test]
fn a_webhook_is_asked_about_each_part() {
    let hook = Upstream::start(|review| {
        let asked = asked(review);
        let allowed =
            asked.starts_with("dev impersonate ") && !asked.ends_with(" no") || asked.starts_with("alice ");
        Reply::json(200, &json!({ "status": { "allowed": allowed, "reason": "so be it" } }).to_string())
    });
    let world = behind_webhook(&hook);
    let groups: Vec<String> = (0..20).map(|number| format!("Impersonate-Group: g{number}")).collect();
    let mut headers: Vec<&str> =
        ["Impersonate-User: alice"].into_iter().chain(groups.iter().map(String::as_str)).collect();
    assert_eq!(ask(&world, "dev", POD, &headers), 200);
    let found: Vec<String> = hook.take().iter().map(asked).collect();
    let mut expected = vec![
        "dev impersonate-on:user-info:get pods web".to_owned(),
        "dev impersonate users alice".to_owned(),
    ];
    expected.extend((0..20).map(|number| format!("dev impersonate groups g{number}")));
    expected.push("alice get pods web".to_owned());
    assert_eq!(found, expected);
    assert_eq!(told(&world.upstream.take()[0]).len(), 22);
    // Each question counts once, however often the decision was run; the last is that about the pod.
    let (_, metrics) = admin(&world, "GET /metrics HTTP/1.1");
    check_counts(&metrics, [("allowed", "legacy", 21), ("denied", "user-info", 1)]);
    let decided = "apiserver_authorization_decisions_total{decision=\"allowed\",name=\"default\",type=\"Webhook\"} 22\n";
    assert!(metrics.contains(decided), "{metrics}");

    headers.push("Impersonate-Group: no");
    assert_eq!(ask(&world, "dev", POD, &headers), 403);
    assert_eq!(world.upstream.take(), []);
    // More parts than a head of HTTP/1.1 has room for.
    let names: Vec<String> = (0..300).map(|number| format!("h{number}")).collect();
    let many = names.iter().map(|name| ("impersonate-group", name.as_str()));
    let many: Vec<_> = [("authorization", "Bearer tok-dev"), ("impersonate-user", "alice")]
        .into_iter()
        .chain(many)
        .collect();
    assert_eq!(world.http2_requests(&[("GET", "/api/v1/namespaces/default/pods/web", &many)]), [500]);
    assert_eq!(world.upstream.take(), []);
}

#[test]
fn a_webhook_that_fails_lets_nobody_act_as_anybody() {
    let hook = Upstream::start(|_| Reply::json(403, "{}"));
    let world = behind_webhook(&hook);
    let response = world.ask(&request(POD, &["Authorization: Bearer tok-dev", "Impersonate-User: alice"]));
    assert_eq!(response.status, 403);
    assert!(response.text().contains("cannot impersonate-on:user-info:get resource"), "{}", response.text());
    assert_eq!(world.upstream.take(), []);
}
