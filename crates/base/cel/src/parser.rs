//! Text into a tree, by the grammar of cel-go, with its places and words for errors.

mod lexer;
mod literal;
mod macros;

use std::fmt;

use self::lexer::{Token, TokenKind, tokens};
use crate::{
    ast::{Entry, Expr, Field, Item, Kind, TooBig},
    limits::{MAX_CHAIN, MAX_CODE_POINTS, MAX_NESTING},
};

/// A mistake in an expression and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// From 1.
    pub line: usize,
    /// In code points, from 1.
    pub column: usize,
    /// cel-go's words.
    pub message: String,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// The mistakes found so far.
#[derive(Debug)]
pub(crate) struct Issues<'s> {
    source: &'s str,
    found: Vec<(usize, String)>,
}

/// More mistakes than this are not listed.
const MAX_ISSUES: usize = 100;

impl<'s> Issues<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Self { source, found: Vec::new() }
    }

    pub(crate) fn note(&mut self, at: usize, message: String) {
        if self.found.len() < MAX_ISSUES {
            self.found.push((at, message));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order in which they stand in the text.
    pub(crate) fn listed(mut self) -> Vec<Issue> {
        self.found.sort_by_key(|(at, _)| *at);
        let place = |at: usize| {
            let before = self.source.get(..at).unwrap_or(self.source);
            let line_start = before.rfind('\n').map_or(0, |end| end + 1);
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            (line, before.get(line_start..).unwrap_or_default().chars().count() + 1)
        };
        self.found
            .iter()
            .map(|(at, message)| {
                let (line, column) = place(*at);
                Issue { line, column, message: message.clone() }
            })
            .collect()
    }
}

/// Reading cannot go on; why has been noted.
struct Stop;

type Parsed<'s> = Result<Expr<'s>, Stop>;

/// Reads an expression; mistakes are noted in `issues`.
pub(crate) fn parse<'s>(source: &'s str, issues: &mut Issues<'s>) -> Option<Expr<'s>> {
    let length = source.chars().count();
    if length > MAX_CODE_POINTS {
        issues.note(
            0,
            format!("expression code point size exceeds limit: size: {length}, limit {MAX_CODE_POINTS}"),
        );
        return None;
    }
    let tokens = tokens(source, issues);
    let mut parser = Parser { tokens, next: 0, nesting: 0, issues };
    let expr = parser.whole().ok()?;
    issues.is_empty().then_some(expr)
}

struct Parser<'s, 'i> {
    tokens: Vec<Token<'s>>,
    next: usize,
    nesting: u16,
    issues: &'i mut Issues<'s>,
}

/// Words that name nothing.
///
/// UPSTREAM: `reservedIds` of cel-go (kube-apiserver 1.36).
pub(crate) const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

const EXPECTED: &str = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/// Binary operators, loosest first; all of one level associate to the left.
const OR: u8 = 1;
const AND: u8 = 2;
const RELATION: u8 = 3;
const SUM: u8 = 4;
const PRODUCT: u8 = 5;

fn binary(token: &Token<'_>) -> Option<(u8, &'static str)> {
    Some(match (token.kind, token.text) {
        (TokenKind::Sign, "||") => (OR, "_||_"),
        (TokenKind::Sign, "&&") => (AND, "_&&_"),
        (TokenKind::In, _) => (RELATION, "@in"),
        (TokenKind::Sign, "==") => (RELATION, "_==_"),
        (TokenKind::Sign, "!=") => (RELATION, "_!=_"),
        (TokenKind::Sign, "<") => (RELATION, "_<_"),
        (TokenKind::Sign, "<=") => (RELATION, "_<=_"),
        (TokenKind::Sign, ">") => (RELATION, "_>_"),
        (TokenKind::Sign, ">=") => (RELATION, "_>=_"),
        (TokenKind::Sign, "+") => (SUM, "_+_"),
        (TokenKind::Sign, "-") => (SUM, "_-_"),
        (TokenKind::Sign, "*") => (PRODUCT, "_*_"),
        (TokenKind::Sign, "/") => (PRODUCT, "_/_"),
        (TokenKind::Sign, "%") => (PRODUCT, "_%_"),
        _ => return None,
    })
}

impl<'s> Parser<'s, '_> {
    fn peek(&self) -> Token<'s> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Token<'s> {
        // The end repeats for ever.
        let end = Token { kind: TokenKind::End, at: 0, text: "<EOF>" };
        *self.tokens.get(self.next + ahead).or(self.tokens.last()).unwrap_or(&end)
    }

    fn take(&mut self) -> Token<'s> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn accept(&mut self, sign: &str) -> Option<Token<'s>> {
        if self.peek().is(sign) { Some(self.take()) } else { None }
    }

    fn fail<T>(&mut self, token: &Token<'s>, what: &str) -> Result<T, Stop> {
        self.issues.note(token.at, format!("Syntax error: {what}"));
        Err(Stop)
    }

    fn expect(&mut self, sign: &str) -> Result<Token<'s>, Stop> {
        match self.accept(sign) {
            Some(token) => Ok(token),
            None => {
                let token = self.peek();
                self.fail(&token, &format!("mismatched input '{}' expecting '{sign}'", token.text))
            }
        }
    }

    fn make(&mut self, at: usize, kind: Kind<'s>) -> Parsed<'s> {
        Expr::new(at, kind).map_err(|TooBig| {
            self.issues
                .note(at, "expression is too large or too deep once its macros are expanded".to_owned());
            Stop
        })
    }

    fn call(&mut self, at: usize, function: &'s str, args: Vec<Expr<'s>>) -> Parsed<'s> {
        self.make(at, Kind::Call { function, target: None, args })
    }

    fn deeper(&mut self, at: usize) -> Result<(), Stop> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING { self.too_deep(at, MAX_NESTING) } else { Ok(()) }
    }

    fn whole(&mut self) -> Parsed<'s> {
        let expr = self.expr()?;
        let rest = self.peek();
        if rest.kind == TokenKind::End {
            return Ok(expr);
        }
        let what = if self.peek_at(1).kind == TokenKind::End { "extraneous" } else { "mismatched" };
        self.fail(&rest, &format!("{what} input '{}' expecting <EOF>", rest.text))
    }

    fn expr(&mut self) -> Parsed<'s> {
        self.deeper(self.peek().at)?;
        let mut expr = self.operators(OR)?;
        if self.peek().is("?") {
            expr = self.ternary(expr)?;
        }
        self.nesting -= 1;
        Ok(expr)
    }

    fn ternary(&mut self, condition: Expr<'s>) -> Parsed<'s> {
        let at = self.take().at;
        let yes = self.operators(OR)?;
        self.expect(":")?;
        let no = self.expr()?;
        self.call(at, "_?_:_", vec![condition, yes, no])
    }

    /// Operators that bind at least as tightly as `loosest`.
    fn operators(&mut self, loosest: u8) -> Parsed<'s> {
        let mut left = self.unary()?;
        let mut chain = 0_u16;
        while let Some((level, function)) = binary(&self.peek())
            && level >= loosest
        {
            let at = self.take().at;
            let mut operands = vec![left, self.operators(level + 1)?];
            // `a || b || c` is one call with all terms.
            while level <= AND && binary(&self.peek()).is_some_and(|(next, _)| next == level) {
                self.next += 1;
                operands.push(self.operators(level + 1)?);
            }
            left = self.call(at, function, operands)?;
            chain += 1;
            if chain >= MAX_CHAIN {
                return self.too_deep(at, MAX_CHAIN);
            }
        }
        Ok(left)
    }

    fn too_deep<T>(&mut self, at: usize, limit: u16) -> Result<T, Stop> {
        self.issues.note(at, format!("expression recursion limit exceeded: {limit}"));
        Err(Stop)
    }

    fn unary(&mut self) -> Parsed<'s> {
        let first = self.peek();
        for (sign, function) in [("!", "!_"), ("-", "-_")] {
            if !first.is(sign) {
                continue;
            }
            let signs = (0..).take_while(|ahead| self.peek_at(*ahead).is(sign)).count();
            // A single minus before a number belongs to the number.
            if sign == "-" && signs == 1 && matches!(self.peek_at(1).kind, TokenKind::Int | TokenKind::Float)
            {
                break;
            }
            self.next += signs;
            let operand = self.member()?;
            return if signs % 2 == 0 { Ok(operand) } else { self.call(first.at, function, vec![operand]) };
        }
        self.member()
    }

    fn member(&mut self) -> Parsed<'s> {
        let mut operand = self.primary()?;
        loop {
            operand = if let Some(dot) = self.accept(".") {
                self.field(operand, &dot)?
            } else if let Some(open) = self.accept("[") {
                let function = if self.accept("?").is_some() { "_[?_]" } else { "_[_]" };
                let index = self.expr()?;
                self.expect("]")?;
                self.call(open.at, function, vec![operand, index])?
            } else {
                return Ok(operand);
            };
        }
    }

    /// What follows a dot: a field, or a call.
    fn field(&mut self, operand: Expr<'s>, dot: &Token<'s>) -> Parsed<'s> {
        let optional = self.accept("?").is_some();
        let name = self.peek();
        match name.kind {
            TokenKind::Ident | TokenKind::Escaped => {
                self.next += 1;
                if name.kind == TokenKind::Escaped {
                    self.issues.note(name.at, "unsupported syntax: '`'".to_owned());
                } else if !optional && let Some(open) = self.accept("(") {
                    let args = self.arguments(")")?;
                    return self.method(operand, name.text, args, open.at);
                }
                self.make(dot.at, Kind::Select { operand: Box::new(operand), field: name.text, optional })
            }
            // As the recovery of cel-go's parser goes on, so do we: the field is left out.
            TokenKind::True | TokenKind::False | TokenKind::Null => {
                self.next += 1;
                self.issues.note(
                    name.at,
                    format!("Syntax error: mismatched input '{}' expecting IDENTIFIER", name.text),
                );
                Ok(operand)
            }
            TokenKind::In => {
                self.issues.note(name.at, "Syntax error: no viable alternative at input '.in'".to_owned());
                Ok(operand)
            }
            TokenKind::End => self.fail(&name, "no viable alternative at input '.'"),
            _ => self.fail(&name, &format!("no viable alternative at input '.{}'", name.text)),
        }
    }

    fn primary(&mut self) -> Parsed<'s> {
        let token = self.take();
        match token.kind {
            TokenKind::Ident => self.named(token),
            TokenKind::Sign => match token.text {
                "." if self.peek().kind == TokenKind::Ident => {
                    let name = self.take();
                    self.named(name)
                }
                "(" => {
                    let inner = self.expr()?;
                    if self.accept(")").is_none() {
                        let next = self.peek();
                        return self.fail(&next, &format!("missing ')' at '{}'", next.text));
                    }
                    Ok(inner)
                }
                "[" => self.list(token.at),
                "{" => self.map(token.at),
                "-" if matches!(self.peek().kind, TokenKind::Int | TokenKind::Float) => {
                    let number = self.take();
                    Ok(self.literal(&number, token.at, true))
                }
                _ => self.unexpected(&token),
            },
            TokenKind::In | TokenKind::Escaped | TokenKind::End => self.unexpected(&token),
            _ => Ok(self.literal(&token, token.at, false)),
        }
    }

    /// One token too many is skipped, as cel-go's parser does, to find further mistakes.
    fn unexpected(&mut self, token: &Token<'s>) -> Parsed<'s> {
        let next = self.peek();
        let starts = match next.kind {
            TokenKind::Sign => matches!(next.text, "[" | "{" | "(" | "." | "-" | "!"),
            TokenKind::In | TokenKind::Escaped | TokenKind::End => false,
            _ => true,
        };
        if token.kind != TokenKind::End && starts {
            self.issues.note(
                token.at,
                format!("Syntax error: extraneous input '{}' expecting {EXPECTED}", token.text),
            );
            self.deeper(next.at)?;
            let expr = self.unary();
            self.nesting -= 1;
            return expr;
        }
        self.fail(token, &format!("mismatched input '{}' expecting {EXPECTED}", token.text))
    }

    fn literal(&mut self, token: &Token<'s>, at: usize, negative: bool) -> Expr<'s> {
        let kind = match literal::value(token, negative) {
            Ok(value) => Kind::Literal(value),
            Err(message) => {
                self.issues.note(at, message.to_owned());
                Kind::Broken
            }
        };
        Expr::leaf(at, kind)
    }

    /// A name, a call of a function, or a message.
    fn named(&mut self, name: Token<'s>) -> Parsed<'s> {
        if let Some(braces) = self.message_ahead() {
            return self.message(&name, braces);
        }
        let reserved = RESERVED.contains(&name.text);
        if reserved {
            self.issues.note(name.at, format!("reserved identifier: {}", name.text));
        }
        if let Some(open) = self.accept("(") {
            let args = self.arguments(")")?;
            return if reserved {
                Ok(Expr::leaf(name.at, Kind::Broken))
            } else {
                self.function(name.text, args, open.at)
            };
        }
        Ok(Expr::leaf(name.at, if reserved { Kind::Broken } else { Kind::Ident(name.text) }))
    }

    /// Expressions up to `close`, which is taken.
    fn arguments(&mut self, close: &str) -> Result<Vec<Expr<'s>>, Stop> {
        let mut args = Vec::new();
        if self.accept(close).is_some() {
            return Ok(args);
        }
        loop {
            args.push(self.expr()?);
            if self.accept(",").is_none() {
                self.expect(close)?;
                return Ok(args);
            }
        }
    }

    fn list(&mut self, at: usize) -> Parsed<'s> {
        let mut items = Vec::new();
        loop {
            if self.accept("]").is_some() {
                break;
            }
            let optional = self.accept("?").is_some();
            items.push(Item { value: self.expr()?, optional });
            if self.accept(",").is_none() {
                self.expect("]")?;
                break;
            }
        }
        self.make(at, Kind::List(items))
    }

    fn map(&mut self, at: usize) -> Parsed<'s> {
        let mut entries = Vec::new();
        loop {
            if self.accept("}").is_some() {
                break;
            }
            let optional = self.accept("?").is_some();
            let key = self.expr()?;
            self.expect(":")?;
            entries.push(Entry { key, value: self.expr()?, optional });
            if self.accept(",").is_none() {
                self.expect("}")?;
                break;
            }
        }
        self.make(at, Kind::Map(entries))
    }

    /// How many `.name` follow up to a `{`, if one does.
    fn message_ahead(&self) -> Option<usize> {
        let mut names = 0;
        loop {
            let token = self.peek_at(names * 2);
            if token.is("{") {
                return Some(names);
            }
            if !token.is(".") || self.peek_at(names * 2 + 1).kind != TokenKind::Ident {
                return None;
            }
            names += 1;
        }
    }

    fn message(&mut self, first: &Token<'s>, names: usize) -> Parsed<'s> {
        let mut name = first.text.to_owned();
        for _ in 0..names {
            self.next += 1;
            name.push('.');
            name.push_str(self.take().text);
        }
        let open = self.take();
        let mut fields = Vec::new();
        loop {
            if self.accept("}").is_some() {
                break;
            }
            let optional = self.accept("?").is_some();
            let field = self.take();
            if field.kind != TokenKind::Ident {
                return self.fail(&field, &format!("mismatched input '{}' expecting IDENTIFIER", field.text));
            }
            let colon = self.expect(":")?;
            fields.push(Field { at: colon.at, name: field.text, value: self.expr()?, optional });
            if self.accept(",").is_none() {
                self.expect("}")?;
                break;
            }
        }
        self.make(open.at, Kind::Struct { name, fields })
    }
}
