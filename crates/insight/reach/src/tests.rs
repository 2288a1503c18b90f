//! Everybody against asking the authorizer about everybody.

use std::collections::BTreeSet;

use authz::rbac::RbacObject;
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use types::{Decision, ObjectName, User};

use crate::{About, Cluster, Question, Resource, subject_user};

fn cluster(objects: Value) -> Cluster {
    let objects: Vec<RbacObject> = serde_json::from_value(objects).unwrap();
    Cluster::new(objects)
}

fn question(verb: &str, resource: &str, name: &str, namespace: &str) -> Question {
    Question {
        verb: verb.to_owned(),
        about: About::Resource {
            resource: Resource::parse(resource).unwrap(),
            subresource: String::new(),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        },
    }
}

/// Somebody who is that subject and nothing else.
fn only(subject: &ObjectName) -> User {
    match subject.kind.as_str() {
        "Group" => User::new("\u{1}nobody", [subject.name.as_str()]),
        "ServiceAccount" => {
            User::new(format!("system:serviceaccount:{}:{}", subject.namespace, subject.name), [""; 0])
        }
        _ => User::new(subject.name.as_str(), [""; 0]),
    }
}

fn some<T: Clone + std::fmt::Debug + 'static>(of: &'static [T]) -> impl Strategy<Value = Vec<T>> {
    proptest::collection::vec(select(of), 0..3)
}

fn rule() -> impl Strategy<Value = Value> {
    (
        some(&["get", "list", "*", "impersonate"]),
        some(&["", "apps", "*"]),
        some(&["pods", "pods/log", "*", "*/log", "users"]),
        some(&["a", "", "*"]),
        some(&["/x", "/x*", "*"]),
    )
        .prop_map(|(verbs, groups, resources, names, urls)| {
            json!({"verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names,
                   "nonResourceURLs": urls})
        })
}

fn world() -> impl Strategy<Value = Vec<Value>> {
    let role = (select(&["Role", "ClusterRole"]), select(&["ns1", "ns2"]), select(&["r1", "r2"]), proptest::collection::vec(rule(), 0..4))
        .prop_map(|(kind, namespace, name, rules)| {
            json!({"kind": kind, "metadata": {"name": name, "namespace": namespace}, "rules": rules})
        });
    let subject = (
        select(&["User", "Group", "ServiceAccount", "Robot"]),
        select(&["a", "b", "*"]),
        select(&["ns1", ""]),
    )
        .prop_map(|(kind, name, namespace)| json!({"kind": kind, "name": name, "namespace": namespace}));
    let binding = (
        select(&["RoleBinding", "ClusterRoleBinding"]),
        select(&["ns1", "ns2"]),
        select(&["b1", "b2", "b3"]),
        (select(&["Role", "ClusterRole"]), select(&["r1", "r2"])),
        proptest::collection::vec(subject, 0..4),
    )
        .prop_map(|(kind, namespace, name, (role_kind, role), subjects)| {
            json!({"kind": kind, "metadata": {"name": name, "namespace": namespace},
                   "roleRef": {"kind": role_kind, "name": role}, "subjects": subjects})
        });
    (proptest::collection::vec(role, 0..6), proptest::collection::vec(binding, 0..6)).prop_map(
        |(mut roles, bindings)| {
            roles.extend(bindings);
            roles
        },
    )
}

fn asked() -> impl Strategy<Value = Question> {
    let resource = (
        select(&["get", "list", "*"]),
        select(&["pods", "deployments.apps"]),
        select(&["", "log"]),
        select(&["", "a", "*"]),
        select(&["", "ns1", "ns2"]),
    )
        .prop_map(|(verb, resource, subresource, name, namespace)| {
            let mut question = question(verb, resource, name, namespace);
            if let About::Resource { subresource: of, .. } = &mut question.about {
                *of = subresource.to_owned();
            }
            question
        });
    let path = (select(&["get", "*"]), select(&["/x", "/xy", "/z"]))
        .prop_map(|(verb, path)| Question { verb: verb.to_owned(), about: About::Path(path.to_owned()) });
    prop_oneof![3 => resource, 1 => path]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_can_names_exactly_those_whom_the_authorizer_allows(objects in world(), question in asked()) {
        let cluster = cluster(json!(objects));
        let found = cluster.who_can(&question, false);
        let granted: BTreeSet<&ObjectName> = found.granted.iter().map(|holder| &holder.subject).collect();
        let snapshot = cluster.rbac().snapshot();
        for bound in snapshot.world().bound() {
            for subject in &bound.subjects {
                let user = only(subject);
                let opinion = cluster.rbac().decide(&question.attributes(&user));
                prop_assert_eq!(
                    opinion.decision == Decision::Allow,
                    // One user can be named as a user and as a service account.
                    granted.iter().any(|other| only(other) == user),
                    "{:?} asked {}", subject, &question
                );
            }
        }
        // A grant that is limited to names allows each of its names and not the request without one.
        for limited in &found.limited {
            let user = only(&limited.holder.subject);
            for name in &limited.names {
                let mut named = question.clone();
                if let About::Resource { name: of, .. } = &mut named.about {
                    name.clone_into(of);
                }
                prop_assert_eq!(cluster.rbac().decide(&named.attributes(&user)).decision, Decision::Allow);
            }
        }
    }

    #[test]
    fn everywhere_is_every_namespace_together(objects in world(), question in asked()) {
        let cluster = cluster(json!(objects));
        let in_namespace = |namespace: &str| {
            let mut question = question.clone();
            if let About::Resource { namespace: of, .. } = &mut question.about {
                namespace.clone_into(of);
            }
            cluster.who_can(&question, false).granted
        };
        let all: Vec<_> = ["", "ns1", "ns2"].into_iter().flat_map(in_namespace).collect();
        let found = cluster.who_can(&question, true).granted;
        prop_assert!(found.iter().all(|holder| all.contains(holder)));
        prop_assert!(all.iter().all(|holder| found.contains(holder)));
    }
}

#[test]
fn tells_wildcards_aggregation_names_and_detours_apart() {
    let label = |key: &str| json!({"matchLabels": {key: "true"}});
    let pods = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]});
    let bind = |kind: &str, name: &str, role: &str, subject: Value| {
        json!({"kind": kind, "metadata": {"name": name, "namespace": "ns"},
               "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [subject]})
    };
    let user = |name: &str| json!({"kind": "User", "name": name});
    let cluster = cluster(json!([
        {"kind": "ClusterRole", "metadata": {"name": "edit"}, "aggregationRule": {"clusterRoleSelectors": [label("e")]}, "rules": [pods]},
        {"kind": "ClusterRole", "metadata": {"name": "view", "labels": {"e": "true"}}, "aggregationRule": {"clusterRoleSelectors": [label("v")]}, "rules": [pods]},
        {"kind": "ClusterRole", "metadata": {"name": "pods", "labels": {"v": "true"}}, "rules": [pods]},
        {"kind": "ClusterRole", "metadata": {"name": "other", "labels": {"v": "true"}}, "rules": []},
        {"kind": "ClusterRole", "metadata": {"name": "all"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]},
        {"kind": "ClusterRole", "metadata": {"name": "one"}, "rules": [
            {"apiGroups": [""], "resources": ["pods"], "resourceNames": ["web"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["users", "serviceaccounts"], "verbs": ["impersonate"]}]},
        bind("RoleBinding", "a", "edit", user("editor")),
        bind("ClusterRoleBinding", "b", "all", user("root")),
        bind("RoleBinding", "c", "one", user("narrow")),
        bind("RoleBinding", "d", "gone", user("nobody")),
    ]));
    let found = cluster.who_can(&question("get", "pods", "", "ns"), false);
    let shown: Vec<String> = found
        .granted
        .iter()
        .map(|h| {
            format!("{} {} {} {}", h.subject.name, h.binding, h.by_wildcard, h.aggregated_from.join("; "))
        })
        .collect();
    assert_eq!(shown, ["root ClusterRoleBinding b true ", "editor RoleBinding ns/a false view ← pods"]);
    let limited: Vec<_> = found.limited.iter().map(|l| (&*l.holder.subject.name, &l.names)).collect();
    assert_eq!(limited, [("narrow", &vec!["web".to_owned()])]);
    let narrow: Vec<&str> =
        found.detours.iter().filter(|d| d.holder.subject.name == "narrow").map(|d| &*d.may).collect();
    // A RoleBinding lends nobody the right to be another user: users lie in no namespace.
    assert_eq!(narrow, ["impersonate serviceaccounts"]);
    // Twenty-one ways, the extras of two modes, and this as somebody else in four.
    assert_eq!(found.detours.iter().filter(|d| d.holder.subject.name == "root").count(), 21 + 2 + 4);
    let named = cluster.who_can(&question("get", "pods", "web", "ns"), false);
    assert_eq!((named.granted.len(), named.limited.len()), (3, 0));
}

#[test]
fn lists_what_a_user_holds() {
    let cluster = cluster(json!([
        {"kind": "Role", "metadata": {"name": "r", "namespace": "ns"}, "rules": [
            {"apiGroups": ["apps", ""], "resources": ["deployments/scale"], "resourceNames": ["web"], "verbs": ["get"]}]},
        {"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "ns"}, "roleRef": {"kind": "Role", "name": "r"},
         "subjects": [{"kind": "Group", "name": "system:serviceaccounts:ns"}]},
        {"kind": "ClusterRoleBinding", "metadata": {"name": "gone"}, "roleRef": {"kind": "ClusterRole", "name": "x"},
         "subjects": [{"kind": "Group", "name": "system:authenticated"}]},
    ]));
    let user = subject_user("system:serviceaccount:ns:sa", &[]);
    assert_eq!(user.groups, ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"]);
    let (held, broken) = cluster.can_list(&user, "ns");
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].resources, ["deployments.apps/scale", "deployments/scale"]);
    assert_eq!(broken, ["ClusterRoleBinding gone: clusterrole.rbac.authorization.k8s.io \"x\" not found"]);
    assert_eq!(cluster.can_list(&user, "other").0, []);
}

#[test]
fn kubelets_are_those_whom_the_node_authorizer_allows() {
    use authz::node::{Node, NodeObject};

    use crate::kubelets;

    let pod = |name: &str, node: &str, secret: &str| {
        json!({"kind": "Pod", "metadata": {"name": name, "namespace": "ns"}, "spec": {"nodeName": node, "containers": [],
            "volumes": [{"name": "v", "secret": {"secretName": secret}}]}})
    };
    let slice = json!({"kind": "ResourceSlice", "metadata": {"name": "s"},
        "spec": {"driver": "d", "nodeName": "node3", "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1}}});
    let objects = json!([pod("a", "node2", "db"), pod("b", "node1", "db"), pod("c", "node1", "web"), slice]);
    let objects: Vec<NodeObject> = serde_json::from_value(objects).unwrap();
    let node = Node::default();
    node.update(|graph| objects.into_iter().for_each(|object| graph.apply(object)));
    let check = |verb: &str, resource: &str, name: &str, expected: &[&str]| {
        let found = kubelets(&node.snapshot(), &question(verb, resource, name, "ns"));
        let found: Vec<String> = found.into_iter().map(|k| format!("{}: {}", k.user, k.grounds)).collect();
        assert_eq!(found, expected, "{verb} {resource} {name}");
    };
    check(
        "get",
        "secrets",
        "db",
        &[
            "system:node:node1: secret ns/db <- pod ns/b <- node node1",
            "system:node:node2: secret ns/db <- pod ns/a <- node node2",
        ],
    );
    check("get", "secrets", "web", &["system:node:node1: secret ns/web <- pod ns/c <- node node1"]);
    check("get", "secrets", "other", &[]);
    check("list", "secrets", "", &[]);
    let rule = |node: &str| format!("system:node:{node}: a rule for all nodes");
    let everybody = ["node1", "node2", "node3"].map(rule);
    check("get", "services", "web", &everybody.each_ref().map(String::as_str));
}

#[test]
fn every_detour_is_told() {
    let rule = |group: &str, resource: &str, verb: &str, names: &[&str]| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb], "resourceNames": names});
    let check = |group: &str, resource: &str, verb: &str, names: &[&str], kind: &str, expected: &[&str]| {
        let cluster = cluster(json!([
            {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [rule(group, resource, verb, names)]},
            {"kind": kind, "metadata": {"name": "b", "namespace": "ns"}, "roleRef": {"kind": "ClusterRole", "name": "r"},
             "subjects": [{"kind": "User", "name": "alice"}]},
        ]));
        let found = cluster.who_can(&question("delete", "pods", "", "ns"), false);
        let told: Vec<String> =
            found.detours.iter().map(|d| format!("{} {}", d.may, d.names.join(" "))).collect();
        let told: Vec<&str> = told.iter().map(|detour| detour.trim_end()).collect();
        assert_eq!(told, expected, "{verb} {resource}.{group} {names:?} by a {kind}");
        assert!(found.granted.is_empty() && found.limited.is_empty());
    };
    let (authn, certificates, rbac) =
        ("authentication.k8s.io", "certificates.k8s.io", "rbac.authorization.k8s.io");
    // What lies in no namespace is lent by a ClusterRoleBinding only.
    for (group, resource, verb) in [
        ("", "users", "impersonate"),
        ("", "groups", "impersonate"),
        (authn, "uids", "impersonate"),
        (authn, "userextras/scopes", "impersonate"),
        (authn, "userextras/*", "impersonate"),
        (authn, "users", "impersonate:user-info"),
        (authn, "groups", "impersonate:user-info"),
        (authn, "uids", "impersonate:user-info"),
        (authn, "userextras/scopes", "impersonate:user-info"),
        (authn, "nodes", "impersonate:arbitrary-node"),
        (authn, "nodes", "impersonate:associated-node"),
        (certificates, "certificatesigningrequests/approval", "update"),
        (certificates, "certificatesigningrequests/approval", "patch"),
        (certificates, "certificatesigningrequests/status", "update"),
        (certificates, "certificatesigningrequests/status", "patch"),
        (certificates, "signers", "approve"),
        (certificates, "signers", "sign"),
        (rbac, "clusterroles", "escalate"),
    ] {
        let told = format!("{verb} {resource}");
        check(group, resource, verb, &[], "ClusterRoleBinding", &[told.as_str()]);
        check(group, resource, verb, &[], "RoleBinding", &[]);
    }
    for (group, resource, verb) in [
        ("", "serviceaccounts", "impersonate"),
        ("", "serviceaccounts/token", "create"),
        (authn, "serviceaccounts", "impersonate:serviceaccount"),
        (rbac, "clusterroles", "bind"),
        (rbac, "roles", "bind"),
        (rbac, "roles", "escalate"),
        ("", "pods", "impersonate-on:user-info:delete"),
        ("", "pods", "impersonate-on:serviceaccount:delete"),
        ("", "pods", "impersonate-on:arbitrary-node:delete"),
        ("", "pods", "impersonate-on:associated-node:delete"),
    ] {
        let told = format!("{verb} {resource}");
        check(group, resource, verb, &[], "ClusterRoleBinding", &[told.as_str()]);
        check(group, resource, verb, &[], "RoleBinding", &[told.as_str()]);
    }
    let binding = "ClusterRoleBinding";
    let signer = "kubernetes.io/kube-apiserver-client";
    check(
        certificates,
        "signers",
        "approve",
        &[signer],
        binding,
        &["approve signers kubernetes.io/kube-apiserver-client"],
    );
    // One's own node is asked for as `*`, whatever it is called.
    check(authn, "nodes", "impersonate:associated-node", &["node1"], binding, &[]);
    check(
        authn,
        "nodes",
        "impersonate:associated-node",
        &["*"],
        binding,
        &["impersonate:associated-node nodes"],
    );
    // Rights over the core group's users are not those of the constrained modes, nor is another act.
    check("", "users", "impersonate:user-info", &[], binding, &[]);
    check("", "pods", "impersonate-on:user-info:get", &[], binding, &[]);
}
