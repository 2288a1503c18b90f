//! What goes wrong while an expression runs.

use std::fmt;

/// Why an expression has no value.
///
/// Errors are values of the language too: `||` and `&&` absorb them, so they are cheap to clone.
/// The texts are close to cel-go's, but only for people: nothing decides on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError(Box<Kind>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    NoSuchOverload,
    NoSuchKey(String),
    Message(String),
    CostLimit,
    TooLarge,
    TooMuchWork,
    Internal,
}

impl EvalError {
    /// An operation got values of types that it has no meaning for.
    pub fn no_such_overload() -> Self {
        Self(Box::new(Kind::NoSuchOverload))
    }

    /// A map or object was asked for something that it does not hold.
    pub fn no_such_key(key: impl Into<String>) -> Self {
        Self(Box::new(Kind::NoSuchKey(key.into())))
    }

    /// Anything else, in words: lower case, no period.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Kind::Message(message.into())))
    }

    /// The expression has used up its cost; nothing absorbs this.
    pub fn cost_limit() -> Self {
        Self(Box::new(Kind::CostLimit))
    }

    /// The expression makes more than [`crate::limits::MAX_MADE_BYTES`]; nothing absorbs this.
    pub fn too_large() -> Self {
        Self(Box::new(Kind::TooLarge))
    }

    /// The expression takes more than [`crate::limits::MAX_STEPS`]; nothing absorbs this.
    pub fn too_much_work() -> Self {
        Self(Box::new(Kind::TooMuchWork))
    }

    /// kube-apiserver's accounting panics over these arguments, which ends its evaluation; nothing absorbs this.
    pub(crate) fn internal() -> Self {
        Self(Box::new(Kind::Internal))
    }

    /// Whether evaluation ends here, whatever `||` and `&&` would make of the error.
    pub fn is_final(&self) -> bool {
        matches!(*self.0, Kind::CostLimit | Kind::TooLarge | Kind::TooMuchWork | Kind::Internal)
    }

    /// Whether the cost limit was passed.
    pub fn is_cost_limit(&self) -> bool {
        matches!(*self.0, Kind::CostLimit)
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::NoSuchOverload => f.write_str("no such overload"),
            Kind::NoSuchKey(key) => write!(f, "no such key: {key}"),
            Kind::Message(message) => f.write_str(message),
            Kind::CostLimit => f.write_str("operation cancelled: actual cost limit exceeded"),
            Kind::TooLarge => f.write_str("operation cancelled: the expression needs too much memory"),
            Kind::TooMuchWork => f.write_str("operation cancelled: the expression takes too long"),
            Kind::Internal => f.write_str("internal error: the cost of the call cannot be worked out"),
        }
    }
}

impl std::error::Error for EvalError {}
