//! Text into tokens.

use super::Issues;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Int,
    Uint,
    Float,
    String,
    Bytes,
    Ident,
    /// `` `a.b` ``: part of the grammar, but switched off in kube-apiserver.
    Escaped,
    True,
    False,
    Null,
    In,
    /// Operators and punctuation, told apart by their text.
    Sign,
    End,
}

/// A token and where it stands, as byte offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'s> {
    pub(super) kind: TokenKind,
    pub(super) at: usize,
    pub(super) text: &'s str,
}

impl Token<'_> {
    pub(super) fn is(&self, sign: &str) -> bool {
        self.kind == TokenKind::Sign && self.text == sign
    }
}

/// All tokens, the end as the last one. What is no token is noted and left out.
pub(super) fn tokens<'s>(source: &'s str, issues: &mut Issues<'s>) -> Vec<Token<'s>> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::with_capacity(source.len() / 3 + 2);
    loop {
        lexer.skip_blanks();
        let at = lexer.at;
        let rest = lexer.rest();
        let Some(first) = rest.chars().next() else { break };
        match measure(rest, first) {
            Ok((kind, length)) => {
                let text = rest.get(..length).unwrap_or(rest);
                tokens.push(Token { kind, at, text });
                lexer.at += text.len();
            }
            Err(length) => {
                let text = rest.get(..length).unwrap_or(rest);
                let meant = match text.trim() {
                    "=" => Some("to compare, write `==`"),
                    "&" => Some("for both, write `&&`"),
                    "|" => Some("for either, write `||`"),
                    _ => None,
                };
                let message = format!("Syntax error: token recognition error at: '{text}'");
                issues.note_with(at, message, meant.map(str::to_owned));
                lexer.at += text.len();
            }
        }
    }
    tokens.push(Token { kind: TokenKind::End, at: source.len(), text: "<EOF>" });
    tokens
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches(['\t', ' ', '\r', '\n', '\u{c}']).len();
            self.at += blank;
            let Some(comment) = self.rest().strip_prefix("//") else { return };
            self.at += 2 + comment.find('\n').unwrap_or(comment.len());
        }
    }
}

/// The token at the start of `rest`, or how much of it is none: up to the character that cannot be.
fn measure(rest: &str, first: char) -> Result<(TokenKind, usize), usize> {
    match first {
        '0'..='9' => Ok(number(rest)),
        '.' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => Ok(number(rest)),
        'a'..='z' | 'A'..='Z' | '_' => word(rest),
        '"' | '\'' => string(rest, false).map(|length| (TokenKind::String, length)),
        '`' => {
            let end = rest.get(1..).and_then(|body| body.find(|c: char| !is_escaped_name(c)));
            match end {
                Some(end) if end > 0 && rest.as_bytes().get(end + 1) == Some(&b'`') => {
                    Ok((TokenKind::Escaped, end + 2))
                }
                Some(end) => Err(width(rest, end + 1)),
                None => Err(rest.len()),
            }
        }
        _ => {
            for sign in ["==", "!=", "<=", ">=", "&&", "||"] {
                if rest.starts_with(sign) {
                    return Ok((TokenKind::Sign, 2));
                }
            }
            match first {
                '<' | '>' | '[' | ']' | '{' | '}' | '(' | ')' | '.' | ',' | '-' | '!' | '?' | ':' | '+'
                | '*' | '/' | '%' => Ok((TokenKind::Sign, 1)),
                '=' | '&' | '|' => Err(width(rest, 1)),
                other => Err(other.len_utf8()),
            }
        }
    }
}

/// The end of the character at `at`.
fn width(rest: &str, at: usize) -> usize {
    at + rest.get(at..).and_then(|tail| tail.chars().next()).map_or(0, char::len_utf8)
}

fn is_escaped_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ' ')
}

fn run(rest: &str, from: usize, of: fn(&u8) -> bool) -> usize {
    rest.bytes().skip(from).take_while(of).count()
}

fn number(rest: &str) -> (TokenKind, usize) {
    let byte = |at: usize| rest.as_bytes().get(at).copied().unwrap_or_default();
    if rest.starts_with("0x") {
        let digits = run(rest, 2, u8::is_ascii_hexdigit);
        if digits > 0 {
            let end = 2 + digits;
            return if matches!(byte(end), b'u' | b'U') {
                (TokenKind::Uint, end + 1)
            } else {
                (TokenKind::Int, end)
            };
        }
    }
    let mut end = run(rest, 0, u8::is_ascii_digit);
    let mut float = false;
    if byte(end) == b'.' {
        let decimals = run(rest, end + 1, u8::is_ascii_digit);
        if decimals > 0 {
            (float, end) = (true, end + 1 + decimals);
        }
    }
    if matches!(byte(end), b'e' | b'E') {
        let sign = usize::from(matches!(byte(end + 1), b'+' | b'-'));
        let digits = run(rest, end + 1 + sign, u8::is_ascii_digit);
        if digits > 0 {
            (float, end) = (true, end + 1 + sign + digits);
        }
    }
    if float {
        (TokenKind::Float, end)
    } else if matches!(byte(end), b'u' | b'U') {
        (TokenKind::Uint, end + 1)
    } else {
        (TokenKind::Int, end)
    }
}

/// A name, a keyword, or the prefix of a string.
fn word(rest: &str) -> Result<(TokenKind, usize), usize> {
    let length = run(rest, 0, |byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let name = rest.get(..length).unwrap_or(rest);
    let quoted = rest.get(length..).is_some_and(|tail| tail.starts_with(['"', '\'']));
    if quoted && let Some((bytes, raw)) = string_prefix(name) {
        let kind = if bytes { TokenKind::Bytes } else { TokenKind::String };
        // A name stays one if no string follows: the quote alone is the mistake then.
        if let Ok(body) = string(rest.get(length..).unwrap_or_default(), raw) {
            return Ok((kind, length + body));
        }
        if raw || bytes {
            return string(rest.get(length..).unwrap_or_default(), raw)
                .map(|body| (kind, length + body))
                .or(Ok((TokenKind::Ident, length)));
        }
    }
    let kind = match name {
        "true" => TokenKind::True,
        "false" => TokenKind::False,
        "null" => TokenKind::Null,
        "in" => TokenKind::In,
        _ => TokenKind::Ident,
    };
    Ok((kind, length))
}

/// Whether a word introduces bytes, and whether it makes the text raw.
fn string_prefix(word: &str) -> Option<(bool, bool)> {
    match word {
        "r" | "R" => Some((false, true)),
        "b" | "B" => Some((true, false)),
        "br" | "bR" | "Br" | "BR" => Some((true, true)),
        _ => None,
    }
}

/// The length of the string at the start of `rest`, or of what keeps it from being one.
fn string(rest: &str, raw: bool) -> Result<usize, usize> {
    let quote = rest.get(..1).unwrap_or_default();
    let triple = quote.repeat(3);
    if rest.starts_with(&triple)
        && let Ok(length) = body(rest, 3, &triple, raw, true)
    {
        return Ok(length);
    }
    body(rest, 1, quote, raw, false)
}

fn body(rest: &str, from: usize, quote: &str, raw: bool, multiline: bool) -> Result<usize, usize> {
    let mut at = from;
    loop {
        let tail = rest.get(at..).unwrap_or_default();
        if tail.starts_with(quote) {
            return Ok(at + quote.len());
        }
        match tail.chars().next() {
            None => return Err(rest.len()),
            Some('\n' | '\r') if !multiline => return Err(at + 1),
            Some('\\') if !raw => match escape_length(tail) {
                Ok(length) => at += length,
                Err(length) => return Err(at + length),
            },
            Some(c) => at += c.len_utf8(),
        }
    }
}

/// The length of an escape sequence, or of its start up to the character that is wrong.
fn escape_length(tail: &str) -> Result<usize, usize> {
    let (from, digits, of): (usize, usize, fn(&u8) -> bool) = match tail.as_bytes().get(1) {
        Some(b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'"' | b'\'' | b'\\' | b'?' | b'`') => {
            return Ok(2);
        }
        Some(b'x' | b'X') => (2, 2, u8::is_ascii_hexdigit),
        Some(b'u') => (2, 4, u8::is_ascii_hexdigit),
        Some(b'U') => (2, 8, u8::is_ascii_hexdigit),
        Some(b'0'..=b'3') => (2, 2, |byte| matches!(byte, b'0'..=b'7')),
        _ => return Err(width(tail, 1)),
    };
    let found = tail.bytes().skip(from).take(digits).take_while(of).count();
    if found == digits { Ok(from + digits) } else { Err(width(tail, from + found)) }
}
