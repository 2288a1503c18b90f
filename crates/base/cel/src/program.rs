//! Expressions that are ready to run.

#[cfg(test)]
mod tests;

use std::fmt;

use crate::{
    Environment, EvalError, Object, Type, Value,
    checker::check,
    eval::{Run, dispatch},
    ext::{Args, library},
    limits::MAX_COST,
    parser::{Issue, Issues, parse},
    plan::{Call, Node},
    work::Work,
};

/// A checked expression.
#[derive(Debug)]
pub struct Program {
    node: Node,
    kind: Type,
    slots: usize,
}

// Compiled once and run by every worker at the same time.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Program>();
};

/// What an expression has to result in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Its caller looks at the value.
    ///
    /// UPSTREAM: claim mappings, since what a claim holds is known only at run time (kube-apiserver 1.36).
    Anything,
    /// `bool`, and known to be one: `dyn` is refused.
    ///
    /// UPSTREAM: validation rules and match conditions (kube-apiserver 1.36).
    Bool,
}

/// Why an expression cannot be used: a configuration that contains it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// Mistakes in its text or types, in the order of the text.
    Issues(Vec<Issue>),
    /// Part of it is constant and has no value, as `int("x")`.
    Constant {
        /// Why.
        error: EvalError,
        /// The type of the whole expression.
        kind: Type,
    },
    /// It results in something else than it must.
    Result {
        /// What it must result in.
        expected: &'static str,
    },
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issues(issues) => {
                for (at, issue) in issues.iter().enumerate() {
                    if at > 0 {
                        f.write_str("; ")?;
                    }
                    write!(f, "{issue}")?;
                }
                Ok(())
            }
            Self::Constant { error, .. } => write!(f, "program instantiation failed: {error}"),
            Self::Result { expected } => write!(f, "must evaluate to {expected}"),
        }
    }
}

impl std::error::Error for CompileError {}

/// What running a program gave.
#[derive(Debug)]
pub struct Evaluation<'a> {
    /// The value, or why there is none.
    pub result: Result<Value<'a>, EvalError>,
    /// What it cost, in kube-apiserver's units. Above [`MAX_COST`] there is no value.
    pub cost: u64,
}

impl Program {
    /// Reads and checks an expression.
    pub fn compile(source: &str, environment: Environment, expected: Expected) -> Result<Self, CompileError> {
        let mut issues = Issues::new(source);
        let Some(expr) = parse(source, &mut issues) else {
            return Err(CompileError::Issues(issues.listed()));
        };
        let outcome = check(&expr, environment.variable(), environment.kind(), library(), &mut issues);
        if !issues.is_empty() {
            return Err(CompileError::Issues(issues.listed()));
        }
        if expected == Expected::Bool && outcome.kind != Type::Bool {
            return Err(CompileError::Result { expected: "bool" });
        }
        match outcome.folding {
            Some(error) => Err(CompileError::Constant { error, kind: outcome.kind }),
            None => Ok(Self { node: outcome.node, kind: outcome.kind, slots: outcome.slots }),
        }
    }

    /// The type found for the whole expression.
    pub fn kind(&self) -> &Type {
        &self.kind
    }

    /// Runs the expression over the environment's variable.
    pub fn evaluate<'a>(&'a self, input: &'a dyn Object) -> Evaluation<'a> {
        let mut run = Run::new(Value::Object(input), self.slots, MAX_COST);
        let result = run.eval(&self.node).and_then(|value| run.unfold(&value).map(|()| value));
        // What is not begun because it would cost too much has not been charged.
        let past = result.as_ref().is_err_and(EvalError::is_cost_limit);
        Evaluation { cost: if past { run.cost().max(MAX_COST + 1) } else { run.cost() }, result }
    }
}

/// Runs a conversion of a constant.
pub(crate) fn fold_constant(call: &Call) -> Result<Value<'static>, EvalError> {
    let constant = |node: &Node| match node {
        Node::Const(value) => Some(value.clone()),
        _ => None,
    };
    let args: Vec<Value<'static>> = call.args.iter().filter_map(constant).collect();
    dispatch(&call.overloads, Args { values: &args, work: &Work::default() })
}
