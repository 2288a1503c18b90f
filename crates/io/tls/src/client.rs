//! The side towards the API server.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{ClientConfig, sign::SingleCertAndKey};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use crate::{
    handshake::{Alpn, HandshakeError},
    pem::{KeyPair, Pem, PemError},
    read_ahead::ReadAhead,
    trust::Trust,
};

/// What [`ClientTls`] is made of. There is no way to leave the server unjudged: whoever stands
/// between the gate and the API server would be every user at once.
#[derive(Clone, Debug)]
pub struct ClientSettings<'a> {
    /// The CAs that may have signed the server's certificate, or that certificate itself. The
    /// system's are not used: a cluster has a CA of its own, and everybody else's are only more who
    /// could pose as the API server.
    pub ca: Pem<'a>,
    /// What the gate shows to the server, if it asks.
    pub key_pair: Option<KeyPair>,
    /// A DNS name or an IP address that must stand in the server's certificate.
    pub server_name: &'a str,
}

/// Why a client configuration is no good.
#[derive(Debug, thiserror::Error)]
pub enum ClientTlsError {
    /// A certificate or key.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Neither a name nor an address.
    #[error("`{0}` is neither a DNS name nor an IP address")]
    ServerName(String),
    /// The library refused.
    #[error("TLS cannot be set up: {0}")]
    Library(String),
}

/// Connects to one server by TLS 1.2 or 1.3 with ALPN `http/1.1`. Cheap to clone; clones share
/// the sessions that can be resumed.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
}

impl ClientTls {
    /// Checks the settings.
    pub fn new(settings: &ClientSettings<'_>) -> Result<Self, ClientTlsError> {
        let server_name = ServerName::try_from(settings.server_name.to_owned())
            .map_err(|_| ClientTlsError::ServerName(settings.server_name.to_owned()))?;
        let config = ClientConfig::builder_with_provider(crate::provider())
            .with_protocol_versions(&crate::VERSIONS)
            .map_err(|error| ClientTlsError::Library(error.to_string()))?
            .dangerous() // the library's word for a verifier of one's own
            .with_custom_certificate_verifier(Arc::new(Trust::new(settings.ca)?));
        let mut config = match &settings.key_pair {
            None => config.with_no_client_auth(),
            Some(pair) => {
                config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&pair.0))))
            }
        };
        config.alpn_protocols = vec![Alpn::H1.to_vec()];
        Ok(Self { config: Arc::new(config), server_name })
    }

    /// Shakes hands over `io` and judges the server: its chain, its validity and its name. There
    /// is no time limit here; the caller has one.
    pub async fn connect<IO>(&self, io: IO) -> Result<ClientStream<IO>, HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        TlsConnector::from(Arc::clone(&self.config))
            .connect(self.server_name.clone(), ReadAhead::new(io))
            .await
            .map(ClientStream)
            .map_err(HandshakeError::from_io)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// A connection to the API server after the handshake.
#[derive(Debug)]
pub struct ClientStream<IO>(tokio_rustls::client::TlsStream<ReadAhead<IO>>);

pass_through!(ClientStream);
