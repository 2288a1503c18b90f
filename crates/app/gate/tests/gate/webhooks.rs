//! Authorization webhooks in the chain of a running gate: real servers, every way to fail.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use gate::Options;
use parking_lot::Mutex;
use testkit::{Authority, Folder, Message, Reply, Upstream};

use crate::{
    admin::admin,
    world::{World, request},
};

/// How an authorizer stands in the file.
pub(crate) struct Hook<'a> {
    pub(crate) name: &'a str,
    pub(crate) server: &'a Upstream,
    pub(crate) policy: &'a str,
    pub(crate) more: &'a str,
}

pub(crate) const HEAD: &str =
    "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n";
pub(crate) const RBAC: &str = "- {type: RBAC, name: rbac}\n";

pub(crate) fn kubeconfig(hook: &Hook<'_>, folder: &Folder) -> String {
    let text = hook.server.kubeconfig();
    let address = format!("https://{}", hook.server.address());
    let text = text.replace(&address, &format!("{address}/authorize"));
    folder.write(&format!("{}.yaml", hook.name), text).display().to_string()
}

pub(crate) fn write(hook: &Hook<'_>, folder: &Folder) -> String {
    let Hook { name, policy, more, .. } = hook;
    format!(
        "- type: Webhook\n  name: {name}\n  webhook:\n    timeout: 500ms\n    failurePolicy: {policy}\n    \
         subjectAccessReviewVersion: v1\n    connectionInfo: {{type: KubeConfigFile, kubeConfigFile: '{}'}}\n{more}",
        kubeconfig(hook, folder)
    )
}

/// A gate whose chain is this webhook and then RBAC, which lets `dev` read pods.
pub(crate) fn gate_with(hook: &Hook<'_>) -> World {
    World::with(Upstream::that_says_yes(), |options, folder| {
        let text = format!("{HEAD}{}{RBAC}", write(hook, folder));
        options.authorization_config = Some(folder.write("authz.yaml", text));
    })
}

pub(crate) fn says(status: &str) -> Upstream {
    let body = format!(r#"{{"status":{{{status}}}}}"#);
    Upstream::start(move |_| Reply::json(200, &body))
}

/// `dev`, whom RBAC allows, and `eve`, whom it does not, ask for the same.
pub(crate) fn codes(world: &World) -> (u16, u16) {
    let ask = |token: &str| {
        let head = request("GET /api/v1/namespaces/ns/pods", &[&format!("Authorization: Bearer {token}")]);
        world.ask(&head).status
    };
    (ask("tok-dev"), ask("tok-eve"))
}

pub(crate) fn metrics(world: &World) -> String {
    admin(world, "GET /metrics HTTP/1.1").1
}

/// The sum of all samples that begin like this.
pub(crate) fn count(page: &str, name: &str) -> u64 {
    let samples = page.lines().filter_map(|line| line.strip_prefix(name)?.rsplit(' ').next());
    samples.map(|value| value.parse::<u64>().unwrap()).sum()
}

#[test]
fn verdicts_and_failures() {
    let check = |server: &Upstream, policy: &str, expected: (u16, u16), tries: usize| {
        let world = gate_with(&Hook { name: "hook", server, policy, more: "" });
        server.take();
        assert_eq!(codes(&world), expected, "{policy}");
        assert_eq!(server.seen().len(), tries, "{policy}");
        if policy == "NoOpinion" && tries == 2 && expected == (200, 500) {
            let page = metrics(&world);
            let opened = "apiserver_authorization_webhook_evaluations_fail_open_total{name=\"hook\",result=";
            assert_eq!(count(&page, opened), 2, "{page}");
        }
        let passed = if expected.0 == 200 { 1 } else { 0 } + if expected.1 == 200 { 1 } else { 0 };
        assert_eq!(world.upstream.seen().len(), passed, "{policy}: what reached the API server");
    };
    check(&says(r#""allowed":true"#), "Deny", (200, 200), 2);
    check(&says(r#""denied":true,"reason":"never""#), "NoOpinion", (403, 403), 2);
    check(&says(r#""reason":"dunno""#), "NoOpinion", (200, 403), 2);
    // Allowed and denied at once is a 500, whatever stands behind it.
    check(&says(r#""allowed":true,"denied":true"#), "NoOpinion", (500, 500), 2);
    for (policy, expected) in [("NoOpinion", (200, 500)), ("Deny", (500, 500))] {
        let broken = Upstream::start(|_| Reply::json(403, "{}"));
        check(&broken, policy, expected, 2);
        let silent = Upstream::start(|_| Reply::Bytes(Vec::new()));
        check(&silent, policy, expected, 2);
        let other = Upstream::start(|_| Reply::json(200, r#"{"kind":"Status","apiVersion":"v1"}"#));
        check(&other, policy, expected, 2);
    }
}

/// Everything in kube-apiserver's words, read from a running gate.
#[test]
fn what_authorizers_do_is_counted() {
    let server = says(r#""denied":true"#);
    let condition = "    matchConditionSubjectAccessReviewVersion: v1\n    matchConditions:\n    \
                     - expression: has(request.resourceAttributes)\n    \
                     - expression: request.resourceAttributes.namespace != 'free'\n";
    let world = gate_with(&Hook { name: "hook", server: &server, policy: "NoOpinion", more: condition });
    let get = |who: &str, target: &str| {
        let bearer = format!("Authorization: Bearer tok-{who}");
        world.ask(&request(&format!("GET {target}"), &[&bearer])).status
    };
    // By the webhook, asked and remembered; by RBAC, since a condition keeps the webhook out of it; by nobody.
    assert_eq!(
        [get("dev", "/api/v1/namespaces/ns/pods"), get("dev", "/api/v1/namespaces/ns/pods")],
        [403; 2]
    );
    assert_eq!([get("dev", "/api/v1/namespaces/free/pods"), get("eve", "/version")], [200, 403]);
    let page = metrics(&world);
    for line in [
        r#"authorization_attempts_total{result="allowed"} 1"#,
        r#"authorization_attempts_total{result="denied"} 2"#,
        r#"authorization_attempts_total{result="no-opinion"} 1"#,
        r#"authorization_duration_seconds_count{result="denied"} 2"#,
        r#"apiserver_authorization_decisions_total{decision="denied",name="hook",type="Webhook"} 2"#,
        r#"apiserver_authorization_decisions_total{decision="allowed",name="rbac",type="RBAC"} 1"#,
        r#"apiserver_authorization_match_condition_exclusions_total{name="hook",type="Webhook"} 2"#,
        r#"apiserver_authorization_match_condition_evaluation_errors_total{name="hook",type="Webhook"} 0"#,
        // Once a request, although a question runs the decision twice.
        r#"apiserver_authorization_match_condition_evaluation_seconds_count{name="hook",type="Webhook"} 4"#,
        r#"apiserver_authorization_webhook_evaluations_total{name="hook",result="success"} 1"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
}

/// Who goes away takes the question back: it is not tried again for nobody.
#[test]
fn nobody_asks_for_a_client_that_has_left() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = Upstream::start(move |_| {
        let _ended = wait.lock().recv();
        Reply::json(500, "")
    });
    let world = World::with(Upstream::that_says_yes(), |options: &mut Options, folder| {
        let hook = Hook { name: "hook", server: &server, policy: "NoOpinion", more: "" };
        let text = write(&hook, folder).replace("500ms", "30s");
        options.authorization_config = Some(folder.write("authz.yaml", format!("{HEAD}{text}{RBAC}")));
    });
    let mut client = world.connect(None);
    client.send(request("GET /version", &["Authorization: Bearer tok-dev"])).unwrap();
    while server.seen().is_empty() {
        thread::yield_now();
    }
    drop(client);
    let canceled = r#"apiserver_authorization_webhook_evaluations_total{name="hook",result="canceled"}"#;
    while count(&metrics(&world), canceled) == 0 {
        thread::yield_now();
    }
    drop(go);
    let page = metrics(&world);
    assert_eq!(count(&page, "apiserver_authorization_webhook_evaluations_fail_open_total"), 0, "{page}");
    assert_eq!((server.seen().len(), world.upstream.seen().len()), (1, 0));
}

#[test]
fn five_tries_at_a_webhook_that_fails() {
    let server = Upstream::start(|_| Reply::json(500, ""));
    let world = gate_with(&Hook { name: "hook", server: &server, policy: "Deny", more: "" });
    let began = Instant::now();
    let head = request("GET /version", &["Authorization: Bearer tok-dev"]);
    assert_eq!(world.ask(&head).status, 500);
    assert_eq!(server.seen().len(), 5);
    let page = metrics(&world);
    let tries = r#"apiserver_authorization_webhook_evaluations_total{name="hook",result="error"}"#;
    let longest =
        r#"apiserver_authorization_webhook_duration_seconds_bucket{name="hook",result="error",le="+Inf"}"#;
    assert_eq!((count(&page, tries), count(&page, longest)), (5, 5), "{page}");
    // 500 ms, and half as long again each time.
    assert!(began.elapsed() >= Duration::from_millis(4_062), "{:?}", began.elapsed());
}

#[test]
fn a_server_that_cannot_prove_itself_is_not_asked() {
    let (real, other) = (says(r#""allowed":true"#), Authority::new("another-ca"));
    for (policy, expected) in [("NoOpinion", (200, 500)), ("Deny", (500, 500))] {
        let world = World::with(Upstream::that_says_yes(), |options, folder| {
            let hook = Hook { name: "hook", server: &real, policy, more: "" };
            let text = format!("{HEAD}{}{RBAC}", write(&hook, folder));
            // The same kubeconfig, trusting somebody else.
            let path = folder.path().join("hook.yaml");
            let kubeconfig = std::fs::read_to_string(&path).unwrap();
            let trusted = kubeconfig.lines().find(|line| line.contains("certificate-authority:")).unwrap();
            let ca = folder.write("other.crt", other.pem());
            let line = format!("    certificate-authority: {}", ca.display());
            folder.write("hook.yaml", kubeconfig.replace(trusted, &line));
            options.authorization_config = Some(folder.write("authz.yaml", text));
        });
        assert_eq!(codes(&world), expected, "{policy}");
        assert!(real.seen().is_empty());
    }
}

#[test]
fn what_the_webhook_is_told_and_what_is_remembered() {
    let server = says(r#""allowed":true,"reason":"fine""#);
    let condition = "    matchConditionSubjectAccessReviewVersion: v1\n    matchConditions:\n    \
                     - expression: has(request.resourceAttributes)\n";
    let mut world = gate_with(&Hook { name: "hook", server: &server, policy: "Deny", more: condition });
    let mut eve = world.connect(None);
    let mut get = |target: &str| {
        let head = request(
            &format!("GET {target}"),
            &["Authorization: Bearer tok-eve", &format!("Audit-ID: {}", target.len())],
        );
        eve.roundtrip(&head).unwrap().status
    };
    for _ in 0..3 {
        assert_eq!(get("/api/v1/namespaces/ns/pods?labelSelector=a%3Db"), 200);
    }
    // Another question; and one that no condition lets through to the webhook.
    assert_eq!((get("/api/v1/namespaces/ns/pods"), get("/version")), (200, 403));
    let asked: Vec<Message> = server.take();
    let lines: Vec<&str> = asked.iter().map(|message| message.line.as_str()).collect();
    assert_eq!(lines, ["POST /authorize?timeout=500ms HTTP/1.1"; 2]);
    let spec =
        r#""spec":{"resourceAttributes":{"namespace":"ns","resource":"pods","verb":"list","version":"v1","#;
    let body = String::from_utf8_lossy(&asked[0].body);
    assert!(body.contains(spec) && body.contains(r#""key":"a","operator":"In","values":["b"]"#), "{body}");
    let on_record = world.audit();
    let told = r#""authorization.k8s.io/reason":"fine""#;
    assert_eq!(on_record.iter().filter(|line| line.contains(told)).count(), 4, "{on_record:#?}");
}

#[test]
fn a_failure_is_on_record_without_its_cause() {
    let server = Upstream::start(|_| Reply::json(400, ""));
    let mut world = gate_with(&Hook { name: "hook", server: &server, policy: "Deny", more: "" });
    let answer = world.ask(&request("GET /version?a&b", &["Authorization: Bearer tok-dev"]));
    let text = "Internal Server Error: \"/version?a&amp;b\": the webhook answered 400\n";
    assert_eq!((answer.status, answer.text().as_str()), (500, text));
    assert_eq!(answer.message.header("content-type"), Some("text/plain; charset=utf-8"));
    let on_record = world.audit();
    let last = on_record.last().unwrap();
    assert!(last.contains(r#""annotations":{"authorization.k8s.io/reason":"internal error"}"#), "{last}");
}

#[test]
fn who_waits_for_a_webhook_is_in_nobodys_way() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let server = Upstream::start({
        let wait = Arc::clone(&wait);
        move |message| {
            if String::from_utf8_lossy(&message.body).contains("slow") {
                wait.lock().recv().unwrap();
            }
            Reply::json(200, r#"{"status":{"allowed":true}}"#)
        }
    });
    let world = World::with(Upstream::that_says_yes(), |options: &mut Options, folder| {
        let hook = Hook { name: "hook", server: &server, policy: "Deny", more: "" };
        let text = write(&hook, folder).replace("500ms", "30s");
        options.authorization_config = Some(folder.write("authz.yaml", format!("{HEAD}{text}{RBAC}")));
        options.workers = Some(1);
    });
    let ask = |name: &str| {
        world
            .ask(&request(&format!("GET /api/v1/namespaces/{name}/pods"), &["Authorization: Bearer tok-eve"]))
    };
    thread::scope(|scope| {
        let slow = scope.spawn(|| ask("slow").status);
        while server.seen().is_empty() {
            thread::yield_now();
        }
        for number in 0..20 {
            assert_eq!(ask(&format!("n{number}")).status, 200);
        }
        go.send(()).unwrap();
        assert_eq!(slow.join().unwrap(), 200);
    });
}

#[test]
fn what_a_webhook_said_is_remembered_by_audit_id() {
    let server = says(r#""denied":true,"reason":"never""#);
    let world = gate_with(&Hook { name: "hook", server: &server, policy: "Deny", more: "" });
    let recalled = |id: &str, expected: u16| {
        let bearer = "Authorization: Bearer tok-dev";
        let head = request("GET /api/v1/namespaces/ns/pods", &[bearer, &format!("Audit-ID: {id}")]);
        assert_eq!(world.ask(&head).status, expected);
        // The record is there once the exchange is over, which may be after the client has its answer.
        loop {
            let (status, body) = admin(&world, &format!("GET /explain HTTP/1.1\r\nAudit-ID: {id}"));
            if status == 200 {
                let told: serde_json::Value = serde_json::from_str(&body).unwrap();
                let layers = told["layers"].as_array().unwrap();
                let layer = layers.iter().find(|layer| layer["layer"] == "authorization").unwrap();
                return (layer["webhooksAsked"].clone(), told["now"]["webhooksNotAsked"].clone());
            }
        }
    };
    let asked = serde_json::json!([{"webhook": "hook", "answer": "deny", "reason": "never"}]);
    assert_eq!(recalled("one", 403), (asked, serde_json::json!(["hook"])));
    assert_eq!(server.seen().len(), 1, "an explanation asked the webhook");
    drop(server);
    let (failed, _) = recalled("two", 403);
    assert_eq!(failed[0]["answer"], "deny", "remembered answers are told of as well: {failed}");
}
