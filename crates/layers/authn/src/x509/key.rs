//! Public keys and signature algorithms as certificates name them.

use crate::signature::{Curve, Hash, PublicKey, Scheme};

use super::{
    Malformed,
    der::{Reader, tag},
};

pub(crate) mod oid {
    pub(crate) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    pub(super) const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
    pub(crate) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    pub(super) const X25519: &[u8] = &[0x2b, 0x65, 110];
    pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 112];

    pub(crate) const P224: &[u8] = &[0x2b, 0x81, 4, 0, 33];
    pub(crate) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    pub(crate) const P384: &[u8] = &[0x2b, 0x81, 4, 0, 34];
    pub(crate) const P521: &[u8] = &[0x2b, 0x81, 4, 0, 35];

    pub(super) const MD5_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];
    pub(super) const SHA1_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
    pub(super) const SHA1_RSA_ISO: &[u8] = &[0x2b, 14, 3, 2, 29];
    pub(super) const SHA256_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    pub(super) const SHA384_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
    pub(super) const SHA512_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
    pub(super) const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
    pub(super) const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
    pub(super) const SHA1_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
    pub(super) const SHA256_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    pub(super) const SHA384_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    pub(super) const SHA512_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];

    pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    pub(super) const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
    pub(super) const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
}

/// `NULL`, as an element.
const NULL: &[u8] = &[tag::NULL, 0];

/// How a certificate is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// In a way that is verified.
    Verified(Scheme),
    /// With MD5 or SHA-1, which prove nothing.
    Insecure,
    /// In a way that kube-apiserver does not know.
    Unknown,
}

/// An AlgorithmIdentifier: what, and its parameters as an element (empty if there are none).
#[derive(Clone, Copy, Debug)]
pub(super) struct AlgorithmIdentifier<'a> {
    oid: &'a [u8],
    parameters: &'a [u8],
}

impl<'a> AlgorithmIdentifier<'a> {
    /// From the contents of its SEQUENCE.
    pub(super) fn read(mut contents: Reader<'a>) -> Option<Self> {
        let oid = contents.object_identifier()?;
        let parameters = if contents.is_empty() { &[] } else { contents.any()?.whole };
        Some(Self { oid, parameters })
    }

    /// Whether the parameters are absent or NULL.
    fn has_no_parameters(&self) -> bool {
        self.parameters.is_empty() || self.parameters == NULL
    }

    /// The signature algorithm that this names.
    // UPSTREAM: parameters are looked at for PSS and Ed25519 only (kube-apiserver 1.36).
    pub(super) fn signature_algorithm(&self) -> Algorithm {
        Algorithm::Verified(match self.oid {
            oid::SHA256_RSA => Scheme::RsaPkcs1(Hash::Sha256),
            oid::SHA384_RSA => Scheme::RsaPkcs1(Hash::Sha384),
            oid::SHA512_RSA => Scheme::RsaPkcs1(Hash::Sha512),
            oid::SHA256_ECDSA => Scheme::Ecdsa(Hash::Sha256),
            oid::SHA384_ECDSA => Scheme::Ecdsa(Hash::Sha384),
            oid::SHA512_ECDSA => Scheme::Ecdsa(Hash::Sha512),
            oid::ED25519 if self.parameters.is_empty() => Scheme::Ed25519,
            oid::RSA_PSS => match pss_hash(self.parameters) {
                Some(hash) => Scheme::RsaPss(hash),
                None => return Algorithm::Unknown,
            },
            oid::MD5_RSA | oid::SHA1_RSA | oid::SHA1_RSA_ISO | oid::SHA1_ECDSA => {
                return Algorithm::Insecure;
            }
            _ => return Algorithm::Unknown,
        })
    }
}

/// The hash of PSS parameters that name it twice (message and MGF1), with a salt of its length and
/// the usual trailer; anything else is not supported.
fn pss_hash(parameters: &[u8]) -> Option<Hash> {
    let mut fields = Reader::new(parameters).nested(tag::SEQUENCE)?;
    let hash = AlgorithmIdentifier::read(fields.nested(tag::constructed(0))?.nested(tag::SEQUENCE)?)?;
    let mgf = AlgorithmIdentifier::read(fields.nested(tag::constructed(1))?.nested(tag::SEQUENCE)?)?;
    let mgf_hash = AlgorithmIdentifier::read(Reader::new(mgf.parameters).nested(tag::SEQUENCE)?)?;
    let salt = fields.nested(tag::constructed(2))?.integer()?;
    let trailer = match fields.optional(tag::constructed(3))? {
        Some(element) => Reader::new(element.body).integer()?,
        None => 1,
    };
    let consistent = mgf.oid == oid::MGF1
        && mgf_hash.oid == hash.oid
        && hash.has_no_parameters()
        && mgf_hash.has_no_parameters()
        && trailer == 1;
    match (hash.oid, salt) {
        _ if !consistent => None,
        (oid::SHA256, 32) => Some(Hash::Sha256),
        (oid::SHA384, 48) => Some(Hash::Sha384),
        (oid::SHA512, 64) => Some(Hash::Sha512),
        _ => None,
    }
}

/// Reads a SubjectPublicKeyInfo, given with tag and length. `Ok(None)` is a key of an algorithm that
/// kube-apiserver does not know; a broken key of one that it knows is an error.
pub(crate) fn subject_public_key(info: &[u8]) -> Result<Option<PublicKey>, Malformed> {
    const BROKEN: Malformed = Malformed("malformed subject public key info");
    let mut info = Reader::new(info).nested(tag::SEQUENCE).ok_or(BROKEN)?;
    let algorithm = info.nested(tag::SEQUENCE).and_then(AlgorithmIdentifier::read).ok_or(BROKEN)?;
    let key = info.bit_string().ok_or(BROKEN)?.right_aligned();
    match algorithm.oid {
        oid::RSA if algorithm.parameters == NULL => {
            rsa(&key).ok_or(Malformed("invalid RSA public key")).map(Some)
        }
        oid::RSA => Err(Malformed("RSA key missing NULL parameters")),
        oid::EC => {
            let curve = curve(algorithm.parameters).ok_or(Malformed("unsupported elliptic curve"))?;
            if curve.holds(&key) {
                Ok(Some(PublicKey::Ecdsa { curve, point: key }))
            } else {
                Err(Malformed("invalid elliptic curve point"))
            }
        }
        oid::ED25519 | oid::X25519 if !algorithm.parameters.is_empty() => {
            Err(Malformed("key encoded with illegal parameters"))
        }
        oid::ED25519 | oid::X25519 if key.len() != 32 => Err(Malformed("wrong public key size")),
        oid::ED25519 => Ok(Some(PublicKey::Ed25519(key))),
        oid::X25519 => Ok(Some(PublicKey::Unusable)),
        oid::DSA => dsa(algorithm.parameters, &key).ok_or(Malformed("invalid DSA public key")).map(Some),
        _ => Ok(None),
    }
}

fn curve(parameters: &[u8]) -> Option<Curve> {
    match Reader::new(parameters).object_identifier()? {
        oid::P224 => Some(Curve::P224),
        oid::P256 => Some(Curve::P256),
        oid::P384 => Some(Curve::P384),
        oid::P521 => Some(Curve::P521),
        _ => None,
    }
}

fn rsa(key: &[u8]) -> Option<PublicKey> {
    let mut fields = Reader::new(key).nested(tag::SEQUENCE)?;
    let n = positive(fields.big_integer()?)?;
    let mut exponent = fields;
    exponent.integer()?; // it has to fit 64 bits
    let e = positive(fields.big_integer()?)?;
    Some(PublicKey::Rsa { n: n.into(), e: e.into() })
}

fn dsa(parameters: &[u8], key: &[u8]) -> Option<PublicKey> {
    positive(Reader::new(key).big_integer()?)?;
    let mut fields = Reader::new(parameters).nested(tag::SEQUENCE)?;
    for _ in 0..3 {
        positive(fields.big_integer()?)?;
    }
    Some(PublicKey::Unusable)
}

/// The magnitude of an integer above zero.
fn positive(integer: &[u8]) -> Option<&[u8]> {
    match integer {
        [0] => None,
        [0, magnitude @ ..] => Some(magnitude),
        [first, ..] if first & 0x80 != 0 => None,
        magnitude => Some(magnitude),
    }
}
