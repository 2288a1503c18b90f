//! Replay, with webhooks and with logs that are no logs.

use super::{
    webhooks::{configured, server},
    *,
};

fn event(number: usize, user: &str, decision: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{number}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/ns/pods","verb":"list","user":{{"username":"{user}","groups":["system:authenticated"]}},"objectRef":{{"resource":"pods","namespace":"ns","apiVersion":"v1"}},"responseStatus":{{"code":200}},"annotations":{{"authorization.k8s.io/decision":"{decision}"}}}}"#
    ) + "\n"
}

fn log(events: &[(&str, &str)]) -> String {
    events.iter().enumerate().map(|(number, (user, decision))| event(number, user, decision)).collect()
}

const REPLAY: [&str; 7] =
    ["replay", "--audit-log", "audit.log", "-f", "dump", "--what-if", "authorization-config=authz.yaml"];

#[test]
fn what_hangs_on_a_webhook_is_counted_apart() {
    let server = server();
    let folder = configured(&server, "Deny", "");
    folder.write("audit.log", log(&[("alice", "allow"), ("alice", "allow"), ("mallory", "forbid")]));
    let undecided = "3 undecided: webhook policy has the word, and --ask-webhooks was not given";
    check(&folder, &REPLAY, 3, &[undecided, " 2      alice", "unchanged: 0 allowed, 0 refused"]);
    let out = check(&folder, &[&REPLAY[..], &["-o", "json"]].concat(), 3, &[]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["undecided"][0]["webhook"], &told["judged"]), (&"policy".into(), &3.into()));
    assert!(server.seen().is_empty(), "a webhook was asked unasked");
}

#[test]
fn webhooks_are_asked_once_for_what_they_said_already() {
    let server = server();
    let folder = configured(&server, "Deny", "");
    let mut events = vec![("alice", "allow"); 500];
    events.extend([("mallory", "allow"), ("bob", "allow"), ("bob", "forbid"), ("alice", "forbid")]);
    folder.write("audit.log", log(&events));
    let ask = [&REPLAY[..], &["--ask-webhooks"]].concat();
    let out = check(
        &folder,
        &ask,
        1,
        &[
            "2 would be refused that were allowed",
            "1 would be allowed that were refused",
            "unchanged: 500 allowed, 1 refused",
            "webhook policy: answers needed: 504, not to be had: 0",
        ],
    );
    assert!(!out.contains("undecided"), "{out}");
    // Those that were asked together did not wait for each other.
    let asked = server.seen().len();
    assert!((3..=40).contains(&asked), "{asked} questions");
}

#[test]
fn a_webhook_that_fails_is_told_of() {
    let server = testkit::Upstream::start(|_| testkit::Reply::json(403, "{}"));
    let folder = configured(&server, "Deny", "");
    folder.write("audit.log", log(&[("alice", "allow")]));
    let failed = "webhook policy: answers needed: 1, not to be had: 1, so its failurePolicy held: ";
    check(&folder, &[&REPLAY[..], &["--ask-webhooks"]].concat(), 1, &["1 would be refused", failed]);
}

#[test]
fn what_failed_ahead_of_authorization_was_not_allowed() {
    let server = server();
    let folder = configured(&server, "Deny", "");
    let never =
        event(1, "alice", "x").replace(r#""authorization.k8s.io/decision":"x""#, "").replace(":200", ":504");
    folder.write("audit.log", format!("{}{never}oops\n", event(0, "alice", "allow")));
    let not_judged = "not judged: 1 ended with 504 before an authorizer answered";
    check(&folder, &[&REPLAY[..], &["--ask-webhooks"]].concat(), 0, &[not_judged, "not read: 1 of 3 lines"]);
}
