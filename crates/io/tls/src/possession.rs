//! The client certificate is asked for and its key proven; what the certificate is worth is for
//! layer 3 to say.

use authn::x509::Presented;
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
        parse(std::iter::once(end_entity).chain(intermediates))?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(tls12_algorithms(dss.scheme), message, cert, dss.signature())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(tls13_algorithms(dss.scheme), message, cert, dss.signature())
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

fn parse<'a, 'd: 'a>(chain: impl Iterator<Item = &'a CertificateDer<'d>>) -> Result<Presented, Error> {
    Presented::parse(chain.map(AsRef::as_ref)).map_err(|_| CertificateError::BadEncoding.into())
}

/// Proven if one of `algorithms` verifies the signature with the leaf's SubjectPublicKeyInfo.
///
/// rustls' own helper is of no use: it judges while it parses (X.509 v1 and unknown critical
/// extensions are refused).
fn verify(
    algorithms: Algorithms,
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signature: &[u8],
) -> Result<HandshakeSignatureValid, Error> {
    if algorithms.is_empty() {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    let presented = parse(std::iter::once(leaf))?;
    let key_info = presented.leaf().ok_or(Error::NoCertificatesPresented)?.subject_public_key_info();
    let holds = |algorithm: &&'static dyn VerificationAlgorithm| {
        UnparsedPublicKey::new(*algorithm, key_info).verify(message, signature).is_ok()
    };
    if algorithms.iter().any(holds) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::pem::PemObject as _;

    use super::*;

    /// X.509 v1, RSA of 1024 bits; its key signed the word `message` and was thrown away.
    const OLD: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBoDCCAQkCFEjKofwmzgg+7m0zb6ykPPRsLq+xMA0GCSqGSIb3DQEBCwUAMA4x\n\
DDAKBgNVBAMMA29sZDAgFw0yNjExMjEyMTE3MjJaGA8yMTI2MTAyODIxMTcyMlow\n\
DjEMMAoGA1UEAwwDb2xkMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCpKO4c\n\
zd5DXbXLVloI1MVD6p/+NzWUwhAFJAhvZOyp4gFAl50tDJ+QWCapqAACyltHxJtE\n\
1xiiH1/4bCvqjEvIpO4qqkfDW6cOid6oHLPzv1fgoI4xGNL8mjK2Y0gmJRocc8P7\n\
rcQ5saFOzPy/CnGSTGqwy0EqoSit+yXeVwVeLQIDAQABMA0GCSqGSIb3DQEBCwUA\n\
A4GBAHgiAvHNg3bfMf4uHfvAkj6/obB3vJmc9Ydz97frKCNvuT+KfYmijkLlXELy\n\
Hk9igAVztMZRpNhY6L/nUv2vkK1BfU7B12QieYmaf1z4Vd+BPWoF6hKazde4jTCd\n\
HVkerqhYV7Cs/XbN6BF4caNXUoda5ot0SofkRT5CQN3he46N\n\
-----END CERTIFICATE-----\n\
";
    const SIGNED_SHA256: &str = "9cac027114e123356e3e32e5b23702687ffcb9b73aad2d765ccc2925d920b0d9c618e3dc5301d464f6bb3e13f8d0ed40b724188caa3fa8a5e09ee726c9db23b026fc63d258bcf0b08855198385864be09961f599f5ee829f5f9ad2cb96a7de5763a9d1059b1ce7845d96009b9354c5408c9e90dcc547884ad83d00c9b8b09f10";
    const SIGNED_SHA512: &str = "0ba2cba24e6c9f349cabf236c0a38ceddbe4a9c69ef2658f2360312fd5ba022398fd68052373383f0a57509affa05d1e889e39b0dc0b0db0959831c6565eb08f144d8c2ac11d308e22f7de3a9e4e25c1f66f813f6b062a55356c6ffca447cb486b04620626f83363c70c2814f75c670aa69ae93b700569965b9b5bcd8b17b25a";

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn an_old_key_proves_possession_in_tls_1_2_only() {
        let leaf = CertificateDer::from_pem_slice(OLD.as_bytes()).unwrap();
        for (scheme, signature, holds) in [
            (SignatureScheme::RSA_PKCS1_SHA256, SIGNED_SHA256, true),
            (SignatureScheme::RSA_PKCS1_SHA512, SIGNED_SHA512, true),
            (SignatureScheme::RSA_PKCS1_SHA256, SIGNED_SHA512, false),
            (SignatureScheme::RSA_PKCS1_SHA1, SIGNED_SHA256, false),
            (SignatureScheme::ED25519, SIGNED_SHA256, false),
        ] {
            let outcome = verify(tls12_algorithms(scheme), b"message", &leaf, &bytes(signature));
            assert_eq!(outcome.is_ok(), holds, "{scheme:?}");
            assert!(verify(tls12_algorithms(scheme), b"massage", &leaf, &bytes(signature)).is_err());
            assert!(verify(tls13_algorithms(scheme), b"message", &leaf, &bytes(signature)).is_err());
        }
    }

    #[test]
    fn a_certificate_has_to_parse_whole() {
        let verifier = PossessionVerifier::new(Vec::new());
        let good = CertificateDer::from_pem_slice(OLD.as_bytes()).unwrap();
        let bad = CertificateDer::from([good.as_ref(), b"\0"].concat());
        let accepts = |leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>]| {
            verifier.verify_client_cert(leaf, rest, UnixTime::now()).is_ok()
        };
        assert!(accepts(&good, &[]));
        assert!(accepts(&good, std::slice::from_ref(&good)));
        assert!(!accepts(&bad, &[]));
        assert!(!accepts(&good, std::slice::from_ref(&bad)));
    }
}
