//! TLS, and the only crate that names rustls.
//!
//! [`ServerTls`] is the gate's listening side: it asks for a client certificate, proves that the
//! client holds the key, and judges nothing; layer 3 does that, with the time as a parameter.
//! [`ClientTls`] is the side towards the API server: it judges the server, always.

#[macro_use]
mod stream;

mod client;
mod handshake;
mod pem;
mod possession;
mod read_ahead;
mod server;
mod trust;

pub use client::{ClientSettings, ClientStream, ClientTls, ClientTlsError};
pub use handshake::{Alpn, HandshakeError, TlsVersion};
pub use pem::{KeyPair, Pem, PemError, certificates};
pub use rustls_pki_types::CertificateDer;
pub use server::{ClientCertificates, ServerSettings, ServerStream, ServerTls, ServerTlsError};

/// The provider of every handshake; named here once so that no process-wide default is needed.
fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// TLS 1.2 at least, as kube-apiserver's default `--tls-min-version`.
static VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

#[cfg(test)]
mod tests;
