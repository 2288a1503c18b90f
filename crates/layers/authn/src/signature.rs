//! Public keys and the signatures they prove: what certificates and tokens have in common.
//!
//! Only what both kube-apiserver and aws-lc verify is here. SHA-1 and MD5 have no name, so that no
//! caller can ask for them.

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{self, EcdsaVerificationAlgorithm, RsaParameters, UnparsedPublicKey},
};

/// A public key, read but not yet trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA: modulus and public exponent, big-endian, without leading zeros.
    Rsa {
        /// The modulus.
        n: Box<[u8]>,
        /// The public exponent.
        e: Box<[u8]>,
    },
    /// A point on a NIST curve, in uncompressed form (`04 || x || y`).
    Ecdsa {
        /// The curve.
        curve: Curve,
        /// The point.
        point: Box<[u8]>,
    },
    /// An Ed25519 key: 32 bytes.
    Ed25519(Box<[u8]>),
    /// A key that a certificate may hold but nothing here can verify with: DSA, X25519.
    Unusable,
}

impl PublicKey {
    /// The size of an RSA modulus in bits; 0 for every other kind of key.
    pub fn rsa_bits(&self) -> usize {
        match self {
            Self::Rsa { n, .. } => {
                let unused = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
                n.len() * 8 - unused
            }
            _ => 0,
        }
    }
}

/// The curves that kube-apiserver knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// secp224r1. aws-lc-rs has no verification on it, so its signatures are never good.
    P224,
    /// secp256r1
    P256,
    /// secp384r1
    P384,
    /// secp521r1
    P521,
}

impl Curve {
    /// Length of a coordinate in bytes.
    pub const fn coordinate_len(self) -> usize {
        match self {
            Self::P224 => 28,
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Whether `point` is an uncompressed point of this curve. On P-224 only its form is checked.
    pub fn holds(self, point: &[u8]) -> bool {
        let well_formed = point.len() == 1 + 2 * self.coordinate_len() && point.first() == Some(&4);
        well_formed
            && ecdsa(self, Hash::Sha256)
                .is_none_or(|algorithm| signature::ParsedPublicKey::new(algorithm, point).is_ok())
    }
}

/// Hash functions of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

/// How a signature was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5
    RsaPkcs1(Hash),
    /// RSASSA-PSS with MGF1 over the same hash and a salt as long as the hash
    RsaPss(Hash),
    /// ECDSA with any curve and any hash; the signature is the DER form
    Ecdsa(Hash),
    /// Ed25519
    Ed25519,
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// The key did not make this signature over this message.
    #[error("signature does not match")]
    Mismatch,
    /// The scheme belongs to another kind of key.
    #[error("signature algorithm does not fit the public key")]
    WrongKey,
    /// Nothing here verifies with such a key: P-224, RSA outside 1024 to 8192 bits, RSA under 2048
    /// bits with SHA-384 or PSS.
    #[error("public key is not supported")]
    UnsupportedKey,
}

/// Whether `key` made `signature` over `message` in this scheme.
pub fn verify(key: &PublicKey, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<(), NotVerified> {
    let verified = match (key, scheme) {
        (PublicKey::Rsa { n, e }, Scheme::RsaPkcs1(_) | Scheme::RsaPss(_)) => {
            let parameters = rsa(key.rsa_bits(), scheme).ok_or(NotVerified::UnsupportedKey)?;
            PublicKeyComponents { n, e }.verify(parameters, message, signature)
        }
        (PublicKey::Ecdsa { curve, point }, Scheme::Ecdsa(hash)) => {
            let algorithm = ecdsa(*curve, hash).ok_or(NotVerified::UnsupportedKey)?;
            UnparsedPublicKey::new(algorithm, point).verify(message, signature)
        }
        (PublicKey::Ed25519(bytes), Scheme::Ed25519) => {
            UnparsedPublicKey::new(&signature::ED25519, bytes).verify(message, signature)
        }
        (PublicKey::Unusable, _) => return Err(NotVerified::UnsupportedKey),
        _ => return Err(NotVerified::WrongKey),
    };
    verified.map_err(|_| NotVerified::Mismatch)
}

// UPSTREAM: Go's crypto/rsa verifies from 1024 bits up (kube-apiserver 1.36).
fn rsa(bits: usize, scheme: Scheme) -> Option<&'static RsaParameters> {
    use signature as s;
    match (scheme, bits) {
        (Scheme::RsaPkcs1(Hash::Sha256), 1024..2048) => {
            Some(&s::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY)
        }
        (Scheme::RsaPkcs1(Hash::Sha512), 1024..2048) => {
            Some(&s::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY)
        }
        (Scheme::RsaPkcs1(hash), 2048..=8192) => Some(match hash {
            Hash::Sha256 => &s::RSA_PKCS1_2048_8192_SHA256,
            Hash::Sha384 => &s::RSA_PKCS1_2048_8192_SHA384,
            Hash::Sha512 => &s::RSA_PKCS1_2048_8192_SHA512,
        }),
        (Scheme::RsaPss(hash), 2048..=8192) => Some(match hash {
            Hash::Sha256 => &s::RSA_PSS_2048_8192_SHA256,
            Hash::Sha384 => &s::RSA_PSS_2048_8192_SHA384,
            Hash::Sha512 => &s::RSA_PSS_2048_8192_SHA512,
        }),
        _ => None,
    }
}

fn ecdsa(curve: Curve, hash: Hash) -> Option<&'static EcdsaVerificationAlgorithm> {
    use signature as s;
    Some(match (curve, hash) {
        (Curve::P224, _) => return None,
        (Curve::P256, Hash::Sha256) => &s::ECDSA_P256_SHA256_ASN1,
        (Curve::P256, Hash::Sha384) => &s::ECDSA_P256_SHA384_ASN1,
        (Curve::P256, Hash::Sha512) => &s::ECDSA_P256_SHA512_ASN1,
        (Curve::P384, Hash::Sha256) => &s::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, Hash::Sha384) => &s::ECDSA_P384_SHA384_ASN1,
        (Curve::P384, Hash::Sha512) => &s::ECDSA_P384_SHA512_ASN1,
        (Curve::P521, Hash::Sha256) => &s::ECDSA_P521_SHA256_ASN1,
        (Curve::P521, Hash::Sha384) => &s::ECDSA_P521_SHA384_ASN1,
        (Curve::P521, Hash::Sha512) => &s::ECDSA_P521_SHA512_ASN1,
    })
}
