//! Whether a `Content-Type` can be read at all. Which one it is does not matter.

/// As Go's `mime.ParseMediaType` reads it: `type/subtype`, or a type alone, and parameters, none with two
/// values.
pub(super) fn is_well_formed(header: &[u8]) -> bool {
    let (base, mut rest) = split_at(header, |byte| byte == b';');
    if !is_type(base.trim_ascii()) {
        return false;
    }
    let mut values: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return true;
        }
        // A semicolon at the end means nothing.
        let Some((name, value, after)) = parameter(rest) else { return rest.trim_ascii() == b";" };
        if values.iter().any(|(known, other)| *known == name && *other != value) {
            return false;
        }
        values.push((name, value));
        rest = after;
    }
}

fn is_type(text: &[u8]) -> bool {
    let (kind, rest) = token(text);
    let Some(subtype) = rest.strip_prefix(b"/") else { return !kind.is_empty() && rest.is_empty() };
    let (subtype, rest) = token(subtype);
    !kind.is_empty() && !subtype.is_empty() && rest.is_empty()
}

/// `; name=value`: the name in lower case, the value, and what follows.
fn parameter(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>, &[u8])> {
    let (name, rest) = token(text.strip_prefix(b";")?.trim_ascii_start());
    let after_equals = rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (value, rest) = match after_equals.strip_prefix(b"\"") {
        Some(quoted) => in_quotes(quoted)?,
        None => {
            let (value, rest) = token(after_equals);
            ((!value.is_empty()).then(|| value.to_vec())?, rest)
        }
    };
    (!name.is_empty()).then(|| (name.to_ascii_lowercase(), value, rest))
}

/// What stands before the closing quote, and what follows it.
fn in_quotes(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut value, mut rest) = (Vec::new(), text);
    loop {
        // UPSTREAM: a backslash escapes what no token holds, and else is one: Internet Explorer's paths
        // have them (Go 1.26)
        let (byte, after) = match rest {
            [b'"', after @ ..] => return Some((value, after)),
            [b'\\', escaped, after @ ..] if is_special(*escaped) => (escaped, after),
            [b'\r' | b'\n', ..] | [] => return None,
            [byte, after @ ..] => (byte, after),
        };
        value.push(*byte);
        rest = after;
    }
}

fn token(text: &[u8]) -> (&[u8], &[u8]) {
    split_at(text, |byte| !byte.is_ascii_graphic() || is_special(byte))
}

fn split_at(text: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| ends(*byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, &[]))
}

fn is_special(byte: u8) -> bool {
    br#"()<>@,;:\"/[]?="#.contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_reads_them() {
        let check = |header: &str, expected: bool| {
            assert_eq!(is_well_formed(header.as_bytes()), expected, "{header}");
        };
        for header in [
            "application/json",
            " Text/HTML ; charset=utf-8",
            "json",
            "a/b;",
            "a/b ; ",
            "a/b; c=d; e=\"f;g\\\"h\"",
            "a/b; c=\"\"",
            "a/b; c=\"\\a\"",
            "a/b;c=d;C*0=e",
            "a/b; c = d",
            "a/b; c=d; C=\"d\"",
        ] {
            check(header, true);
        }
        for header in [
            "/",
            "/json",
            "a/",
            "a/b/c",
            "a b",
            "application/json, text/plain",
            "ü/json",
            "a/b; c",
            "a/b; c=",
            "a/b; =d",
            "a/b;;",
            "a/b; c=d; C=e",
            "a/b; c=\"d",
            "a/b; c=\"d\ne\"",
            "a/b; c=d e",
            "{\"status\"}",
        ] {
            check(header, false);
        }
    }
}
