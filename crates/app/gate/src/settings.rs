//! Options, read and checked: everything a gate needs to run.

mod authorization;
mod layer_states;
mod warnings;

use std::{
    fmt, io,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use admission::Limits;
use authn::{Anonymous, Authn, ServiceAccountKeys, ServiceAccounts, StaticTokens, x509::ClientCa};
use authz::{DenyList, rbac::RbacObject};
use cidr::Cidr;
use config::{PemText, manifests::Wanted};
use network::AllowList;
use sinks::log::{LogOptions, Target};
use tls::{ClientCertificates as AskFor, KeyPair, Pem, ServerSettings, ServerTls};
use upstream::Upstream;

use crate::{
    FeatureGates, Options, certificate::ClientCertificates, own_paths::OwnPaths, status::LayerStates,
};

pub(crate) use authorization::{Configured, ModeSetting};
pub(crate) use layer_states::authorization_state;
pub use warnings::Warning;
pub(crate) use warnings::Warnings;

/// A configuration that can run. Only [`Options::load`] makes one.
pub struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) network: AllowList,
    pub(crate) tls: ServerTls,
    pub(crate) certificates: ClientCertificates,
    pub(crate) authn: Authn,
    pub(crate) deny: DenyList,
    pub(crate) feature_gates: FeatureGates,
    pub(crate) modes: Vec<ModeSetting>,
    /// The file that they come from, which is followed.
    pub(crate) configured: Option<Configured>,
    /// None: watched upstream, if the modes need them.
    pub(crate) rbac: Option<Vec<RbacObject>>,
    pub(crate) limits: Limits,
    pub(crate) audit: Option<LogOptions>,
    pub(crate) upstream: Upstream,
    pub(crate) own_paths: OwnPaths,
    pub(crate) shutdown_grace: Duration,
    pub(crate) workers: usize,
    pub(crate) layers: LayerStates,
    warnings: Vec<Warning>,
}

impl Settings {
    /// Combinations that work but are unsafe, each with the way out.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys and tokens are among the rest.
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

/// Why the options cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A flag that must be given is missing.
    #[error("{flag} is required: {why}")]
    Missing {
        /// The flag.
        flag: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// A flag's value cannot be used.
    #[error("{flag}: {message}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// What is wrong with the value.
        message: String,
    },
    /// A file cannot be read.
    #[error("{flag}: cannot read `{}`: {source}", path.display())]
    Read {
        /// The flag that names the file.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file's content cannot be used. The message names file, line and field where there are any.
    #[error("{flag}: {message}")]
    Content {
        /// The flag that names the file.
        flag: &'static str,
        /// File, line, field and what is wrong there.
        message: String,
    },
}

impl LoadError {
    fn content(flag: &'static str, error: impl fmt::Display) -> Self {
        Self::Content { flag, message: error.to_string() }
    }

    /// An error of a parser that does not know the file.
    fn in_file(flag: &'static str, path: &Path, error: impl fmt::Display) -> Self {
        Self::Content { flag, message: format!("{}: {error}", path.display()) }
    }
}

impl Options {
    /// Reads every file that the options name and checks that all of it makes sense together.
    ///
    /// # Errors
    /// The first thing that is wrong, with flag, file, line and field.
    pub fn load(&self) -> Result<Settings, LoadError> {
        let mut warnings = Warnings::default();
        let (client_ca, authority) = self.authority()?;
        let tls = self.tls(client_ca.as_ref())?;
        let authn = self.authn(&mut warnings)?;
        self.warn(&mut warnings, authority.is_some(), &authn);
        let (modes, configured) = self.modes_and_file(&mut warnings)?;
        let rbac = match &self.rbac_from {
            Some(path) => {
                let folder = config::manifests::load(path, Wanted::RBAC)
                    .map_err(|error| LoadError::content("--rbac-from", error))?;
                Some(folder.rbac)
            }
            None => None,
        };
        let deny = self.deny_list();
        let layers = self.layer_states(authority.as_ref(), &authn);
        Ok(Settings {
            listen: SocketAddr::new(self.bind_address, self.secure_port),
            admin: self.admin_address()?,
            network: self.network()?,
            tls,
            certificates: ClientCertificates { authority },
            authn,
            deny,
            feature_gates: self.feature_gates,
            modes,
            configured,
            rbac,
            limits: Limits {
                non_mutating: NonZeroU32::new(self.max_requests_inflight),
                mutating: NonZeroU32::new(self.max_mutating_requests_inflight),
            },
            audit: self.audit_log_path.as_ref().map(|path| LogOptions {
                mode: self.audit_log_mode,
                ..LogOptions::new(Target::new(path.clone()))
            }),
            upstream: self.upstream()?,
            own_paths: OwnPaths { on_main: self.own_paths_on_main },
            shutdown_grace: self.shutdown_grace,
            workers: self.workers(),
            layers,
            warnings: warnings.0,
        })
    }

    fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.unwrap_or_else(cores).max(1)
    }

    /// The authorities of client certificates, as a file and as a layer takes them.
    pub(crate) fn authority(&self) -> Result<(Option<PemText>, Option<ClientCa>), LoadError> {
        let flag = "--client-ca-file";
        let Some(path) = self.client_ca_file.as_deref() else { return Ok((None, None)) };
        let pem = read(flag, path)?;
        let authority =
            ClientCa::from_pem(&pem.text).map_err(|error| LoadError::in_file(flag, path, error))?;
        Ok((Some(pem), Some(authority)))
    }

    pub(crate) fn deny_list(&self) -> DenyList {
        DenyList::new(self.deny_user.iter().cloned(), self.deny_group.iter().cloned())
    }

    pub(crate) fn network(&self) -> Result<AllowList, LoadError> {
        if self.allow_cidr.is_empty() {
            return Ok(AllowList::not_configured());
        }
        let networks: Result<Vec<Cidr>, _> = self.allow_cidr.iter().map(|text| text.parse()).collect();
        match networks {
            Ok(networks) => Ok(AllowList::new(networks)),
            Err(error) => {
                let error: cidr::CidrError = error;
                Err(LoadError::Flag { flag: "--allow-cidr", message: error.to_string() })
            }
        }
    }

    fn admin_address(&self) -> Result<Option<SocketAddr>, LoadError> {
        match self.admin_address {
            Some(address) if !address.ip().is_loopback() => Err(LoadError::Flag {
                flag: "--admin-address",
                message: format!(
                    "`{address}` is not a loopback address: it is served without TLS and without credentials"
                ),
            }),
            address => Ok(address),
        }
    }

    fn tls(&self, client_ca: Option<&PemText>) -> Result<ServerTls, LoadError> {
        let why = "the gate serves TLS only";
        let certificate = required("--tls-cert-file", self.tls_cert_file.as_deref(), why)?;
        let key = required("--tls-private-key-file", self.tls_private_key_file.as_deref(), why)?;
        let chain = read("--tls-cert-file", certificate)?;
        let key = read("--tls-private-key-file", key)?;
        let key_pair = KeyPair::from_pem(pem(&chain), pem(&key))
            .map_err(|error| LoadError::content("--tls-cert-file, --tls-private-key-file", error))?;
        let client_certificates = match client_ca {
            Some(ca) => AskFor::Asked { ca: Some(pem(ca)) },
            None => AskFor::NotAsked,
        };
        ServerTls::new(&ServerSettings { key_pair, client_certificates })
            .map_err(|error| LoadError::content("--client-ca-file", error))
    }

    pub(crate) fn authn(&self, warnings: &mut Warnings) -> Result<Authn, LoadError> {
        let static_tokens = match &self.token_auth_file {
            None => None,
            Some(path) => {
                let flag = "--token-auth-file";
                let text = read(flag, path)?.text;
                let text =
                    String::from_utf8(text).map_err(|_| LoadError::in_file(flag, path, "not UTF-8"))?;
                let (tokens, suspect) =
                    StaticTokens::parse(&text).map_err(|error| LoadError::in_file(flag, path, error))?;
                for problem in suspect {
                    warnings.add(flag, format!("{}: {problem}", path.display()), "repair the file");
                }
                Some(tokens)
            }
        };
        Ok(Authn {
            static_tokens,
            service_accounts: self.service_accounts()?,
            anonymous: Anonymous::new(self.lets_anonymous_in(), []),
        })
    }

    fn service_accounts(&self) -> Result<Option<ServiceAccounts>, LoadError> {
        if self.service_account_key_file.is_empty() {
            return match self.service_account_issuer.is_empty() {
                true => Ok(None),
                false => Err(LoadError::Missing {
                    flag: "--service-account-key-file",
                    why: "tokens of --service-account-issuer cannot be verified without it",
                }),
            };
        }
        if self.service_account_issuer.is_empty() {
            return Err(LoadError::Missing {
                flag: "--service-account-issuer",
                why: "bound tokens name their issuer, and only named issuers are believed",
            });
        }
        let mut keys = ServiceAccountKeys::default();
        for path in &self.service_account_key_file {
            let flag = "--service-account-key-file";
            let pem = read(flag, path)?;
            keys.add_pem(&pem.text).map_err(|error| LoadError::in_file(flag, path, error))?;
        }
        // UPSTREAM: the audiences default to the issuers (kube-apiserver 1.36)
        let audiences =
            if self.api_audiences.is_empty() { &self.service_account_issuer } else { &self.api_audiences };
        Ok(Some(ServiceAccounts {
            keys,
            issuers: self.service_account_issuer.clone(),
            api_audiences: audiences.clone(),
            lookup: self.service_account_lookup,
        }))
    }

    fn upstream(&self) -> Result<Upstream, LoadError> {
        let flag = "--upstream-kubeconfig";
        let why = "it names the API server behind the gate";
        let path = required(flag, self.upstream_kubeconfig.as_deref(), why)?;
        let access = config::kubeconfig::load(path, self.upstream_context.as_deref())
            .map_err(|error| LoadError::content(flag, error))?;
        Upstream::new(&access, upstream::Limits::default()).map_err(|error| LoadError::content(flag, error))
    }
}

fn required<'a>(
    flag: &'static str,
    path: Option<&'a Path>,
    why: &'static str,
) -> Result<&'a Path, LoadError> {
    path.ok_or(LoadError::Missing { flag, why })
}

fn read(flag: &'static str, path: &Path) -> Result<PemText, LoadError> {
    PemText::read(path).map_err(|error| LoadError::Read { flag, path: error.path, source: error.source })
}

fn pem(text: &PemText) -> Pem<'_> {
    Pem::new(&text.origin, &text.text)
}
