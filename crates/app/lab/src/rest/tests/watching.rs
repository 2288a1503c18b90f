use super::*;

fn told(events: &[Value]) -> Vec<(&str, &str)> {
    events
        .iter()
        .map(|event| {
            (event["type"].as_str().unwrap(), event["object"]["metadata"]["name"].as_str().unwrap_or(""))
        })
        .collect()
}

#[test]
fn a_watch_goes_on_where_the_list_ended() {
    let lab = Lab::new();
    lab.create(MAPS, &config_map("a"));
    let version = lab.get(MAPS).version();
    let path = format!("{MAPS}?watch=true&resourceVersion={version}&timeoutSeconds=5");
    let events = lab.watch(&path, &[], 10, |lab| {
        lab.create(MAPS, &config_map("b"));
        lab.json(&format!("PUT {MAPS}/a"), &json!({"metadata": {"name": "a"}}));
        lab.send(&format!("DELETE {MAPS}/a"), &[], "");
        lab.create(PODS, &pod("elsewhere"));
    });
    assert_eq!(told(&events), [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a")]);
    assert_eq!(events[2]["object"]["kind"], "ConfigMap");
    let deleted: u64 = events[2]["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    let modified: u64 = events[1]["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    assert_eq!(deleted, modified + 1);
}

#[test]
fn a_watch_without_version_begins_with_what_is_there() {
    let lab = Lab::new();
    lab.create(MAPS, &config_map("a"));
    for query in ["watch", "watch=1&resourceVersion=0"] {
        let events = lab.watch(&format!("{MAPS}?{query}&timeoutSeconds=1"), &[], 10, |_| {});
        assert_eq!(told(&events), [("ADDED", "a")], "{query}");
    }
    let old_path = "/api/v1/watch/namespaces/default/configmaps/a?timeoutSeconds=1";
    assert_eq!(told(&lab.watch(old_path, &[], 10, |_| {})), [("ADDED", "a")]);
}

#[test]
fn objects_enter_and_leave_a_selection() {
    let lab = Lab::new();
    let version = lab.get(MAPS).version();
    let path = format!("{MAPS}?watch=1&labelSelector=on&resourceVersion={version}&timeoutSeconds=1");
    let events = lab.watch(&path, &[], 10, |lab| {
        lab.create(MAPS, &config_map("a"));
        for labels in [json!({"on": "1"}), json!({"on": "2"}), json!({})] {
            lab.json(&format!("PUT {MAPS}/a"), &json!({"metadata": {"name": "a", "labels": labels}}));
        }
        lab.send(&format!("DELETE {MAPS}/a"), &[], "");
    });
    assert_eq!(told(&events), [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]);
    assert_eq!(events[2]["object"]["metadata"]["labels"], json!({"on": "2"}));
}

#[test]
fn a_forgotten_version_is_an_event_and_a_future_one_a_refusal() {
    let lab = Lab::new();
    lab.create(MAPS, &config_map("a"));
    let now = lab.get(MAPS).version();
    lab.api.store().compact();
    let events = lab.watch(&format!("{MAPS}?watch=true&resourceVersion=1"), &[], 10, |_| {});
    assert_eq!(
        events,
        [json!({"type": "ERROR", "object": {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": format!("too old resource version: 1 ({now})"), "reason": "Expired", "code": 410,
        }})]
    );
    check(
        &lab.get(&format!("{MAPS}?watch=true&resourceVersion={}", now + 1)),
        504,
        json!({"reason": "Timeout"}),
    );
}

#[test]
fn a_watch_list_marks_where_the_list_ends() {
    let lab = Lab::new();
    lab.create(MAPS, &config_map("a"));
    let version = lab.get(MAPS).json()["metadata"]["resourceVersion"].clone();
    let path = format!(
        "{MAPS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true\
         &timeoutSeconds=1"
    );
    let events = lab.watch(&path, &[], 3, |lab| drop(lab.create(MAPS, &config_map("b"))));
    assert_eq!(told(&events), [("ADDED", "a"), ("BOOKMARK", ""), ("ADDED", "b")]);
    assert_eq!(events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(
        (&events[1]["object"]["metadata"]["resourceVersion"], &events[1]["object"]["kind"]),
        (&version, &json!("ConfigMap"))
    );
    let none = lab.watch(&format!("{path}&x=1").replace("Events=true", "Events=false"), &[], 9, |_| {});
    assert_eq!(told(&none), [("BOOKMARK", "")], "only the one before the end");
    check(&lab.get(&format!("{MAPS}?watch=true&sendInitialEvents=true")), 422, json!({"reason": "Invalid"}));
}

#[test]
fn bookmarks_come_to_those_who_ask() {
    let lab = Lab::new();
    let version = lab.get(MAPS).version();
    let path =
        format!("{MAPS}?watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds=150");
    let events = lab.watch(&path, &[], 9, |lab| drop(lab.create(PODS, &pod("elsewhere"))));
    assert_eq!(
        told(&events),
        [("BOOKMARK", ""), ("BOOKMARK", ""), ("BOOKMARK", "")],
        "at 60, 120 and 150 seconds"
    );
    assert_eq!(events[0]["object"]["metadata"]["resourceVersion"], (version + 1).to_string());
}

#[test]
fn a_watched_table_tells_its_columns_once() {
    let lab = Lab::new();
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    lab.create(PODS, &pod("a"));
    lab.create(PODS, &pod("b"));
    let events = lab.watch(&format!("{PODS}?watch=1&timeoutSeconds=1"), &table, 9, |_| {});
    let columns: Vec<_> =
        events.iter().map(|e| e["object"]["columnDefinitions"].as_array().unwrap().len()).collect();
    assert_eq!(columns, [9, 0]);
    assert_eq!(events[1]["object"]["rows"][0]["cells"][0], "b");
}
