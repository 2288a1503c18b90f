//! Name constraints: which names a CA may vouch for.

use std::net::IpAddr;

use super::{
    Malformed,
    certificate::Certificate,
    der::{Reader, tag},
    general_name::{self, ascii, is_domain, is_mapped_ipv4},
    mailbox::Mailbox,
};

/// The constraints that a CA certificate puts on all certificates below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NameConstraints {
    permitted: Subtrees,
    excluded: Subtrees,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Subtrees {
    dns: Vec<String>,
    email: Vec<EmailConstraint>,
    ip: Vec<IpRange>,
    uri: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum EmailConstraint {
    Domain(String),
    Mailbox(Mailbox),
}

/// Address and mask, four or sixteen bytes each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct IpRange {
    address: Box<[u8]>,
    mask: Box<[u8]>,
}

impl NameConstraints {
    /// Reads the extension; false beside it if it constrains kinds of names that kube-apiserver
    /// does not check.
    pub(super) fn read(mut reader: Reader<'_>) -> Result<(Self, bool), Malformed> {
        const BROKEN: Malformed = Malformed("invalid name constraints");
        let mut fields = reader.nested(tag::SEQUENCE).filter(|_| reader.is_empty()).ok_or(BROKEN)?;
        let permitted = fields.optional(tag::constructed(0)).ok_or(BROKEN)?;
        let excluded = fields.optional(tag::constructed(1)).ok_or(BROKEN)?;
        let lists = [permitted, excluded];
        let an_empty_list = lists.iter().flatten().any(|list| list.body.is_empty());
        if !fields.is_empty() || an_empty_list || lists.iter().all(Option::is_none) {
            return Err(BROKEN);
        }
        let [(permitted, first_known), (excluded, second_known)] = [
            Subtrees::read(permitted.map_or(&[], |list| list.body))?,
            Subtrees::read(excluded.map_or(&[], |list| list.body))?,
        ];
        Ok((Self { permitted, excluded }, first_known && second_known))
    }
}

impl Subtrees {
    fn read(contents: &[u8]) -> Result<(Self, bool), Malformed> {
        const BROKEN: Malformed = Malformed("invalid name constraint");
        let mut subtrees = Self::default();
        let mut all_known = true;
        let mut list = Reader::new(contents);
        while !list.is_empty() {
            let base = list.nested(tag::SEQUENCE).and_then(|mut subtree| subtree.any()).ok_or(BROKEN)?;
            let text = || ascii(base.body).ok_or(BROKEN);
            match base.tag {
                general_name::DNS => subtrees.dns.push(domain_constraint(&text()?).ok_or(BROKEN)?),
                general_name::EMAIL => {
                    let text = text()?;
                    let constraint = match text.contains('@') {
                        true => Mailbox::parse(&text).map(EmailConstraint::Mailbox),
                        false => domain_constraint(&text).map(EmailConstraint::Domain),
                    };
                    subtrees.email.push(constraint.ok_or(BROKEN)?);
                }
                general_name::IP => subtrees.ip.push(IpRange::read(base.body).ok_or(BROKEN)?),
                general_name::URI => {
                    let domain = domain_constraint(&text()?).filter(|domain| !is_ip_address(domain));
                    subtrees.uri.push(domain.ok_or(BROKEN)?);
                }
                _ => all_known = false,
            }
        }
        Ok((subtrees, all_known))
    }
}

impl IpRange {
    fn read(bytes: &[u8]) -> Option<Self> {
        if !matches!(bytes.len(), 8 | 32) {
            return None;
        }
        let (address, mask) = bytes.split_at_checked(bytes.len() / 2)?;
        let ones = mask.iter().map(|byte| byte.leading_ones() as usize).sum::<usize>();
        let contiguous = mask.iter().enumerate().all(|(index, &byte)| {
            let ones_here = ones.saturating_sub(index * 8).min(8) as u32;
            u32::from(byte) == 0xff00_u32 >> ones_here & 0xff
        });
        (contiguous && !is_mapped_ipv4(address)).then(|| Self { address: address.into(), mask: mask.into() })
    }

    fn contains(&self, address: &[u8]) -> bool {
        let bytes = address.iter().zip(self.address.iter().zip(&self.mask));
        address.len() == self.address.len() && bytes.into_iter().all(|(a, (b, mask))| a & mask == b & mask)
    }
}

/// A domain in lower case, with or without a leading dot; empty stands for every domain.
fn domain_constraint(text: &str) -> Option<String> {
    let labels = text.strip_prefix('.').filter(|rest| !rest.is_empty()).unwrap_or(text);
    is_domain(labels).then(|| text.to_ascii_lowercase())
}

fn is_ip_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// How many comparisons one chain may cost. Go needs no limit since it sorts constraints; as many
/// as this is what it allowed before that.
const MAX_COMPARISONS: usize = 250_000;

/// Whether every certificate of `chain` (leaf first) keeps to the constraints of those above it; if
/// not, the sentence that says which name does not.
pub(super) fn check(chain: &[&Certificate]) -> Result<(), String> {
    let mut comparisons = 0;
    for (index, certificate) in chain.iter().enumerate() {
        let Some(names) = certificate.alternative_names() else { continue };
        let above = chain.iter().skip(index + 1).filter_map(|issuer| issuer.name_constraints());
        let mut names_to_check = None;
        for constraints in above {
            let names = match &names_to_check {
                Some(names) => names,
                None => names_to_check.insert(Names::new(names)?),
            };
            comparisons += names.count() * constraints.count();
            if comparisons > MAX_COMPARISONS {
                return Err("too many name constraints to check".to_owned());
            }
            constraints.allow(names)?;
        }
    }
    Ok(())
}

/// The names of a certificate, ready to be compared: in lower case, and known to be comparable.
struct Names<'a> {
    ip: &'a [Box<[u8]>],
    dns: Vec<String>,
    uri: Vec<String>,
    email: Vec<Mailbox>,
}

impl<'a> Names<'a> {
    /// A name that cannot be compared fails any constraint, even one on other kinds of names.
    // UPSTREAM: so does Go (kube-apiserver 1.36).
    fn new(names: &'a general_name::AlternativeNames) -> Result<Self, String> {
        let uri = names.uri_hosts.iter().map(|host| {
            comparable_host(host).ok_or_else(|| format!("URI with host {host:?} cannot be matched"))
        });
        let email = names
            .email
            .iter()
            .map(|email| Mailbox::parse(email).ok_or_else(|| format!("cannot parse rfc822Name {email:?}")));
        let dns = names.dns.iter().map(|name| match is_domain(name) {
            true => Ok(name.to_ascii_lowercase()),
            false => Err(format!("cannot parse dnsName {name:?}")),
        });
        Ok(Self {
            uri: uri.collect::<Result<_, _>>()?,
            email: email.collect::<Result<_, _>>()?,
            dns: dns.collect::<Result<_, _>>()?,
            ip: &names.ip,
        })
    }

    fn count(&self) -> usize {
        self.ip.len() + self.dns.len() + self.uri.len() + self.email.len()
    }
}

/// The host without its port, in lower case. An address is not comparable, nor is nothing.
fn comparable_host(host_and_port: &str) -> Option<String> {
    let host = host_and_port.split_once(':').map_or(host_and_port, |(host, _port)| host);
    let comparable = !host.is_empty() && !host.starts_with('[') && !is_ip_address(host);
    comparable.then(|| host.to_ascii_lowercase())
}

impl NameConstraints {
    fn count(&self) -> usize {
        let count = |trees: &Subtrees| trees.dns.len() + trees.email.len() + trees.ip.len() + trees.uri.len();
        count(&self.permitted) + count(&self.excluded)
    }

    fn allow(&self, names: &Names<'_>) -> Result<(), String> {
        let (yes, no) = (&self.permitted, &self.excluded);
        for ip in names.ip {
            judge("IP address", ip, &yes.ip, &no.ip, |range, ip, _| range.contains(ip))?;
        }
        for name in &names.dns {
            judge("DNS name", name, &yes.dns, &no.dns, |domain, name, side| {
                domain_covers(domain, name, side)
            })?;
        }
        for host in &names.uri {
            judge("URI", host, &yes.uri, &no.uri, |domain, host, side| domain_covers(domain, host, side))?;
        }
        for mailbox in &names.email {
            judge("email address", mailbox, &yes.email, &no.email, |constraint, mailbox, side| {
                match constraint {
                    EmailConstraint::Mailbox(only) => only == mailbox,
                    EmailConstraint::Domain(domain) => domain_covers(domain, &mailbox.domain, side),
                }
            })?;
        }
        Ok(())
    }
}

/// Which list a constraint stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Permitted,
    Excluded,
}

/// A name must be covered by some constraint of `permitted`, unless that is empty, and by none of
/// `excluded`.
fn judge<N: ?Sized + std::fmt::Debug, C>(
    kind: &str,
    name: &N,
    permitted: &[C],
    excluded: &[C],
    covers: impl Fn(&C, &N, Side) -> bool,
) -> Result<(), String> {
    if !permitted.is_empty() && !permitted.iter().any(|constraint| covers(constraint, name, Side::Permitted))
    {
        return Err(format!("{kind} {name:?} is not permitted by any constraint"));
    }
    if excluded.iter().any(|constraint| covers(constraint, name, Side::Excluded)) {
        return Err(format!("{kind} {name:?} is excluded"));
    }
    Ok(())
}

/// Whether a domain constraint covers `name`; both are in lower case.
// UPSTREAM: a constraint covers itself and what is below it, with a leading dot only what is below
// it, for mail and URIs too; a wildcard name is excluded where a name that it could stand for is
// (kube-apiserver 1.36).
fn domain_covers(constraint: &str, name: &str, side: Side) -> bool {
    let covers_as_suffix = name
        .strip_suffix(constraint)
        .is_some_and(|rest| rest.is_empty() || constraint.starts_with('.') || rest.ends_with('.'));
    let covers_as_wildcard = || {
        let parent = after_first_label(name);
        parent.is_some() && parent == after_first_label(constraint)
    };
    constraint.is_empty()
        || covers_as_suffix
        || (side == Side::Excluded && name.starts_with('*') && covers_as_wildcard())
}

/// From the first dot on.
fn after_first_label(name: &str) -> Option<&str> {
    name.find('.').and_then(|dot| name.get(dot..))
}

#[cfg(test)]
mod tests {
    use super::{IpRange, Side, domain_covers};

    #[test]
    fn domains_cover_what_go_says() {
        let check = |constraint: &str, name: &str, permitted: bool, excluded: bool| {
            let found = (
                domain_covers(constraint, name, Side::Permitted),
                domain_covers(constraint, name, Side::Excluded),
            );
            assert_eq!(found, (permitted, excluded), "{constraint:?} and {name:?}");
        };
        check("", "anything", true, true);
        check("example.com", "example.com", true, true);
        check("example.com", "a.example.com", true, true);
        check("example.com", "badexample.com", false, false);
        check("example.com", "com", false, false);
        check(".example.com", "example.com", false, false);
        check(".example.com", "a.example.com", true, true);
        check("a.example.com", "*.example.com", false, true);
        check("a.b.example.com", "*.example.com", false, false);
        check("a", "*", false, false);
        check("com", "*.example.com", true, true);
    }

    #[test]
    fn ip_masks_are_contiguous() {
        let check =
            |bytes: &[u8], valid: bool| assert_eq!(IpRange::read(bytes).is_some(), valid, "{bytes:?}");
        check(&[10, 0, 0, 0, 255, 0, 0, 0], true);
        check(&[10, 0, 0, 0, 255, 128, 0, 0], true);
        check(&[0, 0, 0, 0, 0, 0, 0, 0], true);
        check(&[10, 1, 2, 3, 255, 255, 255, 255], true);
        check(&[10, 0, 0, 0, 255, 0, 255, 0], false);
        check(&[10, 0, 0, 0, 255, 64, 0, 0], false);
        check(&[10, 0, 0, 0, 255], false);
    }
}
