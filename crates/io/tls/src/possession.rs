//! The client certificate is asked for and its key proven; what the certificate is worth is for
//! layer 3 to say.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Asks for a certificate, refuses the handshake only when a certificate does not parse or the
/// client does not hold the leaf's key, and otherwise lets every certificate and none through.
///
/// `verify_client_cert` says yes to certificates of any issuer, expired ones and ones of a stranger:
/// whoever uses a stream's peer certificates must judge them.
///
/// UPSTREAM: the handshake uses Go's `RequestClientCert`, so a certificate that is not good for
/// anything is a 401 (or a 200 beside a good token), never a broken connection (kube-apiserver 1.36).
///
/// Stricter than upstream: an RSA key of 1024 to 2047 bits proves possession by PKCS #1 v1.5 with
/// SHA-256 or SHA-512 in TLS 1.2; in TLS 1.3, which knows only PSS, the handshake fails, since
/// aws-lc-rs has no PSS for such keys. P-224 and SHA-1 signatures fail as well.
#[derive(Debug)]
pub(crate) struct PossessionVerifier {
    /// Subjects of the client CA bundle. Go clients (kubectl) send no certificate whose issuers
    /// are not among them; with an empty list they send whatever they have.
    hints: Vec<DistinguishedName>,
}

impl PossessionVerifier {
    pub(crate) fn new(hints: Vec<DistinguishedName>) -> Self {
        Self { hints }
    }
}

impl ClientCertVerifier for PossessionVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // UPSTREAM: Go parses the whole chain while it shakes hands (kube-apiserver 1.36).
        std::iter::once(end_entity).chain(intermediates).try_for_each(|der| parse(der).map(drop))?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(tls12_algorithms(dss.scheme), message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(tls13_algorithms(dss.scheme), message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        // PKCS #1 before PSS: a Go client signs with the first that its key can do, and an RSA
        // key under 2048 bits verifies by PKCS #1 only. TLS 1.3 clients pass PKCS #1 over.
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
        ]
    }
}

type Algorithms = &'static [&'static dyn VerificationAlgorithm];

/// In TLS 1.2 an ECDSA scheme names only the hash, so every curve is tried.
fn tls12_algorithms(scheme: SignatureScheme) -> Algorithms {
    match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => {
            &[&ECDSA_P256_SHA256_ASN1, &ECDSA_P384_SHA256_ASN1, &ECDSA_P521_SHA256_ASN1]
        }
        SignatureScheme::ECDSA_NISTP384_SHA384 => {
            &[&ECDSA_P256_SHA384_ASN1, &ECDSA_P384_SHA384_ASN1, &ECDSA_P521_SHA384_ASN1]
        }
        SignatureScheme::ECDSA_NISTP521_SHA512 => {
            &[&ECDSA_P256_SHA512_ASN1, &ECDSA_P384_SHA512_ASN1, &ECDSA_P521_SHA512_ASN1]
        }
        SignatureScheme::RSA_PKCS1_SHA256 => &[&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY],
        SignatureScheme::RSA_PKCS1_SHA384 => &[&RSA_PKCS1_2048_8192_SHA384],
        SignatureScheme::RSA_PKCS1_SHA512 => &[&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY],
        SignatureScheme::RSA_PSS_SHA256
        | SignatureScheme::RSA_PSS_SHA384
        | SignatureScheme::RSA_PSS_SHA512
        | SignatureScheme::ED25519 => tls13_algorithms(scheme),
        _ => &[],
    }
}

/// In TLS 1.3 a scheme names the curve too, and PKCS #1 is gone.
fn tls13_algorithms(scheme: SignatureScheme) -> Algorithms {
    match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => &[&ECDSA_P256_SHA256_ASN1],
        SignatureScheme::ECDSA_NISTP384_SHA384 => &[&ECDSA_P384_SHA384_ASN1],
        SignatureScheme::ECDSA_NISTP521_SHA512 => &[&ECDSA_P521_SHA512_ASN1],
        SignatureScheme::RSA_PSS_SHA256 => &[&RSA_PSS_2048_8192_SHA256],
        SignatureScheme::RSA_PSS_SHA384 => &[&RSA_PSS_2048_8192_SHA384],
        SignatureScheme::RSA_PSS_SHA512 => &[&RSA_PSS_2048_8192_SHA512],
        SignatureScheme::ED25519 => &[&ED25519],
        _ => &[],
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(CertificateError::BadEncoding.into()),
    }
}

/// Whether one of `algorithms` verifies the signature with the leaf's SubjectPublicKeyInfo.
///
/// rustls' own helper is of no use: it judges while it parses (X.509 v1 and unknown critical
/// extensions are refused).
fn verify(
    algorithms: Algorithms,
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    if algorithms.is_empty() {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    let leaf = parse(leaf)?;
    let key_info = leaf.public_key().raw;
    let holds = |algorithm: &&'static dyn VerificationAlgorithm| {
        UnparsedPublicKey::new(*algorithm, key_info).verify(message, signed.signature()).is_ok()
    };
    if algorithms.iter().any(holds) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}
