//! The grammar of label selectors: one token of lookahead, `in` and `notin` are words only where an
//! operator can stand.

use super::{LabelOperator, LabelRequirement, SelectorError};
use crate::dns_name::is_subdomain_of_any_length;

const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";
const KEY_PREFIX_RULE: &str = "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
     characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex \
     used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const KEY_NAME_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start \
     and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
     validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' \
     or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', \
     regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

pub(super) fn parse(selector: &str) -> Result<Vec<LabelRequirement>, SelectorError> {
    let mut tokens = Tokens { rest: selector };
    let mut requirements = Vec::new();
    match tokens.peek() {
        Token::End => return Ok(requirements),
        Token::Word(_) | Token::Symbol("!") => {}
        token => return Err(unexpected(token, "!, identifier, or 'end of string'")),
    }
    loop {
        requirements.push(requirement(&mut tokens).map_err(|e| SelectorError::Requirement(Box::new(e)))?);
        match tokens.next() {
            Token::End => return Ok(requirements),
            Token::Symbol(",") => match tokens.peek() {
                Token::Word(_) | Token::Symbol("!") => {}
                token => return Err(unexpected(token, "identifier after ','")),
            },
            token => return Err(unexpected(token, "',' or 'end of string'")),
        }
    }
}

fn requirement(tokens: &mut Tokens<'_>) -> Result<LabelRequirement, SelectorError> {
    let negated = tokens.peek() == Token::Symbol("!");
    if negated {
        tokens.next();
    }
    let key = match tokens.next() {
        Token::Word(key) => key,
        token => return Err(unexpected(token, "identifier")),
    };
    check_key(key)?;
    let ends = matches!(tokens.peek(), Token::End | Token::Symbol(","));
    let (operator, values) = if negated {
        // Whatever follows `!key` is the caller's to refuse.
        (LabelOperator::DoesNotExist, Vec::new())
    } else if ends {
        (LabelOperator::Exists, Vec::new())
    } else {
        let operator = operator(tokens.next())?;
        let values = match operator {
            LabelOperator::In | LabelOperator::NotIn => set(tokens)?,
            _ => vec![exact(tokens)?],
        };
        (operator, values)
    };
    for (index, value) in values.iter().enumerate() {
        check_value(key, operator, index, value)?;
    }
    Ok(LabelRequirement {
        key: key.to_owned(),
        operator,
        values: values.into_iter().map(str::to_owned).collect(),
    })
}

fn operator(token: Token<'_>) -> Result<LabelOperator, SelectorError> {
    Ok(match token {
        Token::Word("in") => LabelOperator::In,
        Token::Word("notin") => LabelOperator::NotIn,
        Token::Symbol("=") => LabelOperator::Equals,
        Token::Symbol("==") => LabelOperator::DoubleEquals,
        Token::Symbol("!=") => LabelOperator::NotEquals,
        Token::Symbol(">") => LabelOperator::GreaterThan,
        Token::Symbol("<") => LabelOperator::LessThan,
        token => return Err(unexpected(token, OPERATORS)),
    })
}

/// The one value after `=` and its kin; nothing at all is the empty value.
fn exact<'s>(tokens: &mut Tokens<'s>) -> Result<&'s str, SelectorError> {
    if matches!(tokens.peek(), Token::End | Token::Symbol(",")) {
        return Ok("");
    }
    match tokens.next() {
        Token::Word(value) => Ok(value),
        token => Err(unexpected(token, "identifier")),
    }
}

/// `(a,b)`: values may be empty, so that `()`, `(,)` and `(a,,b)` hold the empty value.
fn set<'s>(tokens: &mut Tokens<'s>) -> Result<Vec<&'s str>, SelectorError> {
    match tokens.next() {
        Token::Symbol("(") => {}
        token => return Err(unexpected(token, "'('")),
    }
    if !matches!(tokens.peek(), Token::Word(_) | Token::Symbol("," | ")")) {
        return Err(unexpected(tokens.peek(), "',', ')' or identifier"));
    }
    let mut values = Vec::new();
    loop {
        match tokens.next() {
            Token::Word(value) => {
                values.push(value);
                match tokens.next() {
                    Token::Symbol(",") => {}
                    Token::Symbol(")") => break,
                    token => return Err(unexpected(token, "',' or ')'")),
                }
                if tokens.peek() == Token::Symbol(")") {
                    values.push("");
                    tokens.next();
                    break;
                }
            }
            Token::Symbol(",") => values.push(""),
            Token::Symbol(")") => {
                values.push("");
                break;
            }
            token => return Err(unexpected(token, "',', or identifier")),
        }
    }
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

fn unexpected(token: Token<'_>, expected: &'static str) -> SelectorError {
    SelectorError::Unexpected { found: token.text().to_owned(), expected }
}

fn check_key(key: &str) -> Result<(), SelectorError> {
    let invalid = |rule| SelectorError::Invalid { path: "<nil>".to_owned(), value: key.to_owned(), rule };
    let name = match key.split_once('/') {
        None => key,
        Some((_, name)) if name.contains('/') => {
            return Err(invalid(
                "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and \
                 end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
                 validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix \
                 and '/' (e.g. 'example.com/MyName')",
            ));
        }
        Some(("", _)) => return Err(invalid("prefix part must be non-empty")),
        Some((prefix, _)) if prefix.len() > 253 => {
            return Err(invalid("prefix part must be no more than 253 bytes"));
        }
        Some((prefix, _)) if !is_subdomain_of_any_length(prefix) => return Err(invalid(KEY_PREFIX_RULE)),
        Some((_, name)) => name,
    };
    if name.is_empty() {
        Err(invalid("name part must be non-empty"))
    } else if name.len() > 63 {
        Err(invalid("name part must be no more than 63 bytes"))
    } else if !is_name(name) {
        Err(invalid(KEY_NAME_RULE))
    } else {
        Ok(())
    }
}

fn check_value(key: &str, operator: LabelOperator, index: usize, value: &str) -> Result<(), SelectorError> {
    let invalid = |path, rule| Err(SelectorError::Invalid { path, value: value.to_owned(), rule });
    let numeric = matches!(operator, LabelOperator::GreaterThan | LabelOperator::LessThan);
    if numeric && value.parse::<i64>().is_err() {
        let rule = "for 'Gt', 'Lt' operators, the value must be an integer";
        return invalid(format!("values[{index}]"), rule);
    }
    if value.len() > 63 {
        return invalid(format!("values[{index}][{key}]"), "must be no more than 63 bytes");
    }
    if !value.is_empty() && !is_name(value) {
        return invalid(format!("values[{index}][{key}]"), VALUE_RULE);
    }
    Ok(())
}

/// `([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]`
fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let outer = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    text.bytes().all(inner) && outer(text.as_bytes().first()) && outer(text.as_bytes().last())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'s> {
    Word(&'s str),
    /// One of `( ) , ! = == != < >`.
    Symbol(&'s str),
    End,
}

impl<'s> Token<'s> {
    fn text(self) -> &'s str {
        match self {
            Self::Word(text) | Self::Symbol(text) => text,
            Self::End => "",
        }
    }
}

/// What is left to read.
#[derive(Clone, Copy)]
struct Tokens<'s> {
    rest: &'s str,
}

impl<'s> Tokens<'s> {
    fn peek(self) -> Token<'s> {
        let mut ahead = self;
        ahead.next()
    }

    // UPSTREAM: NUL behind a token is swallowed; where a token should begin it ends the selector (kube-apiserver 1.36)
    fn next(&mut self) -> Token<'s> {
        let text = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let special = |c: char| matches!(c, '=' | '!' | '(' | ')' | ',' | '<' | '>');
        let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
        let length = match text.chars().next() {
            None | Some('\0') => {
                self.rest = "";
                return Token::End;
            }
            Some('=' | '!') if text.starts_with("==") || text.starts_with("!=") => 2,
            Some(c) if special(c) => 1,
            Some(_) => text.find(|c| special(c) || blank(c) || c == '\0').unwrap_or(text.len()),
        };
        let (token, rest) = text.split_at_checked(length).unwrap_or((text, ""));
        self.rest = rest.strip_prefix('\0').unwrap_or(rest);
        if token.starts_with(special) { Token::Symbol(token) } else { Token::Word(token) }
    }
}
