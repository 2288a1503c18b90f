//! How libraries declare functions, and which libraries there are.
//!
//! A library is a file in `ext/`: its own Rust types, and `pub(super) fn declare(library: &mut Library)`.
//! What a call costs is not its business: all rules are in `cost.rs`, by function name, as in kube-apiserver.

pub(crate) mod format;
mod lists;
pub(crate) mod named_format;
mod net;
mod quantity;
mod quote;
pub(crate) mod regex;
mod semver;
mod sets;
pub(crate) mod strings;
mod time;
mod url;

use std::{collections::HashMap, sync::LazyLock};

pub(crate) use crate::standard::argument;
use crate::{EvalError, Value, cel_type::Type, limits::MAX_COST, value::count};

/// What computes a call: the receiver, if any, is the first argument. The types of the arguments were
/// matched with the overload's parameters before, as far as run-time types tell.
pub type Implementation = for<'a> fn(&[Value<'a>]) -> Result<Value<'a>, EvalError>;

/// One way to call a function.
#[derive(Debug)]
pub struct Overload {
    /// cel-go's name for it: costs of operators go by it.
    pub id: &'static str,
    /// `x.f(y)` rather than `f(x, y)`; the receiver's type is the first parameter then.
    pub receiver: bool,
    /// The types of the arguments.
    pub params: Vec<Type>,
    /// The type of the result.
    pub result: Type,
    /// What computes it.
    pub call: Implementation,
}

/// A function and the ways to call it, in the order in which cel-go tries them.
#[derive(Debug)]
pub struct Function {
    /// The name, with its namespace (`sets.contains`).
    pub name: &'static str,
    /// At least one.
    pub overloads: Vec<Overload>,
}

/// All functions that expressions may call.
#[derive(Debug, Default)]
pub struct Library {
    functions: HashMap<&'static str, Function>,
}

impl Library {
    /// Declares `name(params…)`.
    pub fn function(
        &mut self,
        name: &'static str,
        id: &'static str,
        params: impl Into<Vec<Type>>,
        result: Type,
        call: Implementation,
    ) {
        self.declare(name, Overload { id, receiver: false, params: params.into(), result, call });
    }

    /// Declares `params[0].name(params[1…]…)`.
    pub fn method(
        &mut self,
        name: &'static str,
        id: &'static str,
        params: impl Into<Vec<Type>>,
        result: Type,
        call: Implementation,
    ) {
        self.declare(name, Overload { id, receiver: true, params: params.into(), result, call });
    }

    fn declare(&mut self, name: &'static str, overload: Overload) {
        self.functions
            .entry(name)
            .or_insert_with(|| Function { name, overloads: Vec::new() })
            .overloads
            .push(overload);
    }

    /// The function of that name.
    pub fn find(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }
}

/// Everything kube-apiserver 1.36 offers in authentication and authorization configuration.
pub fn library() -> &'static Library {
    static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
        let mut library = Library::default();
        crate::operators::declare(&mut library);
        crate::standard::declare(&mut library);
        crate::optional::declare(&mut library);
        declare_all(&mut library);
        library
    });
    &LIBRARY
}

/// In the order in which kube-apiserver adds them: a call that fits several overloads takes the first.
fn declare_all(library: &mut Library) {
    time::declare(library);
    url::declare(library);
    lists::declare_kubernetes(library);
    lists::declare_optional(library);
    quantity::declare(library);
    strings::declare(library);
    format::declare(library);
    sets::declare(library);
    net::declare_ip(library);
    net::declare_cidr(library);
    named_format::declare(library);
    semver::declare(library);
    lists::declare(library);
}

/// An error if so much work costs more than an expression may: it is better not begun.
fn affordable(cost: usize) -> Result<(), EvalError> {
    if count(cost) > MAX_COST { Err(EvalError::cost_limit()) } else { Ok(()) }
}
