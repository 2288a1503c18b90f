//! Which servers are believed.

use std::sync::Arc;

use authn::x509::{Refusal, TrustedServer};
use jiff::Timestamp;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::{
    ClientTlsError,
    pem::{self, Pem, PemError},
};

/// Judges a server by the certificates that are trusted: they may have signed the server's, or be
/// the server's.
///
/// The second is what administrators make with one call of `openssl req -x509`: a certificate of a
/// CA that a server shows as its own. webpki refuses it, client-go takes it.
#[derive(Debug)]
pub(crate) struct Trust {
    signed: Arc<WebPkiServerVerifier>,
    themselves: Vec<(CertificateDer<'static>, TrustedServer)>,
}

impl Trust {
    pub(crate) fn new(ca: Pem<'_>) -> Result<Self, ClientTlsError> {
        let mut roots = RootCertStore::empty();
        let mut themselves = Vec::new();
        for (index, der) in pem::certificates(ca)?.into_iter().enumerate() {
            roots.add(der.clone()).map_err(|error| PemError::BadCertificate {
                origin: ca.origin.to_owned(),
                number: index + 1,
                reason: error.to_string(),
            })?;
            // One that client-go could not read is never a server's.
            if let Ok(server) = TrustedServer::parse(&der) {
                themselves.push((der, server));
            }
        }
        let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crate::provider())
            .build()
            .map_err(|error| ClientTlsError::Library(error.to_string()))?;
        Ok(Self { signed, themselves })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some((_, trusted)) = self.themselves.iter().find(|(der, _)| der == shown) else {
            return self.signed.verify_server_cert(shown, intermediates, name, ocsp_response, now);
        };
        let now = i64::try_from(now.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        trusted
            .check(now.unwrap_or(Timestamp::MAX))
            .map_err(|refusal| Error::InvalidCertificate(said(&refusal)))?;
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

/// A refusal in the words of the library, so that both kinds of trust read alike.
fn said(refusal: &Refusal) -> CertificateError {
    match refusal {
        Refusal::Expired { .. } => CertificateError::Expired,
        Refusal::NotYetValid { .. } => CertificateError::NotValidYet,
        Refusal::IncompatibleUsage => CertificateError::InvalidPurpose,
        Refusal::UnhandledCriticalExtension => CertificateError::UnhandledCriticalExtension,
        _ => CertificateError::ApplicationVerificationFailure,
    }
}

#[cfg(test)]
mod tests;
