use serde_json::{Value, json};

use crate::rest::tests::{Lab, PODS, check, pod};

const APPS: &str = "/apis/apps/v1/namespaces/default";

fn workload(kind: &str, name: &str, image: &str, replicas: Option<u32>) -> Value {
    let mut object = json!({
        "kind": kind, "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": image}]}},
        },
    });
    if let Some(replicas) = replicas {
        object["spec"]["replicas"] = replicas.into();
    }
    object
}

fn images(lab: &Lab) -> Vec<String> {
    let pods = lab.get(PODS).json();
    let mut images: Vec<_> = pods["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pod| pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned())
        .collect();
    images.sort();
    images
}

#[test]
fn a_deployment_runs_scales_and_changes_its_image() {
    let lab = Lab::new();
    lab.create(&format!("{APPS}/deployments"), &workload("Deployment", "web", "i:1", Some(3)));
    lab.settle();
    check(
        &lab.get(&format!("{APPS}/deployments/web")),
        200,
        json!({
            "metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}},
            "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3},
        }),
    );
    let mut new = workload("Deployment", "web", "i:2", Some(2));
    lab.json(&format!("PUT {APPS}/deployments/web"), &new);
    lab.settle();
    assert_eq!(images(&lab), ["i:2", "i:2"]);
    check(
        &lab.get(&format!("{APPS}/deployments/web")),
        200,
        json!({
            "metadata": {"generation": 2, "annotations": {"deployment.kubernetes.io/revision": "2"}},
            "status": {"observedGeneration": 2, "replicas": 2, "unavailableReplicas": 0},
        }),
    );
    new["spec"]["template"]["spec"]["containers"][0]["image"] = json!("i:1");
    lab.json(&format!("PUT {APPS}/deployments/web"), &new);
    lab.settle();
    assert_eq!(lab.get(&format!("{APPS}/replicasets")).json()["items"].as_array().unwrap().len(), 2);
    check(
        &lab.get(&format!("{APPS}/deployments/web")),
        200,
        json!({
            "metadata": {"annotations": {"deployment.kubernetes.io/revision": "3"}},
        }),
    );
    lab.json(&format!("PUT {APPS}/deployments/web"), &workload("Deployment", "web", "i:1", Some(0)));
    lab.settle();
    assert!(images(&lab).is_empty());
}

#[test]
fn a_lost_pod_is_replaced() {
    let lab = Lab::new();
    lab.create(&format!("{APPS}/replicasets"), &workload("ReplicaSet", "web", "i:1", Some(1)));
    lab.settle();
    let name = lab.get(PODS).json()["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    lab.send(&format!("DELETE {PODS}/{name}"), &[], "");
    lab.settle();
    let pods = lab.get(PODS).json();
    assert_eq!(pods["items"].as_array().unwrap().len(), 1);
    assert_ne!(pods["items"][0]["metadata"]["name"], name.as_str());
}

#[test]
fn a_daemon_set_follows_the_nodes() {
    let lab = Lab::new();
    lab.create(&format!("{APPS}/daemonsets"), &workload("DaemonSet", "agent", "i:1", None));
    lab.create("/api/v1/nodes", &json!({"metadata": {"name": "node2"}}));
    lab.settle();
    check(
        &lab.get(&format!("{APPS}/daemonsets/agent")),
        200,
        json!({
            "status": {"desiredNumberScheduled": 2, "numberReady": 2},
        }),
    );
}

#[test]
fn a_job_ends() {
    let lab = Lab::new();
    let job = json!({
        "metadata": {"name": "once"},
        "spec": {"completions": 2, "template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]}}},
    });
    lab.create("/apis/batch/v1/namespaces/default/jobs", &job);
    lab.settle();
    check(
        &lab.get("/apis/batch/v1/namespaces/default/jobs/once"),
        200,
        json!({
            "status": {"succeeded": 2, "active": 0, "completionTime": "2026-01-02T12:00:00Z"},
        }),
    );
    assert_eq!(images(&lab).len(), 2);
    check(
        &lab.get(&format!("{PODS}?labelSelector=job-name%3Donce")),
        200,
        json!({
            "items": [{"status": {"phase": "Succeeded"}}, {"status": {"phase": "Succeeded"}}],
        }),
    );
}

#[test]
fn a_pod_waits_for_a_node_that_fits() {
    let lab = Lab::new();
    let mut picky = pod("picky");
    picky["spec"]["nodeSelector"] = json!({"disk": "fast"});
    lab.create(PODS, &picky);
    lab.settle();
    check(&lab.get(&format!("{PODS}/picky")), 200, json!({"status": {"phase": "Pending"}}));
    lab.create("/api/v1/nodes", &json!({"metadata": {"name": "fast", "labels": {"disk": "fast"}}}));
    lab.settle();
    check(
        &lab.get(&format!("{PODS}/picky")),
        200,
        json!({
            "spec": {"nodeName": "fast"}, "status": {"phase": "Running", "containerStatuses": [{"ready": true}]},
        }),
    );
}

#[test]
fn a_service_names_the_pods_that_are_ready() {
    let lab = Lab::new();
    lab.create(
        "/api/v1/namespaces/default/services",
        &json!({
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
        }),
    );
    lab.settle();
    check(&lab.get("/api/v1/namespaces/default/endpoints/web"), 200, json!({"subsets": []}));
    let mut web = pod("web");
    web["spec"]["containers"][0]["ports"] = json!([{"name": "http", "containerPort": 8080}]);
    lab.create(PODS, &web);
    lab.create(PODS, &pod("other"));
    lab.settle();
    let address = lab.get(&format!("{PODS}/web")).json()["status"]["podIP"].clone();
    check(
        &lab.get("/api/v1/namespaces/default/endpoints/web"),
        200,
        json!({
            "subsets": [{"addresses": [{"ip": address, "targetRef": {"name": "web"}}], "ports": [{"port": 8080}]}],
        }),
    );
    check(
        &lab.get("/apis/discovery.k8s.io/v1/endpointslices?labelSelector=kubernetes.io/service-name%3Dweb"),
        200,
        json!({
            "items": [{"endpoints": [{"addresses": [address]}], "ports": [{"name": "", "port": 8080, "protocol": "TCP"}]}],
        }),
    );
    lab.send(&format!("DELETE {PODS}/web"), &[], "");
    lab.settle();
    check(&lab.get("/api/v1/namespaces/default/endpoints/web"), 200, json!({"subsets": []}));
    lab.send("DELETE /api/v1/namespaces/default/services/web", &[], "");
    lab.settle();
    check(&lab.get("/api/v1/namespaces/default/endpoints/web"), 404, json!({}));
}

#[test]
fn a_deployment_remembers_as_much_as_it_is_told() {
    let lab = Lab::new();
    let mut web = workload("Deployment", "web", "i:0", Some(1));
    web["spec"]["revisionHistoryLimit"] = json!(1);
    lab.create(&format!("{APPS}/deployments"), &web);
    lab.settle();
    for image in ["i:1", "i:2", "i:3"] {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
        lab.json(&format!("PUT {APPS}/deployments/web"), &web);
        lab.settle();
    }
    let sets = lab.get(&format!("{APPS}/replicasets")).json();
    let mut images: Vec<_> = sets["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap())
        .collect();
    images.sort_unstable();
    assert_eq!(images, ["i:2", "i:3"]);
}
