//! What both sides of a handshake tell.

use std::io;

/// Why a handshake came to no connection. No request exists, so nobody is told but the log and a
/// counter.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The peer went away, as port scanners and health checks of load balancers do.
    #[error("the peer closed the connection during the TLS handshake")]
    Closed,
    /// The peer, or a box on the way, cut the connection off.
    #[error("the connection was reset during the TLS handshake")]
    Reset,
    /// The peer does not speak TLS, offers nothing we accept, or could not prove possession.
    #[error("TLS handshake failed: {0}")]
    Protocol(String),
    /// The connection broke.
    #[error("TLS handshake failed: {0}")]
    Io(io::Error),
}

impl HandshakeError {
    pub(crate) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => Self::Closed,
            io::ErrorKind::ConnectionReset => Self::Reset,
            _ => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(protocol) => Self::Protocol(protocol.to_string()),
                None => Self::Io(error),
            },
        }
    }

    /// The metric label of this failure, of a closed set.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Closed | Self::Reset => "closed",
            Self::Protocol(_) => "protocol",
            Self::Io(_) => "io",
        }
    }
}

/// The application protocol that both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpn {
    /// `http/1.1`, also when the client named no protocol.
    Http1,
    /// `h2`.
    Http2,
}

impl Alpn {
    pub(crate) const H1: &'static [u8] = b"http/1.1";
    pub(crate) const H2: &'static [u8] = b"h2";

    pub(crate) fn negotiated(protocol: Option<&[u8]>) -> Self {
        if protocol == Some(Self::H2) { Self::Http2 } else { Self::Http1 }
    }
}

/// The version of TLS that both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsVersion {
    /// TLS 1.2
    V1_2,
    /// TLS 1.3
    V1_3,
}

impl TlsVersion {
    pub(crate) fn negotiated(version: Option<rustls::ProtocolVersion>) -> Self {
        // Nothing below 1.2 is offered, and a finished handshake always has a version.
        if version == Some(rustls::ProtocolVersion::TLSv1_3) { Self::V1_3 } else { Self::V1_2 }
    }

    /// `1.2` or `1.3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}
