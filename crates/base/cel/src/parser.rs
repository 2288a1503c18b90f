//! Text into a tree, by the grammar of cel-go, with its places and words for errors.

mod issues;
mod lexer;
mod literal;
mod macros;
mod operands;

pub use self::issues::Issue;
use self::lexer::{Token, TokenKind, tokens};
pub(crate) use self::{issues::Issues, operands::RESERVED};
use crate::{
    ast::{Expr, Kind, TooBig},
    limits::{MAX_CHAIN, MAX_CODE_POINTS, MAX_NESTING},
};

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
}
