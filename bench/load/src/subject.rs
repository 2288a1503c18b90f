//! What stands between the client and the upstream while load is sent.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use rustls::{ClientConfig, RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use testkit::{Authority, Certified, Folder, Spec};

use crate::{Error, process, upstream};

/// The token that every request shows; the upstream alone does not look at it.
const TOKEN: &str = "load-test-token";
const USER: &str = "load";
const PATH: &str = "/api/v1/namespaces/default/pods/web";
const PATIENCE: Duration = Duration::from_secs(10);

/// Keys, files and the upstream, the same for every subject.
pub(crate) struct World {
    folder: Folder,
    upstream: SocketAddr,
    client_tls: Arc<ClientConfig>,
}

impl World {
    pub(crate) fn new() -> Result<Self, Error> {
        let folder = Folder::new();
        let authority = Authority::new("load-ca");
        let server = authority.server();
        let gate = authority.client(&Spec { common_name: Some("gate"), ..Spec::default() });
        for (name, content) in [
            ("ca.crt", authority.pem()),
            ("server.crt", &server.certificate_pem),
            ("server.key", &server.key_pem),
            ("gate.crt", &gate.certificate_pem),
            ("gate.key", &gate.key_pem),
        ] {
            folder.write(name, content);
        }
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes())?)?;
        let roots = Arc::new(roots);
        let upstream = upstream::start(server_tls(&server, roots.clone())?)?;
        let client_tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { folder, upstream, client_tls: Arc::new(client_tls) })
    }

    pub(crate) fn client_tls(&self) -> Arc<ClientConfig> {
        self.client_tls.clone()
    }

    pub(crate) fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = hyper::Uri::from_static(PATH);
        let headers = request.headers_mut();
        for (name, value) in [
            (hyper::header::HOST, "localhost"),
            (hyper::header::USER_AGENT, "load"),
            (hyper::header::ACCEPT, "application/json"),
            (hyper::header::AUTHORIZATION, concat!("Bearer ", "load-test-token")),
        ] {
            headers.insert(name, hyper::header::HeaderValue::from_static(value));
        }
        request
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The upstream accepts the gate's certificate and clients without one.
fn server_tls(server: &Certified, roots: Arc<RootCertStore>) -> Result<ServerConfig, Error> {
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots, provider()).allow_unauthenticated().build()?;
    Ok(ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(server.certificate_pem.as_bytes())?],
            PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes())?,
        )?)
}

/// One thing to measure.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    process: Option<Child>,
}

impl Subject {
    /// Nothing in between.
    pub(crate) fn direct(world: &World) -> Self {
        Self { name: "direct", address: world.upstream, process: None }
    }

    /// The gate, all six layers on.
    pub(crate) fn gate(world: &World, binary: &Path) -> Result<Self, Error> {
        world.folder.write("tokens.csv", format!("{TOKEN},{USER},1000,\"developers\"\n"));
        world.folder.write("rbac/access.yaml", ACCESS);
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: load\n\
             clusters:\n- name: load\n  cluster: {{server: \"https://{}\", certificate-authority: ca.crt}}\n\
             users:\n- name: gate\n  user: {{client-certificate: gate.crt, client-key: gate.key}}\n\
             contexts:\n- name: load\n  context: {{cluster: load, user: gate}}\n",
            world.upstream
        );
        world.folder.write("upstream.yaml", kubeconfig);
        let mut process = Command::new(binary)
            .arg("serve")
            .args(["--bind-address=127.0.0.1", "--secure-port=0", "--allow-cidr=127.0.0.0/8"])
            .args([
                format!("--tls-cert-file={}", world.path("server.crt")),
                format!("--tls-private-key-file={}", world.path("server.key")),
                format!("--client-ca-file={}", world.path("ca.crt")),
                format!("--token-auth-file={}", world.path("tokens.csv")),
                format!("--rbac-from={}", world.path("rbac")),
                format!("--audit-log-path={}", world.path("audit.log")),
                format!("--upstream-kubeconfig={}", world.path("upstream.yaml")),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let address = address_said_by(&mut process)?;
        Ok(Self { name: "portcullis, six layers", address, process: Some(process) })
    }

    /// nginx as a bare TLS proxy with its access log on; `None` where it is not installed.
    pub(crate) fn nginx(world: &World) -> Result<Option<Self>, Error> {
        if Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_err() {
            return Ok(None);
        }
        // nginx cannot say which port it got; one that was free a moment ago will do.
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = NGINX
            .replace("@WORKERS@", &thread::available_parallelism()?.to_string())
            .replace("@FOLDER@", &world.folder.path().display().to_string())
            .replace("@LISTEN@", &address.to_string())
            .replace("@UPSTREAM@", &world.upstream.to_string());
        let config = world.folder.write("nginx.conf", config);
        let process = Command::new("nginx")
            .arg("-c")
            .arg(config)
            .arg("-e")
            .arg(world.path("nginx-error.log"))
            .spawn()?;
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > until {
                let log = fs::read_to_string(world.path("nginx-error.log")).unwrap_or_default();
                return Err(format!("nginx does not listen: {log}").into());
            }
            thread::yield_now();
        }
        Ok(Some(Self { name: "nginx, no layers", address, process: Some(process) }))
    }

    /// CPU time of the process in between and its children.
    pub(crate) fn cpu_time(&self) -> Result<Option<Duration>, Error> {
        let Some(pids) = self.pids()? else { return Ok(None) };
        pids.into_iter().map(process::cpu_time).sum::<Result<Duration, _>>().map(Some)
    }

    /// Memory of the process in between and its children.
    pub(crate) fn resident(&self) -> Result<Option<u64>, Error> {
        let Some(pids) = self.pids()? else { return Ok(None) };
        pids.into_iter().map(process::resident).sum::<Result<u64, _>>().map(Some)
    }

    fn pids(&self) -> Result<Option<Vec<u32>>, Error> {
        let Some(process) = &self.process else { return Ok(None) };
        let mut pids = process::children(process.id())?;
        pids.push(process.id());
        Ok(Some(pids))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // nginx ends its workers on SIGTERM, which `kill` of the standard library does not send.
            let _ = Command::new("kill").arg(process.id().to_string()).status();
            let _ = process.wait();
        }
    }
}

/// Waits for the line in which the gate says where it listens, and keeps its output flowing.
fn address_said_by(process: &mut Child) -> Result<SocketAddr, Error> {
    let mut output = process.stderr.take().ok_or("no output")?;
    let mut said = BufReader::new(process.stdout.take().ok_or("no output")?);
    let complaints = thread::spawn(move || {
        let mut text = String::new();
        let _ = output.read_to_string(&mut text);
        text
    });
    let mut line = String::new();
    while said.read_line(&mut line)? > 0 {
        if let Some((_, rest)) = line.split_once("https://") {
            let address: String =
                rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
            thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            return Ok(address.parse()?);
        }
        line.clear();
    }
    let complaints = complaints.join().unwrap_or_default();
    std::io::stderr().write_all(complaints.as_bytes())?;
    Err("the gate does not start".into())
}

const ACCESS: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pod-reader, namespace: default}
rules:
- {apiGroups: [\"\"], resources: [pods], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: read-pods, namespace: default}
subjects:
- {kind: User, name: load, apiGroup: rbac.authorization.k8s.io}
roleRef: {kind: Role, name: pod-reader, apiGroup: rbac.authorization.k8s.io}
";

const NGINX: &str = "\
daemon off;
worker_processes @WORKERS@;
pid @FOLDER@/nginx.pid;
events { worker_connections 1024; }
http {
  access_log @FOLDER@/nginx-access.log;
  client_body_temp_path @FOLDER@/nginx-body;
  proxy_temp_path @FOLDER@/nginx-proxy;
  fastcgi_temp_path @FOLDER@/nginx-fastcgi;
  uwsgi_temp_path @FOLDER@/nginx-uwsgi;
  scgi_temp_path @FOLDER@/nginx-scgi;
  keepalive_requests 1000000;
  upstream api { server @UPSTREAM@; keepalive 64; keepalive_requests 1000000; }
  server {
    listen @LISTEN@ ssl reuseport;
    ssl_certificate @FOLDER@/server.crt;
    ssl_certificate_key @FOLDER@/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {
      proxy_pass https://api;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_ssl_certificate @FOLDER@/gate.crt;
      proxy_ssl_certificate_key @FOLDER@/gate.key;
      proxy_ssl_trusted_certificate @FOLDER@/ca.crt;
      proxy_ssl_verify on;
      proxy_ssl_name localhost;
    }
  }
}
";
