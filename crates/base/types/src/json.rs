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
    fn escapes_as_go_does() {
        let mut out = Vec::new();
        super::write_compact(&mut out, &["a<b>&\u{2028}\"ü\u{1}"]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#"["a\u003cb\u003e\u0026\u2028\"ü\u0001"]"#);
    }
}
