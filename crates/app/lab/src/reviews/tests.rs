use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::Reviews;
use crate::{
    controllers::settle,
    environment::{Pki, plant},
    rest::tests::{Answer, Lab},
};

const SAR: &str = "/apis/authorization.k8s.io/v1";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// A lab as it is at its first start.
struct Seeded(Lab);

impl Seeded {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("lab-reviews-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(unique);
        let pki = Pki::open(&folder, "2026-01-02T11:00:00Z".parse().unwrap()).unwrap();
        let lab = Lab::empty(Box::new(Reviews::load(&pki).unwrap()), "the root");
        std::fs::remove_dir_all(&folder).unwrap();
        plant(&lab.api).unwrap();
        settle(&lab.api);
        Self(lab)
    }

    fn send(&self, user: &str, groups: &[&str], line: &str, body: &Value) -> Answer {
        let mut headers = vec![("impersonate-user", user), ("content-type", "application/json")];
        headers.extend(groups.iter().map(|group| ("impersonate-group", *group)));
        self.0.send(line, &headers, &body.to_string())
    }

    fn admin(&self, line: &str, body: &Value) -> Answer {
        self.send("admin", &["system:masters"], line, body)
    }

    /// Whether `user` may, and why, by `SelfSubjectAccessReview`.
    fn may(&self, user: &str, attributes: &Value) -> (bool, String) {
        let question = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        });
        let line = format!("POST {SAR}/selfsubjectaccessreviews");
        let answer = self.send(user, &["system:authenticated"], &line, &question);
        assert_eq!(answer.code, 201, "{}", answer.text);
        let status = &answer.json()["status"];
        (status["allowed"].as_bool().unwrap(), status["reason"].as_str().unwrap_or_default().to_owned())
    }
}

#[test]
fn the_first_objects_are_there() {
    let lab = Seeded::new();
    let names = |path: &str| -> Vec<String> {
        let list = lab.0.get(path).json();
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let namespaces = ["batch", "default", "kube-node-lease", "kube-public", "kube-system", "production"];
    assert_eq!(names("/api/v1/namespaces"), namespaces);
    for namespace in namespaces {
        let map = format!("/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt");
        assert_eq!(lab.0.get(&map).json()["data"]["ca.crt"], "the root", "{namespace}");
        assert_eq!(lab.0.get(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/default")).code, 200);
    }
    assert_eq!(names("/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations").len(), 8);
    let web = lab.0.get("/api/v1/namespaces/default/pods/web").json();
    assert_eq!(web["status"]["phase"], "Running", "{web}");
    // Aggregated roles are filled, and follow what is labelled for them.
    let edit = || lab.0.get(&format!("{RBAC}/clusterroles/edit")).json()["rules"].to_string();
    assert!(edit().contains("deployments/scale"));
    let extra = json!({
        "metadata": {"name": "more", "labels": {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}},
        "rules": [{"apiGroups": ["example.com"], "resources": ["wheels"], "verbs": ["turn"]}],
    });
    assert_eq!(lab.admin(&format!("POST {RBAC}/clusterroles"), &extra).code, 201);
    settle(&lab.0.api);
    assert!(edit().contains("wheels"));
    assert_eq!(lab.admin(&format!("DELETE {RBAC}/clusterroles/more"), &Value::Null).code, 200);
    settle(&lab.0.api);
    assert!(!edit().contains("wheels"));
}

#[test]
fn access_reviews_say_what_rbac_says() {
    let lab = Seeded::new();
    let pods = json!({"verb": "list", "resource": "pods", "namespace": "default"});
    let reason =
        r#"RBAC: allowed by RoleBinding "read-pods/default" of Role "pod-reader" to User "api-user""#;
    assert_eq!(lab.may("api-user", &pods), (true, reason.into()));
    assert_eq!(lab.may("dev", &pods), (false, String::new()));
    // A binding that goes is gone for the next question.
    let path = format!("DELETE {RBAC}/namespaces/default/rolebindings/read-pods");
    assert_eq!(lab.admin(&path, &Value::Null).code, 200);
    assert_eq!(lab.may("api-user", &pods), (false, String::new()));

    let ask = |path: &str, kind: &str, rest: &Value| {
        let mut question = json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind});
        question.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let answer = lab.admin(&format!("POST {SAR}/{path}"), &question);
        (answer.code, answer.json())
    };
    let deploy =
        json!({"verb": "create", "group": "apps", "resource": "deployments", "namespace": "production"});
    let (code, answer) = ask(
        "subjectaccessreviews",
        "SubjectAccessReview",
        &json!({"spec": {"user": "dev", "resourceAttributes": deploy}}),
    );
    assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(true)), "{answer}");
    // As recorded (http-0472, http-0479).
    let (code, answer) =
        ask("subjectaccessreviews", "SubjectAccessReview", &json!({"spec": {"resourceAttributes": pods}}));
    let message = ".authorization.k8s.io \"\" is invalid: spec.user: Invalid value: \"\": at least one of user or \
                   group must be specified";
    assert_eq!((code, answer["message"].as_str().unwrap()), (422, message));
    assert_eq!(answer["details"]["kind"], Value::Null);
    let (code, answer) = ask(
        "namespaces/default/localsubjectaccessreviews",
        "LocalSubjectAccessReview",
        &json!({"spec": {"user": "dev", "resourceAttributes": deploy}}),
    );
    let message = ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \
                   \"production\": must match metadata.namespace";
    assert_eq!((code, answer["message"].as_str().unwrap()), (422, message));
}

/// A kubelet reads what its own pods name, by the same authorizers and in the same words as at the gate.
#[test]
fn access_reviews_say_what_the_node_authorizer_says() {
    let lab = Seeded::new();
    let pod = |name: &str, node: &str, secret: &str| {
        let pod = json!({
            "metadata": {"name": name},
            "spec": {
                "nodeName": node, "containers": [{"name": "c", "image": "i"}],
                "volumes": [{"name": "v", "secret": {"secretName": secret}}],
            },
        });
        let answer = lab.admin("POST /api/v1/namespaces/default/pods", &pod);
        assert_eq!(answer.code, 201, "{}", answer.text);
    };
    pod("mine", "node1", "for-mine");
    pod("theirs", "node2", "for-theirs");
    let ask = |node: &str, groups: &[&str], verb: &str, secret: &str| {
        let attributes = json!({"verb": verb, "resource": "secrets", "namespace": "default", "name": secret});
        let question = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": format!("system:node:{node}"), "groups": groups, "resourceAttributes": attributes},
        });
        let answer = lab.admin(&format!("POST {SAR}/subjectaccessreviews"), &question);
        assert_eq!(answer.code, 201, "{}", answer.text);
        let status = answer.json()["status"].clone();
        (status["allowed"].as_bool().unwrap(), status["reason"].as_str().unwrap_or_default().to_owned())
    };
    let nodes = ["system:nodes", "system:authenticated"];
    let none = "no relationship found between node 'node1' and this object";
    assert_eq!(ask("node1", &nodes, "get", "for-mine"), (true, String::new()));
    assert_eq!(ask("node1", &nodes, "get", "for-theirs"), (false, none.to_owned()));
    assert_eq!(ask("node2", &nodes, "get", "for-theirs"), (true, String::new()));
    assert!(!ask("node1", &nodes, "update", "for-mine").0, "kubelets only read them");
    // The name alone makes no kubelet.
    assert_eq!(ask("node1", &["system:authenticated"], "get", "for-mine"), (false, String::new()));
    // A pod that goes takes its secret along.
    let gone = lab.admin("DELETE /api/v1/namespaces/default/pods/mine?gracePeriodSeconds=0", &Value::Null);
    assert_eq!(gone.code, 200, "{}", gone.text);
    assert_eq!(ask("node1", &nodes, "get", "for-mine"), (false, none.to_owned()));

    // What the Node authorizer allows cannot be listed, which kubelets are told and nobody else.
    let list = |user: &str, groups: &[&str]| {
        let question = json!({
            "kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1",
            "spec": {"namespace": "default"},
        });
        lab.send(user, groups, &format!("POST {SAR}/selfsubjectrulesreviews"), &question).json()["status"]
            .clone()
    };
    let kubelets = list("system:node:node1", &nodes);
    let why = "node authorizer does not support user rule resolution";
    assert_eq!((&kubelets["incomplete"], &kubelets["evaluationError"]), (&json!(true), &json!(why)));
    let others = list("system:node:node1", &["system:authenticated"]);
    assert_eq!((&others["incomplete"], &others["evaluationError"]), (&json!(false), &Value::Null));
}

#[test]
fn rules_review_lists_what_is_held() {
    let lab = Seeded::new();
    let ask = |spec: &Value| {
        let question =
            json!({"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "spec": spec});
        let line = format!("POST {SAR}/selfsubjectrulesreviews");
        lab.send("api-user", &["system:authenticated"], &line, &question)
    };
    let answer = ask(&json!({"namespace": "default"})).json();
    assert_eq!((&answer["spec"], &answer["status"]["incomplete"]), (&json!({}), &json!(false)));
    let pods = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]});
    assert!(answer["status"]["resourceRules"].as_array().unwrap().contains(&pods), "{answer}");
    let refused = ask(&json!({}));
    assert_eq!((refused.code, refused.json()["message"].as_str()), (400, Some("no namespace on request")));
}

/// `cert:bob` of the recorded lines http-0235 and http-0236: may write roles, holds nothing else.
#[test]
fn nobody_grants_more_than_they_hold() {
    let lab = Seeded::new();
    let role = |name: &str, resources: &[&str], verbs: &[&str]| json!({"metadata": {"name": name}, "rules": [{"apiGroups": ["*"], "resources": resources, "verbs": verbs}]});
    let rbac = ["roles", "rolebindings", "clusterroles", "clusterrolebindings"];
    let bob = json!({"kind": "User", "name": "bob", "apiGroup": "rbac.authorization.k8s.io"});
    let make =
        |path: &str, body: &Value| assert_eq!(lab.admin(&format!("POST {RBAC}/{path}"), body).code, 201);
    make("clusterroles", &role("rbac-writer", &rbac, &["create", "update", "patch", "get"]));
    make(
        "clusterrolebindings",
        &json!({
            "metadata": {"name": "bob"}, "subjects": [bob],
            "roleRef": {"kind": "ClusterRole", "name": "rbac-writer", "apiGroup": "rbac.authorization.k8s.io"},
        }),
    );
    let as_bob = |line: &str, body: &Value| {
        let answer = lab.send("bob", &["system:authenticated"], &line.replace("RBAC", RBAC), body);
        (answer.code, answer.json()["message"].as_str().unwrap_or_default().to_owned())
    };
    let refusal = |what: &str, rules: &str| {
        format!(
            "{what}.rbac.authorization.k8s.io \"esc\" is forbidden: user \"bob\" (groups=[\"system:authenticated\"]) is \
             attempting to grant RBAC permissions not currently held:\n{rules}"
        )
    };
    let all = r#"{APIGroups:["*"], Resources:["*"], Verbs:["*"]}"#;
    let (roles, bindings) = ("RBAC/namespaces/production/roles", "RBAC/namespaces/production/rolebindings");
    let everything = role("esc", &["*"], &["*"]);
    assert_eq!(as_bob(&format!("POST {roles}"), &everything), (403, refusal("roles", all)));
    let bind = |role: &str| {
        json!({
            "metadata": {"name": "esc"}, "subjects": [bob],
            "roleRef": {"kind": "ClusterRole", "name": role, "apiGroup": "rbac.authorization.k8s.io"},
        })
    };
    let admin = format!("{all}\n{{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}}");
    assert_eq!(
        as_bob(&format!("POST {bindings}"), &bind("cluster-admin")),
        (403, refusal("rolebindings", &admin))
    );
    let gone = "clusterroles.rbac.authorization.k8s.io \"nope\" not found".to_owned();
    assert_eq!(as_bob(&format!("POST {bindings}"), &bind("nope")), (404, gone));
    // What bob holds, bob may grant; not by a detour over update or patch.
    assert_eq!(as_bob(&format!("POST {roles}"), &role("esc", &["roles"], &["get"])).0, 201);
    assert_eq!(as_bob(&format!("PUT {roles}/esc"), &everything), (403, refusal("roles", all)));
    let patch = |rules: &Value| {
        let headers = [("impersonate-user", "bob"), ("content-type", "application/merge-patch+json")];
        let line = format!("PATCH {}/esc", roles.replace("RBAC", RBAC));
        lab.0.send(&line, &headers, &json!({"rules": rules}).to_string()).code
    };
    assert_eq!(patch(&everything["rules"]), 403);
    assert_eq!(as_bob(&format!("POST {bindings}"), &bind("rbac-writer")).0, 201);
    // An aggregated role takes up whatever is labelled for it.
    let aggregated =
        json!({"metadata": {"name": "esc"}, "aggregationRule": {"clusterRoleSelectors": [{}]}, "rules": []});
    let why = "clusterroles.rbac.authorization.k8s.io \"esc\" is forbidden: must have cluster-admin privileges to use \
               the aggregationRule";
    assert_eq!(as_bob("POST RBAC/clusterroles", &aggregated), (403, why.to_owned()));
    // Those who are told they may.
    make("clusterroles", &role("escalator", &["roles", "clusterroles"], &["escalate", "bind"]));
    make(
        "namespaces/production/rolebindings",
        &json!({
            "metadata": {"name": "bob-escalates"}, "subjects": [bob],
            "roleRef": {"kind": "ClusterRole", "name": "escalator", "apiGroup": "rbac.authorization.k8s.io"},
        }),
    );
    assert_eq!(as_bob(&format!("PUT {roles}/esc"), &everything).0, 200);
    let mut other = bind("cluster-admin");
    other["metadata"]["name"] = "esc2".into();
    assert_eq!(as_bob(&format!("POST {bindings}"), &other).0, 201);
    assert_eq!(as_bob("POST RBAC/clusterroles", &everything).0, 403, "only in that namespace");
}

#[test]
fn tokens_are_made_and_judged() {
    let lab = Seeded::new();
    let request = |account: &str, spec: &Value| {
        let line = format!("POST /api/v1/namespaces/batch/serviceaccounts/{account}/token");
        let body = json!({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec});
        lab.admin(&line, &body)
    };
    let review = |token: &str, audiences: &Value| {
        let question = json!({
            "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
            "spec": {"token": token, "audiences": audiences},
        });
        lab.admin("POST /apis/authentication.k8s.io/v1/tokenreviews", &question).json()["status"].take()
    };
    let token_of = |answer: &Answer| answer.json()["status"]["token"].as_str().unwrap().to_owned();

    let answer = request("batch-runner", &json!({}));
    assert_eq!(answer.code, 201, "{}", answer.text);
    let (issued, issuer) = (answer.json(), "https://kubernetes.default.svc.cluster.local");
    assert_eq!(issued["spec"], json!({"audiences": [issuer], "expirationSeconds": 3600}));
    assert_eq!(issued["status"]["expirationTimestamp"], "2026-01-02T13:00:00Z");
    let status = review(&token_of(&answer), &json!(null));
    assert_eq!(status["authenticated"], true, "{status}");
    assert_eq!(status["audiences"], json!([issuer]));
    assert_eq!(status["user"]["username"], "system:serviceaccount:batch:batch-runner");
    assert_eq!(
        status["user"]["groups"],
        json!(["system:serviceaccounts", "system:serviceaccounts:batch", "system:authenticated"])
    );
    let vault = token_of(&request("batch-runner", &json!({"audiences": ["vault"]})));
    assert_eq!(review(&vault, &json!(["vault"]))["audiences"], json!(["vault"]));
    // As recorded (http-0481, http-0486).
    let error = format!(
        "[invalid bearer token, token audiences [\"vault\"] is invalid for the target audiences [{issuer:?}]]"
    );
    assert_eq!(review(&vault, &json!(null)), json!({"user": {}, "error": error}));
    assert_eq!(review("wrong", &json!(null)), json!({"user": {}, "error": "invalid bearer token"}));

    let refused = |spec: &Value, code: u16, message: &str| {
        let answer = request("batch-runner", spec);
        assert_eq!((answer.code, answer.json()["message"].as_str().unwrap()), (code, message));
    };
    let invalid =
        "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value:";
    let short = format!("{invalid} 599: may not specify a duration less than 10 minutes");
    refused(&json!({"expirationSeconds": 599}), 422, &short);
    assert_eq!(request("nobody", &json!({})).code, 404);

    // Bound to a pod, it dies with the pod.
    let pod = json!({
        "metadata": {"name": "job"},
        "spec": {"serviceAccountName": "batch-runner", "nodeName": "node1", "containers": [{"name": "c", "image": "i"}]},
    });
    assert_eq!(lab.admin("POST /api/v1/namespaces/batch/pods", &pod).code, 201);
    let bind = |name: &str| json!({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": name}});
    let bound = token_of(&request("batch-runner", &bind("job")));
    let extra = review(&bound, &json!(null))["user"]["extra"].take();
    assert_eq!(extra["authentication.kubernetes.io/pod-name"], json!(["job"]), "{extra}");
    assert_eq!(extra["authentication.kubernetes.io/node-name"], json!(["node1"]));
    assert_eq!(
        lab.admin("DELETE /api/v1/namespaces/batch/pods/job?gracePeriodSeconds=0", &Value::Null).code,
        200
    );
    assert_eq!(review(&bound, &json!(null))["authenticated"], Value::Null);
    refused(&bind("job"), 404, "pods \"job\" not found");
    let other = json!({"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "x"}});
    refused(&other, 400, "cannot bind token to object of type /v1, Kind=ConfigMap");
}

#[test]
fn who_am_i_tells_everything() {
    let lab = Seeded::new();
    let headers = [
        ("impersonate-user", "alice"),
        ("impersonate-uid", "7"),
        ("impersonate-group", "dev"),
        ("impersonate-group", "qa"),
        ("impersonate-extra-example.com%2Fscopes", "a"),
        ("impersonate-extra-example.com%2Fscopes", "b"),
        ("content-type", "application/json"),
    ];
    let question = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).to_string();
    let answer = lab.0.send("POST /apis/authentication.k8s.io/v1/selfsubjectreviews", &headers, &question);
    assert_eq!(
        answer.json()["status"]["userInfo"],
        json!({"username": "alice", "uid": "7", "groups": ["dev", "qa"], "extra": {"example.com/scopes": ["a", "b"]}})
    );
}
