//! The names a certificate is issued for.

use super::{
    Malformed,
    der::{Reader, tag},
    uri,
};

/// Tags of a GeneralName. Those of other kinds are passed over.
pub(super) const EMAIL: u8 = tag::context(1);
pub(super) const DNS: u8 = tag::context(2);
pub(super) const URI: u8 = tag::context(6);
pub(super) const IP: u8 = tag::context(7);

/// The subject alternative names that name constraints speak of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AlternativeNames {
    pub(super) dns: Vec<String>,
    pub(super) email: Vec<String>,
    /// Four or sixteen bytes each.
    pub(super) ip: Vec<Box<[u8]>>,
    /// The host and port of each URI; empty where it has none.
    pub(super) uri_hosts: Vec<String>,
}

impl AlternativeNames {
    /// Reads the extension's value.
    pub(super) fn read(value: &[u8]) -> Result<Self, Malformed> {
        const BROKEN: Malformed = Malformed("invalid subject alternative names");
        let mut names = Self::default();
        let mut reader = Reader::new(value).nested(tag::SEQUENCE).ok_or(BROKEN)?;
        while !reader.is_empty() {
            let name = reader.any().ok_or(BROKEN)?;
            let text = || ascii(name.body).ok_or(Malformed("alternative name is not ASCII"));
            match name.tag {
                EMAIL => names.email.push(text()?),
                DNS => names.dns.push(text()?),
                URI => {
                    let host = uri::host_and_port(&text()?).filter(|host| is_domain(host));
                    names.uri_hosts.push(host.ok_or(Malformed("cannot parse URI"))?);
                }
                IP if is_mapped_ipv4(name.body) => {
                    return Err(Malformed("alternative name is an IPv4-mapped IPv6 address"));
                }
                IP if matches!(name.body.len(), 4 | 16) => names.ip.push(name.body.into()),
                IP => return Err(Malformed("cannot parse IP address")),
                _ => {}
            }
        }
        Ok(names)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.dns.is_empty() && self.email.is_empty() && self.ip.is_empty() && self.uri_hosts.is_empty()
    }
}

/// The bytes as text, if they are ASCII.
pub(super) fn ascii(bytes: &[u8]) -> Option<String> {
    bytes.is_ascii().then(|| str::from_utf8(bytes).ok().map(str::to_owned)).flatten()
}

/// Whether sixteen bytes stand for an IPv4 address.
pub(super) fn is_mapped_ipv4(address: &[u8]) -> bool {
    matches!(address, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, _, _, _, _])
}

/// Whether Go takes `name` for a domain: labels of visible ASCII without empty ones between, or
/// nothing at all. Much is a domain to it that is none on the Internet.
pub(super) fn is_domain(name: &str) -> bool {
    name.is_empty()
        || name.split('.').all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic()))
}
