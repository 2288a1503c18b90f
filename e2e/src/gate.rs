//! A gate in a process of its own, in front of a lab's API server, looked at from outside.

use std::{
    ffi::OsStr,
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::{Bench, Binary, Metrics, Open, bench::Listening};

/// A running gate.
pub struct Gate<'a> {
    bench: &'a Bench,
    process: Child,
    listening: Listening,
}

/// What a process holds on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Open file descriptors.
    pub descriptors: usize,
    /// What the gate counts itself.
    pub open: Open,
}

impl Held {
    /// Whether nothing of it has become more.
    pub fn is_within(&self, before: &Self) -> bool {
        self.descriptors <= before.descriptors
            && self.open.connections <= before.open.connections
            && self.open.streams <= before.open.streams
            && self.open.tasks <= before.open.tasks
    }
}

impl<'a> Gate<'a> {
    /// Starts `portcullis serve` with the lab's keys.
    pub fn start(binary: &Binary, bench: &'a Bench) -> Result<Self, String> {
        let lab = bench.folder().join(".portcullis/lab");
        let mut process = Command::new(binary.path())
            .args(["serve", "--bind-address", "127.0.0.1", "--secure-port", "0"])
            .args(["--admin-address", "127.0.0.1:0"])
            .arg("--tls-cert-file")
            .arg(lab.join("pki/apiserver.crt"))
            .arg("--tls-private-key-file")
            .arg(lab.join("pki/apiserver.key"))
            .arg("--client-ca-file")
            .arg(lab.join("pki/ca.crt"))
            .arg("--upstream-kubeconfig")
            .arg(lab.join("upstream.yaml"))
            .current_dir(bench.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("the gate does not start: {e}"))?;
        let listening = Listening::read(&mut process)?;
        let gate = Self { bench, process, listening };
        let admin = fs::read_to_string(lab.join("kubeconfigs/admin.yaml")).map_err(|e| e.to_string())?;
        let of_gate = admin.replace(&bench.address(), &format!("127.0.0.1:{}", gate.listening.port));
        fs::write(gate.kubeconfig(), of_gate).map_err(|e| e.to_string())?;
        Ok(gate)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.bench.folder().join(format!("through-{}.yaml", self.process.id()))
    }

    /// A program that reaches the API through this gate, as the lab's administrator.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.bench.command(program);
        command.env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// What the gate has counted.
    pub fn metrics(&self) -> Result<Metrics, String> {
        Metrics::scrape(&self.listening.admin)
    }

    /// What the process holds on to.
    pub fn held(&self) -> Result<Held, String> {
        let open = self.metrics()?.open();
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.process.id()));
        Ok(Held { descriptors: descriptors.map_err(|e| e.to_string())?.count(), open })
    }

    /// The most memory it has had resident since [`Gate::forget_peak`], in KiB.
    pub fn peak(&self) -> Result<u64, String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.map_err(|e| e.to_string())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| "no VmHWM".to_owned())
    }

    /// Lets the peak begin at what is resident now.
    pub fn forget_peak(&self) -> Result<(), String> {
        let path = format!("/proc/{}/clear_refs", self.process.id());
        fs::write(&path, "5").map_err(|e| format!("{path}: {e}"))
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
