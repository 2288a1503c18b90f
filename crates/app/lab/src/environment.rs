//! What surrounds the lab's API server: keys and certificates, users and their kubeconfigs, tokens.
//!
//! Everything lies in one folder:
//!
//! ```text
//! pki/ca.crt, ca.key                 signs the gate's serving certificate and the users'
//! pki/apiserver.crt, .key            what the gate shows
//! pki/sa.key, sa.pub                 signs service-account tokens
//! pki/upstream-ca.crt, .key          signs the two certificates between gate and lab
//! pki/upstream.crt, .key             what the lab's API server shows to the gate
//! pki/gate-client.crt, .key          what the gate shows to the lab's API server
//! kubeconfigs/NAME.yaml              one a user
//! upstream.yaml                      the gate's own kubeconfig
//! store                              the objects
//! audit.log                          written by the gate
//! lock                               held while a lab runs here
//! ```

mod files;
mod front;
pub mod kubeconfig;
pub mod pki;
mod seed;
pub mod token;
pub mod users;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use config::PemText;
use tls::{ClientCertificates, KeyPair, Pem, ServerSettings, ServerTls};
use types::{Status, Timestamp};

use crate::{
    LabConfig, Reviews, Running, StartError, Transport,
    store::{Key, StoreConfig},
};
pub use front::Front;
pub(crate) use front::show;
pub use pki::{Pki, PkiError};
pub use seed::{SeedError, plant};
pub use token::{SigningKey, TokenClaims};

/// How long the token in `kubeconfigs/batch-runner.yaml` is valid; every start makes a new one.
const BATCH_RUNNER_SECONDS: i64 = 365 * 24 * 60 * 60;

/// The folder of a lab, held by this process alone.
#[derive(Debug)]
pub struct Environment {
    folder: PathBuf,
    pki: Pki,
    _lock: File,
}

/// Why a lab's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// Another lab runs in it.
    #[error("another lab runs in `{}`", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// A file or folder cannot be read, written or removed.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Keys and certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// What the lab's API server shows.
    #[error(transparent)]
    Tls(#[from] tls::ServerTlsError),
    /// The API server does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The API server does not take what is written at every start.
    #[error("the lab's own objects are refused: {0}")]
    Refused(String),
}

impl Environment {
    /// Takes the folder, makes it if it is not there, and makes keys and certificates that are missing
    /// or about to run out. `fresh` forgets everything that a lab wrote there before, and nothing else.
    pub fn open(folder: &Path, fresh: bool, now: Timestamp) -> Result<Self, EnvironmentError> {
        files::make_private_folder(folder).map_err(at(folder))?;
        let lock_path = folder.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(EnvironmentError::Taken { folder: folder.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(at(&lock_path)(source)),
        }
        if fresh {
            forget(folder)?;
        }
        Ok(Self { pki: Pki::open(&folder.join("pki"), now)?, folder: folder.to_owned(), _lock: lock })
    }

    /// Where a file of this folder lies: `path("audit.log")`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Keys and certificates.
    pub const fn pki(&self) -> &Pki {
        &self.pki
    }

    /// Starts the API server on any free port, with its first objects if the store is empty, and writes
    /// `upstream.yaml` for the gate.
    pub fn start(&self, clock: fn() -> Timestamp) -> Result<Running, EnvironmentError> {
        let (certificate, key) = (self.pem("upstream.crt")?, self.pem("upstream.key")?);
        let tls = ServerTls::new(&ServerSettings {
            key_pair: KeyPair::from_pem(pem(&certificate), pem(&key)).map_err(tls::ServerTlsError::from)?,
            client_certificates: ClientCertificates::Asked { ca: None },
        })?;
        let gate = self.pem("gate-client.crt")?;
        let trusted = tls::certificates(pem(&gate)).map_err(tls::ServerTlsError::from)?;
        let running = crate::start(LabConfig {
            port: 0,
            transport: Transport::Tls { tls, trusted },
            store: StoreConfig { path: Some(self.path("store")), ..StoreConfig::default() },
            reviewer: Box::new(Reviews::load(&self.pki)?),
            clock,
            root_ca: self.pki.read("ca.crt")?,
            seed: Box::new(plant),
        })?;
        let proof = kubeconfig::Proof::Certificate(pki::Credential {
            certificate: self.pki.read("gate-client.crt")?,
            key: types::Secret::new(self.pki.read("gate-client.key")?),
        });
        let ca = self.pki.read("upstream-ca.crt")?;
        let server = format!("https://{}", running.address());
        let text = kubeconfig::kubeconfig(&server, &ca, "portcullis-gate", "default", &proof);
        let path = self.path("upstream.yaml");
        files::replace_private(&path, text.as_bytes()).map_err(at(&path))?;
        Ok(running)
    }

    /// Tells users and cluster where the gate is: kubeconfigs, endpoints, the pod that shows its flags.
    pub fn announce(&self, lab: &Running, front: &Front, now: Timestamp) -> Result<(), EnvironmentError> {
        lab.show(front).map_err(|status: Status| EnvironmentError::Refused(status.message))?;
        let token = self.batch_runner_token(lab, now)?;
        let server = format!("https://{}", reachable(front.address));
        users::write_kubeconfigs(&self.path("kubeconfigs"), &self.pki, &server, token, now)?;
        Ok(())
    }

    fn batch_runner_token(&self, lab: &Running, now: Timestamp) -> Result<types::Secret, EnvironmentError> {
        let (namespace, name) = users::BATCH_RUNNER;
        // An administrator may have deleted the account: the token then names nobody, and is refused.
        let account = lab.store().get(&Key::new("serviceaccounts", namespace, name));
        let uid = account.map(|account| crate::object::uid(&account).to_owned()).unwrap_or_default();
        let bound = token::BoundTo {
            namespace: namespace.to_owned(),
            node: None,
            pod: None,
            secret: None,
            service_account: token::Named { name: name.to_owned(), uid },
        };
        let audiences = vec![token::AUDIENCE.to_owned()];
        let claims = TokenClaims::new(token::ISSUER, audiences, bound, now, BATCH_RUNNER_SECONDS);
        SigningKey::load(&self.pki)?
            .sign(&claims)
            .map_err(|error| EnvironmentError::Refused(error.to_string()))
    }

    fn pem(&self, name: &str) -> Result<PemText, EnvironmentError> {
        let path = self.pki.path(name);
        PemText::read(&path).map_err(|error| at(&path)(error.source))
    }
}

fn pem(text: &PemText) -> Pem<'_> {
    Pem::new(&text.origin, &text.text)
}

/// Where clients on this machine find an address.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => ([127, 0, 0, 1], v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => ([127, 0, 0, 1], v6.port()).into(),
        address => address,
    }
}

/// Removes what a lab writes, by name: nobody loses other files to a wrong `--dir`.
fn forget(folder: &Path) -> Result<(), EnvironmentError> {
    for name in ["pki", "kubeconfigs", "store", "audit.log", "upstream.yaml"] {
        let path = folder.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&path)(error)),
            _ => {}
        }
    }
    Ok(())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> EnvironmentError + use<> {
    let path = path.to_owned();
    move |source| EnvironmentError::File { path, source }
}

#[cfg(test)]
mod tests;
