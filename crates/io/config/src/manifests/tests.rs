use std::fs;

use testkit::Folder;

use super::*;

fn folder(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for (file, text) in files {
        folder.write(file, text);
    }
    folder
}

const ROLE: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: ns}\n\
                    rules:\n- {apiGroups: [\"\"], resources: [pods], verbs: [get]}\n";

fn names(found: &Manifests) -> Vec<String> {
    let mut names: Vec<_> = found
        .rbac
        .iter()
        .map(|object| match object {
            RbacObject::Role(o) => format!("Role {}", o.metadata.name.as_deref().unwrap()),
            RbacObject::ClusterRole(o) => format!("ClusterRole {}", o.metadata.name.as_deref().unwrap()),
            RbacObject::RoleBinding(o) => format!("RoleBinding {}", o.metadata.name.as_deref().unwrap()),
            RbacObject::ClusterRoleBinding(o) => {
                format!("ClusterRoleBinding {}", o.metadata.name.as_deref().unwrap())
            }
        })
        .collect();
    names.sort();
    names
}

#[test]
fn documents_lists_and_typed_lists() {
    let folder = folder(&[
        ("a.yaml", &format!("{ROLE}---\nkind: ConfigMap\napiVersion: v1\ndata: {{a: b}}\n---\n")),
        (
            "b.yml",
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: rbac.authorization.k8s.io/v1\n  kind: RoleBinding\n  \
                 metadata: {name: rb, namespace: ns}\n  roleRef: {kind: Role, name: r}\n  subjects: [{kind: User, name: jane}]\n\
                 - {apiVersion: apps/v1, kind: Deployment}\n",
        ),
        (
            "c.json",
            r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleList","metadata":{},"items":[
                    {"metadata":{"name":"cr","namespace":"dropped"},"rules":null}]}"#,
        ),
        ("d.txt", "not: [read"),
        (".hidden.yaml", "not: [read"),
    ]);
    let found = load(folder.path(), Wanted::RBAC).unwrap();
    assert_eq!(names(&found), ["ClusterRole cr", "Role r", "RoleBinding rb"]);
    assert_eq!(found.files, 3);
    let others: Vec<_> = found.others.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(others, [("ConfigMap", 1), ("Deployment.apps", 1)]);
    for object in &found.rbac {
        match object {
            RbacObject::RoleBinding(binding) => {
                assert_eq!(binding.role_ref.api_group.as_deref(), Some(validate::RBAC_GROUP));
                let subject = &binding.subjects.as_ref().unwrap()[0];
                assert_eq!(subject.api_group.as_deref(), Some(validate::RBAC_GROUP));
            }
            RbacObject::ClusterRole(role) => assert_eq!(role.metadata.namespace, None),
            _ => {}
        }
    }
}

#[test]
fn aggregated_roles_are_filled() {
    let folder = folder(&[(
        "a.yaml",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: view}\n\
             aggregationRule: {clusterRoleSelectors: [{matchLabels: {to-view: \"true\"}}]}\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: part, labels: {to-view: \"true\"}}\n\
             rules: [{apiGroups: [\"\"], resources: [pods], verbs: [list]}]\n",
    )]);
    let found = load(folder.path(), Wanted::RBAC).unwrap();
    let rules: Vec<_> = found
        .rbac
        .iter()
        .map(|object| match object {
            RbacObject::ClusterRole(role) => role.rules.clone().unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0], rules[1]);
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    check_error_of(text, Wanted::RBAC, expected);
}

#[track_caller]
fn check_error_of(text: &str, wanted: Wanted, expected: &str) {
    let folder = folder(&[("a.yaml", text)]);
    let error = load(folder.path(), wanted).unwrap_err().to_string();
    let file = folder.path().join("a.yaml").display().to_string();
    assert_eq!(error.replace(&file, "a.yaml").replace(&folder.path().display().to_string(), "DIR"), expected);
}

#[test]
fn bad_objects_have_a_place() {
    let binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: b}\n\
                   roleRef: {kind: ClusterRole, name: r}\nsubjects:\n- {kind: User, name: jane}\n";
    for (text, expected) in [
        (ROLE.replace("verbs", "verb"), "a.yaml:5: rules[0].verb: unknown field"),
        (ROLE.replace("[get]", "[]"), "a.yaml:5: rules[0].verbs: must hold at least one verb"),
        (
            ROLE.replace("[get]", "get"),
            "a.yaml:5: rules[0].verbs: invalid type: string \"get\", expected a sequence",
        ),
        (
            ROLE.replace("resources: [pods]", "nonResourceURLs: [/x]"),
            "a.yaml:5: rules[0].nonResourceURLs: cannot stand in a Role, whose rules are for one namespace",
        ),
        (
            ROLE.replace("apiGroups: [\"\"], ", ""),
            "a.yaml:5: rules[0].apiGroups: must hold at least one API group (`\"\"` is the core group)",
        ),
        (
            ROLE.replace(", namespace: ns", ""),
            "a.yaml:3: metadata.namespace: must be set: no command line adds it",
        ),
        (ROLE.replace("{name: r, ", "{"), "a.yaml:3: metadata.name: must be set"),
        (
            ROLE.replace("/v1", "/v1beta1"),
            "a.yaml:1: apiVersion: expected `rbac.authorization.k8s.io/v1`, found `rbac.authorization.k8s.io/v1beta1`, which Kubernetes no longer serves",
        ),
        (format!("{ROLE}---\n{ROLE}"), "a.yaml:7: Role `ns/r` stands in a.yaml:1 already"),
        (
            binding.replace("kind: ClusterRole,", "kind: Role,"),
            "a.yaml:4: roleRef.kind: expected `ClusterRole`, found `Role`",
        ),
        (
            binding.replace("kind: User", "kind: Users"),
            "a.yaml:6: subjects[0].kind: expected `User` or `Group` or `ServiceAccount`, found `Users`",
        ),
        (
            binding.replace("kind: User", "kind: ServiceAccount"),
            "a.yaml:6: subjects[0].namespace: must be set for a ServiceAccount",
        ),
        (
            binding.replace("kind: User", "apiGroup: v1, kind: User"),
            "a.yaml:6: subjects[0].apiGroup: expected `rbac.authorization.k8s.io`, found `v1`",
        ),
        (
            "kind: ConfigMap\napiVersion: v1\n".to_owned(),
            "DIR: no RBAC objects in it: expected `*.yaml`, `*.yml` or `*.json`",
        ),
    ] {
        check_error(&text, expected);
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_no_reason_to_go_on_without_it() {
    let folder = folder(&[("a.yaml", ROLE)]);
    std::os::unix::fs::symlink("gone", folder.path().join("b.yaml")).unwrap();
    let error = load(folder.path(), Wanted::RBAC).unwrap_err().to_string();
    assert!(error.ends_with("b.yaml: No such file or directory (os error 2)"), "{error}");
}

/// Folders of real projects: what loads, loads whole; what does not, says where.
#[test]
fn samples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/samples/rbac");
    if !root.is_dir() {
        println!("skipped: no sample RBAC objects beside this workspace");
        return;
    }
    let bootstrap = load(&root.join("kubernetes-bootstrap"), Wanted::RBAC).unwrap();
    assert!(bootstrap.rbac.len() > 50, "{}", bootstrap.rbac.len());
    assert!(bootstrap.others.is_empty(), "{:?}", bootstrap.others);
    for folder in fs::read_dir(&root).unwrap() {
        let folder = folder.unwrap().path();
        match load(&folder, Wanted::RBAC) {
            Ok(found) => {
                println!("{}: {} objects, others {:?}", folder.display(), found.rbac.len(), found.others)
            }
            Err(error) => {
                println!("{error}");
                assert!(error.to_string().starts_with(&folder.display().to_string()), "{error}");
            }
        }
    }
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: ns}\n\
                   spec:\n  nodeName: node1\n  containers: [{name: c, image: i}]\n  \
                   volumes:\n  - {name: v, secret: {secretName: session}}\n  - {name: d, persistentVolumeClaim: {claimName: data}}\n";

/// What the node may get, of `RESOURCE NAMESPACE/NAME`, by what is in the folder.
fn node_gets(found: &Manifests, node: &str, resource: &str) -> bool {
    let authorizer = node::Node::new(true);
    authorizer.update(|graph| found.node.iter().cloned().for_each(|object| graph.apply(object)));
    let user = types::User::new(format!("system:node:{node}"), ["system:nodes"]);
    let (group_and_resource, object) = resource.split_once(' ').unwrap();
    let (resource, api_group) = group_and_resource.split_once('.').unwrap_or((group_and_resource, ""));
    let (namespace, name) = object.split_once('/').unwrap();
    let at = types::Attributes {
        user: &user,
        verb: "get",
        resource_request: true,
        namespace,
        api_group,
        api_version: "v1",
        resource,
        subresource: "",
        name,
        path: "",
        selectors: &types::selector::Selectors::NONE,
    };
    authorizer.decide(&at).decision == types::Decision::Allow
}

#[test]
fn what_the_node_authorizer_decides_by() {
    let volume = "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: pv}\nspec:\n  \
                  claimRef: {namespace: ns, name: data}\n  \
                  csi: {driver: d, volumeHandle: h, nodePublishSecretRef: {namespace: storage, name: mount}}\n";
    let folder = folder(&[
        (
            "a.yaml",
            &format!(
                "{POD}---\n{volume}---\n{ROLE}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n"
            ),
        ),
        (
            "b.json",
            r#"{"apiVersion":"v1","kind":"PodList","items":[
                {"metadata":{"name":"a","namespace":"ns"},"spec":{"nodeName":"node2","containers":[
                    {"name":"c","image":"i","envFrom":[{"secretRef":{"name":"env"}}]}]}},
                {"metadata":{"name":"pending","namespace":"ns"},"spec":{"containers":[]}}]}"#,
        ),
        (
            "c.yaml",
            "apiVersion: v1\nkind: List\nitems:\n\
             - {apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: va}, spec: {attacher: a, nodeName: node1, source: {}}}\n\
             - {apiVersion: apps/v1, kind: Deployment}\n",
        ),
    ]);
    let found = load(folder.path(), Wanted { rbac: true, node: true }).unwrap();
    assert_eq!((found.rbac.len(), found.node.len(), found.unbound_pods), (1, 5, 1));
    let others: Vec<_> = found.others.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(others, [("Deployment.apps", 1), ("Secret", 1)]);
    for (resource, of_node1, of_node2) in [
        ("secrets ns/session", true, false),
        ("secrets ns/env", false, true),
        ("secrets storage/mount", true, false),
        ("secrets ns/other", false, false),
        ("persistentvolumes /pv", true, false),
        ("volumeattachments.storage.k8s.io /va", true, false),
    ] {
        let found = (node_gets(&found, "node1", resource), node_gets(&found, "node2", resource));
        assert_eq!(found, (of_node1, of_node2), "{resource}");
    }
    // A gate that reads roles from a folder is not kept from starting by a pod in it.
    let found = load(folder.path(), Wanted::RBAC).unwrap();
    assert_eq!((found.node.len(), found.others["Pod"], found.others["PodList"]), (0, 1, 1));
}

#[test]
fn bad_pods_and_volumes_have_a_place() {
    let attachment = "apiVersion: storage.k8s.io/v1\nkind: VolumeAttachment\nmetadata: {name: va}\nspec:\n  attacher: a\n  source: {}\n";
    let node = Wanted { rbac: false, node: true };
    for (text, expected) in [
        (
            POD.replace("secretName", "secretname"),
            "a.yaml:8: spec.volumes[0].secret.secretname: unknown field",
        ),
        (
            POD.replace("nodeName: node1", "nodeName: [node1]"),
            "a.yaml:5: spec.nodeName: invalid type: sequence, expected a string",
        ),
        (
            POD.replace(", namespace: ns", ""),
            "a.yaml:3: metadata.namespace: must be set: no command line adds it",
        ),
        (POD.replace("name: web, ", ""), "a.yaml:3: metadata.name: must be set"),
        (POD.replace("Version: v1", "Version: v2"), "a.yaml:1: apiVersion: expected `v1`, found `v2`"),
        (format!("{POD}---\n{POD}"), "a.yaml:11: Pod `ns/web` stands in a.yaml:1 already"),
        (attachment.to_owned(), "a.yaml:5: spec.nodeName: must be set"),
        (
            attachment.replace("io/v1", "io/v1beta1"),
            "a.yaml:1: apiVersion: expected `storage.k8s.io/v1`, found `storage.k8s.io/v1beta1`",
        ),
        (ROLE.to_owned(), "DIR: no pods or volumes in it: expected `*.yaml`, `*.yml` or `*.json`"),
    ] {
        check_error_of(&text, node, expected);
    }
}
