//! Webhooks are asked when that is wished, by the gate's own client, and by no command unasked.

use testkit::{Message, Reply, Upstream};

use super::*;

const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n";

/// A folder with a configuration of this webhook and RBAC, which knows nobody.
pub(super) fn configured(server: &Upstream, policy: &str, more: &str) -> Folder {
    let folder = Folder::new();
    let address = format!("https://{}", server.address());
    let kubeconfig = server.kubeconfig().replace(&address, &format!("{address}/authorize"));
    let file = folder.write("webhook.yaml", kubeconfig);
    let hook = format!(
        "- type: Webhook\n  name: policy\n  webhook:\n    timeout: 3s\n    failurePolicy: {policy}\n    \
         subjectAccessReviewVersion: v1\n    matchConditionSubjectAccessReviewVersion: v1\n    \
         connectionInfo: {{type: KubeConfigFile, kubeConfigFile: '{}'}}\n{more}",
        file.display()
    );
    folder.write("authz.yaml", format!("{HEAD}{hook}- {{type: RBAC, name: rbac}}\n"));
    folder.write(
        "dump/rbac.yaml",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: none}\nrules: []\n",
    );
    folder
}

/// A webhook that knows alice, shuts mallory out, and leaves the others to others.
pub(super) fn server() -> Upstream {
    Upstream::start(|review: &Message| {
        let says =
            |name: &str| String::from_utf8_lossy(&review.body).contains(&format!("\"user\":\"{name}\""));
        Reply::json(
            200,
            match (says("alice"), says("mallory")) {
                (true, _) => r#"{"status":{"allowed":true,"reason":"alice may"}}"#,
                (_, true) => r#"{"status":{"denied":true,"reason":"shut out"}}"#,
                _ => r#"{"status":{"evaluationError":"no such user"}}"#,
            },
        )
    })
}

fn explain<'a>(user: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![
        "explain",
        "--authorization-config",
        "authz.yaml",
        "-f",
        "dump",
        "--verb",
        "get",
        "--path",
        "/x",
    ];
    all.extend(["--as", user]);
    all.extend(more);
    all
}

#[test]
fn explain_asks_when_told_to() {
    let server = server();
    let folder = configured(&server, "Deny", "");
    check(&folder, &explain("alice", &[]), 3, &["UNDECIDED", "asks only with --ask-webhooks"]);
    assert!(server.seen().is_empty(), "a webhook was asked unasked");
    let ask = |user| explain(user, &["--ask-webhooks"]);
    check(
        &folder,
        &ask("alice"),
        0,
        &["ALLOWED", "asked         webhook policy: allow within ", ": alice may"],
    );
    check(&folder, &ask("mallory"), 1, &["REFUSED", "webhook policy: deny within ", ": shut out"]);
    check(
        &folder,
        &ask("bob"),
        1,
        &["webhook policy: no opinion within ", "(evaluationError: no such user)"],
    );
    assert_eq!(server.seen().len(), 3);
    let out = check(&folder, &explain("mallory", &["--ask-webhooks", "-o", "json"]), 1, &[]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    let asked = told.pointer("/layers/7/webhooksAsked/0").unwrap();
    assert_eq!((&asked["webhook"], &asked["answer"]), (&"policy".into(), &"deny".into()));
    assert_eq!(told["undecided"], serde_json::Value::Null);
    // Another setting is asked about by its own webhooks.
    let tried = [
        "explain",
        "-f",
        "dump",
        "--verb",
        "get",
        "--path",
        "/x",
        "--as",
        "alice",
        "--ask-webhooks",
        "--what-if",
    ];
    let tried = [&tried[..], &["authorization-config=authz.yaml"]].concat();
    check(&folder, &tried, 0, &["(as configured: refused)", "ALLOWED"]);
}

#[test]
fn what_the_failure_policy_makes_of_a_failure() {
    for (policy, says) in [("Deny", "deny"), ("NoOpinion", "no opinion")] {
        let server = Upstream::start(|_| Reply::json(403, "{}"));
        let folder = configured(&server, policy, "");
        let failed = format!("its failurePolicy is {policy}");
        let out = check(
            &folder,
            &explain("alice", &["--ask-webhooks"]),
            1,
            &["webhook policy: no answer within ", &failed],
        );
        assert!(out.contains(&format!("    {says:13} Webhook policy: ")), "{out}");
        assert!(out.contains("cannot_decide"), "{out}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn match_conditions_keep_questions_away() {
    let server = server();
    let condition = "    matchConditions: [{expression: \"request.user != 'alice'\"}]\n";
    let folder = configured(&server, "Deny", condition);
    let out = check(&folder, &explain("alice", &["--ask-webhooks"]), 1, &["request.user != 'alice' → false"]);
    assert!(!out.contains("    asked ") && server.seen().is_empty(), "{out}");
}

#[test]
fn impersonation_is_a_question_for_webhooks_too() {
    let server = server();
    let folder = configured(&server, "Deny", "");
    let as_bob = ["--impersonate", "bob", "--ask-webhooks"];
    // alice may act as bob; what bob may do then is another question.
    let out = check(
        &folder,
        &explain("alice", &as_bob),
        1,
        &["made by  alice", "as \"bob\" by the verb impersonate:user-info"],
    );
    assert!(out.contains("allow         impersonate:user-info users.authentication.k8s.io \"bob\""), "{out}");
    let out = check(&folder, &explain("mallory", &as_bob), 1, &["impersonation   deny"]);
    assert!(!out.contains("authorization "), "{out}");
    check(&folder, &explain("alice", &["--impersonate", "bob"]), 3, &["UNDECIDED"]);
    check(&folder, &explain("alice", &["--impersonate-group", "dev"]), 2, &["--impersonate <USER>"]);
    check(&folder, &explain("alice", &["--impersonate", ""]), 2, &["asks for nobody"]);
}
