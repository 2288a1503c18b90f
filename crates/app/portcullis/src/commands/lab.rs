//! `portcullis lab`: an API server that needs nothing, with the gate in front of it.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Parser;
use comfy_table::{Table, presets};
use gate::StartError;
use jiff::Timestamp;
use lab::environment::{Environment, EnvironmentError, Front, token, users};
use telemetry::logging::{self, Filter};

use super::serve::{Serve, until_told_to_stop};
use crate::exit::{self, Failure};

/// Run an API server that needs nothing, with the gate in front of it: for trying and for tests.
#[derive(clap::Args)]
#[command(after_help = "\
Everything lies in one folder: keys, kubeconfigs, objects, the audit log. The API server listens on loopback and \
believes the gate alone; the gate is the one of `portcullis serve`, with the flags that the pod kube-apiserver-node1 \
in kube-system shows.\n\n\
Exit codes: 0 stopped as asked, 2 called wrongly, 3 could not run.\n\n\
SIGTERM or Ctrl-C drains the gate and keeps all objects for the next start; a second one ends it at once.")]
pub(crate) struct Lab {
    /// Folder of all that the lab writes
    #[arg(long, value_name = "DIR", default_value = ".portcullis/lab")]
    dir: PathBuf,
    /// The gate's port; health, metrics and status are on the next one. 0 picks both
    #[arg(long, value_name = "PORT", default_value_t = 6443)]
    port: u16,
    /// Forget what a lab wrote in the folder before, keys and audit log included
    #[arg(long)]
    fresh: bool,
    /// Listen beyond this machine: whoever reaches the address meets a cluster made for trying
    #[arg(long, value_name = "IP")]
    dangerously_listen_on: Option<IpAddr>,
    /// What is logged to standard error: a level, or CRATE=LEVEL, separated by commas
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    log_level: Filter,
}

/// `serve` and its flags as a command line of their own.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct ServeLine {
    #[command(flatten)]
    serve: Serve,
}

impl Lab {
    pub(crate) fn run(self) -> Result<u8, Failure> {
        let began = Instant::now();
        logging::init(self.log_level.clone()).map_err(Failure::could_not_run)?;
        let now = Timestamp::now();
        let environment = Environment::open(&self.dir, self.fresh, now).map_err(told)?;
        if let Some(address) = self.beyond_loopback() {
            exit::warn(&format!("the lab listens on {address}, beyond this machine"));
            if !address.is_unspecified() {
                environment.pki().serve_on(address, now).map_err(Failure::could_not_run)?;
            }
        }
        let api = environment.start(Timestamp::now).map_err(told)?;

        let mut flags = self.flags(&environment)?;
        let line = ServeLine::try_parse_from(&flags).map_err(Failure::could_not_run)?;
        let mut options = line.serve.options();
        options.own_paths_on_main = true;
        let settings = options.load().map_err(Failure::could_not_run)?;
        let gate = gate::start(settings).map_err(|error| self.did_not_start(&error))?;

        // What was asked for as 0 is shown as what it became.
        let port = format!("--secure-port={}", gate.address().port());
        let admin = gate.admin_address().map(|address| format!("--admin-address={address}"));
        for shown in [Some(port), admin].into_iter().flatten() {
            let name = shown.split_inclusive('=').next().unwrap_or_default();
            if let Some(flag) = flags.iter_mut().find(|flag| flag.starts_with(name)) {
                *flag = shown.clone();
            }
        }
        let command = ["portcullis".to_owned(), "serve".to_owned()].into_iter().chain(flags).collect();
        let front = Front { address: gate.address(), command };
        environment.announce(&api, &front, now).map_err(told)?;

        exit::say(&format!(
            "{}",
            Welcome {
                dir: &self.dir,
                gate: gate.address(),
                admin: gate.admin_address(),
                took_millis: began.elapsed().as_millis(),
            }
        ))?;
        let ended = until_told_to_stop(gate);
        api.stop();
        ended.map(|()| exit::FINE)
    }

    fn beyond_loopback(&self) -> Option<IpAddr> {
        self.dangerously_listen_on.filter(|address| !address.is_loopback())
    }

    /// The flags of `serve` that the gate runs with: what its pod shows is what is parsed.
    fn flags(&self, environment: &Environment) -> Result<Vec<String>, Failure> {
        let file = |path: PathBuf| {
            std::path::absolute(&path).map(|path| path.display().to_string()).map_err(Failure::could_not_run)
        };
        let pki = |name: &str| file(environment.pki().path(name));
        let address = self.dangerously_listen_on.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port.checked_add(1).unwrap_or(0)));
        let admin = if self.port == 0 { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) } else { admin };
        let allowed = if self.beyond_loopback().is_some() { "0.0.0.0/0,::/0" } else { "127.0.0.0/8,::1/128" };
        Ok(vec![
            format!("--bind-address={address}"),
            format!("--secure-port={}", self.port),
            format!("--admin-address={admin}"),
            format!("--allow-cidr={allowed}"),
            format!("--tls-cert-file={}", pki("apiserver.crt")?),
            format!("--tls-private-key-file={}", pki("apiserver.key")?),
            format!("--client-ca-file={}", pki("ca.crt")?),
            format!("--service-account-key-file={}", pki("sa.pub")?),
            format!("--service-account-issuer={}", token::ISSUER),
            format!("--api-audiences={}", token::AUDIENCE),
            "--anonymous-auth=false".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            // A person waits for it.
            "--shutdown-grace=2s".to_owned(),
            format!("--audit-log-path={}", file(environment.path("audit.log"))?),
            format!("--upstream-kubeconfig={}", file(environment.path("upstream.yaml"))?),
        ])
    }

    fn did_not_start(&self, error: &StartError) -> Failure {
        match error {
            StartError::Listen { address, source, .. } if source.kind() == ErrorKind::AddrInUse => {
                let port = address.port();
                Failure::could_not_run(format!(
                    "port {port} is taken, perhaps by another lab: choose another with `--port`, or any free one with \
                     `--port 0`"
                ))
            }
            error => Failure::could_not_run(error),
        }
    }
}

fn told(error: EnvironmentError) -> Failure {
    match error {
        EnvironmentError::Taken { folder } => Failure::could_not_run(format!(
            "another lab runs in `{}`: stop it, or choose another folder with `--dir`",
            folder.display()
        )),
        error => Failure::could_not_run(error),
    }
}

/// What to try next.
struct Welcome<'a> {
    dir: &'a Path,
    gate: SocketAddr,
    admin: Option<SocketAddr>,
    took_millis: u128,
}

impl std::fmt::Display for Welcome<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bold = anstyle::Style::new().bold();
        let dim = anstyle::Style::new().dimmed();
        let Self { dir, gate, admin, took_millis } = self;
        let kubeconfig =
            |name: &str| dir.join("kubeconfigs").join(format!("{name}.yaml")).display().to_string();
        writeln!(
            f,
            "{bold}The lab is open on https://{gate}{bold:#} {dim}(after {took_millis} ms){dim:#}\n"
        )?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["USER", "WHO", "KUBECONFIG"]);
        for user in users::WITH_CERTIFICATE {
            table.add_row([user.file, user.about, &kubeconfig(user.file)]);
        }
        let (namespace, name) = users::BATCH_RUNNER;
        let about = format!("a service account that runs jobs in {namespace}");
        table.add_row([name, &about, &kubeconfig(name)]);
        writeln!(f, "{table}\n\n{bold}Try{bold:#}")?;
        let (admin_file, api_user) = (kubeconfig("admin"), kubeconfig("api-user"));
        let mut lines = vec![
            (format!("export KUBECONFIG={api_user}"), "be api-user"),
            ("kubectl auth whoami".into(), "layer 3: who the gate says you are"),
            ("kubectl get pods".into(), "allowed by a RoleBinding"),
            ("kubectl get secrets".into(), "layer 4: refused"),
            (format!("kubectl --kubeconfig {} get pods", kubeconfig("expired")), "layer 3: refused"),
            (format!("kubectl --kubeconfig {admin_file} get pods -A"), "system:masters sees everything"),
            (format!("kubectl --kubeconfig {admin_file} get --raw /metrics"), "what the gate counts"),
            (format!("tail -n 3 {}", dir.join("audit.log").display()), "layer 6: who did what"),
        ];
        lines.extend(admin.map(|admin| (super::status_of(admin), "the six layers")));
        let width = lines.iter().map(|(line, _)| line.len()).max().unwrap_or_default();
        for (line, about) in lines {
            writeln!(f, "  {line:width$}  {dim}# {about}{dim:#}")?;
        }
        write!(f, "\nCtrl-C stops it; the next start finds everything as it was.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct LabLine {
        #[command(flatten)]
        lab: Lab,
    }

    fn options(arguments: &str) -> gate::Options {
        let folder = std::env::temp_dir().join(format!("portcullis-lab-flags-{}", std::process::id()));
        let environment = Environment::open(&folder, true, Timestamp::now()).unwrap();
        let lab = LabLine::parse_from(["lab"].into_iter().chain(arguments.split_whitespace())).lab;
        let flags = lab.flags(&environment).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        ServeLine::try_parse_from(flags).unwrap().serve.options()
    }

    #[test]
    fn beyond_loopback_only_when_told() {
        let usual = options("");
        assert!(usual.bind_address.is_loopback() && usual.secure_port == 6443, "{usual:?}");
        assert_eq!(usual.admin_address, Some(super::super::ADMIN_ADDRESS.parse().unwrap()));
        assert_eq!(usual.allow_cidr, ["127.0.0.0/8", "::1/128"]);
        assert!(!usual.anonymous_auth && usual.client_ca_file.is_some() && usual.audit_log_path.is_some());

        let picked = options("--port 0 --dangerously-listen-on 192.0.2.7");
        assert_eq!((picked.bind_address.to_string().as_str(), picked.secure_port), ("192.0.2.7", 0));
        let admin = picked.admin_address.unwrap();
        assert!(admin.ip().is_loopback() && admin.port() == 0, "{admin}");
        assert_eq!(options("--port 65535").admin_address.unwrap().port(), 0, "there is no next port");
    }
}
