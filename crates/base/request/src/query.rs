//! The raw query of a target, read as Go's `url.ParseQuery` does with its errors ignored.
//!
//! Invariant: a piece that Go drops (a `;`, a bad escape) is dropped here too, so that nobody can
//! say one thing to the gate and another to the API server.

use std::borrow::Cow;

use crate::target::{bad_escape, percent_decode};

/// Most pieces that a query may have.
const MAX_PIECES: usize = 10_000;

/// Every key with its value, decoded (`+` is a space), in order. A key without `=` has an empty
/// value. Every byte that is not UTF-8 becomes U+FFFD. A query of more than 10,000 pieces (empty
/// ones count) has none.
// UPSTREAM: Go reads nothing of such a query, so that a list is not narrowed by its selectors and a
// watch is a list (kube-apiserver 1.36, Go 1.26)
pub fn pairs(raw_query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let too_many = raw_query.len() >= MAX_PIECES && raw_query.split('&').nth(MAX_PIECES).is_some();
    let raw_query = if too_many { "" } else { raw_query };
    raw_query.split('&').filter(|piece| !piece.is_empty() && !piece.contains(';')).filter_map(|piece| {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        Some((decode(key)?, decode(value)?))
    })
}

/// The first value of `key`; the others carry no weight anywhere in Kubernetes.
pub fn first<'q>(raw_query: &'q str, key: &str) -> Option<Cow<'q, str>> {
    pairs(raw_query).find(|(found, _)| found == key).map(|(_, value)| value)
}

fn decode(component: &str) -> Option<Cow<'_, str>> {
    if bad_escape(component).is_some() {
        return None;
    }
    if component.contains('+') {
        return Some(Cow::Owned(percent_decode(&component.replace('+', " ")).into_owned()));
    }
    Some(percent_decode(component))
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_as_go_does() {
        fn check(raw: &str, expected: &[(&str, &str)]) {
            let found: Vec<_> = super::pairs(raw).collect();
            let found: Vec<_> = found.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
            assert_eq!(found, expected, "{raw}");
        }
        check("", &[]);
        check("a", &[("a", "")]);
        check("&a=1&&a=2&=x&", &[("a", "1"), ("a", "2"), ("", "x")]);
        check("a=b=c", &[("a", "b=c")]);
        check("%77atch=%74rue+%2B", &[("watch", "true +")]);
        check("a;b=1&c=%zz&%=1&d=%2&e=1", &[("e", "1")]);
        check("a=%ff", &[("a", "\u{fffd}")]);
    }

    #[test]
    fn of_too_many_pieces_none_is_read() {
        let check = |separators: usize, expected: Option<&str>| {
            let query = format!("watch=1{}limit=2", "&".repeat(separators));
            for key in ["watch", "limit"] {
                let value = super::first(&query, key);
                assert_eq!(value.is_some(), expected.is_some(), "{key} of {separators} separators");
            }
            assert_eq!(super::first(&query, "watch").as_deref(), expected);
        };
        check(9_999, Some("1"));
        check(10_000, None);
    }

    #[test]
    fn the_first_value_counts() {
        assert_eq!(super::first("b=0&a=1&a=2", "a").as_deref(), Some("1"));
        assert_eq!(super::first("b=0", "a"), None);
    }
}
