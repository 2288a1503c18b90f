//! A shell's grammar: lists, pipelines, loops, conditions, quotes, `$NAME` and `$(…)`.

use std::iter::Peekable;

/// How deep `$(…)`, loops and groups may stand in each other.
const DEEPEST: usize = 24;

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Simple { assigned: Vec<(String, Word)>, words: Vec<Word>, redirects: Vec<Redirect> },
    Pipeline(Vec<Node>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Sequence(Vec<Node>),
    While { until: bool, condition: Box<Node>, body: Box<Node> },
    For { name: String, words: Vec<Word>, body: Box<Node> },
    If { condition: Box<Node>, then: Box<Node>, otherwise: Option<Box<Node>> },
    Redirected { body: Box<Node>, redirects: Vec<Redirect> },
}

/// One word before it is expanded.
pub(super) type Word = Vec<Part>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Stands for itself.
    Text(String),
    Variable {
        name: String,
        quoted: bool,
    },
    /// What a script prints.
    Command {
        script: Box<Node>,
        quoted: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    /// 0, 1 or 2.
    pub(super) of: u8,
    pub(super) to: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Read(Word),
    Write(Word),
    Append(Word),
    /// Another of the program's own.
    Same(u8),
}

/// What a script has wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error: {0}")]
pub(super) struct Malformed(String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(Word),
    Operator(&'static str),
    Redirect(Redirect),
    /// A redirection whose target is the next word.
    Towards(u8, &'static str),
}

/// Reads a script.
pub(super) fn script(text: &str) -> Result<Node, Malformed> {
    nested(text, 0)
}

fn nested(text: &str, depth: usize) -> Result<Node, Malformed> {
    if depth > DEEPEST {
        return Err(Malformed("nested too deeply".into()));
    }
    let tokens = Lexer { rest: text.chars().peekable(), depth }.tokens()?;
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), depth };
    let node = parser.sequence(&[])?;
    match parser.tokens.next() {
        None => Ok(node),
        Some(token) => Err(unexpected(Some(&token))),
    }
}

fn unexpected(token: Option<&Token>) -> Malformed {
    Malformed(match token {
        None => "unexpected end of file".into(),
        Some(Token::Word(word)) => match word.as_slice() {
            [Part::Text(text)] => format!("unexpected {text:?}"),
            _ => "unexpected word".into(),
        },
        Some(Token::Operator(operator)) => format!("unexpected {operator:?}"),
        Some(Token::Redirect(_) | Token::Towards(..)) => "unexpected redirection".into(),
    })
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

struct Parser {
    tokens: Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    /// The next token as a word that the grammar knows.
    fn keyword(&mut self) -> Option<&str> {
        match self.tokens.peek()? {
            Token::Word(word) => match word.as_slice() {
                [Part::Text(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    fn takes(&mut self, operator: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Operator(found) if *found == operator)).is_some()
    }

    fn expect(&mut self, keyword: &str) -> Result<(), Malformed> {
        if self.keyword() == Some(keyword) {
            self.tokens.next();
            return Ok(());
        }
        Err(unexpected(self.tokens.peek()))
    }

    fn body(&mut self, ends: &[&str]) -> Result<Box<Node>, Malformed> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Malformed("nested too deeply".into()));
        }
        let body = self.sequence(ends)?;
        self.depth -= 1;
        Ok(Box::new(body))
    }

    /// Commands up to one of the words `ends`, which is not taken.
    fn sequence(&mut self, ends: &[&str]) -> Result<Node, Malformed> {
        let mut nodes = Vec::new();
        loop {
            while self.takes(";") {}
            let is_end = self.keyword().is_some_and(|word| ends.contains(&word));
            if is_end || self.tokens.peek().is_none() {
                return Ok(Node::Sequence(nodes));
            }
            nodes.push(self.condition()?);
            if !self.takes(";") && self.tokens.peek().is_some() {
                let is_end = self.keyword().is_some_and(|word| ends.contains(&word));
                if !is_end {
                    return Err(unexpected(self.tokens.peek()));
                }
            }
        }
    }

    fn condition(&mut self) -> Result<Node, Malformed> {
        let mut left = self.pipeline()?;
        loop {
            let make = if self.takes("&&") {
                Node::And
            } else if self.takes("||") {
                Node::Or
            } else {
                return Ok(left);
            };
            while self.takes(";") {}
            left = make(Box::new(left), Box::new(self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Result<Node, Malformed> {
        if self.keyword() == Some("!") {
            self.tokens.next();
            return Ok(Node::Not(Box::new(self.pipeline()?)));
        }
        let first = self.command()?;
        let mut stages = vec![first];
        while self.takes("|") {
            while self.takes(";") {}
            stages.push(self.command()?);
        }
        Ok(match (stages.len(), stages.pop()) {
            (1, Some(only)) => only,
            (_, last) => Node::Pipeline(stages.into_iter().chain(last).collect()),
        })
    }

    fn command(&mut self) -> Result<Node, Malformed> {
        let compound = match self.keyword() {
            Some(word @ ("while" | "until")) => {
                let until = word == "until";
                self.tokens.next();
                let condition = self.body(&["do"])?;
                self.expect("do")?;
                let body = self.body(&["done"])?;
                self.expect("done")?;
                Node::While { until, condition, body }
            }
            Some("for") => {
                self.tokens.next();
                let name = self.keyword().map(str::to_owned);
                let name = name.ok_or_else(|| unexpected(self.tokens.peek()))?;
                self.tokens.next();
                self.expect("in")?;
                let mut words = Vec::new();
                while let Some(Token::Word(word)) =
                    self.tokens.next_if(|token| matches!(token, Token::Word(_)))
                {
                    words.push(word);
                }
                while self.takes(";") {}
                self.expect("do")?;
                let body = self.body(&["done"])?;
                self.expect("done")?;
                Node::For { name, words, body }
            }
            Some("if") => {
                self.tokens.next();
                self.conditional()?
            }
            Some("{") => {
                self.tokens.next();
                let body = self.body(&["}"])?;
                self.expect("}")?;
                *body
            }
            _ => return self.simple(),
        };
        let redirects = self.redirects()?;
        Ok(match redirects.is_empty() {
            true => compound,
            false => Node::Redirected { body: Box::new(compound), redirects },
        })
    }

    /// What follows `if` or `elif`.
    fn conditional(&mut self) -> Result<Node, Malformed> {
        let condition = self.body(&["then"])?;
        self.expect("then")?;
        let then = self.body(&["elif", "else", "fi"])?;
        let otherwise = match self.keyword() {
            Some("elif") => {
                self.tokens.next();
                // The `fi` of the last one is the `fi` of all.
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(Malformed("nested too deeply".into()));
                }
                return Ok(Node::If { condition, then, otherwise: Some(Box::new(self.conditional()?)) });
            }
            Some("else") => {
                self.tokens.next();
                Some(self.body(&["fi"])?)
            }
            _ => None,
        };
        self.expect("fi")?;
        Ok(Node::If { condition, then, otherwise })
    }

    fn redirects(&mut self) -> Result<Vec<Redirect>, Malformed> {
        let mut redirects = Vec::new();
        loop {
            match self.tokens.peek() {
                Some(Token::Redirect(_) | Token::Towards(..)) => redirects.push(self.redirect()?),
                _ => return Ok(redirects),
            }
        }
    }

    fn redirect(&mut self) -> Result<Redirect, Malformed> {
        match self.tokens.next() {
            Some(Token::Redirect(redirect)) => Ok(redirect),
            Some(Token::Towards(of, sign)) => {
                let Some(Token::Word(word)) = self.tokens.next() else {
                    return Err(Malformed("redirection without a file".into()));
                };
                let to = match sign {
                    "<" => Target::Read(word),
                    ">" => Target::Write(word),
                    _ => Target::Append(word),
                };
                Ok(Redirect { of, to })
            }
            token => Err(unexpected(token.as_ref())),
        }
    }

    fn simple(&mut self) -> Result<Node, Malformed> {
        let (mut assigned, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            match self.tokens.peek() {
                Some(Token::Redirect(_) | Token::Towards(..)) => redirects.push(self.redirect()?),
                Some(Token::Word(_)) => {
                    let Some(Token::Word(word)) = self.tokens.next() else { continue };
                    match assignment(&word) {
                        Some(assignment) if words.is_empty() => assigned.push(assignment),
                        _ => words.push(word),
                    }
                }
                _ => break,
            }
        }
        if assigned.is_empty() && words.is_empty() && redirects.is_empty() {
            return Err(unexpected(self.tokens.peek()));
        }
        Ok(Node::Simple { assigned, words, redirects })
    }
}

/// `NAME=…`
fn assignment(word: &Word) -> Option<(String, Word)> {
    let [Part::Text(first), rest @ ..] = word.as_slice() else { return None };
    let (name, value) = first.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let value = [Part::Text(value.to_owned())].into_iter().chain(rest.iter().cloned()).collect();
    is_name.then(|| (name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_typed_breaks_it() {
        for (text, expected) in [
            ("", None),
            ("  # a comment", None),
            ("echo 'a", Some("syntax error: unterminated quoted string")),
            ("echo $(a", Some("syntax error: unterminated $(")),
            ("| a", Some("syntax error: unexpected \"|\"")),
            ("a |", Some("syntax error: unexpected end of file")),
            ("a && ", Some("syntax error: unexpected end of file")),
            ("while a; do b", Some("syntax error: unexpected end of file")),
            ("done", None),
            ("a >", Some("syntax error: redirection without a file")),
            ("a >&9", Some("syntax error: bad file descriptor")),
            ("if a; then b; elif c; then d; else e; fi >f", None),
            ("for x in 1 2; do { echo $x; } | cat; done && ! false", None),
            ("a )", Some("syntax error: unexpected ')'")),
        ] {
            let found = script(text).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        let deep = "$(".repeat(10_000) + &")".repeat(10_000);
        assert_eq!(script(&deep).unwrap_err().to_string(), "syntax error: nested too deeply");
        let deep = "{ ".repeat(10_000);
        assert_eq!(script(&deep).unwrap_err().to_string(), "syntax error: nested too deeply");
        let deep = "if a; then b; el".repeat(10_000);
        assert_eq!(script(&deep).unwrap_err().to_string(), "syntax error: nested too deeply");
        let many = "! ".repeat(500);
        assert_eq!(script(&many).unwrap_err().to_string(), "syntax error: unexpected end of file");
    }
}
