use serde_json::json;

use super::*;
use crate::rest::tests::{Lab, PODS, check, pod};

fn container(lab: &Lab, name: &str) -> Arc<Container> {
    let pod = lab.get(&format!("{PODS}/{name}")).json();
    lab.api.containers().of(&lab.api, &pod, "c").unwrap()
}

#[test]
fn configuration_is_where_the_spec_wants_it() {
    let lab = Lab::new();
    let core = "/api/v1/namespaces/default";
    lab.create(&format!("{core}/configmaps"), &json!({"metadata": {"name": "m"}, "data": {"k": "v"}}));
    lab.create(
        &format!("{core}/secrets"),
        &json!({"metadata": {"name": "s"}, "stringData": {"key": "open"}}),
    );
    let mut pod = pod("a");
    pod["spec"]["volumes"] = json!([{"name": "v", "secret": {"secretName": "s"}}]);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/etc/s/"}]);
    pod["spec"]["containers"][0]["envFrom"] = json!([{"prefix": "P_", "configMapRef": {"name": "m"}}]);
    pod["spec"]["containers"][0]["env"] = json!([
        {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
        {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]);
    lab.create(PODS, &pod);
    lab.settle();
    let container = container(&lab, "a");
    for (name, value) in [("P_k", "v"), ("S", "open"), ("N", "a"), ("HOSTNAME", "a")] {
        let found = container.environment().iter().find(|(found, _)| found == name);
        assert_eq!(found.map(|(_, value)| value.as_str()), Some(value), "{name}");
    }
    assert_eq!(container.files().read("/etc/s/key").unwrap(), "open");
}

#[test]
fn a_program_runs_and_its_pod_says_how_it_ended() {
    let lab = Lab::new();
    let create = |name: &str, policy: &str, script: &str| {
        let mut pod = pod(name);
        pod["spec"]["restartPolicy"] = policy.into();
        pod["spec"]["containers"][0]["command"] = json!(["sh", "-c", script]);
        lab.create(PODS, &pod);
        lab.settle();
    };
    create("good", "Never", "echo done");
    create("bad", "Never", "echo oops >&2; exit 3");
    create("again", "OnFailure", "test -f /tmp/x && exit 0; touch /tmp/x; exit 1");
    // Time is the test's own: an hour passes as soon as nothing is left to do.
    lab.block_on(async {
        let (_stop, stopping) = watch::channel(false);
        let running = run(Arc::clone(&lab.api), stopping);
        drop(tokio::time::timeout(std::time::Duration::from_secs(3600), running).await);
    });
    let ended = |phase: &str, exit: i32, restarts: i32| {
        json!({"status": {"phase": phase, "containerStatuses": [
            {"restartCount": restarts, "ready": false, "state": {"terminated": {"exitCode": exit}}},
        ]}})
    };
    check(&lab.get(&format!("{PODS}/good")), 200, ended("Succeeded", 0, 0));
    check(&lab.get(&format!("{PODS}/bad")), 200, ended("Failed", 3, 0));
    check(&lab.get(&format!("{PODS}/again")), 200, ended("Succeeded", 0, 1));
    assert_eq!(lab.get(&format!("{PODS}/good/log")).text, "done\n");
    // What has ended does not keep a follower waiting.
    assert_eq!(lab.get(&format!("{PODS}/bad/log?follow=true")).text, "oops\n");
}

#[test]
fn the_log_keeps_only_the_newest() {
    let log = Log::default();
    let now = Timestamp::UNIX_EPOCH;
    for _ in 0..3 {
        log.write(now, vec![b'x'; 600 << 10].into(), false);
    }
    let (pieces, next) = log.after(0);
    assert_eq!((pieces.len(), next), (1, 3));
    assert_eq!(log.after(3).0.len(), 0);
}
