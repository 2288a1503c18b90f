//! The keys that may sign service-account tokens.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, KeyPair,
    },
};
use base64::Engine;

use crate::{
    bearer::BASE64_URL,
    der_writer as write, pem,
    signature::{Curve, PublicKey},
    x509::{
        Certificate,
        der::{Reader, tag},
        key::{oid, subject_public_key},
    },
};

/// Public keys, each with the identifier by which a token names it.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccountKeys(Vec<(String, PublicKey)>);

/// There is no key in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("data does not contain any valid RSA or ECDSA public keys")]
pub struct NoKeys;

impl ServiceAccountKeys {
    /// Adds all keys of a file, public or private, or of certificates.
    // UPSTREAM: labels of PEM blocks play no part; what is no RSA or ECDSA key is passed over, so
    // is an ECDSA key in PKCS#8; a file without any key is an error (kube-apiserver 1.36)
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<(), NoKeys> {
        let before = self.0.len();
        self.0.extend(pem::blocks(pem).iter().filter_map(|block| {
            let key = read_key(&block.data)?;
            Some((key_id(&key)?, key))
        }));
        if self.0.len() == before { Err(NoKeys) } else { Ok(()) }
    }

    /// The identifiers of all keys, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(id, _)| id.as_str())
    }

    /// The keys that a token with this `kid` may be signed by: all if it is empty.
    pub(super) fn named(&self, id: &str) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().filter(move |(own, _)| id.is_empty() || own == id).map(|(_, key)| key)
    }
}

fn read_key(der: &[u8]) -> Option<PublicKey> {
    rsa_private(der).or_else(|| rsa_in_pkcs8(der)).or_else(|| public(der)).or_else(|| ecdsa_private(der))
}

/// The public half of a PKCS#1 private key.
fn rsa_private(der: &[u8]) -> Option<PublicKey> {
    let mut fields = whole_sequence(der)?;
    let version = fields.integer()?;
    let mut magnitude = || fields.big_integer().map(|number| number.strip_prefix(&[0]).unwrap_or(number));
    let (n, e) = (magnitude()?, magnitude()?);
    matches!(version, 0 | 1).then(|| PublicKey::Rsa { n: n.into(), e: e.into() })
}

fn rsa_in_pkcs8(der: &[u8]) -> Option<PublicKey> {
    let mut fields = whole_sequence(der)?;
    fields.integer()?;
    let algorithm = fields.nested(tag::SEQUENCE)?.object_identifier()?;
    let key = fields.body(tag::OCTET_STRING)?;
    if algorithm == oid::RSA { rsa_private(key) } else { None }
}

/// A SubjectPublicKeyInfo, or that of a certificate.
fn public(der: &[u8]) -> Option<PublicKey> {
    let key = match whole_sequence(der).map(|_| subject_public_key(der)) {
        Some(Ok(key)) => key?,
        _ => Certificate::parse(der).ok()?.key()?.clone(),
    };
    matches!(key, PublicKey::Rsa { .. } | PublicKey::Ecdsa { .. }).then_some(key)
}

/// The public half of a SEC 1 private key.
fn ecdsa_private(der: &[u8]) -> Option<PublicKey> {
    let mut fields = whole_sequence(der)?;
    if fields.integer()? != 1 {
        return None;
    }
    [
        (Curve::P256, &ECDSA_P256_SHA256_FIXED_SIGNING),
        (Curve::P384, &ECDSA_P384_SHA384_FIXED_SIGNING),
        (Curve::P521, &ECDSA_P521_SHA512_FIXED_SIGNING),
    ]
    .into_iter()
    .find_map(|(curve, algorithm)| {
        let pair = EcdsaKeyPair::from_private_key_der(algorithm, der).ok()?;
        Some(PublicKey::Ecdsa { curve, point: pair.public_key().as_ref().into() })
    })
}

/// The contents of a sequence that nothing follows.
fn whole_sequence(der: &[u8]) -> Option<Reader<'_>> {
    let mut input = Reader::new(der);
    let contents = input.nested(tag::SEQUENCE)?;
    input.is_empty().then_some(contents)
}

/// How tokens name a key: the digest of its SubjectPublicKeyInfo, which tells nothing of the key.
fn key_id(key: &PublicKey) -> Option<String> {
    let oid = |oid: &[u8]| write::element(tag::OBJECT_IDENTIFIER, oid);
    let (algorithm, bits) = match key {
        PublicKey::Rsa { n, e } => (
            write::sequence(&[oid(oid::RSA), write::element(tag::NULL, &[])]),
            write::sequence(&[write::unsigned(n), write::unsigned(e)]),
        ),
        PublicKey::Ecdsa { curve, point } => {
            let curve = match curve {
                Curve::P224 => oid::P224,
                Curve::P256 => oid::P256,
                Curve::P384 => oid::P384,
                Curve::P521 => oid::P521,
            };
            (write::sequence(&[oid(oid::EC), oid(curve)]), point.to_vec())
        }
        PublicKey::Ed25519(_) | PublicKey::Unusable => return None,
    };
    let info = write::sequence(&[algorithm, write::bit_string(&bits)]);
    Some(BASE64_URL.encode(digest(&SHA256, &info)))
}
