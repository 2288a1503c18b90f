//! A folder with a running lab, in which commands are typed.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use testkit::Folder;

use crate::{Metrics, Step, same};

/// The program under test, built.
#[derive(Clone, Debug)]
pub struct Binary(PathBuf);

impl Binary {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Builds `portcullis` in the profile these tests are built in, or takes `PORTCULLIS_BINARY`.
    pub fn build() -> Result<Self, String> {
        if let Some(path) = env::var_os("PORTCULLIS_BINARY") {
            return Ok(Self(path.into()));
        }
        let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            // As part of the workspace, so that nothing is built twice with other features.
            .args(["build", "--quiet", "--workspace", "--bin", "portcullis", "--manifest-path"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
            .status()
            .map_err(|e| format!("cargo: {e}"))?;
        // This test lies in TARGET/debug/deps, the program in TARGET/debug.
        let here = env::current_exe().map_err(|e| e.to_string())?;
        let binary = here.ancestors().nth(2).map(|folder| folder.join("portcullis"));
        binary
            .filter(|path| status.success() && path.exists())
            .map(Self)
            .ok_or("no binary was built".to_owned())
    }
}

/// A folder of its own with a lab in `.portcullis/lab`.
pub struct Bench {
    folder: Folder,
    lab: Child,
    listening: Listening,
    /// Lines that set what later commands find in their environment.
    exported: String,
}

/// The ports of a program that has said where it listens.
pub(crate) struct Listening {
    pub(crate) port: String,
    pub(crate) admin: String,
}

impl Listening {
    /// Reads what a program says until both are known, and lets it say more.
    pub(crate) fn read(program: &mut Child) -> Result<Self, String> {
        let mut said = BufReader::new(program.stdout.take().ok_or("there is no output")?);
        let mut line = String::new();
        let (mut port, mut admin) = (None, None);
        while admin.is_none() && said.read_line(&mut line).is_ok_and(|read| read > 0) {
            port = port.or_else(|| number_after(&line, "https://127.0.0.1:"));
            admin = number_after(&line, "--admin-address 127.0.0.1:");
            line.clear();
        }
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let (port, admin) = port.zip(admin).ok_or("it ended without saying where it listens")?;
        Ok(Self { port, admin })
    }
}

impl Bench {
    /// Starts a lab with `kubectl` and `portcullis` on the PATH of what is typed.
    pub fn start(binary: &Binary, kubectl: &Path) -> Result<Self, String> {
        let folder = Folder::new();
        let tools = folder.path().join("bin");
        fs::create_dir_all(&tools).map_err(|e| e.to_string())?;
        for (name, program) in [("portcullis", binary.0.as_path()), ("kubectl", kubectl)] {
            symlink(program, tools.join(name)).map_err(|e| format!("{name}: {e}"))?;
        }
        let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
        symlink(deploy, folder.path().join("deploy")).map_err(|e| format!("deploy: {e}"))?;
        let mut lab = Command::new(&binary.0)
            .args(["lab", "--port", "0"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("the lab does not start: {e}"))?;
        let listening = Listening::read(&mut lab)?;
        Ok(Self { folder, lab, listening, exported: String::new() })
    }

    /// Where everything of this lab lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the gate has counted.
    pub fn metrics(&self) -> Result<Metrics, String> {
        Metrics::scrape(&self.listening.admin)
    }

    /// Where clients find the gate.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.listening.port)
    }

    /// Kills the lab, API server and all, as a machine that fails does.
    pub fn kill(&self) {
        let _ = Command::new("kill").args(["-9", &self.lab.id().to_string()]).status();
    }

    /// What the gate has put on record.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.path().join(".portcullis/lab/audit.log")
    }

    /// A program that runs in the lab's folder, as the lab's administrator.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let path =
            format!("{}:{}", self.folder.path().join("bin").display(), env::var("PATH").unwrap_or_default());
        command
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", self.folder.path().join(".portcullis/lab/kubeconfigs/admin.yaml"))
            .stdin(Stdio::null());
        command
    }

    /// Types one command and compares what it prints.
    pub fn run(&mut self, step: &Step) -> Result<(), String> {
        let command = step.command.replace("127.0.0.1:6443", &self.address()).replace(
            "portcullis status",
            &format!("portcullis status --admin-address 127.0.0.1:{}", self.listening.admin),
        );
        let command = command.replace(
            "portcullis explain --audit-id",
            &format!("portcullis explain --admin-address 127.0.0.1:{} --audit-id", self.listening.admin),
        );
        let script = format!("exec 2>&1\n{}{command}", self.exported);
        if step.command.starts_with("export ") && !step.command.contains([';', '\n']) {
            self.exported.push_str(&command);
            self.exported.push('\n');
        }
        // Errors and output in one stream, in the order in which they were written.
        let output = self
            .command("bash")
            .args(["-c", &script])
            .env_remove("KUBECONFIG")
            .output()
            .map_err(|e| format!("bash: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout).replace(&self.address(), "127.0.0.1:6443");
        let found: Vec<&str> = text.lines().collect();
        let status = output.status.code().unwrap_or(-1);
        if status == step.status && same(&step.output, &found) {
            return Ok(());
        }
        Err(format!(
            "line {}: $ {}\n--- expected (status {})\n{}\n--- found (status {status})\n{}",
            step.line,
            step.command,
            step.status,
            step.output.join("\n"),
            text.trim_end()
        ))
    }
}

fn number_after(line: &str, what: &str) -> Option<String> {
    line.split_once(what).map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect())
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What a scenario left running, also one that failed half-way, wrote its number into NAME.pid.
        for file in fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|extension| extension == "pid")
                && let Ok(number) = fs::read_to_string(file.path())
            {
                let _ = Command::new("kill").arg(number.trim()).stderr(Stdio::null()).status();
            }
        }
        // SIGTERM, so that the lab's own way of stopping is used.
        let _ = Command::new("kill").arg(self.lab.id().to_string()).status();
        let _ = self.lab.wait();
    }
}
