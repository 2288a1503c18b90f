use authz::{
    Authz, DenyList, Mode,
    rbac::{Rbac, RbacObject, World},
};
use serde_json::json;
use types::{Answers, Step, Timestamp};

use super::*;

/// Puts lines before authorizers, and asks no webhook.
fn replay<'a>(authz: Authz, lines: impl IntoIterator<Item = &'a String>) -> Report {
    let (setting, mut replay) = (Setting::new(authz), Replay::new());
    for line in lines {
        let Some(case) = replay.take(line.as_bytes()) else { continue };
        let judged = match case.judge(&setting, Timestamp::UNIX_EPOCH, &Answers::none()) {
            Step::Done(judged) => judged,
            Step::Ask(question) => case.unasked(&question),
        };
        replay.count(&case, judged);
    }
    replay.finish()
}

fn rbac() -> Authz {
    Authz::new(DenyList::default(), vec![rbac_mode()])
}

/// `alice` and `bob` read pods and may act as bob.
fn rbac_mode() -> Mode {
    let objects: Vec<RbacObject> = serde_json::from_value(json!([
        {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["users"], "resourceNames": ["bob"], "verbs": ["impersonate"]}]},
        {"kind": "ClusterRoleBinding", "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "r"},
         "subjects": [{"kind": "User", "name": "alice"}, {"kind": "User", "name": "bob"}]},
    ]))
    .unwrap();
    let mut world = World::default();
    objects.into_iter().for_each(|object| world.apply(object));
    Mode::Rbac(Rbac::new(world))
}

#[test]
fn counts_each_request_once_and_drops_nothing() {
    let event = |id: &str, stage: &str, user: &str, verb: &str, uri: &str, more: serde_json::Value| {
        let mut event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": id, "stage": stage,
            "requestURI": uri, "verb": verb, "user": {"username": user},
            "annotations": {"authorization.k8s.io/decision": "allow"}, "responseStatus": {"code": 200},
        });
        if uri.starts_with("/api/") {
            event["objectRef"] = json!({"resource": "?"});
        }
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        event.to_string()
    };
    let none = || json!({});
    let (pods, secret) = ("/api/v1/namespaces/ns/pods", "/api/v1/namespaces/ns/secrets/a");
    let done = "ResponseComplete";
    let forbidden = || json!({"annotations": {"authorization.k8s.io/decision": "forbid"}});
    let lines = [
        event("1", "RequestReceived", "alice", "list", pods, none()),
        event("1", done, "alice", "list", pods, none()),
        event("2", "ResponseStarted", "alice", "watch", "/api/v1/namespaces/ns/pods?watch=1", none()),
        event("2", done, "alice", "watch", "/api/v1/namespaces/ns/pods?watch=1", none()),
        event("3", done, "alice", "get", secret, none()),
        event("4", done, "alice", "get", secret, none()),
        event("5", done, "carol", "list", pods, none()),
        event("6", done, "alice", "list", pods, forbidden()),
        event("7", done, "carol", "list", pods, forbidden()),
        event(
            "8",
            "ResponseStarted",
            "",
            "list",
            pods,
            json!({"annotations": {}, "responseStatus": {"code": 401}}),
        ),
        event("9", done, "alice", "list", pods, json!({"annotations": {}, "responseStatus": {"code": 429}})),
        event(
            "10",
            done,
            "alice",
            "list",
            pods,
            json!({"impersonatedUser": {"username": "bob", "groups": ["system:authenticated"]}}),
        ),
        event(
            "11",
            done,
            "alice",
            "list",
            pods,
            json!({"impersonatedUser": {"username": "bob", "groups": ["ops"]}}),
        ),
        event("12", done, "alice", "get", "/metrics", none()),
        "oops".to_owned(),
        String::new(),
    ];
    let report = replay(rbac(), &lines);
    let shown = |groups: &[Group]| -> Vec<String> {
        groups
            .iter()
            .map(|g| format!("{} {} {} {} {}", g.count, g.user, g.verb, g.resource, g.namespace))
            .collect()
    };
    assert_eq!(
        shown(&report.newly_refused),
        [
            "2 alice get secrets ns",
            "1 alice get /metrics ",
            "1 alice impersonate groups ",
            "1 carol list pods ns"
        ]
    );
    assert_eq!(shown(&report.newly_allowed), ["1 alice list pods ns"]);
    assert_eq!((report.still_allowed, report.still_refused), (3, 1));
    assert_eq!(report.judged, 3 + 1 + 5 + 1);
    assert_eq!(report.not_asked, BTreeMap::from([(401, 1), (429, 1)]));
    assert_eq!((report.other_stages, report.bad, report.lines), (2, 1, 16));
    assert_eq!(report.bad_lines[0].0, 15);
    // Every line is somewhere.
    let empty = 1;
    assert_eq!(report.judged + 2 + report.other_stages + report.bad + empty, report.lines);
    assert_eq!(report.newly_refused[0].rule, r#"{apiGroups: [""], resources: ["secrets"], verbs: ["get"]}"#);
}

#[test]
fn every_authorizer_counts() {
    let line = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","stage":"ResponseComplete",
        "requestURI":"/metrics","verb":"get","user":{"username":"a"},"responseStatus":{"code":200}}"#;
    let line = line.replace('\n', "");
    for (mode, refused) in [(Mode::AlwaysAllow, 0), (Mode::AlwaysDeny, 1)] {
        let report = replay(Authz::new(DenyList::default(), vec![mode]), [&line]);
        assert_eq!((report.newly_refused.len(), report.refuses()), (refused, refused == 1));
    }
}

#[test]
fn nobody_hides_a_request_behind_another() {
    let line = |stage: &str, user: &str, uri: &str, received: &str| {
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "chosen", "stage": stage, "requestURI": uri,
            "verb": if uri.contains("watch") { "watch" } else { "get" }, "user": {"username": user},
            "requestReceivedTimestamp": received, "responseStatus": {"code": 200},
            "objectRef": {"resource": "?"}, "annotations": {"authorization.k8s.io/decision": "allow"},
        })
        .to_string()
    };
    let (watch, secret) = ("/api/v1/namespaces/ns/pods?watch=1", "/api/v1/namespaces/ns/secrets/a");
    let (then, later) = ("2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000002Z");
    let begun = line("ResponseStarted", "alice", watch, then);
    let check = |ends: String, judged: u64, why: &str| {
        let report = replay(rbac(), [&begun, &ends]);
        assert_eq!((report.judged, report.other_stages), (judged, 2 - judged), "{why}");
    };
    check(line("ResponseComplete", "alice", watch, then), 1, "the end of the same request");
    check(line("ResponseComplete", "alice", secret, then), 2, "another request line");
    check(line("ResponseComplete", "mallory", watch, then), 2, "another user");
    check(line("ResponseComplete", "alice", watch, later), 2, "another time");
    check(
        begun.replace("chosen", "other").replace("ResponseStarted", "ResponseComplete"),
        2,
        "another audit ID",
    );
    // One end ends one request.
    let ends = line("ResponseComplete", "alice", watch, then);
    assert_eq!(replay(rbac(), [&begun, &ends, &ends]).judged, 2);
}

#[test]
fn what_hangs_on_a_webhook_is_undecided() {
    use authz::webhook::{FailurePolicy, ReviewVersion, Webhook};
    let line = |user: &str, decision: &str| {
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": user, "stage": "ResponseComplete",
            "requestURI": "/api/v1/namespaces/ns/pods", "verb": "list", "user": {"username": user},
            "objectRef": {"resource": "pods"}, "annotations": {"authorization.k8s.io/decision": decision},
            "responseStatus": {"code": 200},
        })
        .to_string()
    };
    let webhook = Mode::Webhook(Webhook::new("policy", ReviewVersion::V1, FailurePolicy::Deny, Vec::new()));
    let lines =
        [line("alice", "allow"), line("carol", "allow"), line("carol", "forbid"), line("dave", "allow")];
    // RBAC comes first and allows alice; about the others the webhook has the word.
    let Mode::Rbac(rbac) = rbac_mode() else { panic!("no RBAC") };
    let authz = Authz::new(DenyList::new(["dave"], [""; 0]), vec![Mode::Rbac(rbac), webhook]);
    let report = replay(authz, &lines);
    let told: Vec<_> =
        report.undecided.iter().map(|g| (g.user.as_str(), g.webhook.as_str(), g.count)).collect();
    assert_eq!(told, [("carol", "policy", 2)]);
    assert_eq!((report.judged, report.still_allowed, report.newly_refused.len()), (4, 1, 1));
    assert!(report.is_undecided());
}

#[test]
fn memory_does_not_grow_with_what_clients_choose() {
    let line = |number: usize| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{number}","stage":"ResponseComplete","requestURI":"/{number}","verb":"get","user":{{"username":"a"}},"responseStatus":{{"code":200}}}}"#
        )
    };
    let lines: Vec<String> = (0..MOST_GROUPS + 7).map(line).collect();
    let report = replay(Authz::new(DenyList::default(), vec![Mode::AlwaysDeny]), &lines);
    assert_eq!((report.newly_refused.len(), report.more_refused), (MOST_GROUPS, 7));
    assert_eq!(report.judged as usize, lines.len());
}
