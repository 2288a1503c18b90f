//! How to reach an API server, and as whom.

use std::path::PathBuf;

use types::Secret;

use crate::files::PemText;

/// A bearer token of the gate's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// Fixed.
    Fixed(Secret),
    /// Read again while the gate runs, since such files are renewed.
    File {
        /// Where.
        path: PathBuf,
        /// What stood there when the configuration was loaded.
        first: Secret,
    },
}

/// One context of a kubeconfig, resolved and checked: an API server and the gate's own credential.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterAccess {
    /// The file and context, for messages: `admin.conf (context kubernetes-admin)`.
    pub origin: String,
    /// A DNS name or an IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The name that must stand in the server's certificate, when it is not `host`.
    pub tls_server_name: Option<String>,
    /// The CAs that may have signed the server's certificate.
    pub ca: PemText,
    /// Certificate chain and private key, if the gate has any.
    pub client_certificate: Option<(PemText, PemText)>,
    /// A bearer token, if the gate has one.
    pub token: Option<Token>,
}

impl ClusterAccess {
    /// Whether a client of the one is as good as one of the other. What stood in a file that clients
    /// read again by themselves makes no difference.
    pub fn is_as_good_as(&self, other: &Self) -> bool {
        match (&self.token, &other.token) {
            (Some(Token::File { path, .. }), Some(Token::File { path: other_path, .. })) => {
                path == other_path && *self == Self { token: self.token.clone(), ..other.clone() }
            }
            _ => self == other,
        }
    }
}
