//! Cases sent as requests: through the TLS socket of a running gate, in front of an upstream that
//! remembers.

mod golden;
mod impersonating;
mod request_line;
mod sampled;

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use authz::Impersonation;
use gate::{Options, Running};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use testkit::{Authority, Certified, Client, Folder, Message, Response, Spec, Upstream};

use crate::{Ledger, Mode};

/// Runs the cases of a file through a running gate. Returns whether it is as it must be, and the
/// lines to print.
pub type RunSocket = fn(&Path, &Ledger, Mode) -> (bool, Vec<String>);

/// Which file is run by what, beside the runs in [`crate::runners::ALL`].
pub const ALL: &[(&str, RunSocket)] = &[
    ("request_info.jsonl", request_line::run),
    ("rbac.jsonl", sampled::run),
    ("impersonation.jsonl", impersonating::legacy),
    ("constrained_impersonation.jsonl", impersonating::constrained),
    ("http_golden.jsonl", golden::run),
];

/// A gate with its upstream and the keys to both.
struct Fixture {
    running: Option<Running>,
    upstream: Upstream,
    authority: Authority,
    audit: BufReader<File>,
    /// The beginning of a line whose end has not been written yet.
    line: String,
    /// What the audit log has said so far and nobody has asked for.
    events: Vec<Value>,
    _folder: Folder,
}

impl Fixture {
    /// Starts a gate in front of `upstream`: client certificates, RBAC from `rbac`, audit log. The
    /// rest is for `configure` to say.
    fn start(
        upstream: Upstream,
        rbac: &Value,
        configure: impl FnOnce(&mut Options, &Folder),
    ) -> Result<Self, String> {
        let folder = Folder::new();
        let authority = Authority::new("conformance-ca");
        let server = authority.server();
        let audit = folder.write("audit.log", "");
        folder.write("rbac/world.json", rbac.to_string());
        let mut options = Options {
            bind_address: [127, 0, 0, 1].into(),
            secure_port: 0,
            tls_cert_file: Some(folder.write("server.crt", &server.certificate_pem)),
            tls_private_key_file: Some(folder.write("server.key", &server.key_pem)),
            client_ca_file: Some(folder.write("ca.crt", authority.pem())),
            rbac_from: Some(folder.path().join("rbac")),
            audit_log_path: Some(audit.clone()),
            upstream_kubeconfig: Some(folder.write("upstream.yaml", upstream.kubeconfig())),
            shutdown_grace: Duration::from_millis(100),
            workers: Some(1),
            ..Options::default()
        };
        configure(&mut options, &folder);
        let settings = options.load().map_err(|e| format!("the gate refuses its options: {e}"))?;
        let running = gate::start(settings).map_err(|e| format!("the gate does not start: {e}"))?;
        let audit = BufReader::new(File::open(&audit).map_err(|e| format!("audit log: {e}"))?);
        Ok(Self {
            running: Some(running),
            upstream,
            authority,
            audit,
            line: String::new(),
            events: Vec::new(),
            _folder: folder,
        })
    }

    fn client(&self, certificate: Option<&Certified>) -> Result<Client, String> {
        let running = self.running.as_ref().ok_or("the gate has stopped")?;
        Client::connect(running.address(), self.authority.pem(), certificate)
            .map_err(|e| format!("no connection: {e}"))
    }

    fn certificate(&self, common_name: &str, organizations: &[&str]) -> Certified {
        self.authority.client(&Spec { common_name: Some(common_name), organizations, ..Spec::default() })
    }

    /// Sends one request on a connection of its own.
    fn send(&self, certificate: Option<&Certified>, request: &[u8]) -> Result<Response, String> {
        self.client(certificate)?.roundtrip(request).map_err(|e| format!("no answer: {e}"))
    }

    /// The audit event of this id and stage. It has been handed to the file before the answer came
    /// or comes right after it, so the wait is short.
    fn event(&mut self, audit_id: &str, stage: &str) -> Option<Value> {
        let patience = Instant::now() + Duration::from_secs(5);
        loop {
            while self.audit.read_line(&mut self.line).ok()? > 0 && self.line.ends_with('\n') {
                self.events.extend(serde_json::from_str::<Value>(&self.line));
                self.line.clear();
            }
            let found = self.events.iter().position(|event| {
                event.get("auditID").and_then(Value::as_str) == Some(audit_id)
                    && event.get("stage").and_then(Value::as_str) == Some(stage)
            });
            match found {
                Some(at) => return Some(self.events.swap_remove(at)),
                None if Instant::now() > patience => return None,
                None => thread::yield_now(),
            }
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown();
            running.wait();
        }
    }
}

/// Appends a request's head. Names and values go out as they are.
fn head(method: &str, target: &str, headers: &[(String, String)]) -> Vec<u8> {
    let mut request = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// Who the upstream is told the user is, as its SelfSubjectReview would say it.
fn told(message: &Message) -> Value {
    let headers = message.headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    let user = Impersonation::new(true).requested(&mut headers.collect());
    json!(user.ok().flatten())
}
