//! The listening side.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use authn::x509::ClientCa;
use rustls::{
    DistinguishedName, ServerConfig,
    server::{NoClientAuth, NoServerSessionStorage, ProducesTickets, danger::ClientCertVerifier},
    sign::SingleCertAndKey,
};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;

use crate::{
    handshake::{Alpn, HandshakeError, TlsVersion},
    pem::{KeyPair, Pem, PemError},
    possession::PossessionVerifier,
    read_ahead::ReadAhead,
};

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug)]
pub enum ClientCertificates<'a> {
    /// Nobody is asked: no layer could use one.
    NotAsked,
    /// Everybody is asked, nobody has to, and nothing is judged here. The subjects of the bundle
    /// are told to clients so that they can choose.
    ///
    /// UPSTREAM: the subjects of `--client-ca-file` are sent (kube-apiserver 1.36).
    Asked {
        /// The client CA bundle; without it clients send whatever they have.
        ca: Option<Pem<'a>>,
    },
}

/// What [`ServerTls`] is made of.
#[derive(Clone, Debug)]
pub struct ServerSettings<'a> {
    /// What the gate shows to clients.
    pub key_pair: KeyPair,
    /// Whether it asks for theirs.
    pub client_certificates: ClientCertificates<'a>,
}

/// Why a server configuration is no good.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    /// A certificate or key.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The library refused.
    #[error("TLS cannot be set up: {0}")]
    Library(String),
}

/// Accepts TLS 1.2 and 1.3 with ALPN `h2` and `http/1.1`.
///
/// One is shared by all workers, and with it the ticket keys: a client that comes back meets
/// another worker. Resumed connections have the certificates of the first one, and possession was
/// proven then; layer 3 judges them anew, with the time of the new connection.
pub struct ServerTls {
    /// Swapped as a whole; a handshake uses the one it began with.
    config: ArcSwap<ServerConfig>,
    tickets: Arc<dyn ProducesTickets>,
}

impl ServerTls {
    /// Checks the settings and makes ticket keys.
    pub fn new(settings: &ServerSettings<'_>) -> Result<Self, ServerTlsError> {
        let tickets = rustls::crypto::aws_lc_rs::Ticketer::new()
            .map_err(|error| ServerTlsError::Library(error.to_string()))?;
        let config = server_config(settings, &tickets)?;
        Ok(Self { config: ArcSwap::from_pointee(config), tickets })
    }

    /// Uses other settings from the next handshake on. Ticket keys stay: since the verifier never
    /// judges, a ticket promises nothing that new settings could take back.
    pub fn replace(&self, settings: &ServerSettings<'_>) -> Result<(), ServerTlsError> {
        self.config.store(Arc::new(server_config(settings, &self.tickets)?));
        Ok(())
    }

    /// Shakes hands over `io`. There is no time limit here; the caller has one.
    pub async fn accept<IO>(&self, io: IO) -> Result<ServerStream<IO>, HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(self.config.load_full())
            .accept(ReadAhead::new(io))
            .await
            .map(ServerStream)
            .map_err(HandshakeError::from_io)
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

fn server_config(
    settings: &ServerSettings<'_>,
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, ServerTlsError> {
    let verifier: Arc<dyn ClientCertVerifier> = match settings.client_certificates {
        ClientCertificates::NotAsked => Arc::new(NoClientAuth),
        ClientCertificates::Asked { ca } => {
            Arc::new(PossessionVerifier::new(ca.map(subjects).transpose()?.unwrap_or_default()))
        }
    };
    let mut config = ServerConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(&crate::VERSIONS)
        .map_err(|error| ServerTlsError::Library(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&settings.key_pair.0))));
    config.alpn_protocols = vec![Alpn::H2.to_vec(), Alpn::H1.to_vec()];
    config.ticketer = Arc::clone(tickets);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // As Go: one ticket a handshake is what API clients use.
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// The subjects of a CA bundle.
fn subjects(ca: Pem<'_>) -> Result<Vec<DistinguishedName>, PemError> {
    let bundle = ClientCa::from_pem(ca.text)
        .map_err(|error| PemError::ClientCa { origin: ca.origin.to_owned(), reason: error.to_string() })?;
    Ok(bundle.certificates().iter().map(|ca| DistinguishedName::from(ca.subject().to_vec())).collect())
}

/// A client's connection after the handshake.
#[derive(Debug)]
pub struct ServerStream<IO>(tokio_rustls::server::TlsStream<ReadAhead<IO>>);

impl<IO> ServerStream<IO> {
    /// What the client presented, leaf first, DER; empty without a certificate.
    ///
    /// Every one parses and the client holds the leaf's key. Nothing else is known of them: not
    /// who issued them, nor whether they are expired.
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        self.0.get_ref().1.peer_certificates().unwrap_or_default()
    }

    /// The protocol to speak now.
    pub fn alpn(&self) -> Alpn {
        Alpn::negotiated(self.0.get_ref().1.alpn_protocol())
    }

    /// The version of TLS.
    pub fn version(&self) -> TlsVersion {
        TlsVersion::negotiated(self.0.get_ref().1.protocol_version())
    }

    /// The name that the client asked for, if it asked by name.
    pub fn server_name(&self) -> Option<&str> {
        self.0.get_ref().1.server_name()
    }

    /// Whether an earlier session was resumed.
    pub fn resumed(&self) -> bool {
        self.0.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// The connection below.
    pub fn io(&self) -> &IO {
        self.0.get_ref().0.get_ref()
    }
}

pass_through!(ServerStream);
