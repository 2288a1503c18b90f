//! A gate, what stands behind it, and who comes to it.

use gate::{Options, Running, start};
use testkit::{Authority, Certified, Client, Folder, Message, Reply, Response, Spec, Upstream};

/// Who may do what: `dev` gets, lists and watches pods, runs commands in them, and reads `/version`.
const RBAC: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: dev}
rules:
- {apiGroups: [''], resources: [pods, pods/log], verbs: [get, list, watch, create, delete]}
- {apiGroups: [''], resources: [pods/exec], verbs: [get, create]}
- {nonResourceURLs: [/version, '*/odd'], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: dev}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: dev}
";

/// A gate under test.
pub(crate) struct World {
    pub(crate) upstream: Upstream,
    pub(crate) clients: Authority,
    server_ca: Authority,
    folder: Folder,
    running: Option<Running>,
}

impl World {
    /// In front of an upstream that says yes to everything.
    pub(crate) fn new() -> Self {
        Self::with(Upstream::that_says_yes(), |_, _| {})
    }

    /// In front of an upstream that answers as told.
    pub(crate) fn answering(answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Upstream::start(answer), |_, _| {})
    }

    /// With other options than the tests' usual ones.
    pub(crate) fn with(upstream: Upstream, change: impl FnOnce(&mut Options, &Folder)) -> Self {
        let (clients, server_ca, folder) =
            (Authority::new("clients"), Authority::new("server"), Folder::new());
        let server = server_ca.server();
        std::fs::create_dir(folder.path().join("rbac")).unwrap();
        folder.write("rbac/dev.yaml", RBAC);
        let mut options = Options {
            bind_address: "127.0.0.1".parse().unwrap(),
            secure_port: 0,
            admin_address: Some("127.0.0.1:0".parse().unwrap()),
            tls_cert_file: Some(folder.write("server.crt", &server.certificate_pem)),
            tls_private_key_file: Some(folder.write("server.key", &server.key_pem)),
            client_ca_file: Some(folder.write("clients.crt", clients.pem())),
            token_auth_file: Some(folder.write("tokens.csv", "tok-dev,dev,1,\"dev\"\ntok-eve,eve,2\n")),
            rbac_from: Some(folder.path().join("rbac")),
            audit_log_path: Some(folder.path().join("audit.log")),
            upstream_kubeconfig: Some(folder.write("upstream.yaml", &upstream.kubeconfig())),
            workers: Some(2),
            ..Options::default()
        };
        change(&mut options, &folder);
        let running = start(options.load().unwrap()).unwrap();
        Self { upstream, clients, server_ca, folder, running: Some(running) }
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub(crate) fn certificate(&self, common_name: &str, organizations: &[&str]) -> Certified {
        self.clients.client(&Spec { common_name: Some(common_name), organizations, ..Spec::default() })
    }

    pub(crate) fn connect(&self, certificate: Option<&Certified>) -> Client {
        Client::connect(self.running().address(), self.server_ca.pem(), certificate).unwrap()
    }

    /// As `dev`, who has a certificate.
    pub(crate) fn dev(&self) -> Client {
        self.connect(Some(&self.certificate("dev", &["dev"])))
    }

    /// One request on a connection of its own, without certificate.
    pub(crate) fn ask(&self, request: &str) -> Response {
        self.connect(None).roundtrip(request).unwrap()
    }

    /// Stops the gate and returns its audit events, one JSON text a line.
    pub(crate) fn audit(&mut self) -> Vec<String> {
        let running = self.running.take().unwrap();
        running.shutdown();
        running.wait();
        let log = std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

/// The head of a request.
pub(crate) fn request(line: &str, headers: &[&str]) -> String {
    let mut text = format!("{line} HTTP/1.1\r\nHost: gate\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text + "\r\n"
}
