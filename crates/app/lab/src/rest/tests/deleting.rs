use super::*;

#[test]
fn what_nothing_holds_is_gone_at_once() {
    let lab = Lab::new();
    let created = lab.create(MAPS, &config_map("a"));
    let path = format!("DELETE {MAPS}/a");
    let wrong = json!({"preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}});
    let refused = lab.json(&path, &wrong);
    check(&refused, 409, json!({"reason": "Conflict", "details": {"name": "a", "kind": "ConfigMap"}}));
    assert!(refused.text.contains("The object might have been deleted and then recreated"));
    let gone = lab.send(&path, &[], "");
    assert_eq!(
        gone.json(),
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]},
        })
    );
    check(&lab.send(&path, &[], ""), 404, json!({"message": "configmaps \"a\" not found"}));
}

#[test]
fn finalizers_hold_an_object() {
    let lab = Lab::new();
    let mut held = config_map("a");
    held["metadata"]["finalizers"] = json!(["example.com/mine"]);
    lab.create(MAPS, &held);
    let path = format!("{MAPS}/a");
    let marked =
        json!({"metadata": {"deletionTimestamp": "2026-01-02T12:00:00Z", "deletionGracePeriodSeconds": 0}});
    check(&lab.send(&format!("DELETE {path}"), &[], ""), 200, marked.clone());
    check(&lab.get(&path), 200, marked);
    let released = lab.send(
        &format!("PATCH {path}"),
        &[("content-type", "application/merge-patch+json")],
        r#"{"metadata":{"finalizers":null}}"#,
    );
    assert_eq!(released.code, 200);
    check(&lab.get(&path), 404, json!({}));
}

#[test]
fn a_pod_is_given_time_once_a_node_has_it() {
    let lab = Lab::new();
    lab.create(PODS, &pod("waiting"));
    check(&lab.send(&format!("DELETE {PODS}/waiting"), &[], ""), 200, json!({"kind": "Pod"}));
    check(&lab.get(&format!("{PODS}/waiting")), 404, json!({}));
    lab.create(PODS, &pod("running"));
    lab.settle();
    check(
        &lab.send(&format!("DELETE {PODS}/running?gracePeriodSeconds=60"), &[], ""),
        200,
        json!({
            "kind": "Pod", "metadata": {"deletionTimestamp": "2026-01-02T12:01:00Z", "deletionGracePeriodSeconds": 60},
        }),
    );
    check(&lab.get(&format!("{PODS}/running")), 200, json!({}));
    lab.settle();
    check(&lab.get(&format!("{PODS}/running")), 404, json!({}));
}

#[test]
fn a_namespace_takes_its_content_along() {
    let lab = Lab::new();
    lab.create("/api/v1/namespaces", &json!({"metadata": {"name": "team"}}));
    lab.create("/api/v1/namespaces/team/pods", &pod("a"));
    lab.create(
        "/api/v1/namespaces/team/secrets",
        &json!({"metadata": {"name": "s"}, "stringData": {"a": "b"}}),
    );
    lab.settle();
    check(&lab.get("/api/v1/namespaces/team/serviceaccounts/default"), 200, json!({}));
    check(
        &lab.send("DELETE /api/v1/namespaces/team", &[], ""),
        200,
        json!({"status": {"phase": "Terminating"}}),
    );
    check(
        &lab.json("POST /api/v1/namespaces/team/configmaps", &config_map("late")),
        403,
        json!({
            "message": "configmaps \"late\" is forbidden: unable to create new content in namespace team because it is being terminated",
            "details": {"causes": [{"reason": "NamespaceTerminating"}]},
        }),
    );
    lab.settle();
    check(&lab.get("/api/v1/namespaces/team"), 404, json!({}));
    assert_eq!(lab.get("/api/v1/namespaces/team/secrets").json()["items"], json!([]));
}

#[test]
fn dependents_follow_wait_or_stay() {
    let lab = Lab::new();
    let base = "/apis/apps/v1/namespaces/default/deployments";
    let pods = |lab: &Lab| lab.get(PODS).json()["items"].as_array().unwrap().len();
    for (policy, left) in [("Background", 0), ("Foreground", 0), ("Orphan", 2)] {
        lab.create(base, &changing::deployment("web", 2));
        lab.settle();
        assert_eq!(pods(&lab), 2);
        let answer = lab.send(&format!("DELETE {base}/web?propagationPolicy={policy}"), &[], "");
        let shown =
            if policy == "Background" { json!({"status": "Success"}) } else { json!({"kind": "Deployment"}) };
        check(&answer, 200, shown);
        lab.settle();
        check(&lab.get(&format!("{base}/web")), 404, json!({}));
        assert_eq!(pods(&lab), left, "{policy}");
    }
}

#[test]
fn a_collection_is_deleted_by_selector() {
    let lab = Lab::new();
    for name in ["a", "b", "c"] {
        let mut map = config_map(name);
        map["metadata"]["labels"] = json!({"keep": (name == "b").to_string()});
        lab.create(MAPS, &map);
    }
    check(
        &lab.send(&format!("DELETE {MAPS}?labelSelector=zz%3Dyy"), &[], ""),
        200,
        json!({"kind": "ConfigMapList", "items": []}),
    );
    let deleted = lab.send(&format!("DELETE {MAPS}?labelSelector=keep%3Dfalse"), &[], "");
    assert_eq!(deleted.json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(lab.get(MAPS).json()["items"][0]["metadata"]["name"], "b");
    assert_eq!(lab.get(MAPS).json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn an_eviction_is_a_deletion() {
    let lab = Lab::new();
    lab.create(PODS, &pod("a"));
    lab.settle();
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}});
    check(&lab.json(&format!("POST {PODS}/a/eviction"), &eviction), 201, json!({"status": "Success"}));
    lab.settle();
    check(&lab.get(&format!("{PODS}/a")), 404, json!({}));
}
