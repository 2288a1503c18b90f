//! Names that Kubernetes borrows from DNS.

/// What is said of a name that is none by [`is_label_of_any_length`].
pub const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and \
    must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// What is said of a name that is none by [`is_subdomain_of_any_length`].
pub const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
    or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// An RFC 1123 label, as namespaces are named: at most 63 lower-case letters, digits and inner
/// hyphens.
pub fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_label_of_any_length(text)
}

/// An RFC 1123 subdomain, as most objects are named: labels separated by dots, 253 bytes at most.
// UPSTREAM: the labels of a subdomain may be of any length (kube-apiserver 1.36)
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && is_subdomain_of_any_length(text)
}

/// The pattern of [`is_subdomain`] alone.
pub fn is_subdomain_of_any_length(text: &str) -> bool {
    text.split('.').all(is_label_of_any_length)
}

/// The pattern of [`is_label`] alone.
pub fn is_label_of_any_length(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_subdomains() {
        let check = |text: &str, label: bool, subdomain: bool| {
            assert_eq!((is_label(text), is_subdomain(text)), (label, subdomain), "{text}");
        };
        check("a", true, true);
        check("a-1", true, true);
        check("a.b", false, true);
        check("", false, false);
        check("a.", false, false);
        check("-a", false, false);
        check("a-", false, false);
        check("A", false, false);
        check("a_b", false, false);
        check("ü", false, false);
        check(&"a".repeat(63), true, true);
        check(&"a".repeat(64), false, true);
        check(&"a".repeat(253), false, true);
        check(&"a".repeat(254), false, false);
    }
}
