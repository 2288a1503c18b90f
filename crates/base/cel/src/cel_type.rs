//! Types as the checker knows them, and how they are written.

use std::{fmt, sync::Arc};

use crate::objects::ObjectType;

/// A type of an expression.
///
/// `Display` writes it as kube-apiserver reports the type of a checked expression
/// (`map(string, google.protobuf.Any)`); [`Type::in_errors`] as its compile errors do (`map(string, any)`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Checked when the expression runs.
    Dyn,
    /// `google.protobuf.Any`: unlike `dyn` no range of a comprehension.
    Any,
    /// What an expression with a type error has; agrees with everything, so that one mistake is one error.
    Error,
    /// The type of `null`.
    Null,
    /// `bool`.
    Bool,
    /// `int`, 64 bits.
    Int,
    /// `uint`, 64 bits.
    Uint,
    /// `double`.
    Double,
    /// `string`.
    String,
    /// `bytes`.
    Bytes,
    /// `google.protobuf.Timestamp`.
    Timestamp,
    /// `google.protobuf.Duration`.
    Duration,
    /// A primitive or null: the type of `google.protobuf.Int64Value{}` and its like.
    Wrapper(Arc<Type>),
    /// `list(element)`.
    List(Arc<Type>),
    /// `map(key, value)`.
    Map(Arc<Type>, Arc<Type>),
    /// `optional_type(value)`.
    Optional(Arc<Type>),
    /// The type of a type.
    Type(Arc<Type>),
    /// A type of a library, such as `net.IP`.
    Opaque(&'static str),
    /// A type with declared fields, such as `kubernetes.UserInfo`.
    Object(&'static ObjectType),
    /// A type parameter in the declaration of a function.
    Param(char),
    /// A type that the checker has still to find out.
    Var(u32),
}

impl Type {
    /// `list(element)`.
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// `map(key, value)`.
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Arc::new(key), Arc::new(value))
    }

    /// `optional_type(value)`.
    pub fn optional(value: Self) -> Self {
        Self::Optional(Arc::new(value))
    }

    /// `type(of)`.
    pub fn type_of(of: Self) -> Self {
        Self::Type(Arc::new(of))
    }

    /// The name a value of this type shows at run time: parameters are erased.
    pub fn runtime_name(&self) -> &'static str {
        match self {
            Self::Dyn | Self::Param(_) | Self::Var(_) => "dyn",
            Self::Any => "google.protobuf.Any",
            Self::Error => "!error!",
            Self::Null => "null_type",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "google.protobuf.Timestamp",
            Self::Duration => "google.protobuf.Duration",
            Self::Wrapper(of) => of.runtime_name(),
            Self::List(_) => "list",
            Self::Map(..) => "map",
            Self::Optional(_) => "optional_type",
            Self::Type(_) => "type",
            Self::Opaque(name) => name,
            Self::Object(object) => object.name,
        }
    }

    /// The type as compile errors write it: `any`, `null`, `timestamp`, `wrapper(int)`.
    pub fn in_errors(&self) -> impl fmt::Display + '_ {
        InErrors(self)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrapper(of) => write!(f, "wrapper({of})"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Optional(value) => write!(f, "optional_type({value})"),
            Self::Type(of) => write!(f, "type({of})"),
            other => f.write_str(other.runtime_name()),
        }
    }
}

struct InErrors<'a>(&'a Type);

impl fmt::Display for InErrors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Type::Any => f.write_str("any"),
            Type::Null => f.write_str("null"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Duration => f.write_str("duration"),
            Type::Wrapper(of) => write!(f, "wrapper({})", Self(of)),
            Type::List(element) => write!(f, "list({})", Self(element)),
            Type::Map(key, value) => write!(f, "map({}, {})", Self(key), Self(value)),
            Type::Optional(value) => write!(f, "optional_type({})", Self(value)),
            Type::Type(of) => write!(f, "type({})", Self(of)),
            other => f.write_str(other.runtime_name()),
        }
    }
}
