//! Mail addresses in certificates, read as Go reads them (RFC 2821, with what is seen in practice).

use super::general_name::is_domain;

/// An address, its domain in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// Without quotes and backslashes; compared byte by byte.
    pub(super) local: Vec<u8>,
    /// In lower case.
    pub(super) domain: String,
}

impl Mailbox {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (local, rest) = match text.strip_prefix('"') {
            Some(quoted) => quoted_local_part(quoted)?,
            None => plain_local_part(text)?,
        };
        let domain = rest.strip_prefix('@').filter(|domain| is_domain(domain))?.to_ascii_lowercase();
        Some(Self { local, domain })
    }
}

/// Reads up to and with the closing quote.
fn quoted_local_part(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut local = Vec::new();
    let mut bytes = text.bytes().enumerate();
    while let Some((position, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((local, text.get(position + 1..)?)),
            b'\\' => match bytes.next()?.1 {
                escaped @ (1..=9 | 11 | 12 | 14..=127) => local.push(escaped),
                _ => return None,
            },
            1..=8 | 11 | 12 | 14..=127 => local.push(byte),
            _ => return None,
        }
    }
    None
}

/// Reads words with single dots between them, up to the first character that is in neither.
fn plain_local_part(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut local = Vec::new();
    let mut bytes = text.bytes().enumerate();
    let mut end = text.len();
    while let Some((position, byte)) = bytes.next() {
        match byte {
            // UPSTREAM: a backslash lets any character through outside quotes too
            // (kube-apiserver 1.36).
            b'\\' => local.push(bytes.next()?.1),
            _ if byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte) => local.push(byte),
            _ => {
                end = position;
                break;
            }
        }
    }
    let dots_are_single =
        !local.starts_with(b".") && !local.ends_with(b".") && !local.windows(2).any(|pair| pair == b"..");
    (!local.is_empty() && dots_are_single).then_some((local, text.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::Mailbox;

    #[test]
    fn reads_addresses_as_go_does() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let expected =
                expected.map(|(local, domain)| Mailbox { local: local.into(), domain: domain.into() });
            assert_eq!(Mailbox::parse(text), expected, "{text:?}");
        };
        check("a@Example.COM", Some(("a", "example.com")));
        check("A.b+c@x", Some(("A.b+c", "x")));
        check("\"a b\"@x", Some(("a b", "x")));
        check("\"a\\\"\"@x", Some(("a\"", "x")));
        check("a\\@b@x", Some(("a@b", "x")));
        check("\"\"@x", Some(("", "x")));
        check(".a@x", None);
        check("a..b@x", None);
        check("a b@x", None);
        check("a", None);
        check("@x", None);
        check("\"a@x", None);
        check("a@x.", None);
        check("a@x..y", None);
        check("", None);
    }
}
