use super::*;

/// What a running kube-apiserver 1.36 answered to such paths (vectors/request_info, `expect.server`).
#[test]
fn paths_lead_where_they_do_upstream() {
    let lab = Lab::new();
    for (line, code) in [
        ("GET /", 200),
        ("GET /api", 200),
        ("GET /api/", 200),
        ("GET /api//", 200),
        ("GET /api/v1/", 200),
        ("GET /api/v2", 404),
        ("GET /apis/", 200),
        ("GET /apis//", 404),
        ("GET /apis/apps/", 200),
        ("GET /apis/apps/v1", 200),
        ("GET /apis/apps/v9/deployments", 404),
        ("GET /apis/example.com/v1/widgets", 404),
        ("GET /version/", 200),
        ("GET /version//", 200),
        ("GET /healthz", 200),
        ("POST /healthz", 200),
        ("GET /healthz/", 404),
        ("GET /livez/ping", 200),
        ("GET //", 404),
        ("GET //api/v1/pods", 404),
        ("GET /api//v1/pods", 404),
        ("GET /api/v1//pods", 404),
        ("GET /api/v1/pods//", 200),
        ("GET /api/v1/pods///x", 404),
        ("GET /api/v1/pods/x", 404),
        ("GET /api/v1/namespaces//pods", 200),
        ("GET /api/v1/namespaces//pods/x", 400),
        ("GET /api/v1/namespaces/default//pods", 404),
        ("GET /api/v1/namespaces/default/pods//log", 400),
        ("GET /api/v1/namespaces/default/pods/x//y", 404),
        ("GET /api/v1/namespaces/default/pods/..", 400),
        ("GET /api/v1/namespaces/default/pods/%252f", 400),
        ("GET /api/v1/namespaces/default/pods/a%2Flog", 404),
        ("GET /api/v1/namespaces/%2e%2e/pods", 500),
        ("GET /api/v1/namespaces/default/status", 200),
        ("GET /api/v1/namespaces/default/finalize", 405),
        ("GET /api/v1/namespaces/default/status/foo", 404),
        ("GET /apis/apps/v1/namespaces/default/status", 404),
        ("GET /api/v1/namespaces/default/nodes", 404),
        ("GET /api%2fv1%2fpods", 200),
        ("GET /api/v1/deployments", 404),
        ("HEAD /api/v1/pods", 405),
        ("PURGE /api/v1/pods", 405),
        ("POST /api/v1/pods", 405),
        ("PUT /api/v1/pods", 405),
        ("DELETE /api/v1/pods", 405),
        ("PATCH /api", 405),
        ("PATCH /api/v1/watch/pods", 405),
        ("GET /api/v1/watch/watch/pods", 404),
        ("GET /nope", 404),
        ("GET /api/v1/pods?limit=x", 400),
        ("GET /api/v1/pods?fieldSelector=bad", 400),
        ("GET /api/v1/pods?fieldSelector=metadata.name%20%3Dx", 400),
        ("GET /api/v1/pods?labelSelector=,", 400),
        ("GET /api/v1/namespaces?fieldSelector=spec.nodeName=n1", 400),
    ] {
        assert_eq!(lab.send(line, &[], "").code, code, "{line}");
    }
    assert_eq!(lab.get("/nope").text, "404 page not found\n");
    check(
        &lab.get("/api/v2"),
        404,
        json!({"message": "the server could not find the requested resource", "details": {}}),
    );
    check(&lab.get("/api/v1/namespaces//pods/x"), 400, json!({"message": "Namespace parameter required."}));
    check(
        &lab.get("/api/v1/namespaces/default/pods/.."),
        400,
        json!({
            "message": "Name parameter invalid: \"..\": may not be '..'",
        }),
    );
}

#[test]
fn discovery_in_both_forms() {
    let lab = Lab::new();
    let list = lab.get("/apis/apps/v1").json();
    let deployments =
        list["resources"].as_array().unwrap().iter().find(|r| r["name"] == "deployments").unwrap();
    assert_eq!(deployments["verbs"], json!(registry::ALL_VERBS));
    assert_eq!(deployments["shortNames"], json!(["deploy"]));
    let scale =
        list["resources"].as_array().unwrap().iter().find(|r| r["name"] == "deployments/scale").unwrap();
    assert_eq!((&scale["group"], &scale["kind"]), (&json!("autoscaling"), &json!("Scale")));
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let aggregated = lab.send("GET /apis", &[("accept", accept)], "");
    assert_eq!(
        aggregated.headers["content-type"],
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    let groups = aggregated.json();
    assert_eq!(groups["items"][0]["metadata"]["name"], "apps");
    assert_eq!(groups["items"].as_array().unwrap().len(), registry::GROUPS.len() - 1);
    check(&lab.get("/version"), 200, json!({"major": "1", "minor": "36"}));
}

#[test]
fn openapi_tells_kubectl_that_the_server_validates() {
    let lab = Lab::new();
    let index = lab.get("/openapi/v3").json();
    let address = index["paths"]["api/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
    let document = lab.get(&address).json();
    let path = "/api/v1/namespaces/{namespace}/pods/{name}";
    let parameters = document["paths"][path]["patch"]["parameters"].as_array().unwrap();
    assert!(parameters.iter().any(|p| p["name"] == "fieldValidation" && p["in"] == "query"));
    assert_eq!(document["paths"][path]["patch"]["x-kubernetes-group-version-kind"]["kind"], "Pod");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert_eq!(schemas["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"][0]["kind"], "Pod");
    let text = document.to_string();
    for piece in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = piece.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is referred to and not there");
    }
    let accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    let old = lab.send("GET /openapi/v2", &[("accept", accept)], "");
    assert!(old.text.starts_with("\n\u{3}2.0"), "{:?}", old.text);
}

#[test]
fn objects_in_other_shapes() {
    let lab = Lab::new();
    lab.create(PODS, &pod("a"));
    lab.settle();
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let found = lab.send(&format!("GET {PODS}"), &[("accept", table)], "").json();
    assert_eq!(found["kind"], "Table");
    let names: Vec<_> =
        found["columnDefinitions"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates"]
    );
    assert_eq!(
        found["rows"][0]["cells"].as_array().unwrap()[..5],
        [json!("a"), json!("1/1"), json!("Running"), json!("0"), json!("0s")]
    );
    assert_eq!(found["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    check(
        &lab.send(&format!("GET {PODS}"), &[("accept", partial)], ""),
        200,
        json!({
            "kind": "PartialObjectMetadataList", "items": [{"metadata": {"name": "a"}, "spec": null}],
        }),
    );
    check(
        &lab.send(&format!("GET {PODS}/a"), &[("accept", partial)], ""),
        406,
        json!({
            "message": "you requested PartialObjectMetadataList, but the requested object is not a list (*core.Pod)",
        }),
    );
    let yaml = lab.send(&format!("GET {PODS}/a"), &[("accept", "application/yaml")], "");
    assert!(yaml.text.starts_with("kind: Pod\napiVersion: v1\nmetadata:\n  name: a\n"), "{}", yaml.text);
    let curl = lab.send(&format!("GET {PODS}/a"), &[("user-agent", "curl/8")], "");
    assert!(
        curl.text.starts_with(
            "{\n  \"kind\": \"Pod\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {\n    \"name\": \"a\","
        ),
        "{}",
        curl.text
    );
}

#[test]
fn logs_of_a_pod() {
    let lab = Lab::new();
    lab.create(PODS, &pod("a"));
    check(
        &lab.get(&format!("{PODS}/a/log")),
        400,
        json!({
            "message": "container \"c\" in pod \"a\" is waiting to start: ContainerCreating",
        }),
    );
    lab.settle();
    let log = lab.get(&format!("{PODS}/a/log?tailLines=1"));
    assert_eq!((log.code, log.text.as_str()), (200, "c: ready\n"));
    check(
        &lab.get(&format!("{PODS}/a/log?container=x")),
        400,
        json!({"message": "container x is not valid for pod a"}),
    );
    check(&lab.get(&format!("{PODS}/b/log")), 404, json!({"message": "pods \"b\" not found"}));
}
