//! CEL, the expression language of Kubernetes' configuration, as kube-apiserver 1.36 speaks it.
//!
//! Built in three steps, each with its own errors: [`Program::compile`] reads and type-checks an
//! expression (a mistake refuses the configuration, with line and column) and folds what is constant;
//! [`Program::evaluate`] runs it within a cost.

mod cel_type;
mod error;
mod escape;
pub mod ext;
mod go;
pub mod limits;
mod objects;
mod standard;
mod value;

pub use cel_type::Type;
pub use error::EvalError;
pub use objects::{Object, ObjectType};
pub use value::{Entries, List, Map, Opaque, Str, Value};
