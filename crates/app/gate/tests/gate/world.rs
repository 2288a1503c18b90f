//! A gate, what stands behind it, and who comes to it.

use std::time::{Duration, Instant};

use gate::{Options, Running, start};
use testkit::{Authority, Certified, Client, Folder, Http2Request, Message, Reply, Response, Spec, Upstream};

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
    kept: Kept,
    running: Option<Running>,
}

/// Keys and files of a gate.
pub(crate) struct Kept {
    clients: Authority,
    server_ca: Authority,
    folder: Folder,
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
        let (mut options, kept) = Self::options(&upstream);
        change(&mut options, &kept.folder);
        let running = start(options.load().unwrap()).unwrap();
        Self { upstream, kept, running: Some(running) }
    }

    /// The tests' usual options, and what must live as long as they do.
    pub(crate) fn options(upstream: &Upstream) -> (Options, Kept) {
        let (clients, server_ca, folder) =
            (Authority::new("clients"), Authority::new("server"), Folder::new());
        let server = server_ca.server();
        folder.write("rbac/dev.yaml", RBAC);
        let options = Options {
            bind_address: [127, 0, 0, 1].into(),
            secure_port: 0,
            admin_address: Some(([127, 0, 0, 1], 0).into()),
            tls_cert_file: Some(folder.write("server.crt", &server.certificate_pem)),
            tls_private_key_file: Some(folder.write("server.key", &server.key_pem)),
            client_ca_file: Some(folder.write("clients.crt", clients.pem())),
            token_auth_file: Some(folder.write("tokens.csv", "tok-dev,dev,1,\"dev\"\ntok-eve,eve,2\n")),
            rbac_from: Some(folder.path().join("rbac")),
            audit_log_path: Some(folder.path().join("audit.log")),
            upstream_kubeconfig: Some(folder.write("upstream.yaml", upstream.kubeconfig())),
            workers: Some(2),
            ..Options::default()
        };
        (options, Kept { clients, server_ca, folder })
    }

    /// Its files.
    pub(crate) fn folder(&self) -> &Folder {
        &self.kept.folder
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub(crate) fn certificate(&self, common_name: &str, organizations: &[&str]) -> Certified {
        self.kept.clients.client(&Spec { common_name: Some(common_name), organizations, ..Spec::default() })
    }

    /// A certificate that is good for so many seconds from now.
    pub(crate) fn short_lived(&self, common_name: &str, organizations: &[&str], seconds: u64) -> Certified {
        let good_for = Some(Duration::from_secs(seconds));
        self.kept.clients.client(&Spec {
            common_name: Some(common_name),
            organizations,
            good_for,
            ..Spec::default()
        })
    }

    pub(crate) fn connect(&self, certificate: Option<&Certified>) -> Client {
        self.try_connect(certificate).unwrap()
    }

    pub(crate) fn try_connect(&self, certificate: Option<&Certified>) -> std::io::Result<Client> {
        Client::connect(self.running().address(), self.kept.server_ca.pem(), certificate)
    }

    /// As `dev`, who has a certificate.
    pub(crate) fn dev(&self) -> Client {
        self.connect(Some(&self.certificate("dev", &["dev"])))
    }

    /// One request on a connection of its own, without certificate.
    pub(crate) fn ask(&self, request: &str) -> Response {
        self.connect(None).roundtrip(request).unwrap()
    }

    /// The status codes of one HTTP/2 connection's requests.
    pub(crate) fn http2(&self, targets: &[&str], token: Option<&str>) -> Vec<u16> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        let requests: Vec<_> = targets.iter().map(|target| ("GET", *target, headers.as_slice())).collect();
        self.http2_requests(&requests)
    }

    /// The same, of any requests.
    pub(crate) fn http2_requests(&self, requests: &[Http2Request<'_>]) -> Vec<u16> {
        let answers = testkit::http2(self.running().address(), self.kept.server_ca.pem(), requests);
        answers.into_iter().map(|answer| answer.status).collect()
    }

    /// Waits until this event is on record.
    pub(crate) fn until_on_record(&self, audit_id: &str, stage: &str) {
        let (id, stage) = (format!("\"auditID\":\"{audit_id}\""), format!("\"stage\":\"{stage}\""));
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let log = std::fs::read_to_string(self.kept.folder.path().join("audit.log")).unwrap();
            if log.lines().any(|line| line.contains(&id) && line.contains(&stage)) {
                return;
            }
            assert!(Instant::now() < patience, "no {stage} of {id}");
            std::thread::yield_now();
        }
    }

    /// Stops the gate and returns its audit events, one JSON text a line.
    pub(crate) fn audit(&mut self) -> Vec<String> {
        let running = self.running.take().unwrap();
        running.shutdown();
        running.wait();
        let log = std::fs::read_to_string(self.kept.folder.path().join("audit.log")).unwrap();
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
