//! Values: what expressions read, pass around and result in.

mod compare;
mod key;
mod list;
mod map;
mod show;

use std::{any::Any, fmt, ops::Deref, sync::Arc};

pub(crate) use self::{key::Constants, map::ENTRY};
pub use self::{
    list::List,
    map::{Entries, Map},
};
use crate::{EvalError, Timestamp, objects::Object};

/// A value, borrowing from the program and from the input where it can.
///
/// Cloning one never copies text: strings, lists and maps are borrowed or shared.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `uint`
    Uint(u64),
    /// `double`
    Double(f64),
    /// `string`
    String(Str<'a>),
    /// `bytes`
    Bytes(Arc<[u8]>),
    /// `google.protobuf.Timestamp`
    Timestamp(Timestamp),
    /// `google.protobuf.Duration`, in nanoseconds
    Duration(i64),
    /// `list`
    List(List<'a>),
    /// `map`
    Map(Map<'a>),
    /// An input with named fields, such as `user`.
    Object(&'a dyn Object),
    /// A type, by its run-time name.
    Type(&'a str),
    /// `optional_type`
    Optional(Option<Arc<Self>>),
    /// A value of a library, such as an IP address.
    Opaque(Arc<dyn Opaque>),
}

/// A string: of the input, of the program, or made on the way.
#[derive(Clone, Debug)]
pub enum Str<'a> {
    /// Part of the input or of the program.
    Borrowed(&'a str),
    /// Made by the expression.
    Shared(Arc<str>),
}

impl Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

/// A value whose inside only its library knows.
pub trait Opaque: fmt::Debug + fmt::Display + Send + Sync {
    /// The run-time name of its type, such as `net.IP`.
    fn type_name(&self) -> &'static str;
    /// `==`; values of different types never get here.
    ///
    /// # Errors
    /// The two cannot be compared.
    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError>;
    /// How many steps a call with it takes, beyond what is charged for: 1 unless it can be large.
    fn weight(&self) -> u64 {
        1
    }
    /// What cel-go's `Size()` says: IP addresses have one (their length in bytes), most have none.
    fn size(&self) -> Option<u64> {
        None
    }
    /// The value itself, for its library.
    fn as_any(&self) -> &dyn Any;
}

impl<'a> Value<'a> {
    /// A string of its own.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(Str::Shared(text.into()))
    }

    /// A string that is borrowed.
    pub fn str(text: &'a str) -> Self {
        Self::String(Str::Borrowed(text))
    }

    /// A list of its own.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::Owned(Arc::new(items)))
    }

    /// A value of a library.
    pub fn opaque(value: impl Opaque + 'static) -> Self {
        Self::Opaque(Arc::new(value))
    }

    /// An optional that holds `value`.
    pub fn some(value: Self) -> Self {
        Self::Optional(Some(Arc::new(value)))
    }

    /// What a JSON value is: every number is a double.
    pub fn json(json: &'a serde_json::Value) -> Self {
        Self::json_with(json, true)
    }

    /// `escapes`: whether keys of maps in it may be reached as `a__dot__b`.
    pub(crate) fn json_with(json: &'a serde_json::Value, escapes: bool) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(*b),
            // A number that no double holds does not get past serde_json without arbitrary precision.
            serde_json::Value::Number(n) => Self::Double(n.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(s) => Self::str(s),
            serde_json::Value::Array(items) => Self::List(List::Json(items, escapes)),
            serde_json::Value::Object(fields) => Self::Map(Map::Json(fields, escapes)),
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Result<&str, EvalError> {
        match self {
            Self::String(text) => Ok(text),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// The number of an int.
    pub fn as_int(&self) -> Result<i64, EvalError> {
        match self {
            Self::Int(number) => Ok(*number),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// The truth of a bool.
    pub fn as_bool(&self) -> Result<bool, EvalError> {
        match self {
            Self::Bool(truth) => Ok(*truth),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// The items of a list.
    pub fn as_list(&self) -> Result<&List<'a>, EvalError> {
        match self {
            Self::List(list) => Ok(list),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// A library's own type.
    pub fn as_opaque<T: 'static>(&self) -> Result<&T, EvalError> {
        match self {
            Self::Opaque(value) => value.as_any().downcast_ref().ok_or_else(EvalError::no_such_overload),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// The run-time name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Object(object) => object.runtime_name(),
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
            Self::Opaque(value) => value.type_name(),
        }
    }

    /// How much a function that walks over it is charged for: code points, bytes, items; 1 for all else.
    ///
    /// UPSTREAM: `actualSize` of cel-go's cost tracker (kube-apiserver 1.36).
    pub fn cost_size(&self) -> u64 {
        match self {
            Self::String(text) => count(text.chars().count()),
            Self::Bytes(bytes) => count(bytes.len()),
            Self::List(list) => count(list.len()),
            Self::Map(map) => count(map.len()),
            Self::Object(object) => object.size().map_or(1, count),
            Self::Optional(Some(value)) => value.cost_size(),
            Self::Opaque(value) => value.size().unwrap_or(1),
            _ => 1,
        }
    }
}

/// A length as the number it counts for.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
