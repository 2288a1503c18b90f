//! JSON as Go's `encoding/json` writes it, so that bodies and audit lines equal kube-apiserver's
//! byte by byte: `<`, `>`, `&`, U+2028 and U+2029 are escaped inside strings.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Appends `value` on one line.
pub fn write_compact(out: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Go(CompactFormatter)))
}

/// Appends `value` indented by two spaces a level.
pub fn write_indented(out: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Go(PrettyFormatter::new())))
}

/// Appends `text` as a JSON string, quotes included.
///
/// It takes bytes, because header values and request targets need not be UTF-8: each byte that is
/// not part of a valid sequence becomes `\ufffd`, as in Go.
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut rest = text;
    while let Some((plain, from)) = first_special(rest).and_then(|at| rest.split_at_checked(at)) {
        out.extend_from_slice(plain);
        let (length, escaped) = escape(from);
        match escaped {
            Escaped::Short(letter) => out.extend_from_slice(&[b'\\', letter]),
            Escaped::Unicode(unit) => {
                let digit = |shift: u32| HEX.get(usize::from(unit >> shift) & 15).copied().unwrap_or(b'0');
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
            Escaped::Nothing => out.extend_from_slice(from.get(..length).unwrap_or_default()),
        }
        rest = from.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Where the first byte stands that needs a closer look. Nearly always there is none.
fn first_special(text: &[u8]) -> Option<usize> {
    let (chunks, _) = text.as_chunks::<16>();
    // Without an early end within a chunk, all its bytes are compared at once.
    let is_plain = |chunk: &&[u8; 16]| chunk.iter().fold(0, |found, &byte| found | special(byte)) == 0;
    let plain = chunks.iter().take_while(is_plain).count() * 16;
    let at = text.get(plain..)?.iter().position(|&byte| special(byte) != 0)?;
    Some(plain + at)
}

/// 1 if a byte needs a closer look.
fn special(byte: u8) -> u8 {
    u8::from(
        !(0x20..0x80).contains(&byte)
            | (byte == b'"')
            | (byte == b'\\')
            | (byte == b'<')
            | (byte == b'>')
            | (byte == b'&'),
    )
}

const HEX: &[u8; 16] = b"0123456789abcdef";

enum Escaped {
    Short(u8),
    Unicode(u16),
    Nothing,
}

/// How many bytes at the start of `rest`, the first of them special, are written in which way.
fn escape(rest: &[u8]) -> (usize, Escaped) {
    let escaped = match rest.first().copied().unwrap_or_default() {
        byte @ (b'"' | b'\\') => Escaped::Short(byte),
        b'\n' => Escaped::Short(b'n'),
        b'\r' => Escaped::Short(b'r'),
        b'\t' => Escaped::Short(b't'),
        0x08 => Escaped::Short(b'b'),
        0x0c => Escaped::Short(b'f'),
        0x80.. => return escape_beyond_ascii(rest),
        byte => Escaped::Unicode(u16::from(byte)),
    };
    (1, escaped)
}

#[cold]
fn escape_beyond_ascii(rest: &[u8]) -> (usize, Escaped) {
    // A character has at most four bytes; what follows it does not matter.
    let head = rest.get(..4).unwrap_or(rest);
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => {
            std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
    };
    match valid.chars().next() {
        None => (1, Escaped::Unicode(0xfffd)),
        Some(separator @ ('\u{2028}' | '\u{2029}')) => {
            (separator.len_utf8(), Escaped::Unicode(if separator == '\u{2028}' { 0x2028 } else { 0x2029 }))
        }
        Some(other) => (other.len_utf8(), Escaped::Nothing),
    }
}

struct Go<F>(F);

macro_rules! delegate {
    ($($name:ident($($arg:ident: $ty:ty),*)),+ $(,)?) => {
        $(fn $name<W: ?Sized + Write>(&mut self, to: &mut W $(, $arg: $ty)*) -> io::Result<()> {
            self.0.$name(to $(, $arg)*)
        })+
    };
}

impl<F: Formatter> Formatter for Go<F> {
    delegate!(
        begin_array(),
        end_array(),
        begin_array_value(first: bool),
        end_array_value(),
        begin_object(),
        end_object(),
        begin_object_key(first: bool),
        end_object_key(),
        begin_object_value(),
        end_object_value(),
    );

    fn write_string_fragment<W: ?Sized + Write>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, found)) =
            rest.char_indices().find(|(_, c)| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'))
        {
            let (before, from) = rest.split_at(at);
            to.write_all(before.as_bytes())?;
            write!(to, "\\u{:04x}", u32::from(found))?;
            rest = from.get(found.len_utf8()..).unwrap_or_default();
        }
        to.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_string_is_written_as_the_serialiser_writes_it() {
        let every_kind: String =
            (0..0x300).chain(0x2020..0x2030).chain([0xfffd, 0x1f600]).filter_map(char::from_u32).collect();
        let (mut ours, mut serialised) = (Vec::new(), Vec::new());
        super::write_string(&mut ours, every_kind.as_bytes());
        super::write_compact(&mut serialised, &every_kind).unwrap();
        assert_eq!(String::from_utf8(ours).unwrap(), String::from_utf8(serialised).unwrap());
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_one_by_one() {
        let check = |bytes: &[u8], expected: &str| {
            let mut out = Vec::new();
            super::write_string(&mut out, bytes);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check(b"a\xffb", r#""a\ufffdb""#);
        check(b"\xe2\x82", r#""\ufffd\ufffd""#);
        check(b"\xe2\x82\xac\xe2", "\"\u{20ac}\\ufffd\"");
    }

    #[test]
    fn escapes_as_go_does() {
        let mut out = Vec::new();
        super::write_compact(&mut out, &["a<b>&\u{2028}\"ü\u{1}"]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#"["a\u003cb\u003e\u0026\u2028\"ü\u0001"]"#);
    }
}
