//! One certificate, read once.

use std::fmt;

use aws_lc_rs::digest;
use jiff::Timestamp;

use crate::signature::{self, NotVerified, PublicKey};

use super::{
    Malformed,
    constraints::NameConstraints,
    der::{Reader, tag},
    extensions::{BasicConstraints, ExtendedKeyUsage, Extensions, KeyUsage},
    general_name::AlternativeNames,
    key::{self, Algorithm, AlgorithmIdentifier},
    name::{self, Attribute},
    policy::Policies,
    time::Moment,
};

/// A certificate that kube-apiserver would parse. Nothing about it is verified yet.
#[derive(Clone)]
pub struct Certificate {
    fingerprint: Box<[u8]>,
    /// The part that is signed, with tag and length.
    signed: Box<[u8]>,
    algorithm: Algorithm,
    signature: Box<[u8]>,
    version: i64,
    /// Names are compared as they are encoded.
    issuer: Box<[u8]>,
    subject: Box<[u8]>,
    subject_attributes: Vec<Attribute>,
    not_before: Moment,
    not_after: Moment,
    key_info: Box<[u8]>,
    /// `None`: of an algorithm that kube-apiserver does not know.
    key: Option<PublicKey>,
    extensions: Extensions,
}

/// Why the signature of a certificate does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The issuer is no CA, or may not sign certificates.
    #[error("x509: invalid signature: parent certificate cannot sign this kind of certificate")]
    NotACa,
    /// MD5 or SHA-1.
    #[error("x509: cannot verify signature: insecure algorithm")]
    Insecure,
    /// An algorithm that kube-apiserver does not know.
    #[error("x509: cannot verify signature: algorithm unimplemented")]
    Unknown,
    /// It was not made with the issuer's key.
    #[error("x509: {0}")]
    NotVerified(#[from] NotVerified),
}

impl Certificate {
    /// Reads one certificate that ends where `der` ends.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Malformed> {
        let mut input = Reader::new(der);
        let certificate = Self::read(&mut input)?;
        if input.is_empty() { Ok(certificate) } else { Err(Malformed("trailing data")) }
    }

    /// Reads the next certificate of several.
    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let whole = input.element(tag::SEQUENCE).ok_or(Malformed("malformed certificate"))?;
        let mut outer = Reader::new(whole.body);
        let signed = outer.element(tag::SEQUENCE).ok_or(Malformed("malformed tbs certificate"))?;
        let mut fields = Reader::new(signed.body);

        let version = version(&mut fields).ok_or(Malformed("malformed version"))?;
        let serial = fields.big_integer().ok_or(Malformed("malformed serial number"))?;
        if serial.first().is_some_and(|first| first & 0x80 != 0) {
            return Err(Malformed("negative serial number"));
        }
        let algorithm = fields.body(tag::SEQUENCE).ok_or(Malformed("malformed algorithm identifier"))?;
        if outer.body(tag::SEQUENCE).ok_or(Malformed("malformed algorithm identifier"))? != algorithm {
            return Err(Malformed("inner and outer signature algorithm identifiers don't match"));
        }
        let algorithm = AlgorithmIdentifier::read(Reader::new(algorithm))
            .ok_or(Malformed("malformed algorithm identifier"))?
            .signature_algorithm();
        let issuer = fields.element(tag::SEQUENCE).ok_or(Malformed("malformed issuer"))?.whole;
        name::attributes(issuer)?;
        let mut validity = fields.nested(tag::SEQUENCE).ok_or(Malformed("malformed validity"))?;
        let not_before = Moment::read(&mut validity).ok_or(Malformed("malformed validity"))?;
        let not_after = Moment::read(&mut validity).ok_or(Malformed("malformed validity"))?;
        let subject = fields.element(tag::SEQUENCE).ok_or(Malformed("malformed subject"))?.whole;
        let subject_attributes = name::attributes(subject)?;
        let key_info = fields.element(tag::SEQUENCE).ok_or(Malformed("malformed public key"))?.whole;
        let key = key::subject_public_key(key_info)?;
        let extensions = extensions(version, fields)?;
        let signature = outer.bit_string().ok_or(Malformed("malformed signature"))?.right_aligned();

        Ok(Self {
            fingerprint: digest::digest(&digest::SHA256, whole.whole).as_ref().into(),
            signed: signed.whole.into(),
            algorithm,
            signature,
            version,
            issuer: issuer.into(),
            subject: subject.into(),
            subject_attributes,
            not_before,
            not_after,
            key_info: key_info.into(),
            key,
            extensions,
        })
    }

    /// The SHA-256 of the whole certificate: its identity.
    pub fn fingerprint(&self) -> &[u8] {
        &self.fingerprint
    }

    /// The last moment of its validity (the end of time, for one that never expires).
    pub fn not_after(&self) -> Timestamp {
        self.not_after.to_timestamp()
    }

    /// The first moment of its validity.
    pub fn not_before(&self) -> Timestamp {
        self.not_before.to_timestamp()
    }

    /// The subject, in DER.
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The SubjectPublicKeyInfo, in DER.
    pub fn subject_public_key_info(&self) -> &[u8] {
        &self.key_info
    }

    pub(crate) fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    pub(super) fn subject_attributes(&self) -> &[Attribute] {
        &self.subject_attributes
    }

    pub(super) fn alternative_names(&self) -> Option<&AlternativeNames> {
        self.extensions.alternative_names.as_ref()
    }

    pub(super) fn name_constraints(&self) -> Option<&NameConstraints> {
        self.extensions.name_constraints.as_ref()
    }

    pub(super) fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.extensions.basic_constraints
    }

    pub(super) fn extended_key_usage(&self) -> ExtendedKeyUsage {
        self.extensions.extended_key_usage
    }

    pub(super) fn policies(&self) -> &Policies {
        &self.extensions.policies
    }

    pub(super) fn has_unhandled_critical_extension(&self) -> bool {
        self.extensions.unhandled_critical
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    pub(super) fn is_expired_at(&self, now: Timestamp) -> bool {
        self.not_after.is_before(now)
    }

    pub(super) fn is_not_yet_valid_at(&self, now: Timestamp) -> bool {
        self.not_before.is_after(now)
    }

    /// Whether `issuer` is named as the issuer.
    pub(super) fn names_issuer(&self, issuer: &Self) -> bool {
        self.issuer == issuer.subject
    }

    /// How well the key identifiers fit: 0 best, 2 worst. It orders candidates and rejects none.
    pub(super) fn key_id_distance(&self, issuer: &Self) -> u8 {
        let (wanted, found) = (&self.extensions.authority_key_id, &issuer.extensions.subject_key_id);
        if wanted == found {
            0
        } else if wanted.is_empty() || found.is_empty() {
            1
        } else {
            2
        }
    }

    /// Whether the two stand for the same entity: one of them in a chain is enough.
    pub(super) fn is_same_entity(&self, other: &Self) -> bool {
        self.subject == other.subject
            && self.key_info == other.key_info
            && self.extensions.raw_alternative_names == other.extensions.raw_alternative_names
    }

    /// Whether `issuer` may sign certificates and has signed this one.
    pub(super) fn check_signature_of(&self, issuer: &Self) -> Result<(), BadSignature> {
        const V3: i64 = 2;
        let is_ca = match issuer.extensions.basic_constraints {
            Some(constraints) => constraints.is_ca,
            None => issuer.version != V3,
        };
        if !is_ca || issuer.extensions.key_usage == KeyUsage::Other {
            return Err(BadSignature::NotACa);
        }
        let scheme = match self.algorithm {
            Algorithm::Verified(scheme) => scheme,
            Algorithm::Insecure => return Err(BadSignature::Insecure),
            Algorithm::Unknown => return Err(BadSignature::Unknown),
        };
        let key = issuer.key.as_ref().ok_or(BadSignature::Unknown)?;
        Ok(signature::verify(key, scheme, &self.signed, &self.signature)?)
    }
}

/// Short: the fingerprint says which one it is.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(")?;
        self.fingerprint.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// 0, 1 or 2, for X.509 v1, v2 and v3.
fn version(fields: &mut Reader<'_>) -> Option<i64> {
    let Some(element) = fields.optional(tag::constructed(0))? else { return Some(0) };
    let mut contents = Reader::new(element.body);
    contents.integer().filter(|version| contents.is_empty() && (0..=2).contains(version))
}

/// What follows the public key. Only v3 has extensions; what an older version carries in their
/// place is not looked at.
fn extensions(version: i64, mut fields: Reader<'_>) -> Result<Extensions, Malformed> {
    if version > 0 {
        for unique_id in [tag::context(1), tag::context(2)] {
            fields.optional(unique_id).ok_or(Malformed("malformed unique identifier"))?;
        }
    }
    if version < 2 {
        return Ok(Extensions::default());
    }
    const BROKEN: Malformed = Malformed("malformed extensions");
    match fields.optional(tag::constructed(3)).ok_or(BROKEN)? {
        Some(wrapped) => Extensions::read(Reader::new(wrapped.body).nested(tag::SEQUENCE).ok_or(BROKEN)?),
        None => Ok(Extensions::default()),
    }
}
