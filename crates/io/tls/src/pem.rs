//! From PEM text to certificates and keys, with errors that name the place.

use std::{fmt, sync::Arc};

use rustls::{crypto::CryptoProvider, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject as _},
};

/// PEM text and where it came from.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    /// What an error names: a file, or `kubeconfig: users[0].user.client-key-data`.
    pub origin: &'a str,
    /// The text; sections of other kinds are skipped.
    pub text: &'a [u8],
}

impl<'a> Pem<'a> {
    /// PEM text with the place it came from.
    pub fn new(origin: &'a str, text: &'a [u8]) -> Self {
        Self { origin, text }
    }
}

impl fmt::Debug for Pem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may be a private key.
        f.debug_struct("Pem").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Why PEM text could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// Another kind of file, or an empty one.
    #[error("{origin}: no certificate: expected a `-----BEGIN CERTIFICATE-----` block")]
    NoCertificate {
        /// Where the text came from.
        origin: String,
    },
    /// Another kind of file, or an empty one.
    #[error("{origin}: no private key: expected a `-----BEGIN PRIVATE KEY-----` block")]
    NoKey {
        /// Where the text came from.
        origin: String,
    },
    /// Nobody is there to type a passphrase.
    #[error("{origin}: the private key is encrypted: decrypt it first (`openssl pkey -in FILE -out PLAIN`)")]
    EncryptedKey {
        /// Where the text came from.
        origin: String,
    },
    /// A block without an end, or bytes that are not base64.
    #[error("{origin}: malformed PEM: {reason}")]
    Malformed {
        /// Where the text came from.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// A block whose content is not a certificate.
    #[error("{origin}: certificate {number}: {reason}")]
    BadCertificate {
        /// Where the text came from.
        origin: String,
        /// Counted from 1.
        number: usize,
        /// What is wrong.
        reason: String,
    },
    /// A bundle of client CAs that kube-apiserver would not load either.
    #[error("{origin}: {reason}")]
    ClientCa {
        /// Where the text came from.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// A key that no TLS version signs with, or not a key at all.
    #[error(
        "{origin}: unusable private key: {reason}: expected RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521) or Ed25519"
    )]
    UnusableKey {
        /// Where the text came from.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// Files mixed up, or only one of them renewed.
    #[error("{key}: the private key does not match the first certificate of {certificate}")]
    KeyMismatch {
        /// Where the key came from.
        key: String,
        /// Where the certificate came from.
        certificate: String,
    },
}

/// The certificates in `pem`, in order; at least one.
pub fn certificates(pem: Pem<'_>) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found = CertificateDer::pem_slice_iter(pem.text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(pem, &error))?;
    if found.is_empty() {
        return Err(PemError::NoCertificate { origin: pem.origin.to_owned() });
    }
    Ok(found)
}

/// A certificate chain, leaf first, and the private key of its leaf.
#[derive(Clone)]
pub struct KeyPair(pub(crate) Arc<CertifiedKey>);

impl KeyPair {
    /// Reads a chain (leaf first) and a key, and checks that they belong together.
    pub fn from_pem(chain: Pem<'_>, key: Pem<'_>) -> Result<Self, PemError> {
        let certificates = certificates(chain)?;
        let key_der = private_key(key)?;
        Self::from_der(certificates, key_der, chain.origin, key.origin, &crate::provider())
    }

    fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        chain_origin: &str,
        key_origin: &str,
        provider: &CryptoProvider,
    ) -> Result<Self, PemError> {
        let signer = provider.key_provider.load_private_key(key).map_err(|error| PemError::UnusableKey {
            origin: key_origin.to_owned(),
            reason: error.to_string(),
        })?;
        let pair = CertifiedKey::new(chain, signer);
        match pair.keys_match() {
            // Unknown: the provider cannot tell the public half; the first handshake will.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok(Self(Arc::new(pair)))
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(PemError::KeyMismatch {
                key: key_origin.to_owned(),
                certificate: chain_origin.to_owned(),
            }),
            Err(error) => Err(PemError::BadCertificate {
                origin: chain_origin.to_owned(),
                number: 1,
                reason: error.to_string(),
            }),
        }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("certificates", &self.0.cert.len()).finish_non_exhaustive()
    }
}

fn private_key(pem: Pem<'_>) -> Result<PrivateKeyDer<'static>, PemError> {
    let encrypted = || PemError::EncryptedKey { origin: pem.origin.to_owned() };
    match PrivateKeyDer::from_pem_slice(pem.text) {
        Ok(key) => Ok(key),
        // OpenSSL's old form: the headers inside the block are not base64.
        Err(_) if contains(pem.text, b"Proc-Type: 4,ENCRYPTED") => Err(encrypted()),
        Err(_) if contains(pem.text, b"BEGIN ENCRYPTED PRIVATE KEY") => Err(encrypted()),
        Err(pem::Error::NoItemsFound) => Err(PemError::NoKey { origin: pem.origin.to_owned() }),
        Err(error) => Err(malformed(pem, &error)),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn malformed(pem: Pem<'_>, error: &pem::Error) -> PemError {
    let reason = match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!("`-----END {}-----` is missing", String::from_utf8_lossy(end_marker))
        }
        pem::Error::IllegalSectionStart { line } => {
            format!("bad first line of a block: `{}`", String::from_utf8_lossy(line))
        }
        pem::Error::Base64Decode(reason) => format!("not base64: {reason}"),
        // The rest has no text of the file in it.
        other => other.to_string(),
    };
    PemError::Malformed { origin: pem.origin.to_owned(), reason }
}
