//! A folder in place of a cluster, with pods and volumes in it.

use super::*;

const PODS: &str = "apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: web, namespace: default}
  spec:
    nodeName: node1
    containers: [{name: c, image: i}]
    volumes: [{name: v, secret: {secretName: web-session-key}}]
- apiVersion: v1
  kind: Pod
  metadata: {name: payments, namespace: production}
  spec:
    nodeName: node2
    containers: [{name: c, image: i, envFrom: [{secretRef: {name: payments-db}}]}]
";

const ROLES: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [\"\"], resources: [pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: readers}
roleRef: {kind: ClusterRole, name: reader}
subjects: [{kind: User, name: alice}]
";

fn dump() -> Folder {
    let folder = Folder::new();
    folder.write("dump/pods.yaml", PODS);
    folder.write("dump/rbac.yaml", ROLES);
    folder
}

const NODE1: [&str; 4] = ["--as", "system:node:node1", "--groups", "system:nodes"];

#[test]
fn explain_names_the_way_in_the_graph() {
    let folder = dump();
    let get = |secret: &'static str, namespace: &'static str, more: &[&'static str]| {
        let mut all =
            vec!["explain", "--verb", "get", "--resource", "secrets", "--name", secret, "-n", namespace];
        all.extend(NODE1);
        all.extend(more);
        all
    };
    let own = "secret default/web-session-key <- pod default/web <- node node1";
    for setting in [["--authorization-mode", "Node,RBAC"], ["--what-if", "authorization-mode=Node,RBAC"]] {
        for source in [["-f", "dump"], ["--rbac-from", "dump"]] {
            let more: Vec<&str> = setting.into_iter().chain(source).collect();
            let (own_secret, other) =
                (get("web-session-key", "default", &more), get("payments-db", "production", &more));
            check(&folder, &own_secret, 0, &["ALLOWED", own, "network", "not asked"]);
            let no = "Node: no relationship found between node 'node1' and this object";
            check(&folder, &other, 1, &["REFUSED", no]);
        }
    }
    let json = [
        get("web-session-key", "default", &["-f", "dump", "--authorization-mode=Node,RBAC"]),
        vec!["-o", "json"],
    ];
    let out = check(&folder, &json.concat(), 0, &[]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    let evidence = told.pointer("/layers/7/authorizers/0/evidence/0").unwrap();
    assert_eq!(evidence["grounds"], own);
    assert_eq!(
        evidence["path"][1],
        serde_json::json!({"kind": "pod", "namespace": "default", "name": "web"})
    );
    // Without Node among the authorizers pods are not even looked at.
    folder.write("dump/bad.yaml", "apiVersion: v1\nkind: Pod\nspec: {nodeName: []}\n");
    check(&folder, &get("web-session-key", "default", &["-f", "dump"]), 1, &["REFUSED"]);
    let broken = get("web-session-key", "default", &["-f", "dump", "--authorization-mode=Node"]);
    check(&folder, &broken, 3, &["--filename: dump/bad.yaml:3: spec.nodeName: invalid type: sequence"]);
}

#[test]
fn can_and_who_can_take_the_node_authorizer_in() {
    let folder = dump();
    let modes = ["--authorization-mode", "Node,RBAC", "-f", "dump"];
    let node1 = |question: &[&'static str]| [&["can"], question, &NODE1, &modes].concat();
    let own = "yes: Node: secret default/web-session-key <- pod default/web <- node node1";
    check(&folder, &node1(&["get", "secrets/web-session-key", "-n", "default"]), 0, &[own]);
    check(&folder, &node1(&["get", "secrets/payments-db", "-n", "production"]), 1, &["no: no relationship"]);
    check(&folder, &node1(&["--list"]), 0, &["The Node authorizer adds what the pods of its node need"]);
    check(&folder, &["can", "list", "pods", "--as", "alice", "-f", "dump"], 0, &["yes: RBAC: allowed by"]);
    let who = |question: &[&'static str]| [&["who-can"], question, &modes].concat();
    check(
        &folder,
        &who(&["get", "secrets/payments-db", "-n", "production"]),
        0,
        &["By the Node authorizer\n  system:node:node2            secret production/payments-db <- pod \
             production/payments <- node node2"],
    );
    check(&folder, &who(&["delete", "secrets/payments-db", "-n", "production"]), 0, &["  no kubelet\n"]);
    let out = check(
        &folder,
        &[&who(&["get", "secrets/payments-db", "-n", "production"])[..], &["-o", "json"]].concat(),
        0,
        &[],
    );
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["node"][0]["user"], "system:node:node2");
    let bad = ["can", "list", "pods", "--as", "alice", "-f", "dump", "--authorization-mode", "Webhook"];
    check(&folder, &bad, 2, &["invalid value 'Webhook'"]);
}

#[test]
fn a_folder_that_cannot_stand_for_a_cluster_says_why() {
    let folder = dump();
    let ask = |more: &[&'static str]| {
        [&["explain", "--verb", "get", "--path", "/x", "--as", "alice"], more].concat()
    };
    let node = ["--authorization-mode", "Node,RBAC"];
    check(&folder, &[&ask(&["-f", "none"])[..], &node].concat(), 3, &["--filename: none: No such file"]);
    folder.write("empty/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    check(&folder, &ask(&["-f", "empty"]), 3, &["--filename: empty: no RBAC objects in it"]);
    check(
        &folder,
        &[&ask(&["-f", "empty"])[..], &node].concat(),
        3,
        &["no RBAC objects, pods or volumes in it"],
    );
    folder.write("unbound/a.yaml", PODS.replace("    nodeName: node1\n", ""));
    let unbound = [&ask(&["-f", "unbound"])[..], &node].concat();
    check(&folder, &unbound, 1, &["1 of the pods have no spec.nodeName", "no roles and bindings in it"]);
    check(&folder, &ask(&["-f", "dump", "--rbac-from", "dump"]), 2, &["cannot be used with"]);
    check(&folder, &ask(&[]), 2, &["which cluster?", "--filename DIR"]);
}

#[test]
fn replay_decides_by_pods_of_the_folder() {
    let folder = dump();
    let event = |secret: &str| {
        let user = r#"{"username":"system:node:node1","groups":["system:nodes","system:authenticated"]}"#;
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{secret}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/secrets/{secret}","verb":"get","user":{user},"objectRef":{{"resource":"secrets","namespace":"default","name":"{secret}","apiVersion":"v1"}},"responseStatus":{{"code":200}},"annotations":{{"authorization.k8s.io/decision":"allow"}}}}"#
        )
    };
    folder.write("audit.log", format!("{}\n{}\n", event("web-session-key"), event("another")));
    let replay =
        ["replay", "--audit-log", "audit.log", "-f", "dump", "--what-if", "authorization-mode=Node,RBAC"];
    check(&folder, &replay, 1, &["1 would be refused that were allowed", "unchanged: 1 allowed, 0 refused"]);
}
