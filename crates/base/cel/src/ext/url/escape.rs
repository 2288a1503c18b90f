//! Percent-encoding, with the set of characters that each part of a URL lets stand.

use super::super::quote::quote;

/// A part of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Host,
    /// The zone of an IPv6 address.
    Zone,
    /// User name or password.
    User,
    Query,
    Fragment,
}

/// Whether the byte stands as it is when the part is written.
fn stands(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return true;
    }
    match part {
        Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"".contains(&byte),
        Part::Path => b"$&+,/:;=@".contains(&byte),
        Part::User => b"$&+,;=".contains(&byte),
        Part::Query => false,
        Part::Fragment => b"$&+,/:;=?@!()*".contains(&byte),
    }
}

/// The bytes with all that may not stand as `%XX`.
pub(super) fn escaped(bytes: &[u8], part: Part) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |bits: u8| HEX.get(usize::from(bits & 15)).map_or('0', |b| char::from(*b));
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if stands(byte, part) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
    out
}

/// Whether a text already is an escaping of that part; brackets and sub-delimiters may stand too.
pub(super) fn is_valid(text: &str, part: Part) -> bool {
    text.bytes().all(|byte| b"!$&'()*+,;=:@[]%".contains(&byte) || stands(byte, part))
}

/// The bytes that an escaped text stands for.
///
/// # Errors
/// A `%` without two hexadecimal digits; in a host also any character that may not stand there, and
/// an escape of an ASCII character.
pub(super) fn unescaped(text: &str, part: Part) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => {
                let (decoded, after) = escape(rest).ok_or_else(|| bad_escape(rest))?;
                // Hosts escape only what is no ASCII; `%25` before a zone is the exception.
                let refused = decoded != b'%'
                    && match part {
                        Part::Host => decoded < 0x80,
                        Part::Zone => decoded != b' ' && !stands(decoded, Part::Host),
                        _ => false,
                    };
                if refused {
                    return Err(bad_escape(rest));
                }
                out.push(decoded);
                rest = after;
            }
            b'+' if part == Part::Query => out.push(b' '),
            _ if matches!(part, Part::Host | Part::Zone) && byte.is_ascii() && !stands(byte, part) => {
                return Err(format!(
                    "invalid character {} in host name",
                    quote(&char::from(byte).to_string())
                ));
            }
            _ => out.push(byte),
        }
    }
    Ok(out)
}

/// The byte that two hexadecimal digits make, and what follows them.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], rest) = text.split_first_chunk()?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    Some((byte, rest))
}

fn bad_escape(after: &[u8]) -> String {
    let shown: Vec<u8> = b"%".iter().chain(after.iter().take(2)).copied().collect();
    format!("invalid URL escape {}", quote(&super::utf8(&shown)))
}
