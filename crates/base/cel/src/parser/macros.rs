//! Calls that stand for loops and tests.
//!
//! Each becomes what it becomes in cel-go, so that types, costs and errors come out the same. What a
//! macro adds stands at the opening parenthesis of its call.

use super::{Parsed, Parser};
use crate::{
    Value,
    ast::{Comprehension, Expr, Item, Kind},
};

/// The accumulator of every macro; no expression can name it.
const RESULT: &str = "@result";
/// The loop variable of macros that only give a name to a value.
pub(crate) const UNUSED: &str = "#unused";
const SORTED: &str = "@__sortBy_input__";

/// The parts of a loop that differ from macro to macro.
struct Fold<'s> {
    init: Expr<'s>,
    condition: Expr<'s>,
    step: Expr<'s>,
    result: Expr<'s>,
}

impl<'s> Parser<'s, '_> {
    /// `name(args…)`.
    pub(super) fn function(&mut self, name: &'s str, mut args: Vec<Expr<'s>>, at: usize) -> Parsed<'s> {
        if name != "has" || args.len() != 1 {
            return self.call(at, name, args);
        }
        match args.pop() {
            Some(Expr { kind: Kind::Select { operand, field, optional: false }, .. }) => {
                self.make(at, Kind::Has { operand, field })
            }
            other => {
                let at = other.map_or(at, |arg| arg.at);
                Ok(self.mistake(at, "invalid argument to has() macro"))
            }
        }
    }

    /// `target.name(args…)`.
    pub(super) fn method(
        &mut self,
        target: Expr<'s>,
        name: &'s str,
        args: Vec<Expr<'s>>,
        at: usize,
    ) -> Parsed<'s> {
        match (name, args.len()) {
            ("all" | "exists" | "exists_one" | "existsOne", 2 | 3) => self.quantifier(target, name, args, at),
            ("map", 2 | 3) => self.transform(target, name, args, at, 1),
            ("filter", 2) => self.filter(target, args, at),
            ("transformList" | "transformMap" | "transformMapEntry", 3 | 4) => {
                self.transform(target, name, args, at, 2)
            }
            ("optMap" | "optFlatMap", 2) => self.optional_map(target, name, args, at),
            ("sortBy", 2) => self.sort_by(target, args, at),
            _ => self.make(at, Kind::Call { function: name, target: Some(Box::new(target)), args }),
        }
    }

    fn mistake(&mut self, at: usize, message: &str) -> Expr<'s> {
        self.issues.note(at, message.to_owned());
        Expr::leaf(at, Kind::Broken)
    }

    /// Takes the names of the loop variables off the arguments.
    fn variables(
        &mut self,
        args: &mut Vec<Expr<'s>>,
        count: usize,
        message: &str,
    ) -> Result<(&'s str, Option<&'s str>), Expr<'s>> {
        let mut names = Vec::with_capacity(count);
        for arg in args.drain(..count.min(args.len())).collect::<Vec<_>>() {
            match arg.kind {
                Kind::Ident(name) if names.contains(&name) => {
                    return Err(self.mistake(arg.at, &format!("duplicate variable name: {name}")));
                }
                // UPSTREAM: cel-go's name for accumulators of old is still taken (kube-apiserver 1.36).
                Kind::Ident("__result__") => {
                    return Err(self.mistake(arg.at, "iteration variable overwrites accumulator variable"));
                }
                Kind::Ident(name) => names.push(name),
                Kind::Broken => return Err(arg),
                _ => return Err(self.mistake(arg.at, message)),
            }
        }
        Ok((names.first().copied().unwrap_or(UNUSED), names.get(1).copied()))
    }

    fn fold(
        &mut self,
        at: usize,
        range: Expr<'s>,
        (variable, second): (&'s str, Option<&'s str>),
        fold: Fold<'s>,
    ) -> Parsed<'s> {
        let Fold { init, condition, step, result } = fold;
        self.make(
            at,
            Kind::Comprehension(Box::new(Comprehension {
                range,
                variable,
                second,
                accumulator: RESULT,
                init,
                condition,
                step,
                result,
            })),
        )
    }

    fn quantifier(&mut self, target: Expr<'s>, name: &str, mut args: Vec<Expr<'s>>, at: usize) -> Parsed<'s> {
        let count = args.len() - 1;
        let variables = match self.variables(&mut args, count, "argument must be a simple name") {
            Ok(variables) => variables,
            Err(broken) => return Ok(broken),
        };
        let predicate = args.pop().unwrap_or_else(|| Expr::leaf(at, Kind::Broken));
        let accumulator = || Expr::leaf(at, Kind::Ident(RESULT));
        let fold = match name {
            "all" => Fold {
                init: literal(at, Value::Bool(true)),
                condition: self.call(at, "@not_strictly_false", vec![accumulator()])?,
                step: self.call(at, "_&&_", vec![accumulator(), predicate])?,
                result: accumulator(),
            },
            "exists" => {
                let negated = self.call(at, "!_", vec![accumulator()])?;
                Fold {
                    init: literal(at, Value::Bool(false)),
                    condition: self.call(at, "@not_strictly_false", vec![negated])?,
                    step: self.call(at, "_||_", vec![accumulator(), predicate])?,
                    result: accumulator(),
                }
            }
            _ => {
                let more = self.call(at, "_+_", vec![accumulator(), literal(at, Value::Int(1))])?;
                Fold {
                    init: literal(at, Value::Int(0)),
                    condition: literal(at, Value::Bool(true)),
                    step: self.call(at, "_?_:_", vec![predicate, more, accumulator()])?,
                    result: self.call(at, "_==_", vec![accumulator(), literal(at, Value::Int(1))])?,
                }
            }
        };
        self.fold(at, target, variables, fold)
    }

    fn filter(&mut self, target: Expr<'s>, mut args: Vec<Expr<'s>>, at: usize) -> Parsed<'s> {
        let place = args.first().map_or(at, |arg| arg.at);
        let variables = match self.variables(&mut args, 1, "argument is not an identifier") {
            Ok(variables) => variables,
            Err(broken) => return Ok(broken),
        };
        let item = Expr::leaf(place, Kind::Ident(variables.0));
        self.collect(target, variables, args.pop(), item, at)
    }

    /// `map` and the macros that transform, with `count` loop variables.
    fn transform(
        &mut self,
        target: Expr<'s>,
        name: &str,
        mut args: Vec<Expr<'s>>,
        at: usize,
        count: usize,
    ) -> Parsed<'s> {
        let message =
            if count == 1 { "argument is not an identifier" } else { "argument must be a simple name" };
        let variables = match self.variables(&mut args, count, message) {
            Ok(variables) => variables,
            Err(broken) => return Ok(broken),
        };
        let transform = args.pop().unwrap_or_else(|| Expr::leaf(at, Kind::Broken));
        let filter = args.pop();
        if matches!(name, "map" | "transformList") {
            return self.collect(target, variables, filter, transform, at);
        }
        let accumulator = || Expr::leaf(at, Kind::Ident(RESULT));
        let mut inserted = vec![accumulator()];
        if name == "transformMap" {
            inserted.push(Expr::leaf(at, Kind::Ident(variables.0)));
        }
        inserted.push(transform);
        let step = self.call(at, "cel.@mapInsert", inserted)?;
        let init = self.make(at, Kind::Map(Vec::new()))?;
        self.gather(target, variables, filter, init, step, at)
    }

    /// A loop that builds a list.
    fn collect(
        &mut self,
        target: Expr<'s>,
        variables: (&'s str, Option<&'s str>),
        filter: Option<Expr<'s>>,
        item: Expr<'s>,
        at: usize,
    ) -> Parsed<'s> {
        let one = self.make(at, Kind::List(vec![Item { value: item, optional: false }]))?;
        let step = self.call(at, "_+_", vec![Expr::leaf(at, Kind::Ident(RESULT)), one])?;
        let init = self.make(at, Kind::List(Vec::new()))?;
        self.gather(target, variables, filter, init, step, at)
    }

    fn gather(
        &mut self,
        target: Expr<'s>,
        variables: (&'s str, Option<&'s str>),
        filter: Option<Expr<'s>>,
        init: Expr<'s>,
        step: Expr<'s>,
        at: usize,
    ) -> Parsed<'s> {
        let accumulator = || Expr::leaf(at, Kind::Ident(RESULT));
        let step = match filter {
            Some(filter) => self.call(at, "_?_:_", vec![filter, step, accumulator()])?,
            None => step,
        };
        let fold = Fold { init, condition: literal(at, Value::Bool(true)), step, result: accumulator() };
        self.fold(at, target, variables, fold)
    }

    /// `target.hasValue() ? optional.of(<mapped, with the name bound to target.value()>) : optional.none()`.
    fn optional_map(
        &mut self,
        target: Expr<'s>,
        name: &str,
        mut args: Vec<Expr<'s>>,
        at: usize,
    ) -> Parsed<'s> {
        let message = format!("{name}() variable name must be a simple identifier");
        let (variable, _) = match self.variables(&mut args, 1, &message) {
            Ok(variables) => variables,
            Err(broken) => return Ok(broken),
        };
        let mapped = args.pop().unwrap_or_else(|| Expr::leaf(at, Kind::Broken));
        let has_value =
            Kind::Call { function: "hasValue", target: Some(Box::new(target.clone())), args: Vec::new() };
        let has_value = self.make(at, has_value)?;
        let value = Kind::Call { function: "value", target: Some(Box::new(target)), args: Vec::new() };
        let value = self.make(at, value)?;
        let bound = self.bind(variable, value, mapped, at)?;
        let some = if name == "optMap" { self.call(at, "optional.of", vec![bound])? } else { bound };
        let none = self.call(at, "optional.none", Vec::new())?;
        self.call(at, "_?_:_", vec![has_value, some, none])
    }

    fn sort_by(&mut self, target: Expr<'s>, args: Vec<Expr<'s>>, at: usize) -> Parsed<'s> {
        if !matches!(
            target.kind,
            Kind::List(_)
                | Kind::Select { .. }
                | Kind::Has { .. }
                | Kind::Ident(_)
                | Kind::Comprehension(_)
                | Kind::Call { .. }
        ) {
            let message =
                "sortBy can only be applied to a list, identifier, comprehension, call or select expression";
            return Ok(self.mistake(target.at, message));
        }
        let input = || Expr::leaf(at, Kind::Ident(SORTED));
        let keys = self.transform(input(), "map", args, at, 1)?;
        let sorted = Kind::Call {
            function: "@sortByAssociatedKeys",
            target: Some(Box::new(input())),
            args: vec![keys],
        };
        let sorted = self.make(at, sorted)?;
        self.bind(SORTED, target, sorted, at)
    }

    /// Gives `value` a name in `body`: a loop over nothing whose accumulator it is.
    fn bind(&mut self, name: &'s str, value: Expr<'s>, body: Expr<'s>, at: usize) -> Parsed<'s> {
        let range = self.make(at, Kind::List(Vec::new()))?;
        self.make(
            at,
            Kind::Comprehension(Box::new(Comprehension {
                range,
                variable: UNUSED,
                second: None,
                accumulator: name,
                init: value,
                condition: literal(at, Value::Bool(false)),
                step: Expr::leaf(at, Kind::Ident(name)),
                result: body,
            })),
        )
    }
}

fn literal<'s>(at: usize, value: Value<'static>) -> Expr<'s> {
    Expr::leaf(at, Kind::Literal(value))
}
