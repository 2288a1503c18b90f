//! CEL, the expression language of Kubernetes' configuration, as kube-apiserver 1.36 speaks it.
//!
//! Built in three steps, each with its own errors: [`Program::compile`] reads and type-checks an
//! expression (a mistake refuses the configuration, with line and column) and folds what is constant;
//! [`Program::evaluate`] runs it within a cost.

mod ast;
mod cel_type;
mod checker;
mod cost;
mod environment;
mod error;
mod escape;
mod eval;
mod ext;
mod go;
pub mod limits;
mod objects;
mod operators;
mod optional;
mod parser;
mod plan;
mod program;
mod standard;
mod timestamp;
mod value;
mod work;

pub use cel_type::Type;
pub use environment::{
    AccessReviewSpec, Claims, Environment, NonResourceAttributes, Requirement, ResourceAttributes, Selector,
};
pub use error::EvalError;
pub use objects::{Object, ObjectType};
pub use parser::Issue;
pub use program::{CompileError, Evaluation, Expected, Program};
pub use timestamp::Timestamp;
pub use value::{Entries, List, Map, Opaque, Str, Value};
