//! Constant formats: `'%d items'.format([…])`.

use super::{Checker, literals::Literal};
use crate::{
    EvalError, Type, Value,
    ast::{Expr, Kind},
    ext::format::{Clause, Piece, pieces},
};

/// A constant format, with the list literal that is given to it.
pub(super) struct Format {
    at: usize,
    text: String,
    arguments: Vec<Argument>,
}

/// An item of that list; the items of a list or map literal in it.
struct Argument {
    at: usize,
    kind: Type,
    inner: Vec<Argument>,
}

/// Why a format does not fit, and where that is if not at the call.
struct Misfit {
    at: Option<usize>,
    why: String,
}

impl From<EvalError> for Misfit {
    fn from(error: EvalError) -> Self {
        Self { at: None, why: error.to_string() }
    }
}

impl<'s> Checker<'s, '_> {
    pub(super) fn note_format(&mut self, at: usize, target: &Expr<'s>, args: &[Expr<'s>]) {
        if let (Kind::Literal(Value::String(text)), [Expr { kind: Kind::List(items), .. }]) =
            (&target.kind, args)
        {
            let arguments = items.iter().map(|item| self.argument(&item.value)).collect();
            self.literals.push(Literal::Format(Format { at, text: text.to_string(), arguments }));
        }
    }

    fn argument(&self, expr: &Expr<'s>) -> Argument {
        let kind = self.format_kinds.get(&expr.at).cloned().unwrap_or(Type::Dyn);
        let inner = match &expr.kind {
            Kind::List(items) => items.iter().map(|item| self.argument(&item.value)).collect(),
            Kind::Map(entries) => entries
                .iter()
                .flat_map(|entry| [self.argument(&entry.key), self.argument(&entry.value)])
                .collect(),
            _ => Vec::new(),
        };
        Argument { at: expr.at, kind, inner }
    }

    pub(super) fn validate_format(&mut self, format: &Format) {
        let used = pieces(&format.text, format.arguments.len(), |piece| match piece {
            Piece::Text(_) => Ok(()),
            Piece::Clause(clause, at) => match format.arguments.get(at) {
                Some(argument) => self.fits(clause, argument),
                None => Ok(()),
            },
        });
        let given = format.arguments.len();
        match used {
            Err(misfit) => self.issues.note(misfit.at.unwrap_or(format.at), misfit.why),
            Ok(used) if used < given => {
                let message =
                    format!("too many arguments supplied to string.format (expected {used}, got {given})");
                self.issues.note(format.at, message);
            }
            Ok(_) => {}
        }
    }

    fn fits(&mut self, clause: Clause, argument: &Argument) -> Result<(), Misfit> {
        let kind = self.bindings.settle(&argument.kind);
        if !clause.may_take(&kind) {
            let why = format!("error during formatting: {}", clause.refuses(kind.runtime_name()));
            return Err(Misfit { at: Some(argument.at), why });
        }
        argument.inner.iter().try_for_each(|inner| self.fits(clause, inner))
    }
}
