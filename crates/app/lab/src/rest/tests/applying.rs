use super::*;

/// Applies as a manager; more parameters may follow its name.
fn apply(lab: &Lab, path: &str, manager: &str, body: &str) -> Answer {
    let line = format!("PATCH {path}?fieldManager={manager}");
    lab.send(&line, &[("content-type", "application/apply-patch+yaml")], body)
}

fn map(data: &str) -> String {
    format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","data":{data}}}"#)
}

fn managers(answer: &Answer) -> Vec<(String, Value)> {
    let entries = answer.json()["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let told = |entry: &Value| (entry["manager"].as_str().unwrap().to_owned(), entry["fieldsV1"].clone());
    entries.iter().map(told).collect()
}

#[test]
fn what_is_no_longer_applied_goes() {
    let lab = Lab::new();
    let path = format!("{MAPS}/a");
    check(
        &apply(&lab, &path, "one", &map(r#"{"x":"1","y":"1"}"#)),
        201,
        json!({"data": {"x": "1", "y": "1"}}),
    );
    let before = lab.get(&path);
    // Nothing new: nothing is written.
    let again = apply(&lab, &path, "one", &map(r#"{"x":"1","y":"1"}"#));
    assert_eq!((again.code, again.version()), (200, before.version()));
    // YAML as people write it.
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: '2'\n";
    check(&apply(&lab, &path, "one", yaml), 200, json!({"data": {"x": "2", "y": null}}));
    assert_eq!(managers(&lab.get(&path)), [("one".into(), json!({"f:data": {"f:x": {}}}))]);
    // What others wrote stays, and who wrote the rest is not forgotten.
    let merge = [("content-type", "application/merge-patch+json")];
    check(&lab.send(&format!("PATCH {path}"), &merge, r#"{"data":{"z":"1"}}"#), 200, json!({}));
    check(&apply(&lab, &path, "one", &map("{}")), 200, json!({"data": {"x": null, "z": "1"}}));
}

#[test]
fn appliers_do_not_overwrite_each_other_unless_forced() {
    let lab = Lab::new();
    let path = format!("{MAPS}/a");
    apply(&lab, &path, "one", &map(r#"{"x":"1","y":"1"}"#));
    check(
        &apply(&lab, &path, "two", &map(r#"{"x":"2"}"#)),
        409,
        json!({
            "reason": "Conflict",
            "message": "Apply failed with 1 conflict: conflict with \"one\": .data.x",
            "details": {"causes": [
                {"reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".data.x"},
            ]},
        }),
    );
    // The same wish is no conflict: both have it.
    check(&apply(&lab, &path, "two", &map(r#"{"x":"1"}"#)), 200, json!({}));
    check(&apply(&lab, &path, "one", &map(r#"{"y":"1"}"#)), 200, json!({"data": {"x": "1", "y": "1"}}));
    check(
        &apply(&lab, &path, "two&force=true", &map(r#"{"y":"2"}"#)),
        200,
        json!({"data": {"x": null, "y": "2"}}),
    );
    assert_eq!(managers(&lab.get(&path)), [("two".into(), json!({"f:data": {"f:y": {}}}))]);
}

#[test]
fn items_of_lists_are_told_apart() {
    let lab = Lab::new();
    lab.create(PODS, &pod("p"));
    let path = format!("{PODS}/p");
    let labels = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"a":"1"}},
        "spec":{"containers":[{"name":"c","image":"img:2"}]}}"#;
    check(
        &apply(&lab, &path, "one", labels),
        200,
        json!({"metadata": {"labels": {"a": "1"}}, "spec": {"containers": [{"name": "c", "image": "img:2"}]}}),
    );
    let item = json!({".": {}, "f:name": {}, "f:image": {}});
    let fields = json!({
        "f:metadata": {"f:labels": {"f:a": {}}},
        "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": item}},
    });
    assert_eq!(managers(&lab.get(&path)), [("one".into(), fields)]);
    // A status has no owners here; it is merged.
    let status = r#"{"apiVersion":"v1","kind":"Pod","status":{"message":"m"}}"#;
    check(&apply(&lab, &format!("{path}/status"), "two", status), 200, json!({"status": {"message": "m"}}));
}

#[test]
fn applies_that_are_refused() {
    let lab = Lab::new();
    let path = format!("{MAPS}/a");
    for (manager, body, code, message) in [
        ("one&fieldValidation=Strict", r#"{"foo":1}"#, 400, "strict decoding error: unknown field \"foo\""),
        ("one", r#"{"kind":"Secret","apiVersion":"v1"}"#, 400, "cannot be handled as a ConfigMap"),
        ("one", "{", 400, "error decoding YAML"),
        ("one", r#"{"metadata":{"name":"b"}}"#, 400, "does not match the name on the URL (a)"),
        (
            "one",
            r#"{"metadata":{"managedFields":[{"manager":"x"}]}}"#,
            400,
            "metadata.managedFields must be nil",
        ),
    ] {
        let answer = apply(&lab, &path, manager, body);
        let told = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(answer.code == code && told.contains(message), "{body}: {}", answer.text);
    }
    // To apply what is not there is to create it.
    let line = format!("PATCH {path}?fieldManager=one");
    let headers = [("content-type", "application/apply-patch+yaml"), ("impersonate-user", "eve")];
    let refused = "configmaps \"a\" is forbidden: User \"eve\" cannot create resource \"configmaps\" in API group \"\" \
                   in the namespace \"default\"";
    check(&lab.send(&line, &headers, &map("{}")), 403, json!({"message": refused}));
    check(&lab.get(&path), 404, json!({}));
}
