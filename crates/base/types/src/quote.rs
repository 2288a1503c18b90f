//! Text in quotation marks as Go's `%q` writes it, because Kubernetes' messages are full of it.

use std::fmt::Write;

/// `text` in double quotes; quotes, backslashes and whatever does not print are escaped.
///
/// What prints is what Unicode calls a letter, mark, number, punctuation or symbol, and the ASCII
/// space. Go and Rust may know different versions of Unicode; nothing else differs.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if !c.is_ascii() && prints(c) => out.push(c),
            c => drop(match u32::from(c) {
                code @ ..0x80 => write!(out, "\\x{code:02x}"),
                code @ ..0x1_0000 => write!(out, "\\u{code:04x}"),
                code => write!(out, "\\U{code:08x}"),
            }),
        }
    }
    out.push('"');
    out
}

/// A list in brackets, its members quoted and parted by spaces: Go's `%q` of a `[]string`.
pub fn quote_list(texts: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = texts.iter().map(|t| quote(t.as_ref())).collect();
    format!("[{}]", quoted.join(" "))
}

/// The standard library knows, but tells only through its own escapes; and at the start of a text it
/// escapes combining marks too, hence the letter in front.
fn prints(c: char) -> bool {
    let mut text = String::from("x");
    text.push(c);
    text.escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_as_go_does() {
        for (text, expected) in [
            ("", r#""""#),
            ("a \"b\" \\", r#""a \"b\" \\""#),
            ("\u{7}\u{8}\u{c}\n\r\t\u{b}'", r#""\a\b\f\n\r\t\v'""#),
            ("\0\x1b\x7f", r#""\x00\x1b\x7f""#),
            ("ü e\u{301} 漢 🦀 \u{fffd}", "\"ü e\u{301} 漢 🦀 \u{fffd}\""),
            ("\u{85}\u{a0}\u{200b}\u{feff}\u{2028}", r#""\u0085\u00a0\u200b\ufeff\u2028""#),
            ("\u{e000}\u{10ffff}", r#""\ue000\U0010ffff""#),
        ] {
            assert_eq!(super::quote(text), expected);
        }
        assert_eq!(super::quote_list(&["a", ""]), r#"["a" ""]"#);
        assert_eq!(super::quote_list(&[""; 0]), "[]");
    }
}
