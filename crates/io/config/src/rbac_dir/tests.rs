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

fn names(found: &RbacDir) -> Vec<String> {
    let mut names: Vec<_> = found
        .objects
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
    let found = load(folder.path()).unwrap();
    assert_eq!(names(&found), ["ClusterRole cr", "Role r", "RoleBinding rb"]);
    assert_eq!(found.files, 3);
    let others: Vec<_> = found.others.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(others, [("ConfigMap", 1), ("Deployment.apps", 1)]);
    for object in &found.objects {
        match object {
            RbacObject::RoleBinding(binding) => {
                assert_eq!(binding.role_ref.api_group.as_deref(), Some(GROUP));
                let subject = &binding.subjects.as_ref().unwrap()[0];
                assert_eq!(subject.api_group.as_deref(), Some(GROUP));
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
    let found = load(folder.path()).unwrap();
    let rules: Vec<_> = found
        .objects
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
    let folder = folder(&[("a.yaml", text)]);
    let error = load(folder.path()).unwrap_err().to_string();
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
    let error = load(folder.path()).unwrap_err().to_string();
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
    let bootstrap = load(&root.join("kubernetes-bootstrap")).unwrap();
    assert!(bootstrap.objects.len() > 50, "{}", bootstrap.objects.len());
    assert!(bootstrap.others.is_empty(), "{:?}", bootstrap.others);
    for folder in fs::read_dir(&root).unwrap() {
        let folder = folder.unwrap().path();
        match load(&folder) {
            Ok(found) => {
                println!("{}: {} objects, others {:?}", folder.display(), found.objects.len(), found.others)
            }
            Err(error) => {
                println!("{error}");
                assert!(error.to_string().starts_with(&folder.display().to_string()), "{error}");
            }
        }
    }
}
