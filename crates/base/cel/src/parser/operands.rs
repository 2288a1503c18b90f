//! What operators stand between: names, calls of functions, literals, lists, maps and messages.

use super::{
    Parsed, Parser, Stop,
    lexer::{Token, TokenKind},
    literal,
};
use crate::ast::{Entry, Expr, Field, Item, Kind};

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

impl<'s> Parser<'s, '_> {
    pub(super) fn primary(&mut self) -> Parsed<'s> {
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
    pub(super) fn arguments(&mut self, close: &str) -> Result<Vec<Expr<'s>>, Stop> {
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
