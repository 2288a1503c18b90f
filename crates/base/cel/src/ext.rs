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
use crate::{EvalError, Value, cel_type::Type, limits::MAX_COST, value::count, work::Work};

/// What a call is given: the receiver, if any, is the first argument. Their types were matched with the
/// overload's parameters before, as far as run-time types tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args<'s, 'a> {
    pub(crate) values: &'s [Value<'a>],
    /// Charged for all that takes longer, or makes more, than a few words and the texts among the
    /// arguments: those are charged for before.
    pub(crate) work: &'s Work,
}

/// What computes a call.
pub(crate) type Implementation = for<'a> fn(Args<'_, 'a>) -> Result<Value<'a>, EvalError>;

/// One way to call a function.
#[derive(Debug)]
pub(crate) struct Overload {
    /// cel-go's name for it: costs of operators go by it.
    pub(crate) id: &'static str,
    /// `x.f(y)` rather than `f(x, y)`; the receiver's type is the first parameter then.
    pub(crate) receiver: bool,
    /// The types of the arguments.
    pub(crate) params: Vec<Type>,
    /// The type of the result.
    pub(crate) result: Type,
    /// What computes it.
    pub(crate) call: Implementation,
}

/// A function and the ways to call it, in the order in which cel-go tries them.
#[derive(Debug)]
pub(crate) struct Function {
    /// The name, with its namespace (`sets.contains`).
    pub(crate) name: &'static str,
    /// At least one.
    pub(crate) overloads: Vec<Overload>,
}

/// All functions that expressions may call.
#[derive(Debug, Default)]
pub(crate) struct Library {
    functions: HashMap<&'static str, Function>,
}

impl Library {
    /// Declares `name(params…)`.
    pub(crate) fn function(
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
    pub(crate) fn method(
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

    /// The names that can be written, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.functions.keys().copied().filter(|name| !name.contains(['_', '@']))
    }

    /// The function of that name.
    pub(crate) fn find(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }
}

/// Everything kube-apiserver 1.36 offers in authentication and authorization configuration.
pub(crate) fn library() -> &'static Library {
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

/// A list of texts that a call results in.
///
/// # Errors
/// There is no memory for it left in `work`.
pub(crate) fn made_list<'a>(texts: &[&str], work: &Work) -> Result<Value<'a>, EvalError> {
    work.make_list(texts.len())?;
    texts.iter().try_for_each(|text| work.make_text(text.len()))?;
    Ok(Value::list(texts.iter().map(|text| Value::string(*text)).collect()))
}

/// An error if so much work costs more than an expression may: it is better not begun.
fn affordable(cost: usize) -> Result<(), EvalError> {
    if count(cost) > MAX_COST { Err(EvalError::cost_limit()) } else { Ok(()) }
}
