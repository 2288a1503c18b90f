//! What an administrator can say: one plain value a flag.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

pub use sinks::log::LogMode as AuditLogMode;

/// The flags of `portcullis serve`. A flag that kube-apiserver has means here what it means there;
/// where our default differs, the field says so.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--bind-address`: the address of the TLS port. Unspecified means every interface.
    pub bind_address: IpAddr,
    /// `--secure-port`: the TLS port; 0 takes any free one ([`crate::Running::address`] tells).
    pub secure_port: u16,
    /// `--admin-address`: where health, metrics and status are served without TLS and without
    /// credentials. Loopback only.
    pub admin_address: Option<SocketAddr>,
    /// `--tls-cert-file`: the serving certificate, leaf first. Required.
    pub tls_cert_file: Option<PathBuf>,
    /// `--tls-private-key-file`: its key. Required.
    pub tls_private_key_file: Option<PathBuf>,

    /// `--allow-cidr`: networks that may connect, refused before TLS otherwise. Empty: everybody,
    /// with a warning.
    pub allow_cidr: Vec<String>,

    /// `--client-ca-file`: authorities of client certificates. None: no client certificate counts.
    pub client_ca_file: Option<PathBuf>,
    /// `--service-account-key-file`: keys that verify service-account tokens.
    pub service_account_key_file: Vec<PathBuf>,
    /// `--service-account-issuer`: accepted issuers of service-account tokens.
    pub service_account_issuer: Vec<String>,
    /// `--api-audiences`: audiences this server answers to; empty: the issuers.
    pub api_audiences: Vec<String>,
    /// `--service-account-lookup`: whether secret and account of a legacy token must exist upstream.
    /// What a bound token names must, in any case.
    pub service_account_lookup: bool,
    /// `--token-auth-file`: a CSV file of static tokens.
    pub token_auth_file: Option<PathBuf>,
    /// `--anonymous-auth`: whether requests without a credential are let in as
    /// `system:anonymous`. Ours is `false`, kube-apiserver's `true`.
    pub anonymous_auth: bool,

    /// `--deny-user`: users refused whatever else allows them.
    pub deny_user: Vec<String>,
    /// `--deny-group`: groups refused whatever else allows them.
    pub deny_group: Vec<String>,
    /// `--authorization-mode`: the authorizers, in the order in which they are asked; none: RBAC.
    /// kube-apiserver's is AlwaysAllow.
    pub authorization_mode: Option<Vec<String>>,
    /// `--authorization-config`: the same and more as a file, in place of the other flags. It is followed
    /// while the gate runs.
    pub authorization_config: Option<PathBuf>,
    /// `--authorization-webhook-config-file`: a kubeconfig for the mode Webhook.
    pub authorization_webhook_config_file: Option<PathBuf>,
    /// `--authorization-webhook-version`: the version of SubjectAccessReview it speaks; none: `v1beta1`.
    pub authorization_webhook_version: Option<String>,
    /// `--authorization-webhook-cache-authorized-ttl`: for how long its Allow is remembered; none: 5
    /// minutes, zero: not at all.
    pub authorization_webhook_cache_authorized_ttl: Option<Duration>,
    /// `--authorization-webhook-cache-unauthorized-ttl`: for how long any other answer is; none: 30
    /// seconds, zero: not at all.
    pub authorization_webhook_cache_unauthorized_ttl: Option<Duration>,
    /// `--rbac-from`: a folder of RBAC objects to decide by, instead of watching the upstream's.
    pub rbac_from: Option<PathBuf>,

    /// `--feature-gates`: those of kube-apiserver that change what the gate decides.
    pub feature_gates: FeatureGates,

    /// `--max-requests-inflight`: reading requests at a time; 0: no limit.
    pub max_requests_inflight: u32,
    /// `--max-mutating-requests-inflight`: changing requests at a time; 0: no limit.
    pub max_mutating_requests_inflight: u32,

    /// `--audit-log-path`: where audit events go, one JSON line each; `-` is standard output.
    pub audit_log_path: Option<PathBuf>,
    /// `--audit-log-mode`: what is promised about each event before its request goes on.
    pub audit_log_mode: AuditLogMode,

    /// `--upstream-kubeconfig`: the API server behind the gate and the credential for it. Required.
    pub upstream_kubeconfig: Option<PathBuf>,
    /// `--upstream-context`: the context to take; none: the file's `current-context`.
    pub upstream_context: Option<String>,

    /// `--shutdown-grace`: how long running requests may take to end after a shutdown began.
    pub shutdown_grace: Duration,
    /// Whether the main port answers `/metrics` and health itself, after layers 1 to 6, rather
    /// than forwarding them. For the lab; off in front of a cluster.
    pub own_paths_on_main: bool,
    /// Worker threads; none: one a core.
    pub workers: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            secure_port: 6443,
            admin_address: None,
            tls_cert_file: None,
            tls_private_key_file: None,
            allow_cidr: Vec::new(),
            client_ca_file: None,
            service_account_key_file: Vec::new(),
            service_account_issuer: Vec::new(),
            api_audiences: Vec::new(),
            service_account_lookup: true,
            token_auth_file: None,
            anonymous_auth: false,
            deny_user: Vec::new(),
            deny_group: Vec::new(),
            authorization_mode: None,
            authorization_config: None,
            authorization_webhook_config_file: None,
            authorization_webhook_version: None,
            authorization_webhook_cache_authorized_ttl: None,
            authorization_webhook_cache_unauthorized_ttl: None,
            rbac_from: None,
            feature_gates: FeatureGates::default(),
            max_requests_inflight: 400,
            max_mutating_requests_inflight: 200,
            audit_log_path: None,
            audit_log_mode: AuditLogMode::Blocking,
            upstream_kubeconfig: None,
            upstream_context: None,
            shutdown_grace: Duration::from_secs(10),
            own_paths_on_main: false,
            workers: None,
        }
    }
}

/// kube-apiserver's feature gates, as far as they change what the gate decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureGates {
    /// `ConstrainedImpersonation`: whether a right to impersonate can be limited to what is done
    /// with it. On, as by default in kube-apiserver 1.36; off, only the verb `impersonate` counts.
    pub constrained_impersonation: bool,
    /// `PodCertificateRequest`: whether the Node authorizer judges requests of kubelets for certificates
    /// of their pods. Off, as by default in kube-apiserver 1.36.
    pub pod_certificate_request: bool,
}

impl Default for FeatureGates {
    fn default() -> Self {
        Self { constrained_impersonation: true, pod_certificate_request: false }
    }
}
