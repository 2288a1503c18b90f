//! `--authorization-config` while the gate runs: what is taken, what is not, and what is never seen between.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use testkit::{Reply, Upstream};

use crate::{
    admin::admin,
    webhooks::{HEAD, Hook, RBAC, codes, count, gate_with, kubeconfig, metrics, says, write},
    world::{World, request},
};

const RELOADS: &str =
    "apiserver_authorization_config_controller_automatic_reloads_total{apiserver_id_hash=\"\",status=";
const LAST: &str = "apiserver_authorization_config_controller_automatic_reload_last_timestamp_seconds";
const INFO: &str = "apiserver_authorization_config_controller_last_config_info";

/// How often the file was taken, and how often it was not.
fn reloads(world: &World) -> (u64, u64) {
    let page = metrics(world);
    (count(&page, &format!("{RELOADS}\"success\"")), count(&page, &format!("{RELOADS}\"failure\"")))
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < patience, "{what}");
        thread::yield_now();
    }
}

/// Writes another chain, and waits until it is dealt with.
fn rewrite(world: &World, authorizers: &str, expected: (u64, u64)) {
    world.folder().write("authz.yaml", format!("{HEAD}{authorizers}"));
    until(&format!("{expected:?}: {authorizers}"), || reloads(world) == expected);
}

/// Layer 4 as `portcullis status` shows it.
fn layer(world: &World) -> (String, String) {
    let page: serde_json::Value = serde_json::from_str(&admin(world, "GET /status HTTP/1.1").1).unwrap();
    let text = |name: &str| page.pointer(&format!("/layers/3/{name}")).unwrap().as_str().unwrap().to_owned();
    (text("state"), text("why"))
}

#[test]
fn the_chain_follows_its_file() {
    let (no, yes) = (says(r#""denied":true"#), says(r#""allowed":true"#));
    let hook = |name: &'static str, server| Hook { name, server, policy: "Deny", more: "" };
    let world = gate_with(&hook("never", &no));
    assert_eq!((codes(&world), reloads(&world)), ((403, 403), (0, 0)));
    assert_eq!(
        layer(&world),
        ("on".to_owned(), "Webhook never; then RBAC, 2 objects of --rbac-from".to_owned())
    );
    let hash = |world: &World| metrics(world).lines().find(|line| line.starts_with(INFO)).unwrap().to_owned();
    let first = hash(&world);
    assert!(first.contains("{apiserver_id_hash=\"\",hash=\"sha256:") && first.ends_with("\"} 1"), "{first}");

    let before = codes(&world);
    rewrite(&world, RBAC, (1, 0));
    assert_eq!((before, codes(&world)), ((403, 403), (200, 403)));
    assert_eq!(layer(&world), ("on".to_owned(), "RBAC, 2 objects of --rbac-from".to_owned()));
    assert_ne!(hash(&world), first);
    let (page, now) = (metrics(&world), std::time::SystemTime::now());
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((now - 60..=now).contains(&count(&page, LAST)), "{page}");

    rewrite(&world, &format!("{RBAC}{}", write(&hook("always", &yes), world.folder())), (2, 0));
    assert_eq!(codes(&world), (200, 200));
    // What was counted of one that has gone stays counted.
    let page = metrics(&world);
    let asked = |name: &str| {
        count(
            &page,
            &format!("apiserver_authorization_webhook_evaluations_total{{name=\"{name}\",result=\"success\""),
        )
    };
    assert_eq!((asked("never"), asked("always")), (2, 1), "{page}");
    let rbac = "apiserver_authorization_decisions_total{decision=\"allowed\",name=\"rbac\",type=\"RBAC\"}";
    assert_eq!(count(&page, rbac), 2, "{page}");
}

#[test]
fn what_cannot_be_used_changes_nothing() {
    let no = says(r#""denied":true"#);
    let hook = Hook { name: "never", server: &no, policy: "Deny", more: "" };
    let world = gate_with(&hook);
    let good = format!("{}{RBAC}", write(&hook, world.folder()));
    let check = |authorizers: &str, why: &str, expected: (u64, u64)| {
        rewrite(&world, authorizers, expected);
        let (state, told) = layer(&world);
        assert!(state == "degraded" && told.contains(why), "{told}");
        assert_eq!(codes(&world), (403, 403));
    };
    check("- {type: RBAC", "cannot be used: --authorization-config: ", (0, 1));
    check("- {type: RBAC, name: rbac, nam: x}\n", "authorizers[0].nam: unknown field", (0, 2));
    check(&write(&hook, world.folder()), "missing required types: RBAC", (0, 3));
    check(&format!("{good}- {{type: Node, name: node}}\n"), "authorizer type Node is not allowed", (0, 4));
    check(&format!("{good}- {{type: ABAC, name: abac}}\n"), "attribute-based access control", (0, 5));
    check(&good.replace("/never.yaml", "/gone.yaml"), "gone.yaml: no such file or directory", (0, 6));
    // It was not there to be read, and now it is.
    world.folder().write("gone.yaml", no.kubeconfig());
    until("the kubeconfig is found", || reloads(&world) == (1, 6));
    assert_eq!(layer(&world).0, "on");
    std::fs::remove_file(world.folder().path().join("authz.yaml")).unwrap();
    until("the file is missed", || reloads(&world) == (1, 7));
    assert!(layer(&world).1.contains("authz.yaml"));
    // As it was, with another comment: nothing to take, and nothing wrong any more.
    let same = good.replace("/never.yaml", "/gone.yaml");
    world.folder().write("authz.yaml", format!("# a comment\n{HEAD}{same}"));
    until("all is well again", || layer(&world).0 == "on");
    assert_eq!((reloads(&world), codes(&world)), ((1, 7), (403, 403)));
}

#[test]
fn a_webhook_that_moved_is_asked_where_it_is_and_nothing_of_before_is_remembered() {
    let (yes, no) = (says(r#""allowed":true"#), says(r#""denied":true"#));
    let hook = Hook { name: "hook", server: &yes, policy: "Deny", more: "" };
    let world = gate_with(&hook);
    assert_eq!([codes(&world), codes(&world)], [(200, 200); 2]);
    assert_eq!(yes.seen().len(), 2, "the rest was remembered");
    // The same file, and another one of the same name in the place of its kubeconfig.
    kubeconfig(&Hook { server: &no, ..hook }, world.folder());
    until("the kubeconfig is followed", || reloads(&world) == (1, 0));
    assert_eq!(codes(&world), (403, 403));
    assert_eq!((yes.seen().len(), no.seen().len()), (2, 2));
    let counted = "apiserver_authorization_webhook_evaluations_total{name=\"hook\",result=\"success\"";
    assert_eq!(count(&metrics(&world), counted), 4);
}

/// Whoever waits for a webhook that is no longer asked is decided on by those that are.
#[test]
fn an_answer_that_comes_too_late_allows_nobody() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let slow = Upstream::start(move |_| {
        wait.lock().recv().unwrap();
        Reply::json(200, r#"{"status":{"allowed":true}}"#)
    });
    let hook = Hook { name: "slow", server: &slow, policy: "Deny", more: "" };
    let world = World::with(Upstream::that_says_yes(), |options, folder| {
        let text = write(&hook, folder).replace("500ms", "30s");
        options.authorization_config = Some(folder.write("authz.yaml", format!("{HEAD}{text}{RBAC}")));
    });
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let head = request("GET /api/v1/namespaces/ns/pods", &["Authorization: Bearer tok-eve"]);
            world.ask(&head).status
        });
        until("the webhook is asked", || !slow.seen().is_empty());
        rewrite(&world, RBAC, (1, 0));
        go.send(()).unwrap();
        assert_eq!(waiting.join().unwrap(), 403);
    });
    assert!(world.upstream.seen().is_empty());
}

/// Neither chain lets `eve` in, both let `dev` in: so it is at every moment.
#[test]
fn there_is_no_moment_between() {
    let no_opinion = Upstream::start(|_| Reply::json(200, "{}"));
    let hook = Hook { name: "hook", server: &no_opinion, policy: "Deny", more: "" };
    let world = gate_with(&hook);
    let chains = [RBAC.to_owned(), format!("{}{RBAC}", write(&hook, world.folder()))];
    let done = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let asking: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut asked = 0;
                    while !done.load(Ordering::Acquire) {
                        assert_eq!(codes(&world), (200, 403));
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        for (number, chain) in (1..=4).zip(chains.iter().cycle()) {
            rewrite(&world, chain, (number, 0));
        }
        done.store(true, Ordering::Release);
        for asking in asking {
            assert!(asking.join().unwrap() > 0);
        }
    });
}
