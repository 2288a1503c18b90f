use super::*;

fn patch(lab: &Lab, path: &str, kind: &str, body: &str) -> Answer {
    lab.send(&format!("PATCH {path}"), &[("content-type", kind)], body)
}

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

#[test]
fn three_ways_to_patch() {
    let lab = Lab::new();
    lab.create(MAPS, &config_map("a"));
    let path = format!("{MAPS}/a");
    check(&patch(&lab, &path, MERGE, r#"{"data":{"b":"1"}}"#), 200, json!({"data": {"k": "v", "b": "1"}}));
    check(
        &patch(&lab, &path, JSON, r#"[{"op":"remove","path":"/data/b"}]"#),
        200,
        json!({"data": {"k": "v", "b": null}}),
    );
    check(
        &patch(&lab, &path, STRATEGIC, r#"{"metadata":{"labels":{"x":"y"}}}"#),
        200,
        json!({"metadata": {"labels": {"x": "y"}}}),
    );
    lab.create(PODS, &pod("p"));
    let image = r#"{"spec":{"containers":[{"name":"c","image":"img:9"}]}}"#;
    check(
        &patch(&lab, &format!("{PODS}/p"), STRATEGIC, image),
        200,
        json!({"spec": {"containers": [{"name": "c", "image": "img:9"}]}}),
    );
}

#[test]
fn patches_that_are_refused() {
    let lab = Lab::new();
    lab.create(MAPS, &config_map("a"));
    let path = format!("{MAPS}/a");
    let does_not_apply = "the server rejected our request due to an error in our request";
    for (kind, body, code, message) in [
        (JSON, r#"[{"op":"test","path":"/data/k","value":"2"}]"#, 422, does_not_apply),
        (JSON, r#"[{"op":"remove","path":"/data/zz"}]"#, 422, does_not_apply),
        (
            JSON,
            "{}",
            400,
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (MERGE, "{", 400, "error decoding patch: unexpected end of JSON input"),
        (
            "application/apply-patch+yaml",
            "{}",
            422,
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ),
        ("application/json", "{}", 415, "415: Unsupported Media Type"),
        (
            MERGE,
            r#"{"metadata":{"resourceVersion":"1"}}"#,
            409,
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again",
        ),
        (
            MERGE,
            r#"{"data":{"k":1}}"#,
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
    ] {
        check(&patch(&lab, &path, kind, body), code, json!({ "message": message }));
    }
    check(&patch(&lab, &format!("{MAPS}/nope"), MERGE, "{}"), 404, json!({}));
    let strict = patch(&lab, &format!("{path}?fieldValidation=Strict"), MERGE, r#"{"foo":1}"#);
    assert!(
        strict.code == 400 && strict.text.contains(r#"strict decoding error: unknown field \"foo\""#),
        "{}",
        strict.text
    );
}

#[test]
fn a_dry_run_changes_nothing() {
    let lab = Lab::new();
    lab.create(MAPS, &config_map("a"));
    let before = lab.get(&format!("{MAPS}/a")).json();
    let path = format!("{MAPS}/a?dryRun=All");
    check(&patch(&lab, &path, MERGE, r#"{"data":{"b":"1"}}"#), 200, json!({"data": {"b": "1"}}));
    check(&lab.json(&format!("PUT {path}"), &json!({"metadata": {"name": "a"}})), 200, json!({"data": null}));
    check(&lab.send(&format!("DELETE {path}"), &[], ""), 200, json!({"status": "Success"}));
    assert_eq!(lab.get(&format!("{MAPS}/a")).json(), before);
}
