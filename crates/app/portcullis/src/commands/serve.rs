//! `portcullis serve`: the gate in front of an API server.

mod feature_gates;
mod refused;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use gate::{AuditLogMode, LoadError, Options, Running};
use telemetry::logging::{self, Filter};

pub(crate) use refused::take_out_flags;

use crate::exit::{self, Failure};

/// Stand in front of an API server and let only those requests through that every layer lets pass.
#[derive(clap::Args)]
#[command(after_help = "\
The flags bear kube-apiserver's names and mean what they mean there. A flag of kube-apiserver that the gate cannot \
honour is refused with the reason, never ignored.\n\n\
Exit codes: 0 stopped as asked, 2 called wrongly, 3 could not run.\n\n\
SIGHUP opens the audit log anew, for logrotate. SIGTERM or SIGINT drains: no new connections; running requests, watches and \
upgraded connections may last until --shutdown-grace is over and are then closed. A second signal ends it at once.")]
pub(crate) struct Serve {
    #[command(flatten)]
    serving: Serving,
    #[command(flatten)]
    authentication: Authentication,
    #[command(flatten)]
    authorization: Authorization,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    audit: Audit,
    #[command(flatten)]
    upstream: UpstreamFlags,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Network and TLS (layers 1 and 2)")]
struct Serving {
    #[command(flatten)]
    network: Network,
    /// Address of the TLS port
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    bind_address: IpAddr,
    /// The TLS port
    #[arg(long, value_name = "PORT", default_value_t = 6443)]
    secure_port: u16,
    /// Serving certificate in PEM, the chain after the leaf
    #[arg(long, value_name = "FILE", required = true)]
    tls_cert_file: Option<PathBuf>,
    /// Its private key in PEM
    #[arg(long, value_name = "FILE", required = true)]
    tls_private_key_file: Option<PathBuf>,
    /// Health, metrics and status, on loopback and without TLS
    #[arg(long, value_name = "IP:PORT", default_value = super::ADMIN_ADDRESS)]
    admin_address: SocketAddr,
    /// How long running requests may take to end after SIGTERM
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    shutdown_grace: Duration,
    /// What is logged to standard error: a level, or CRATE=LEVEL, separated by commas
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log_level: Filter,
}

/// Who may connect.
#[derive(clap::Args)]
pub(super) struct Network {
    /// Networks that may connect; all others are closed before TLS. Repeat, or separate by commas
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    allow_cidr: Vec<String>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Authentication (layer 3)")]
pub(super) struct Authentication {
    /// Authorities of client certificates; CN is the user, O are the groups
    #[arg(long, value_name = "FILE")]
    client_ca_file: Option<PathBuf>,
    /// Keys that verify service-account tokens, in PEM; may be repeated
    #[arg(long, value_name = "FILE")]
    service_account_key_file: Vec<PathBuf>,
    /// Issuers of service-account tokens; may be repeated
    #[arg(long, value_name = "URL")]
    service_account_issuer: Vec<String>,
    /// Audiences that tokens must be meant for [default: the issuers]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    api_audiences: Vec<String>,
    /// Ask the API server whether account and secret of a legacy token still exist
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set, value_parser = boolean)]
    service_account_lookup: bool,
    /// Static tokens: CSV of token, user, uid, "group1,group2"
    #[arg(long, value_name = "FILE")]
    token_auth_file: Option<PathBuf>,
    /// Let requests without a credential in as system:anonymous (kube-apiserver's default: true)
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set, value_parser = boolean)]
    anonymous_auth: bool,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Authorization (layer 4)")]
pub(super) struct Authorization {
    /// Authorizers in the order they are asked: AlwaysAllow, AlwaysDeny, Node, RBAC, Webhook [default: RBAC]
    #[arg(long, value_name = "MODE", value_delimiter = ',')]
    authorization_mode: Option<Vec<String>>,
    /// AuthorizationConfiguration: the chain as a file, in place of the other --authorization flags. It is
    /// followed while the gate runs, with the kubeconfigs that it names
    #[arg(long, value_name = "FILE")]
    authorization_config: Option<PathBuf>,
    /// The server that the mode Webhook asks, and the gate's credential for it, as a kubeconfig
    #[arg(long, value_name = "FILE")]
    authorization_webhook_config_file: Option<PathBuf>,
    /// The version of SubjectAccessReview that it speaks: v1 or v1beta1 [default: v1beta1]
    #[arg(long, value_name = "VERSION")]
    authorization_webhook_version: Option<String>,
    /// How long the webhook's Allow is remembered; 0: not at all [default: 5m0s]
    #[arg(long, value_name = "DURATION", value_parser = go_duration)]
    authorization_webhook_cache_authorized_ttl: Option<Duration>,
    /// How long its other answers are remembered; 0: not at all [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = go_duration)]
    authorization_webhook_cache_unauthorized_ttl: Option<Duration>,
    #[command(flatten)]
    pub(super) rbac: super::world::RbacFrom,
    /// Feature gates of kube-apiserver; ConstrainedImpersonation=false leaves the verb impersonate alone
    #[arg(long, value_name = "GATE=BOOL", value_delimiter = ',', value_parser = feature_gates::setting)]
    feature_gates: Vec<feature_gates::Setting>,
    /// Users refused whatever allows them, system:masters included; may be repeated
    #[arg(long, value_name = "USER")]
    deny_user: Vec<String>,
    /// Groups refused whatever allows them; may be repeated
    #[arg(long, value_name = "GROUP")]
    deny_group: Vec<String>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Admission (layer 5)")]
struct Limits {
    /// get, list and watch requests at a time; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 400)]
    max_requests_inflight: u32,
    /// Other requests at a time; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 200)]
    max_mutating_requests_inflight: u32,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Audit (layer 6)")]
struct Audit {
    /// Where audit events go, one JSON line each; - is standard output
    #[arg(long, value_name = "FILE")]
    audit_log_path: Option<PathBuf>,
    /// What is promised of an event before its request goes on: batch, blocking or blocking-strict
    #[arg(long, value_name = "MODE", default_value = "blocking")]
    audit_log_mode: AuditLogMode,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Upstream")]
struct UpstreamFlags {
    /// The API server behind the gate, and the gate's own credential for it
    #[arg(long, value_name = "FILE", required = true)]
    upstream_kubeconfig: Option<PathBuf>,
    /// The context to take [default: the file's current-context]
    #[arg(long, value_name = "NAME")]
    upstream_context: Option<String>,
}

impl Serve {
    pub(crate) fn run(self) -> Result<u8, Failure> {
        logging::init(self.serving.log_level.clone()).map_err(Failure::could_not_run)?;
        let options = self.options();
        let settings = options.load().map_err(|error| match error {
            LoadError::Missing { .. } | LoadError::Flag { .. } => Failure::usage(error),
            LoadError::Read { .. } | LoadError::Content { .. } => Failure::could_not_run(error),
        })?;
        for warning in settings.warnings() {
            exit::warn(&format!("{}: {}: {}", warning.flag, warning.message, warning.way_out));
        }
        let running = gate::start(settings).map_err(Failure::could_not_run)?;
        exit::say(&format!("the gate is open on https://{}", running.address()))?;
        if let Some(admin) = running.admin_address() {
            let status = super::status_of(admin);
            exit::say(&format!("health, metrics and status on http://{admin} (try: {status})"))?;
        }
        until_told_to_stop(running)?;
        Ok(exit::FINE)
    }

    /// The same as the gate takes it.
    pub(crate) fn options(self) -> Options {
        let Self { serving, authentication, authorization, limits, audit, upstream } = self;
        let mut options = Options {
            bind_address: serving.bind_address,
            secure_port: serving.secure_port,
            admin_address: Some(serving.admin_address),
            tls_cert_file: serving.tls_cert_file,
            tls_private_key_file: serving.tls_private_key_file,
            max_requests_inflight: limits.max_requests_inflight,
            max_mutating_requests_inflight: limits.max_mutating_requests_inflight,
            audit_log_path: audit.audit_log_path,
            audit_log_mode: audit.audit_log_mode,
            upstream_kubeconfig: upstream.upstream_kubeconfig,
            upstream_context: upstream.upstream_context,
            shutdown_grace: serving.shutdown_grace,
            ..Options::default()
        };
        serving.network.set(&mut options);
        authentication.set(&mut options);
        authorization.set(&mut options);
        options
    }
}

// What deciding takes; `portcullis explain` has it too.
impl Network {
    pub(super) fn set(self, options: &mut Options) {
        options.allow_cidr = self.allow_cidr;
    }
}

impl Authentication {
    pub(super) fn set(self, options: &mut Options) {
        options.client_ca_file = self.client_ca_file;
        options.service_account_key_file = self.service_account_key_file;
        options.service_account_issuer = self.service_account_issuer;
        options.api_audiences = self.api_audiences;
        options.service_account_lookup = self.service_account_lookup;
        options.token_auth_file = self.token_auth_file;
        options.anonymous_auth = self.anonymous_auth;
    }
}

impl Authorization {
    pub(super) fn set(self, options: &mut Options) {
        options.deny_user = self.deny_user;
        options.deny_group = self.deny_group;
        options.authorization_mode = self.authorization_mode;
        options.authorization_config = self.authorization_config;
        options.authorization_webhook_config_file = self.authorization_webhook_config_file;
        options.authorization_webhook_version = self.authorization_webhook_version;
        options.authorization_webhook_cache_authorized_ttl = self.authorization_webhook_cache_authorized_ttl;
        options.authorization_webhook_cache_unauthorized_ttl =
            self.authorization_webhook_cache_unauthorized_ttl;
        options.feature_gates = feature_gates::all(&self.feature_gates);
        options.rbac_from = self.rbac.rbac_from;
    }
}

/// Waits for SIGTERM or SIGINT, then for the gate to drain, or for a second signal.
pub(super) fn until_told_to_stop(running: Running) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::could_not_run)?;
    let ended = runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::could_not_run)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::could_not_run)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(Failure::could_not_run)?;
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => running.reopen_logs(),
            }
        }
        exit::say("draining; once more to stop at once")?;
        running.shutdown();
        let mut drained = tokio::task::spawn_blocking(move || running.wait());
        tokio::select! {
            _ = terminate.recv() => Err(Failure::could_not_run("stopped before all requests had ended")),
            _ = interrupt.recv() => Err(Failure::could_not_run("stopped before all requests had ended")),
            ended = &mut drained => ended.map_err(Failure::could_not_run),
        }
    });
    // After a second signal the gate is not waited for.
    runtime.shutdown_background();
    ended
}

// As Go's flag package reads booleans.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// As Go's flag package reads durations, and none that is negative.
fn go_duration(text: &str) -> Result<Duration, String> {
    let nanos = types::duration::parse(text).and_then(|nanos| u64::try_from(nanos).ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| "must be a duration such as 30s or 5m0s".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a duration such as 10s or 1m30s".to_owned();
    let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_millis), "{text}");
        };
        check("10s", Some(10_000));
        check("1m0s", Some(60_000));
        check("1h2m3s", Some(3_723_000));
        check("1500ms", Some(1_500));
        check("-1s", None);
        check("10", None);
        check("", None);
    }
}
