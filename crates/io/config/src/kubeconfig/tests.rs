use std::path::PathBuf;

use testkit::Folder;

use super::*;

/// A kubeconfig whose only cluster, user and context are made of the lines given.
fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: main\ncontexts:\n- name: main\n  context: {{cluster: c, user: u}}\n\
         clusters:\n- name: c\n  cluster: {{{cluster}}}\nusers:\n- name: u\n  user: {{{user}}}\n"
    )
}

const CLUSTER: &str = "server: 'https://10.0.0.1:6443', certificate-authority-data: Q0E=";

fn load_text(text: &str, context: Option<&str>) -> Result<ClusterAccess, String> {
    let documents = yaml::parse("k.yaml", text.as_bytes()).map_err(|error| error.to_string())?;
    let loader = Loader { document: documents.first().ok_or("empty")?, folder: Path::new("") };
    loader.load(context).map(|loaded| loaded.access).map_err(|error| error.to_string())
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    let error = load_text(text, None).unwrap_err();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn inline_data() {
    let user = "client-certificate-data: Q0VS\\nVA==, client-key-data: S0VZ";
    let access =
        load_text(&kubeconfig(CLUSTER, &user.replace("Q0VS\\nVA==", "\"Q0VS\\nVA==\"")), None).unwrap();
    assert_eq!((access.host.as_str(), access.port), ("10.0.0.1", 6443));
    assert_eq!(access.ca.text, b"CA");
    assert_eq!(access.ca.origin, "k.yaml: clusters[0].cluster.certificate-authority-data");
    let (chain, key) = access.client_certificate.unwrap();
    assert_eq!((chain.text.as_slice(), key.text.as_slice()), (b"CERT".as_slice(), b"KEY".as_slice()));
    assert_eq!(access.token, None);
}

#[test]
fn a_token_and_another_name() {
    let cluster = format!("{CLUSTER}, tls-server-name: kubernetes");
    let access = load_text(&kubeconfig(&cluster, "token: abc"), Some("main")).unwrap();
    assert_eq!(access.tls_server_name.as_deref(), Some("kubernetes"));
    assert_eq!(access.token, Some(Token::Fixed(Secret::new("abc"))));
    assert!(!format!("{access:?}").contains("abc"));
}

#[test]
fn files_begin_at_the_folder_of_the_kubeconfig() {
    let files = Folder::new();
    let folder = files.path();
    files.write("pki/ca.crt", "CA");
    files.write("token", " abc\n");
    let cluster = "server: 'https://10.0.0.1', certificate-authority: pki/ca.crt";
    let path = folder.join("admin.conf");
    std::fs::write(&path, kubeconfig(cluster, "tokenFile: token, token: old")).unwrap();
    let access = load(&path, None).unwrap();
    assert_eq!(access.ca.text, b"CA");
    let expected = Token::File { path: folder.join("token"), first: Secret::new("abc") };
    assert_eq!(access.token, Some(expected));

    std::fs::write(&path, kubeconfig(cluster, "tokenFile: gone")).unwrap();
    let error = load(&path, None).unwrap_err().to_string();
    let place =
        format!("{}:12: users[0].user.tokenFile: {}: ", path.display(), folder.join("gone").display());
    assert!(error.starts_with(&place), "{error}");
}

#[test]
fn what_a_gate_must_not_do_is_refused() {
    let good = "token: abc";
    for (cluster, user, expected) in [
        (
            "server: 'http://10.0.0.1', certificate-authority-data: Q0E=",
            good,
            "k.yaml:9: clusters[0].cluster.server: refused",
        ),
        (
            "server: 'https://rancher.example/k8s/clusters/c-1', certificate-authority-data: Q0E=",
            good,
            "k.yaml:9: clusters[0].cluster.server: refused: a path",
        ),
        (
            "server: 'https://a', insecure-skip-tls-verify: true",
            good,
            "clusters[0].cluster.insecure-skip-tls-verify: refused",
        ),
        (
            "server: 'https://a', certificate-authority-data: Q0E=, proxy-url: 'http://p'",
            good,
            "clusters[0].cluster.proxy-url: refused",
        ),
        ("server: 'https://a'", good, "k.yaml:9: clusters[0].cluster.certificate-authority: must be set"),
        (
            "server: 'https://a', certificate-authority-data: '%'",
            good,
            "certificate-authority-data: not base64",
        ),
        (CLUSTER, "exec: {command: aws}", "k.yaml:12: users[0].user.exec: refused"),
        (CLUSTER, "auth-provider: {name: gcp}", "users[0].user.auth-provider: refused"),
        (CLUSTER, "username: a, password: b", "users[0].user.username: refused"),
        (CLUSTER, "token: abc, as: root", "users[0].user.as: refused"),
        (CLUSTER, "token: abc, as-groups: [a]", "users[0].user.as: refused"),
        (CLUSTER, "", "k.yaml:12: users[0].user: has no credential"),
        (CLUSTER, "client-key-data: S0VZ", "users[0].user.client-certificate: must be set"),
        (CLUSTER, "client-certificate-data: S0VZ", "users[0].user.client-key: must be set"),
        (CLUSTER, "tokn: abc", "k.yaml:12: users[0].user.tokn: unknown field"),
    ] {
        check_error(&kubeconfig(cluster, user), expected);
    }
}

#[test]
fn a_webhook_may_have_a_path_and_no_credential() {
    let folder = Folder::new();
    let load = |cluster: &str| {
        let path = folder.write("webhook.yaml", kubeconfig(cluster, ""));
        load_webhook(&path).map_err(|error| error.to_string())
    };
    let (access, path) =
        load("server: 'https://authz.example/v1//authorize/', certificate-authority-data: Q0E=").unwrap();
    assert_eq!((access.host.as_str(), access.port, path.as_str()), ("authz.example", 443, "/v1/authorize"));
    assert!(access.token.is_none() && access.client_certificate.is_none());
    let error =
        load("server: 'http://authz.example/authorize', certificate-authority-data: Q0E=").unwrap_err();
    assert!(error.contains("clusters[0].cluster.server: refused"), "{error}");
    assert!(
        load("server: 'https://authz.example'").unwrap_err().contains("certificate-authority: must be set")
    );
}

#[test]
fn contexts_must_exist_once() {
    let good = kubeconfig(CLUSTER, "token: abc");
    check_error(
        &good.replace("current-context: main\n", ""),
        "current-context: is not set: name a context (there are `main`)",
    );
    check_error(
        &good.replace("current-context: main", "current-context: other"),
        "k.yaml:3: current-context: no context is named `other` (there are `main`)",
    );
    check_error(
        &good.replace("cluster: c,", "cluster: d,"),
        "k.yaml:6: contexts[0].context.cluster: no cluster is named `d`",
    );
    check_error(&good.replace("user: u}", "user: v}"), "contexts[0].context.user: no user is named `v`");
    check_error(&good.replace("users:\n", "users:\n- name: u\n"), "users[1].name: the name `u` stands twice");
    check_error(&good.replace("kind: Config", "kind: Pod"), "k.yaml:2: kind: expected `Config`, found `Pod`");
    let error = load_text(&good, Some("other")).unwrap_err();
    assert!(error.contains("contexts: no context is named `other`"), "{error}");
}

/// Files of real projects: each loads, or says what is wrong and where.
#[test]
fn samples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/samples/kubeconfigs");
    if !root.is_dir() {
        println!("skipped: no sample kubeconfigs beside this workspace");
        return;
    }
    let outcome = |name: &str| load(&root.join(name), None).map_err(|error| error.to_string());
    for (name, expected) in [
        ("kubeswitch/exec-oidc-login.yaml", "users[0].user.exec: refused"),
        ("istio/cni-skip-tls.yaml", "insecure-skip-tls-verify"),
        ("aws-cli/invalid_string_cluster_entry", "clusters"),
        ("aws-cli/invalid_text", "invalid_text:"),
        ("kubeadm/kubelet-with-invalid-user.yaml", "no user is named `invalidUser`"),
        ("minikube/config1", "current-context: no context is named `minikube`"),
        ("kubespray/audit-webhook.yaml.j2", "kubespray/audit-webhook.yaml.j2:"),
        ("openshift/kubeconfig-cm.yaml", "kind: expected `Config`, found `ConfigMap`"),
    ] {
        let error = outcome(name).unwrap_err();
        assert!(error.contains(expected), "{name}: {error}");
    }
    let mut loaded = Vec::new();
    for folder in std::fs::read_dir(&root).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path: PathBuf = file.unwrap().path();
            match load(&path, None) {
                Ok(_) => loaded.push(path.strip_prefix(&root).unwrap().display().to_string()),
                Err(error) => {
                    println!("{error}");
                    assert!(
                        error.to_string().contains(path.file_name().unwrap().to_str().unwrap()),
                        "{error}"
                    );
                }
            }
        }
    }
    loaded.sort();
    println!("{loaded:?}");
}
