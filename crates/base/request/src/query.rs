//! The raw query of a target, read as Go's `url.ParseQuery` does with its errors ignored.
//!
//! Invariant: a piece that Go drops (a `;`, a bad escape) is dropped here too, so that nobody can
//! say one thing to the gate and another to the API server.

use std::borrow::Cow;

use crate::target::{bad_escape, percent_decode};

/// Every key with its value, decoded (`+` is a space), in order. A key without `=` has an empty
/// value. Every byte that is not UTF-8 becomes U+FFFD.
pub fn pairs(raw_query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
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
    fn the_first_value_counts() {
        assert_eq!(super::first("b=0&a=1&a=2", "a").as_deref(), Some("1"));
        assert_eq!(super::first("b=0", "a"), None);
    }
}
