//! What literals stand for.

use super::lexer::{Token, TokenKind};
use crate::Value;

/// The value of a literal, or what is wrong with it.
pub(super) fn value(token: &Token<'_>, negative: bool) -> Result<Value<'static>, &'static str> {
    let text = token.text;
    match token.kind {
        TokenKind::Int => int(text, negative).map(Value::Int).ok_or("invalid int literal"),
        TokenKind::Uint => {
            uint(text.trim_end_matches(['u', 'U'])).map(Value::Uint).ok_or("invalid uint literal")
        }
        TokenKind::Float => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Double(if negative { -number } else { number })),
            _ => Err("invalid double literal"),
        },
        TokenKind::String => {
            let bytes = unquoted(text, false)?;
            String::from_utf8(bytes).map(Value::string).map_err(|_| "invalid string literal")
        }
        TokenKind::Bytes => {
            unquoted(text.get(1..).unwrap_or_default(), true).map(|bytes| Value::Bytes(bytes.into()))
        }
        TokenKind::True => Ok(Value::Bool(true)),
        TokenKind::False => Ok(Value::Bool(false)),
        _ => Ok(Value::Null),
    }
}

fn uint(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn int(text: &str, negative: bool) -> Option<i64> {
    let magnitude = uint(text)?;
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// The text between the quotes, escapes undone. In bytes `\xff` is a byte, in strings a code point.
fn unquoted(text: &str, bytes: bool) -> Result<Vec<u8>, &'static str> {
    const INVALID: &str = "unable to unescape string";
    let raw = text.starts_with(['r', 'R']);
    let text = text.trim_start_matches(['r', 'R']);
    let quotes =
        if text.len() >= 6 && (text.starts_with("'''") || text.starts_with("\"\"\"")) { 3 } else { 1 };
    let inside = text.get(quotes..text.len().saturating_sub(quotes)).unwrap_or_default();
    // UPSTREAM: line ends inside of literals become `\n` (kube-apiserver 1.36).
    let inside = inside.replace("\r\n", "\n").replace('\r', "\n");
    if raw || !inside.contains('\\') {
        return Ok(inside.into_bytes());
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut rest = inside.as_str();
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        let mut chars = after.chars();
        let (skipped, radix, digits) = match chars.next().ok_or(INVALID)? {
            'x' | 'X' => (1, 16, 2),
            'u' if !bytes => (1, 16, 4),
            'U' if !bytes => (1, 16, 8),
            '0'..='3' => (0, 8, 3),
            simple => {
                out.push(match simple {
                    'a' => 7,
                    'b' => 8,
                    'f' => 12,
                    'n' => b'\n',
                    'r' => b'\r',
                    't' => b'\t',
                    'v' => 11,
                    '\\' | '\'' | '"' | '`' | '?' => u8::try_from(simple).map_err(|_| INVALID)?,
                    _ => return Err(INVALID),
                });
                rest = chars.as_str();
                continue;
            }
        };
        let code = after.get(skipped..skipped + digits).ok_or(INVALID)?;
        let code = u32::from_str_radix(code, radix).map_err(|_| INVALID)?;
        if bytes {
            out.push(u8::try_from(code).map_err(|_| INVALID)?);
        } else {
            let c = char::from_u32(code).ok_or("invalid unicode code point")?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        rest = after.get(skipped + digits..).unwrap_or_default();
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}
