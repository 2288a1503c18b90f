//! Names of fields that CEL's grammar has no room for: `a.b` is written `a__dot__b`.

use std::borrow::Cow;

use crate::parser::RESERVED;

/// Whether it is a word of the CEL grammar, reachable as `__in__`.
///
/// UPSTREAM: `celReservedSymbols`: cel-go's `reservedIds`, and the words that its lexer has tokens of
/// their own for (kube-apiserver 1.36).
fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word) || ["true", "false", "null", "in"].contains(&word)
}

/// What an escaped name stands for; nothing if it is no well-formed escape.
///
/// UPSTREAM: `Unescape`: each `__x__` must be known, a reserved word only as the whole name (kube-apiserver 1.36).
pub(crate) fn unescaped(name: &str) -> Option<Cow<'_, str>> {
    if !name.contains("__") {
        return Some(Cow::Borrowed(name));
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("__") {
        // The expression kube-apiserver searches with is `__[^_]+__`: without a closing pair the
        // underscores stand for themselves.
        let inner_end = after.find('_').unwrap_or(after.len());
        let (inner, tail) = after.split_at(inner_end);
        match tail.strip_prefix("__") {
            Some(tail) if !inner.is_empty() => {
                out.push_str(before);
                out.push_str(match inner {
                    "underscores" => "__",
                    "dot" => ".",
                    "dash" => "-",
                    "slash" => "/",
                    word if is_reserved(word) && inner.len() + 4 == name.len() => word,
                    _ => return None,
                });
                rest = tail;
            }
            _ => {
                out.push_str(before);
                out.push('_');
                rest = rest.get(before.len() + 1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn escapes_are_undone_or_refused() {
        for (name, expected) in [
            ("plain", Some("plain")),
            ("a__dot__b", Some("a.b")),
            ("a__dash__b__slash__c", Some("a-b/c")),
            ("__underscores__x__underscores__", Some("__x__")),
            ("__in__", Some("in")),
            ("__namespace__", Some("namespace")),
            ("x__in__", None),
            ("__dunder__", None),
            ("a__b", Some("a__b")),
            ("____", Some("____")),
            ("___dot__", Some("_.")),
            ("__dot___", Some("._")),
        ] {
            assert_eq!(unescaped(name).as_deref(), expected, "{name}");
        }
    }
}
