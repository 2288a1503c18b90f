use super::*;

#[test]
fn creation_says_what_the_server_decided() {
    let lab = Lab::new();
    let answer = lab.json(&format!("POST {MAPS}"), &config_map("a"));
    check(
        &answer,
        201,
        json!({
            "kind": "ConfigMap", "apiVersion": "v1", "data": {"k": "v"},
            "metadata": {"name": "a", "namespace": "default", "creationTimestamp": "2026-01-02T12:00:00Z"},
        }),
    );
    assert_eq!(answer.json()["metadata"]["uid"].as_str().unwrap().len(), 36);
    assert_eq!(lab.get(&format!("{MAPS}/a")).json(), answer.json());
    let generated = lab.create(MAPS, &json!({"metadata": {"generateName": "gen-"}}));
    let name = generated["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("gen-") && name.len() == 9, "{name}");
}

/// Bodies as kube-apiserver 1.36 answered them (vectors/http_golden).
#[test]
fn refusals_in_kubernetes_words() {
    let lab = Lab::new();
    lab.create(MAPS, &config_map("new"));
    let post = format!("POST {MAPS}?dryRun=All");
    for (line, body, code, message, details) in [
        (
            post.as_str(),
            "{",
            400,
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input ({)",
            json!(null),
        ),
        (
            &post,
            "",
            400,
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
            json!(null),
        ),
        (
            &post,
            "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"z\"}} {}",
            400,
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: invalid character '{' after top-level value ({\"apiVersion\":\"v1\",\"kind\":\"Con ...)",
            json!(null),
        ),
        (
            &post,
            "apiVersion: v1\nkind: ConfigMap\nmetadata:",
            400,
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: invalid character 'a' looking for beginning of value (61706956657273696f6e3a2076310a6b696e643a20436f6e6669674d6170 ...)",
            json!(null),
        ),
        (
            &post,
            "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"z\"}}",
            400,
            "Pod in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion",
            json!(null),
        ),
        (
            &post,
            "{\"apiVersion\":\"v2\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"z\"}}",
            400,
            "ConfigMap in version \"v2\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version \"v2\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            json!(null),
        ),
        (
            &post,
            "{\"apiVersion\":\"v1\",\"kind\":\"Nope\"}",
            400,
            "Nope in version \"v1\" cannot be handled as a ConfigMap: no kind \"Nope\" is registered for version \"v1\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            json!(null),
        ),
        (
            &post,
            "{\"metadata\":{\"name\":\"z\"},\"data\":{\"a\":5}}",
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
            json!(null),
        ),
        (
            &post,
            "null",
            422,
            "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
            json!({"kind": "ConfigMap", "causes": [{"reason": "FieldValueRequired", "message": "Required value: name or generateName is required", "field": "metadata.name"}]}),
        ),
        (
            &post,
            "{\"metadata\":{\"name\":\"Bad_Name\"}}",
            422,
            "ConfigMap \"Bad_Name\" is invalid: metadata.name: Invalid value: \"Bad_Name\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            json!({"name": "Bad_Name", "kind": "ConfigMap"}),
        ),
        (
            &post,
            "{\"metadata\":{\"name\":\"z\",\"namespace\":\"other\"}}",
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
            json!(null),
        ),
        (
            &post,
            "{\"metadata\":{\"name\":\"new\"}}",
            409,
            "configmaps \"new\" already exists",
            json!({"name": "new", "kind": "configmaps"}),
        ),
        (
            "POST /api/v1/namespaces/ghost/configmaps",
            "{\"metadata\":{\"name\":\"new\"}}",
            404,
            "namespaces \"ghost\" not found",
            json!({"name": "ghost", "kind": "namespaces"}),
        ),
        (
            "POST /api/v1/namespaces/default/configmaps?dryRun=all",
            "{\"metadata\":{\"name\":\"z\"}}",
            422,
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"all\"]: supported values: \"All\"",
            json!({"group": "meta.k8s.io", "kind": "CreateOptions"}),
        ),
        (
            "POST /api/v1/namespaces/default/configmaps?fieldValidation=Nope",
            "{\"metadata\":{\"name\":\"z\"}}",
            422,
            "CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Nope\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
            json!({"kind": "CreateOptions"}),
        ),
        (
            "POST /api/v1/namespaces/default/configmaps?fieldValidation=Strict",
            "{\"metadata\":{\"name\":\"z\"},\"foo\":1}",
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"foo\"",
            json!(null),
        ),
        (
            "PUT /api/v1/namespaces/default/configmaps/new",
            "{\"metadata\":{\"name\":\"new\",\"resourceVersion\":\"1\"}}",
            409,
            "Operation cannot be fulfilled on configmaps \"new\": the object has been modified; please apply your changes to the latest version and try again",
            json!({"name": "new", "kind": "configmaps"}),
        ),
        (
            "PUT /api/v1/namespaces/default/configmaps/new",
            "{\"metadata\":{\"name\":\"newer\"}}",
            400,
            "the name of the object (newer) does not match the name on the URL (new)",
            json!(null),
        ),
        (
            "PUT /api/v1/namespaces/default/configmaps/ghost",
            "{\"metadata\":{\"name\":\"ghost\"}}",
            404,
            "configmaps \"ghost\" not found",
            json!({"name": "ghost", "kind": "configmaps"}),
        ),
        (
            "DELETE /api/v1/namespaces/default/configmaps/new",
            "{\"propagationPolicy\":\"Nope\"}",
            422,
            "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Nope\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
            json!({"kind": "DeleteOptions"}),
        ),
    ] {
        let answer = lab.send(line, &[("content-type", "application/json")], body);
        check(
            &answer,
            code,
            json!({"kind": "Status", "status": "Failure", "message": message, "details": details, "code": code}),
        );
    }
    let cbor = lab.send(&post, &[("content-type", "application/cbor")], "x");
    check(&cbor, 415, json!({"reason": "UnsupportedMediaType"}));
    let json = r#"{"apiVersion": "v1", "kind": "ConfigMap"}"#;
    let protobuf = lab.send(&post, &[("content-type", "application/vnd.kubernetes.protobuf")], json);
    check(
        &protobuf,
        400,
        json!({
            "message": "the object provided is unrecognized (must be of type ConfigMap): provided data does not appear to be \
                        a protobuf message, expected prefix [107 56 115 0] ({\"apiVersion\": \"v1\", \"kind\": \" ...)",
        }),
    );
    let large =
        format!("{{\"metadata\":{{\"name\":\"big\"}},\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(3_200_000));
    check(
        &lab.send(&post, &[], &large),
        413,
        json!({"message": "Request entity too large: limit is 3145728"}),
    );
}

#[test]
fn fields_that_no_type_has_are_told_or_refused() {
    let lab = Lab::new();
    let body = r#"{"metadata":{"name":"fv"},"foo":1,"data":{"a":"1"},"data":{"a":"2"}}"#;
    let warned = lab.send(&format!("POST {MAPS}?dryRun=All"), &[], body);
    check(&warned, 201, json!({"data": {"a": "2"}, "foo": null}));
    let warnings: Vec<_> =
        warned.headers.get_all("warning").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(warnings, [r#"299 - "duplicate field \"data\"""#, r#"299 - "unknown field \"foo\"""#]);
    let ignored = lab.send(&format!("POST {MAPS}?dryRun=All&fieldValidation=Ignore"), &[], body);
    assert_eq!((ignored.code, ignored.headers.get("warning")), (201, None));
    check(&lab.get(&format!("{MAPS}/fv")), 404, json!({}));
}

#[test]
fn an_update_keeps_what_is_not_the_clients() {
    let lab = Lab::new();
    let created = lab.create(PODS, &pod("a"));
    assert_eq!(created["status"]["phase"], "Pending");
    lab.settle();
    let mut running = lab.get(&format!("{PODS}/a")).json();
    assert_eq!(running["status"]["phase"], "Running");
    running["status"] = json!({"phase": "Failed"});
    running["metadata"]["labels"]["x"] = json!("y");
    running["metadata"]["creationTimestamp"] = json!("2000-01-01T00:00:00Z");
    let updated = lab.json(&format!("PUT {PODS}/a"), &running);
    check(
        &updated,
        200,
        json!({
            "metadata": {"labels": {"x": "y"}, "creationTimestamp": "2026-01-02T12:00:00Z", "generation": 1},
            "status": {"phase": "Running"},
        }),
    );
    running = updated.json();
    running["status"] = json!({"phase": "Failed"});
    running["metadata"]["labels"]["x"] = json!("z");
    let status = lab.json(&format!("PUT {PODS}/a/status"), &running);
    check(&status, 200, json!({"metadata": {"labels": {"x": "y"}}, "status": {"phase": "Failed"}}));
    let same = lab.json(&format!("PUT {PODS}/a"), &status.json());
    assert_eq!(same.version(), status.version(), "nothing has changed");
}

#[test]
fn what_is_fixed_stays() {
    let lab = Lab::new();
    lab.create(PODS, &pod("a"));
    let mut changed = pod("a");
    changed["spec"]["containers"][0]["image"] = json!("img:2");
    check(
        &lab.json(&format!("PUT {PODS}/a"), &changed),
        200,
        json!({"spec": {"containers": [{"image": "img:2"}]}}),
    );
    changed["spec"]["containers"][0]["command"] = json!(["sh"]);
    check(
        &lab.json(&format!("PUT {PODS}/a"), &changed),
        422,
        json!({"reason": "Invalid", "details": {"kind": "Pod"}}),
    );
    let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    let binding =
        |role: &str| json!({"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": role}});
    lab.create(bindings, &binding("view"));
    let refused = lab.json(&format!("PUT {bindings}/b"), &binding("edit"));
    assert_eq!(refused.code, 422);
    assert!(refused.text.contains("cannot change roleRef"), "{}", refused.text);
    let incomplete = json!({"metadata": {"name": "p"}, "spec": {"containers": [{}]}});
    check(
        &lab.json(&format!("POST {PODS}"), &incomplete),
        422,
        json!({
            "message": "Pod \"p\" is invalid: [spec.containers[0].name: Required value, spec.containers[0].image: Required value]",
        }),
    );
}

#[test]
fn events_are_one_thing_in_two_groups() {
    let lab = Lab::new();
    lab.create(
        "/api/v1/namespaces/default/events",
        &json!({
            "metadata": {"name": "e"}, "reason": "R", "message": "m", "type": "Normal",
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        }),
    );
    check(
        &lab.get("/apis/events.k8s.io/v1/namespaces/default/events/e"),
        200,
        json!({
            "apiVersion": "events.k8s.io/v1", "note": "m", "regarding": {"name": "p"}, "message": null,
        }),
    );
    let found = lab.get("/api/v1/events?fieldSelector=involvedObject.name=p,type=Normal").json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_scale_is_a_view_of_replicas() {
    let lab = Lab::new();
    let base = "/apis/apps/v1/namespaces/default/deployments";
    lab.create(base, &deployment("web", 2));
    let scale = lab.get(&format!("{base}/web/scale"));
    check(&scale, 200, json!({"kind": "Scale", "spec": {"replicas": 2}, "status": {"selector": "app=web"}}));
    let patch = lab.send(
        &format!("PATCH {base}/web/scale"),
        &[("content-type", "application/merge-patch+json")],
        r#"{"spec":{"replicas":5}}"#,
    );
    check(&patch, 200, json!({"kind": "Scale", "spec": {"replicas": 5}}));
    check(
        &lab.get(&format!("{base}/web")),
        200,
        json!({"spec": {"replicas": 5}, "metadata": {"generation": 2}}),
    );
    let mut stale = scale.json();
    stale["spec"]["replicas"] = json!(9);
    check(&lab.json(&format!("PUT {base}/web/scale"), &stale), 409, json!({"reason": "Conflict"}));
}

pub(super) fn deployment(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}},
        },
    })
}

#[test]
fn reviews_know_who_asks() {
    let lab = Lab::new();
    let headers =
        [("impersonate-group", "g1"), ("impersonate-group", "g2"), ("impersonate-extra-a%2fb", "x")];
    let asked = lab.send("POST /apis/authentication.k8s.io/v1/selfsubjectreviews", &headers, "{}");
    check(
        &asked,
        201,
        json!({
            "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
            "status": {"user": {"username": "admin", "groups": ["g1", "g2"], "extra": {"a/b": ["x"]}}},
        }),
    );
    let token = "/api/v1/namespaces/default/serviceaccounts/default/token";
    check(
        &lab.json(&format!("POST {token}"), &json!({"spec": {"audiences": []}})),
        201,
        json!({
            "kind": "TokenRequest", "status": {"name": "default"},
        }),
    );
    check(
        &lab.json(&format!("POST {}", token.replace("/default/token", "/nope/token")), &json!({})),
        404,
        json!({}),
    );
    check(&lab.get("/apis/authentication.k8s.io/v1/selfsubjectreviews"), 405, json!({}));
}
