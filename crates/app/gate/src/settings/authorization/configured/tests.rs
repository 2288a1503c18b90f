use testkit::{Folder, Upstream};

use super::*;

const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n";
const RBAC: &str = "- {type: RBAC, name: rbac}\n";

fn hook(folder: &Folder, name: &str, timeout: &str) -> String {
    let file = folder.path().join(format!("{name}.kubeconfig"));
    format!(
        "- type: Webhook\n  name: {name}\n  webhook: {{timeout: {timeout}, failurePolicy: Deny, \
         subjectAccessReviewVersion: v1, connectionInfo: {{type: KubeConfigFile, kubeConfigFile: '{}'}}}}\n",
        file.display()
    )
}

struct Files {
    folder: Folder,
    server: Upstream,
}

impl Files {
    fn new() -> Self {
        let (folder, server) = (Folder::new(), Upstream::that_says_yes());
        for name in ["a", "b"] {
            folder.write(&format!("{name}.kubeconfig"), server.kubeconfig());
        }
        Self { folder, server }
    }

    fn read(&self, authorizers: &[String]) -> Result<Configured, LoadError> {
        let text = format!("{HEAD}{}", authorizers.concat());
        Configured::read(&self.folder.write("authz.yaml", text))
    }
}

#[test]
fn changes_are_told() {
    let files = Files::new();
    let (a, b, slow) =
        (hook(&files.folder, "a", "3s"), hook(&files.folder, "b", "3s"), hook(&files.folder, "a", "4s"));
    let rbac = RBAC.to_owned();
    let check = |before: &[&String], after: &[&String], expected: &str| {
        let read =
            |of: &[&String]| files.read(&of.iter().map(|one| (*one).clone()).collect::<Vec<_>>()).unwrap();
        let (before, after) = (read(before), read(after));
        assert_eq!(before.changes(&after).to_string(), expected);
        assert_eq!(before.decides_as(&after), !expected.contains(';'), "{expected}");
    };
    check(&[&a, &rbac], &[&a, &rbac], "now a, rbac");
    check(&[&a, &rbac], &[&slow, &rbac], "changed a; now a, rbac");
    check(&[&a, &rbac], &[&rbac, &b], "added b; removed a; now rbac, b");
    check(&[&a, &rbac], &[&b, &rbac, &a], "added b; in another order; now b, rbac, a");
    check(&[&a, &rbac, &b], &[&a, &rbac], "removed b; now a, rbac");
}

#[test]
fn a_kubeconfig_counts_with_all_that_it_names() {
    let files = Files::new();
    let chain = [hook(&files.folder, "a", "3s"), RBAC.to_owned()];
    let before = files.read(&chain).unwrap();
    let again = |kubeconfig: String| {
        files.folder.write("a.kubeconfig", kubeconfig);
        let now = files.read(&chain).unwrap();
        assert_eq!(before.stands_as(&now), before.decides_as(&now));
        before.decides_as(&now)
    };
    // Another comment; another key for the same name, which is another file's content.
    let text = std::fs::read_to_string(files.folder.path().join("a.kubeconfig")).unwrap();
    assert!(again(format!("# new\n{text}")));
    assert!(!again(files.server.kubeconfig()), "the key has changed");
    // Clients read the file of a token by themselves.
    let with_token = |name: &str| {
        let (head, rest) = text.split_once("    client-certificate").unwrap();
        let (_, contexts) = rest.split_once("contexts:").unwrap();
        let path = files.folder.path().join(name).display().to_string();
        format!("{head}    tokenFile: {path}\ncontexts:{contexts}")
    };
    files.folder.write("token", "one");
    files.folder.write("other", "one");
    files.folder.write("a.kubeconfig", with_token("token"));
    let before = files.read(&chain).unwrap();
    files.folder.write("token", "two");
    assert!(before.decides_as(&files.read(&chain).unwrap()));
    files.folder.write("a.kubeconfig", with_token("other"));
    assert!(!before.decides_as(&files.read(&chain).unwrap()));
}

#[test]
fn what_may_follow() {
    let files = Files::new();
    let check = |start: &[&str], then: &[&str], expected: Result<(), &str>| {
        let read = |kinds: &[&str]| {
            let line = |kind: &&str| format!("- {{type: {kind}, name: {}}}\n", kind.to_lowercase());
            files.read(&kinds.iter().map(line).collect::<Vec<_>>()).unwrap()
        };
        let found = read(then).may_follow(&read(start).built_in()).map_err(|error| error.to_string());
        match (&found, expected) {
            (Ok(()), Ok(())) => {}
            (Err(found), Err(expected)) if found.contains(expected) => {}
            _ => panic!("{start:?} {then:?}: {found:?}"),
        }
    };
    check(&["Node", "RBAC"], &["RBAC", "Node", "AlwaysDeny"], Ok(()));
    check(&["Node", "RBAC"], &["RBAC"], Err("missing required types: Node:"));
    check(&["Node", "RBAC"], &["AlwaysAllow"], Err("missing required types: Node, RBAC:"));
    check(&["RBAC"], &["Node", "RBAC"], Err("authorizer type Node is not allowed if it was not enabled"));
    check(&["AlwaysDeny"], &["AlwaysDeny", "RBAC"], Err("authorizer type RBAC is not allowed"));
    check(&["RBAC", "AlwaysDeny"], &["RBAC"], Err("missing required types: AlwaysDeny:"));
}
