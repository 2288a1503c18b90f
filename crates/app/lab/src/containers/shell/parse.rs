//! A shell's grammar: lists, pipelines, loops, conditions, quotes, `$NAME` and `$(…)`.

mod lex;

use std::iter::Peekable;

use lex::{Token, tokens};

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

/// Reads a script.
pub(super) fn script(text: &str) -> Result<Node, Malformed> {
    nested(text, 0)
}

fn nested(text: &str, depth: usize) -> Result<Node, Malformed> {
    if depth > DEEPEST {
        return Err(Malformed("nested too deeply".into()));
    }
    let mut parser = Parser { tokens: tokens(text, depth)?.into_iter().peekable(), depth };
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
