//! How Go quotes a string, for error messages and for `format`.

use std::fmt::Write as _;

/// A string as Go's `%q` prints it: in double quotes, control and unprintable characters escaped.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            ' '..='~' => out.push(c),
            c if c < ' ' || c == '\x7f' => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if is_print(c) => out.push(c),
            c if u32::from(c) < 0x10000 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// Whether Go prints the character as it stands: letters, marks, numbers, punctuation and symbols.
/// The standard library escapes nearly the same set in `char::escape_debug`; it differs for
/// grapheme extenders, which Go prints.
fn is_print(c: char) -> bool {
    c.escape_debug().len() == 1 || is_extender(c)
}

/// Combining marks that `escape_debug` escapes when they stand first, and Go does not.
fn is_extender(c: char) -> bool {
    let mut pair = String::from("a");
    pair.push(c);
    pair.escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted() {
        let check = |text: &str, expected: &str| assert_eq!(quote(text), expected);
        check("a\"b\n", r#""a\"b\n""#);
        check("\u{1}\u{7f}", r#""\x01\x7f""#);
        check("é☃😀", "\"é☃😀\"");
        check("\u{a0}\u{200b}", r#""\u00a0\u200b""#);
        check("e\u{301}", "\"e\u{301}\"");
        check("\u{e0001}", r#""\U000e0001""#);
    }
}
