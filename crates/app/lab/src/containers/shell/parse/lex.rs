//! Words, operators and redirections.

use std::iter::Peekable;

use super::{Malformed, Part, Redirect, Target, Word, nested};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    Operator(&'static str),
    Redirect(Redirect),
    /// A redirection whose target is the next word.
    Towards(u8, &'static str),
}

/// Splits a script; `depth` is how deep it stands in others.
pub(super) fn tokens(text: &str, depth: usize) -> Result<Vec<Token>, Malformed> {
    Lexer { rest: text.chars().peekable(), depth }.tokens()
}

struct Lexer<'a> {
    rest: Peekable<std::str::Chars<'a>>,
    depth: usize,
}

impl Lexer<'_> {
    fn tokens(mut self) -> Result<Vec<Token>, Malformed> {
        let mut tokens = Vec::new();
        while let Some(&next) = self.rest.peek() {
            match next {
                ' ' | '\t' | '\r' => drop(self.rest.next()),
                '#' => while self.rest.next_if(|c| *c != '\n').is_some() {},
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    self.rest.next();
                    let operator = match next {
                        '&' if self.takes('&') => "&&",
                        '|' if self.takes('|') => "||",
                        '|' => "|",
                        '&' => return Err(Malformed("jobs in the background are not run here".into())),
                        '(' | ')' => return Err(Malformed(format!("unexpected {next:?}"))),
                        _ => ";",
                    };
                    tokens.push(Token::Operator(operator));
                }
                '>' | '<' => {
                    self.rest.next();
                    tokens.push(self.redirect(u8::from(next == '>'), next)?);
                }
                digit @ '0'..='2' => {
                    let mut ahead = self.rest.clone();
                    ahead.next();
                    match ahead.next() {
                        Some(sign @ ('>' | '<')) => {
                            self.rest = ahead;
                            tokens.push(self.redirect(digit as u8 - b'0', sign)?);
                        }
                        _ => tokens.push(Token::Word(self.word()?)),
                    }
                }
                _ => tokens.push(Token::Word(self.word()?)),
            }
        }
        Ok(tokens)
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.rest.next_if_eq(&wanted).is_some()
    }

    fn redirect(&mut self, of: u8, sign: char) -> Result<Token, Malformed> {
        if sign == '<' {
            return Ok(Token::Towards(of, "<"));
        }
        if self.takes('>') {
            return Ok(Token::Towards(of, ">>"));
        }
        if self.takes('&') {
            return match self.rest.next() {
                Some(other @ '0'..='2') => {
                    Ok(Token::Redirect(Redirect { of, to: Target::Same(other as u8 - b'0') }))
                }
                _ => Err(Malformed("bad file descriptor".into())),
            };
        }
        Ok(Token::Towards(of, ">"))
    }

    fn word(&mut self) -> Result<Word, Malformed> {
        let mut word = Word::new();
        let mut text = String::new();
        // An empty pair of quotes is a word, too.
        let mut is_quoted = false;
        while let Some(&next) = self.rest.peek() {
            match next {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '>' | '<' | '(' | ')' => break,
                '\'' => {
                    is_quoted = true;
                    self.rest.next();
                    loop {
                        match self.rest.next() {
                            Some('\'') => break,
                            Some(c) => text.push(c),
                            None => return Err(Malformed("unterminated quoted string".into())),
                        }
                    }
                }
                '"' => {
                    is_quoted = true;
                    self.rest.next();
                    self.double_quoted(&mut word, &mut text)?;
                }
                '\\' => {
                    self.rest.next();
                    text.extend(self.rest.next().filter(|c| *c != '\n'));
                }
                '$' => self.dollar(&mut word, &mut text, false)?,
                c => {
                    self.rest.next();
                    text.push(c);
                }
            }
        }
        if !text.is_empty() || word.is_empty() && is_quoted {
            word.push(Part::Text(text));
        }
        Ok(word)
    }

    fn double_quoted(&mut self, word: &mut Word, text: &mut String) -> Result<(), Malformed> {
        loop {
            match self.rest.peek() {
                None => return Err(Malformed("unterminated quoted string".into())),
                Some('"') => {
                    self.rest.next();
                    return Ok(());
                }
                Some('$') => self.dollar(word, text, true)?,
                Some('\\') => {
                    self.rest.next();
                    match self.rest.next() {
                        Some(c @ ('"' | '\\' | '$' | '`')) => text.push(c),
                        Some('\n') | None => {}
                        Some(c) => text.extend(['\\', c]),
                    }
                }
                Some(&c) => {
                    self.rest.next();
                    text.push(c);
                }
            }
        }
    }

    fn dollar(&mut self, word: &mut Word, text: &mut String, quoted: bool) -> Result<(), Malformed> {
        self.rest.next();
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let part = match self.rest.peek() {
            Some('(') => {
                self.rest.next();
                let inner = self.until_closed()?;
                Part::Command { script: Box::new(nested(&inner, self.depth + 1)?), quoted }
            }
            Some('{') => {
                self.rest.next();
                let mut name = String::new();
                while let Some(c) = self.rest.next_if(is_name) {
                    name.push(c);
                }
                if !self.takes('}') || name.is_empty() {
                    return Err(Malformed("bad substitution".into()));
                }
                Part::Variable { name, quoted }
            }
            Some(&c @ ('?' | '$' | '#' | '@' | '*')) => {
                self.rest.next();
                Part::Variable { name: c.to_string(), quoted }
            }
            Some(c) if is_name(c) => {
                let mut name = String::new();
                while let Some(c) = self.rest.next_if(is_name) {
                    name.push(c);
                }
                Part::Variable { name, quoted }
            }
            _ => {
                text.push('$');
                return Ok(());
            }
        };
        if !text.is_empty() {
            word.push(Part::Text(std::mem::take(text)));
        }
        word.push(part);
        Ok(())
    }

    /// The text up to the parenthesis that closes the one just read.
    fn until_closed(&mut self) -> Result<String, Malformed> {
        let mut inner = String::new();
        let (mut open, mut quote) = (1, None);
        while let Some(c) = self.rest.next() {
            match (quote, c) {
                (Some(end), c) if c == end => quote = None,
                (Some('\''), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (_, '\\') => {
                    inner.push(c);
                    inner.extend(self.rest.next());
                    continue;
                }
                (None, '(') => open += 1,
                (None, ')') => {
                    open -= 1;
                    if open == 0 {
                        return Ok(inner);
                    }
                }
                _ => {}
            }
            inner.push(c);
        }
        Err(Malformed("unterminated $(".into()))
    }
}
