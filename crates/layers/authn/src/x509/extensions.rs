//! The extensions of a certificate that decide something, and those that must at least be
//! well-formed for the certificate to parse.

use std::collections::HashSet;

use super::{
    Malformed,
    constraints::NameConstraints,
    der::{BitString, Reader, tag, well_formed_oid},
    general_name::AlternativeNames,
    policy::Policies,
};

mod oid {
    /// `id-ce`, to which one byte is added.
    pub(super) const CERTIFICATE_EXTENSION: [u8; 2] = [0x55, 29];
    pub(super) const AUTHORITY_INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
    pub(super) const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 29, 37, 0];
    pub(super) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
    pub(super) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
}

/// What the extensions say. Absent extensions leave the defaults.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions {
    /// Whether there is a critical extension that kube-apiserver does not understand.
    pub(super) unhandled_critical: bool,
    pub(super) key_usage: KeyUsage,
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) extended_key_usage: ExtendedKeyUsage,
    /// Empty if absent.
    pub(super) subject_key_id: Box<[u8]>,
    /// Empty if absent.
    pub(super) authority_key_id: Box<[u8]>,
    pub(super) alternative_names: Option<AlternativeNames>,
    /// The value of the subject alternative name extension as it stands.
    pub(super) raw_alternative_names: Option<Box<[u8]>>,
    pub(super) name_constraints: Option<NameConstraints>,
    pub(super) policies: Policies,
}

/// Whether the key may sign certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum KeyUsage {
    /// No usage is named; nothing is forbidden.
    #[default]
    Any,
    /// Usages are named, signing certificates among them.
    SignsCertificates,
    /// Usages are named, signing certificates not among them.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BasicConstraints {
    pub(super) is_ca: bool,
    /// How many intermediates may stand below.
    pub(super) max_path_len: Option<u64>,
}

/// What a certificate, and all below it, may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExtendedKeyUsage {
    /// Authenticating clients.
    pub(super) client: bool,
    /// Authenticating servers.
    pub(super) server: bool,
}

/// No usage is named.
impl Default for ExtendedKeyUsage {
    fn default() -> Self {
        Self { client: true, server: true }
    }
}

impl Extensions {
    /// Reads the contents of the SEQUENCE of extensions.
    pub(super) fn read(mut list: Reader<'_>) -> Result<Self, Malformed> {
        const BROKEN: Malformed = Malformed("malformed extension");
        let mut extensions = Self::default();
        let mut seen = HashSet::new();
        while !list.is_empty() {
            let mut extension = list.nested(tag::SEQUENCE).ok_or(BROKEN)?;
            let id = extension.object_identifier().ok_or(BROKEN)?;
            let critical = extension.next_is(tag::BOOLEAN) && extension.boolean().ok_or(BROKEN)?;
            let value = extension.body(tag::OCTET_STRING).ok_or(BROKEN)?;
            if !seen.insert(id) {
                return Err(Malformed("certificate contains duplicate extensions"));
            }
            let handled = extensions.read_one(id, critical, value)?;
            extensions.unhandled_critical |= critical && !handled;
        }
        Ok(extensions)
    }

    /// Takes in one extension; false if it is not understood.
    fn read_one(&mut self, id: &[u8], critical: bool, value: &[u8]) -> Result<bool, Malformed> {
        let mut reader = Reader::new(value);
        let number = match id {
            oid::AUTHORITY_INFO_ACCESS => {
                if critical || authority_info_access(reader).is_none() {
                    return Err(Malformed("invalid authority info access"));
                }
                return Ok(true);
            }
            [prefix @ .., number] if prefix == oid::CERTIFICATE_EXTENSION => *number,
            _ => return Ok(false),
        };
        match number {
            14 => {
                let key_id = reader.body(tag::OCTET_STRING).filter(|_| !critical);
                self.subject_key_id = key_id.ok_or(Malformed("invalid subject key identifier"))?.into();
            }
            15 => {
                let bits = reader.bit_string().ok_or(Malformed("invalid key usage"))?;
                self.key_usage = KeyUsage::from(bits);
            }
            17 => {
                let names = AlternativeNames::read(value)?;
                let handled = !names.is_empty();
                self.alternative_names = Some(names);
                self.raw_alternative_names = Some(value.into());
                return Ok(handled);
            }
            19 => {
                let constraints = BasicConstraints::read(reader);
                self.basic_constraints = Some(constraints.ok_or(Malformed("invalid basic constraints"))?);
            }
            30 => {
                let (constraints, complete) = NameConstraints::read(reader)?;
                self.name_constraints = Some(constraints);
                return Ok(complete);
            }
            31 => crl_distribution_points(reader).ok_or(Malformed("invalid CRL distribution points"))?,
            32 => {
                let policies = Policies::read_policies(reader);
                self.policies.named = policies.ok_or(Malformed("invalid certificate policies"))?;
            }
            33 => {
                let mappings = Policies::read_mappings(reader);
                self.policies.mappings = mappings.ok_or(Malformed("invalid policy mappings"))?;
            }
            35 => {
                let key_id = authority_key_id(reader).filter(|_| !critical);
                self.authority_key_id = key_id.ok_or(Malformed("invalid authority key identifier"))?.into();
            }
            36 => {
                let read = self.policies.read_constraints(reader);
                read.ok_or(Malformed("invalid policy constraints"))?;
            }
            37 => {
                let usage = ExtendedKeyUsage::read(reader);
                self.extended_key_usage = usage.ok_or(Malformed("invalid extended key usage"))?;
            }
            54 => {
                let skip = reader.integer().ok_or(Malformed("invalid inhibit any policy"))?;
                self.policies.inhibit_any = Policies::limit(skip);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl From<BitString<'_>> for KeyUsage {
    fn from(bits: BitString<'_>) -> Self {
        const KEY_CERT_SIGN: usize = 5;
        if bits.bit(KEY_CERT_SIGN) {
            Self::SignsCertificates
        } else if (0..9).any(|index| bits.bit(index)) {
            Self::Other
        } else {
            // UPSTREAM: a usage without any of the nine bits counts as none (kube-apiserver 1.36).
            Self::Any
        }
    }
}

impl BasicConstraints {
    fn read(mut reader: Reader<'_>) -> Option<Self> {
        let mut fields = reader.nested(tag::SEQUENCE)?;
        let is_ca = if fields.next_is(tag::BOOLEAN) { fields.boolean()? } else { false };
        let max_path_len = match fields.next_is(tag::INTEGER) {
            true => Some(u64::try_from(fields.integer()?).ok()?),
            false => None,
        };
        Some(Self { is_ca, max_path_len })
    }
}

impl ExtendedKeyUsage {
    fn read(mut reader: Reader<'_>) -> Option<Self> {
        let mut list = reader.nested(tag::SEQUENCE)?;
        if list.is_empty() {
            return Some(Self::default());
        }
        let mut usages = Self { client: false, server: false };
        while !list.is_empty() {
            let usage = list.object_identifier()?;
            let any = usage == oid::ANY_EXTENDED_KEY_USAGE;
            usages.client |= any || usage == oid::CLIENT_AUTH;
            usages.server |= any || usage == oid::SERVER_AUTH;
        }
        Some(usages)
    }
}

fn authority_key_id<'a>(mut reader: Reader<'a>) -> Option<&'a [u8]> {
    let mut fields = reader.nested(tag::SEQUENCE)?;
    fields.optional(tag::context(0))?.map_or(Some(&[]), |key_id| Some(key_id.body))
}

/// Where certificates and answers about them are to be had: never fetched, but it has to be
/// well-formed.
fn authority_info_access(mut reader: Reader<'_>) -> Option<()> {
    let mut descriptions = reader.nested(tag::SEQUENCE)?;
    while !descriptions.is_empty() {
        let mut description = descriptions.nested(tag::SEQUENCE)?;
        description.object_identifier()?;
        description.optional(tag::context(6))?;
    }
    Some(())
}

/// Never fetched, but it has to be well-formed.
fn crl_distribution_points(mut reader: Reader<'_>) -> Option<()> {
    let mut points = reader.nested(tag::SEQUENCE)?;
    while !points.is_empty() {
        let mut point = points.nested(tag::SEQUENCE)?;
        let Some(name) = point.optional(tag::constructed(0))? else { continue };
        let mut names = Reader::new(name.body).nested(tag::constructed(0))?;
        while names.next_is(tag::context(6)) {
            names.any()?;
        }
    }
    Some(())
}

/// Reads a policy identifier, whose components have no upper limit.
pub(super) fn policy_identifier<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    reader.body(tag::OBJECT_IDENTIFIER).filter(|id| well_formed_oid(id, u32::MAX))
}
