//! `==` and `<` between values of any types.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::Value;
use crate::{EvalError, List, Map, objects::Object, work::Work};

impl Value<'_> {
    /// `==`: values of types that cannot be compared are unequal, numbers of different types are compared as
    /// numbers.
    ///
    /// # Errors
    /// A library's value cannot be compared with the other one; or `work` is used up, which is final.
    pub(crate) fn equals(&self, other: &Value<'_>, work: &Work) -> Result<bool, EvalError> {
        Ok(match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(a), Value::Bool(b)) => a == b,
            (Self::String(a), Value::String(b)) => return same_texts(a, b, work),
            (Self::Bytes(a), Value::Bytes(b)) => {
                if a.len() == b.len() {
                    work.text(a.len())?;
                }
                a == b
            }
            (Self::Timestamp(a), Value::Timestamp(b)) => a == b,
            (Self::Duration(a), Value::Duration(b)) => a == b,
            (Self::Type(a), Value::Type(b)) => a == b,
            (Self::Optional(None), Value::Optional(None)) => true,
            (Self::Optional(Some(a)), Value::Optional(Some(b))) => return a.equals(b, work),
            // UPSTREAM: what a library makes is compared with its own kind; anything else on the right is an
            // error, on the left it is unequal (kube-apiserver 1.36).
            (Self::Opaque(_), Value::Null) => false,
            (Self::Opaque(a), Value::Opaque(b)) if a.type_name() == b.type_name() => {
                work.steps(a.weight().saturating_add(b.weight()))?;
                return a.equals(&**b);
            }
            (Self::Opaque(_), _) => return Err(EvalError::no_such_overload()),
            (Self::List(a), Value::List(b)) => return same_lists(a, b, work),
            (Self::Map(a), Value::Map(b)) => return same_maps(a, b, work),
            (Self::Object(a), Value::Object(b)) => return same_objects(*a, *b, work),
            _ => matches!(self.compare_numbers(other), Some(Some(Ordering::Equal))),
        })
    }

    /// [`Self::equals`] where an error means that they are not the same, unless it is final.
    pub(crate) fn is(&self, other: &Value<'_>, work: &Work) -> Result<bool, EvalError> {
        match self.equals(other, work) {
            Err(error) if !error.is_final() => Ok(false),
            other => other,
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

/// Unequal if any part is; else the first error, if there was one.
///
/// Stricter than kube-apiserver in one case: parts that cannot be compared count as equal in its lists and
/// maps, unless a list was made by `+`.
fn all_same(mut parts: impl Iterator<Item = Result<bool, EvalError>>) -> Result<bool, EvalError> {
    let mut failed = None;
    for part in &mut parts {
        match part {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(true), Err)
}

fn same_lists(a: &List<'_>, b: &List<'_>, work: &Work) -> Result<bool, EvalError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    // A step of its own: lists may hold little but lists.
    work.steps(1)?;
    match (a, b) {
        (List::Owned(a), List::Owned(b)) => all_same(a.iter().zip(&**b).map(|(a, b)| {
            work.steps(1)?;
            a.equals(b, work)
        })),
        (List::Json(a, _), List::Json(b, _)) => same_arrays(a, b, work),
        _ => all_same(a.iter().zip(b.iter()).map(|(a, b)| {
            work.made_item()?;
            a.equals(&b, work)
        })),
    }
}

/// [`Value::equals`] for items of the input, where they lie: their maps know no escapes.
fn same_json(a: &Json, b: &Json, work: &Work) -> Result<bool, EvalError> {
    Ok(match (a, b) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(a), Json::Bool(b)) => a == b,
        (Json::Number(a), Json::Number(b)) => a.as_f64().is_some_and(|a| b.as_f64() == Some(a)),
        (Json::String(a), Json::String(b)) => return same_texts(a, b, work),
        (Json::Array(a), Json::Array(b)) => return same_arrays(a, b, work),
        (Json::Object(a), Json::Object(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, a) in a {
                work.made_item()?;
                work.made_item()?;
                work.text(key.len())?;
                match b.get(key) {
                    Some(b) if same_json(a, b, work)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        _ => false,
    })
}

fn same_arrays(a: &[Json], b: &[Json], work: &Work) -> Result<bool, EvalError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b) {
        work.steps(2)?;
        if !same_json(a, b, work)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_texts(a: &str, b: &str, work: &Work) -> Result<bool, EvalError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    work.text(a.len())?;
    Ok(std::ptr::eq(a, b) || a == b)
}

fn same_maps(a: &Map<'_>, b: &Map<'_>, work: &Work) -> Result<bool, EvalError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    all_same(a.iter().map(|(key, a)| {
        work.made_item()?;
        work.made_item()?;
        work.look(&key)?;
        b.find(&key).map_or(Ok(false), |b| a.equals(&b, work))
    }))
}

/// UPSTREAM: `claims` and `user` equal only themselves; objects that are maps are compared as maps
/// (kube-apiserver 1.36).
fn same_objects(a: &dyn Object, b: &dyn Object, work: &Work) -> Result<bool, EvalError> {
    if std::ptr::addr_eq(a, b) {
        return Ok(true);
    }
    if a.size().is_none() || a.size() != b.size() {
        return Ok(false);
    }
    all_same(a.names().map(|name| {
        work.made_item()?;
        match (a.field(name), b.field(name)) {
            (Some(a), Some(b)) => a.equals(&b, work),
            _ => Ok(false),
        }
    }))
}
