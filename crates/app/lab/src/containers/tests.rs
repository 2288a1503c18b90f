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
        drop(tokio::time::timeout(Duration::from_secs(3600), running).await);
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
fn a_job_is_what_its_program_makes_of_it() {
    let lab = Lab::new();
    let create = |name: &str, policy: &str, script: &str| {
        let container = json!({"name": "c", "image": "busybox", "command": ["sh", "-c", script]});
        let template = json!({"spec": {"restartPolicy": policy, "containers": [container]}});
        let spec = json!({"backoffLimit": 2, "template": template});
        lab.create(JOBS, &json!({"metadata": {"name": name}, "spec": spec}));
    };
    create("good", "Never", "echo done");
    create("bad", "Never", "echo oops >&2; exit 3");
    create("again", "OnFailure", "exit 4");
    lab.settle();
    check(
        &lab.get(&format!("{JOBS}/good")),
        200,
        json!({"status": {"active": 1, "ready": 1, "succeeded": 0}}),
    );
    let in_pods = |job: &str, path: &str| -> Vec<Value> {
        let pods = lab.get(&format!("{PODS}?labelSelector=job-name%3D{job}")).json();
        let pods = pods["items"].as_array().unwrap().iter();
        pods.map(|pod| pod.pointer(path).unwrap_or(&Value::Null).clone()).collect()
    };
    // Time is the test's own: an hour passes as soon as nothing is left to do.
    lab.block_on(async {
        let (_stop, stopping) = watch::channel(false);
        let running = run(Arc::clone(&lab.api), stopping.clone());
        let controlling = async {
            loop {
                lab.settle();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let both = async { tokio::join!(running, controlling) };
        drop(tokio::time::timeout(Duration::from_secs(600), both).await);
    });
    let finished = |condition: &str, succeeded: u64, failed: u64| {
        json!({"status": {"active": 0, "ready": 0, "succeeded": succeeded, "failed": failed,
            "conditions": [{}, {"type": condition, "status": "True"}]}})
    };
    check(&lab.get(&format!("{JOBS}/good")), 200, finished("Complete", 1, 0));
    check(&lab.get(&format!("{JOBS}/bad")), 200, finished("Failed", 0, 3));
    check(&lab.get(&format!("{JOBS}/again")), 200, finished("Failed", 0, 0));
    let exit = "/status/containerStatuses/0/state/terminated/exitCode";
    assert_eq!(in_pods("good", exit), [json!(0)]);
    assert_eq!(in_pods("bad", exit), [json!(3), json!(3), json!(3)]);
    assert_eq!(in_pods("again", exit), [] as [Value; 0]);
    let pod = in_pods("bad", "/metadata/name").remove(0);
    assert_eq!(lab.get(&format!("{PODS}/{}/log", pod.as_str().unwrap())).text, "oops\n");
}

const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";

/// A terminal's size goes before what is typed, whichever the client sends first, and a client that
/// has none is not waited for.
#[test]
fn a_terminal_knows_its_size_before_anything_is_typed() {
    for (size, expected) in [(Some(Size { columns: 99, rows: 33 }), "33 99"), (None, "0 0")] {
        let lab = Lab::new();
        lab.create(PODS, &pod("a"));
        lab.settle();
        let container = container(&lab, "a");
        let (typed, input) = mpsc::channel(4);
        let (resized, terminal) = watch::channel(Size::default());
        let (to, mut written) = mpsc::channel(64);
        let output = Output::Client { stream: 1, to };
        let client = Client { input: Some(input), output, errors: Output::Nowhere, terminal: Some(terminal) };
        let screen = lab.block_on(async {
            let typing = async {
                typed.send("stty size\rexit\r".into()).await.unwrap();
                tokio::time::sleep(SIZE_WITHIN / 2).await;
                if let Some(size) = size {
                    resized.send_replace(size);
                }
            };
            let words = ["sh".to_owned()];
            let reading = async {
                let mut screen = Vec::new();
                while let Some(chunk) = written.recv().await {
                    screen.extend_from_slice(&chunk.bytes);
                }
                String::from_utf8(screen).unwrap()
            };
            tokio::join!(container.exec(&words, client), typing, reading).2
        });
        assert!(screen.contains(expected), "{screen:?}");
    }
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
