//! `==` and `<` between values of any types.

use std::cmp::Ordering;

use super::Value;
use crate::{EvalError, objects::Object};

impl Value<'_> {
    /// `==`: never an error; values of types that cannot be compared are unequal, numbers of different
    /// types are compared as numbers.
    pub fn equals(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(a), Value::Bool(b)) => a == b,
            (Self::String(a), Value::String(b)) => **a == **b,
            (Self::Bytes(a), Value::Bytes(b)) => a == b,
            (Self::Timestamp(a), Value::Timestamp(b)) => a == b,
            (Self::Duration(a), Value::Duration(b)) => a == b,
            (Self::Type(a), Value::Type(b)) => a == b,
            (Self::Optional(None), Value::Optional(None)) => true,
            (Self::Optional(Some(a)), Value::Optional(Some(b))) => a.equals(b),
            (Self::Opaque(a), Value::Opaque(b)) => a.type_name() == b.type_name() && a.equals(&**b),
            (Self::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(&b))
            }
            (Self::Map(a), Value::Map(b)) => {
                a.len() == b.len() && a.iter().all(|(key, a)| b.find(&key).is_some_and(|b| a.equals(&b)))
            }
            (Self::Object(a), Value::Object(b)) => same_objects(*a, *b),
            _ => matches!(self.compare_numbers(other), Some(Some(Ordering::Equal))),
        }
    }

    /// `<`, `<=`, `>`, `>=`; nothing for NaN.
    pub fn compare(&self, other: &Value<'_>) -> Result<Option<Ordering>, EvalError> {
        Ok(Some(match (self, other) {
            (Self::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Self::String(a), Value::String(b)) => (**a).cmp(&**b),
            (Self::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Self::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
            (Self::Duration(a), Value::Duration(b)) => a.cmp(b),
            _ => return self.compare_numbers(other).ok_or_else(EvalError::no_such_overload),
        }))
    }

    /// Nothing if these are not two numbers; `Some(None)` for NaN.
    fn compare_numbers(&self, other: &Value<'_>) -> Option<Option<Ordering>> {
        Some(match (self, other) {
            (Self::Int(a), Value::Int(b)) => Some(a.cmp(b)),
            (Self::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
            (Self::Int(a), Value::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
            (Self::Uint(a), Value::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
            (Self::Double(a), Value::Double(b)) => a.partial_cmp(b),
            // UPSTREAM: a double is compared with an int by turning the int into a double
            // (`9007199254740992.0 == 9007199254740993`), but only within the int's range (kube-apiserver 1.36).
            (Self::Double(a), Value::Int(b)) => double_with_int(*a, *b),
            (Self::Int(a), Value::Double(b)) => double_with_int(*b, *a).map(Ordering::reverse),
            (Self::Double(a), Value::Uint(b)) => double_with_uint(*a, *b),
            (Self::Uint(a), Value::Double(b)) => double_with_uint(*b, *a).map(Ordering::reverse),
            _ => return None,
        })
    }
}

fn double_with_int(double: f64, int: i64) -> Option<Ordering> {
    if double < i64::MIN as f64 {
        Some(Ordering::Less)
    } else if double > i64::MAX as f64 {
        Some(Ordering::Greater)
    } else {
        double.partial_cmp(&(int as f64))
    }
}

fn double_with_uint(double: f64, uint: u64) -> Option<Ordering> {
    if double < 0.0 {
        Some(Ordering::Less)
    } else if double > u64::MAX as f64 {
        Some(Ordering::Greater)
    } else {
        double.partial_cmp(&(uint as f64))
    }
}

/// UPSTREAM: `claims` and `user` equal only themselves; objects that are maps are compared as maps
/// (kube-apiserver 1.36).
fn same_objects(a: &dyn Object, b: &dyn Object) -> bool {
    if std::ptr::addr_eq(a, b) {
        return true;
    }
    if a.size().is_none() || a.size() != b.size() {
        return false;
    }
    a.names().all(|name| match (a.field(name), b.field(name)) {
        (Some(a), Some(b)) => a.equals(&b),
        _ => false,
    })
}
