//! What a connection's client certificate comes to: judged once a connection, not once a request.

use authn::{Attempt, Authn, AuthnFailure, Credentials, NoMemory, x509};
use http::HeaderMap;
use types::{Answers, NoTrace, Step, Timestamp};

/// Layer 3's view of client certificates.
pub(crate) struct ClientCertificates {
    /// None: no authority is configured, and no certificate counts.
    pub(crate) authority: Option<x509::ClientCa>,
}

/// A certificate that cannot even be read ends the connection, as it ends kube-apiserver's
/// handshake.
pub(crate) use x509::Malformed;

impl ClientCertificates {
    /// Judges the chain that a client presented, leaf first. `Ok(None)`: there is none, or nobody
    /// cares for it.
    pub(crate) fn judge<'a>(
        &self,
        chain: impl IntoIterator<Item = &'a [u8]>,
        now: Timestamp,
    ) -> Result<Option<Attempt>, Malformed> {
        let Some(authority) = &self.authority else { return Ok(None) };
        let presented = x509::Presented::parse(chain)?;
        if presented.leaf().is_none() {
            return Ok(None);
        }
        let attempt = match authority.authenticate(&presented, now, x509::Options::default()).into() {
            // It was shown and proves nobody's name: that must not make an anonymous request.
            // Stricter than kube-apiserver without a front proxy; with one, it refuses these too.
            Attempt::NoOpinion => Attempt::Failed(AuthnFailure::bad("x509: the certificate names nobody")),
            attempt => attempt,
        };
        Ok(Some(with_groups(attempt, now)))
    }
}

/// The attempt with the groups that every request of the connection would otherwise be given anew.
fn with_groups(attempt: Attempt, now: Timestamp) -> Attempt {
    let credentials =
        Credentials { certificate: Some(&attempt), headers: &HeaderMap::new(), path: "", memory: &NoMemory };
    match Authn::default().authenticate(&credentials, now, &Answers::none(), &mut NoTrace) {
        Step::Done(Ok(authenticated)) => Attempt::User(authenticated.identity),
        Step::Done(Err(_)) => attempt,
        Step::Ask(_) => Attempt::Failed(AuthnFailure::unanswered("a certificate raised a question")),
    }
}
