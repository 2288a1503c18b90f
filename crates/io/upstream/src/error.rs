//! What can go wrong on the way upstream.

use std::{io, path::PathBuf, time::Duration};

use tls::{ClientTlsError, HandshakeError};

/// Why an upstream cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Certificates, keys or the server's name.
    #[error(transparent)]
    Tls(#[from] ClientTlsError),
    /// A token with a line feed in it, or nothing but one.
    #[error("{origin}: the bearer token is empty or has characters that no header may have")]
    Token {
        /// Where the token came from.
        origin: String,
    },
    /// A path that no request line may have.
    #[error("{origin}: `{path}` is not a path")]
    Path {
        /// The kubeconfig.
        origin: String,
        /// What stands there.
        path: String,
    },
    /// A host that no `Host` header may have.
    #[error("{origin}: `{host}` is not a host name")]
    Host {
        /// The kubeconfig.
        origin: String,
        /// What stands there.
        host: String,
    },
}

/// Why one request came to no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No TCP connection.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// A TCP connection, but not to somebody who can prove to be the API server.
    #[error("cannot connect to {address}: {source}")]
    Handshake {
        /// `host:port`.
        address: String,
        /// What went wrong.
        source: HandshakeError,
    },
    /// Neither within the time.
    #[error("cannot connect to {address} within {after:?}")]
    ConnectTimeout {
        /// `host:port`.
        address: String,
        /// The limit.
        after: Duration,
    },
    /// A new connection was closed before anything could be sent, as servers do that refuse the
    /// gate's certificate.
    #[error("{address} closed a new connection: {source}")]
    HungUp {
        /// `host:port`.
        address: String,
        /// What went wrong.
        source: hyper::Error,
    },
    /// A request of the gate's own got not even the head of a response in time.
    #[error("{address} did not answer within {after:?}")]
    NoAnswer {
        /// `host:port`.
        address: String,
        /// The limit.
        after: Duration,
    },
    /// The connection broke after the request, or a part of it, was sent. The server may have
    /// acted on it.
    #[error("the connection to the API server broke: {0}")]
    Broken(hyper::Error),
}

/// Why a token file could not be read again; the last good token stays in use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenFileError {
    #[error("{path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: no usable token in it")]
    Content { path: PathBuf },
}
