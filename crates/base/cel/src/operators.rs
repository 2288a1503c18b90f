//! The types of the operators, in cel-go's order. What they do is in `eval`.

use std::sync::Arc;

use crate::{
    EvalError, Timestamp, Type, Value,
    ext::{Implementation, Library},
    limits::MAX_TEXT_BYTES,
    plan::{Operator, Test},
    standard::argument,
    value::Str,
    work::Work,
};

/// Declares them: `_+_`, `_<_`, `@in` and so on.
pub(crate) fn declare(library: &mut Library) {
    let (a, b) = (Type::Param('A'), Type::Param('B'));
    let list = Type::list(a.clone());
    let map = Type::map(a.clone(), b.clone());
    library.function("_?_:_", "conditional", [Type::Bool, a.clone(), a.clone()], a.clone(), |args| {
        argument(args, usize::from(!argument(args, 0)?.as_bool()?) + 1).cloned()
    });
    for (name, id, all) in [("_&&_", "logical_and", true), ("_||_", "logical_or", false)] {
        let call: Implementation = if all {
            |args| Ok(Value::Bool(argument(args, 0)?.as_bool()? && argument(args, 1)?.as_bool()?))
        } else {
            |args| Ok(Value::Bool(argument(args, 0)?.as_bool()? || argument(args, 1)?.as_bool()?))
        };
        library.function(name, id, [Type::Bool, Type::Bool], Type::Bool, call);
    }
    library.function("!_", "logical_not", [Type::Bool], Type::Bool, |args| {
        Ok(Value::Bool(!argument(args, 0)?.as_bool()?))
    });
    library.function("@not_strictly_false", "not_strictly_false", [Type::Bool], Type::Bool, |args| {
        Ok(Value::Bool(argument(args, 0)?.as_bool().unwrap_or(true)))
    });
    library.function("_==_", "equals", [a.clone(), a.clone()], Type::Bool, |args| {
        argument(args, 0)?.equals(argument(args, 1)?, args.work).map(Value::Bool)
    });
    library.function("_!=_", "not_equals", [a.clone(), a.clone()], Type::Bool, |args| {
        argument(args, 0)?.is(argument(args, 1)?, args.work).map(|same| Value::Bool(!same))
    });
    arithmetic(library, &list);
    comparisons(library);
    for (id, kind) in [("negate_double", Type::Double), ("negate_int64", Type::Int)] {
        library.function("-_", id, [kind.clone()], kind, |args| negate(argument(args, 0)?));
    }
    let find: Implementation = |args| {
        argument(args, 0)?;
        Err(EvalError::no_such_overload())
    };
    let (of_lists, of_maps) = (Type::optional(list.clone()), Type::optional(map.clone()));
    let (maybe_a, maybe_b) = (Type::optional(a.clone()), Type::optional(b.clone()));
    library.function("_[_]", "index_list", [list.clone(), Type::Int], a.clone(), find);
    library.function("_[_]", "index_map", [map.clone(), a.clone()], b, find);
    library.function("_[_]", "optional_list_index_int", [of_lists.clone(), Type::Int], maybe_a.clone(), find);
    library.function("_[_]", "optional_map_index_value", [of_maps.clone(), a.clone()], maybe_b.clone(), find);
    library.function("_[?_]", "list_optindex_optional_int", [list.clone(), Type::Int], maybe_a.clone(), find);
    library.function("_[?_]", "optional_list_optindex_optional_int", [of_lists, Type::Int], maybe_a, find);
    library.function("_[?_]", "map_optindex_optional_value", [map.clone(), a.clone()], maybe_b.clone(), find);
    library.function("_[?_]", "optional_map_optindex_optional_value", [of_maps, a.clone()], maybe_b, find);
    let within: Implementation =
        |args| contained(argument(args, 0)?, argument(args, 1)?, args.work).map(Value::Bool);
    library.function("@in", "in_list", [a.clone(), list], Type::Bool, within);
    library.function("@in", "in_map", [a.clone(), map.clone()], Type::Bool, within);
    library.function("cel.@mapInsert", "@mapInsert_map_map", [map.clone(), map.clone()], map.clone(), find);
    library.function(
        "cel.@mapInsert",
        "@mapInsert_map_key_value",
        [map.clone(), a, Type::Param('B')],
        map,
        find,
    );
}

fn arithmetic(library: &mut Library, list: &Type) {
    let (duration, timestamp) = (Type::Duration, Type::Timestamp);
    let same = |id: &'static str, kind: Type| (id, kind.clone(), kind.clone(), kind);
    let add: Implementation =
        |args| calculate(Operator::Add, argument(args, 0)?.clone(), argument(args, 1)?.clone(), args.work);
    for (id, left, right, result) in [
        same("add_bytes", Type::Bytes),
        same("add_double", Type::Double),
        same("add_duration_duration", duration.clone()),
        ("add_duration_timestamp", duration.clone(), timestamp.clone(), timestamp.clone()),
        ("add_timestamp_duration", timestamp.clone(), duration.clone(), timestamp.clone()),
        same("add_int64", Type::Int),
        same("add_list", list.clone()),
        same("add_string", Type::String),
        same("add_uint64", Type::Uint),
    ] {
        library.function("_+_", id, [left, right], result, add);
    }
    let subtract: Implementation = |args| {
        calculate(Operator::Subtract, argument(args, 0)?.clone(), argument(args, 1)?.clone(), args.work)
    };
    for (id, left, right, result) in [
        same("subtract_double", Type::Double),
        same("subtract_duration_duration", duration.clone()),
        same("subtract_int64", Type::Int),
        ("subtract_timestamp_duration", timestamp.clone(), duration.clone(), timestamp.clone()),
        ("subtract_timestamp_timestamp", timestamp.clone(), timestamp, duration),
        same("subtract_uint64", Type::Uint),
    ] {
        library.function("_-_", id, [left, right], result, subtract);
    }
    let multiply: Implementation = |args| {
        calculate(Operator::Multiply, argument(args, 0)?.clone(), argument(args, 1)?.clone(), args.work)
    };
    let divide: Implementation =
        |args| calculate(Operator::Divide, argument(args, 0)?.clone(), argument(args, 1)?.clone(), args.work);
    let remainder: Implementation = |args| {
        calculate(Operator::Remainder, argument(args, 0)?.clone(), argument(args, 1)?.clone(), args.work)
    };
    for (name, ids, call) in [
        ("_*_", ["multiply_double", "multiply_int64", "multiply_uint64"], multiply),
        ("_/_", ["divide_double", "divide_int64", "divide_uint64"], divide),
        ("_%_", ["", "modulo_int64", "modulo_uint64"], remainder),
    ] {
        for (id, kind) in ids.into_iter().zip([Type::Double, Type::Int, Type::Uint]) {
            if !id.is_empty() {
                library.function(name, id, [kind.clone(), kind.clone()], kind, call);
            }
        }
    }
}

fn comparisons(library: &mut Library) {
    let less: Implementation =
        |args| compared(Test::Less, argument(args, 0)?, argument(args, 1)?).map(Value::Bool);
    let less_or_equal: Implementation =
        |args| compared(Test::LessOrEqual, argument(args, 0)?, argument(args, 1)?).map(Value::Bool);
    let greater: Implementation =
        |args| compared(Test::Greater, argument(args, 0)?, argument(args, 1)?).map(Value::Bool);
    let greater_or_equal: Implementation =
        |args| compared(Test::GreaterOrEqual, argument(args, 0)?, argument(args, 1)?).map(Value::Bool);
    for (name, string, bytes, call) in [
        ("_<_", "less_string", "less_bytes", less),
        ("_<=_", "less_equals_string", "less_equals_bytes", less_or_equal),
        ("_>_", "greater_string", "greater_bytes", greater),
        ("_>=_", "greater_equals_string", "greater_equals_bytes", greater_or_equal),
    ] {
        for (id, left, right) in [
            ("compare_bool", Type::Bool, Type::Bool),
            ("compare_int64", Type::Int, Type::Int),
            ("compare_int64_double", Type::Int, Type::Double),
            ("compare_int64_uint64", Type::Int, Type::Uint),
            ("compare_uint64", Type::Uint, Type::Uint),
            ("compare_uint64_double", Type::Uint, Type::Double),
            ("compare_uint64_int64", Type::Uint, Type::Int),
            ("compare_double", Type::Double, Type::Double),
            ("compare_double_int64", Type::Double, Type::Int),
            ("compare_double_uint64", Type::Double, Type::Uint),
            (string, Type::String, Type::String),
            (bytes, Type::Bytes, Type::Bytes),
            ("compare_timestamp", Type::Timestamp, Type::Timestamp),
            ("compare_duration", Type::Duration, Type::Duration),
        ] {
            library.function(name, id, [left, right], Type::Bool, call);
        }
    }
}

/// `left < right` and so on; NaN is neither less nor greater.
pub(crate) fn compared(test: Test, left: &Value<'_>, right: &Value<'_>) -> Result<bool, EvalError> {
    let order = match left.compare(right)? {
        Some(order) => order,
        // UPSTREAM: comparing with NaN is an error (kube-apiserver 1.36).
        None => return Err(EvalError::new("NaN values cannot be ordered")),
    };
    Ok(match test {
        Test::Less => order.is_lt(),
        Test::LessOrEqual => order.is_le(),
        Test::Greater => order.is_gt(),
        Test::GreaterOrEqual => order.is_ge(),
    })
}

/// `item in container`.
pub(crate) fn contained(item: &Value<'_>, container: &Value<'_>, work: &Work) -> Result<bool, EvalError> {
    match container {
        Value::List(list) => list.contains(item, work),
        Value::Map(map) => Ok(map.contains(item)),
        Value::Object(object) if object.size().is_some() => match item {
            Value::String(name) => Ok(object.field(name).is_some()),
            _ => Ok(false),
        },
        _ => Err(EvalError::no_such_overload()),
    }
}

/// `-value`.
pub(crate) fn negate<'a>(value: &Value<'_>) -> Result<Value<'a>, EvalError> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(overflow),
        Value::Double(number) => Ok(Value::Double(-*number)),
        Value::Duration(nanos) => nanos.checked_neg().map(Value::Duration).ok_or_else(overflow),
        _ => Err(EvalError::no_such_overload()),
    }
}

/// `left + right` and so on. Numbers of different types do not mix.
pub(crate) fn calculate<'a>(
    operator: Operator,
    left: Value<'a>,
    right: Value<'a>,
    work: &Work,
) -> Result<Value<'a>, EvalError> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => ints(operator, a, b).map(Value::Int),
        (Value::Uint(a), Value::Uint(b)) => uints(operator, a, b).map(Value::Uint),
        (Value::Double(a), Value::Double(b)) => doubles(operator, a, b).map(Value::Double),
        (left, right) => match operator {
            Operator::Add => add(left, right, work),
            Operator::Subtract => subtract(&left, &right),
            _ => Err(EvalError::no_such_overload()),
        },
    }
}

fn overflow() -> EvalError {
    EvalError::new("integer overflow")
}

fn ints(operator: Operator, a: i64, b: i64) -> Result<i64, EvalError> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide if b == 0 => return Err(EvalError::new("division by zero")),
        Operator::Remainder if b == 0 => return Err(EvalError::new("modulus by zero")),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
    }
    .ok_or_else(overflow)
}

fn uints(operator: Operator, a: u64, b: u64) -> Result<u64, EvalError> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide if b == 0 => return Err(EvalError::new("division by zero")),
        Operator::Remainder if b == 0 => return Err(EvalError::new("modulus by zero")),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
    }
    .ok_or_else(|| EvalError::new("unsigned integer overflow"))
}

fn doubles(operator: Operator, a: f64, b: f64) -> Result<f64, EvalError> {
    Ok(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Remainder => return Err(EvalError::no_such_overload()),
    })
}

/// Charges for a text or bytes of this length.
fn within_limits(length: usize, work: &Work) -> Result<(), EvalError> {
    if length > MAX_TEXT_BYTES { Err(EvalError::too_large()) } else { work.make_text(length) }
}

fn add<'a>(left: Value<'a>, right: Value<'a>, work: &Work) -> Result<Value<'a>, EvalError> {
    Ok(match (left, right) {
        (Value::String(a), Value::String(b)) => {
            within_limits(a.len().saturating_add(b.len()), work)?;
            Value::String(Str::Shared(joined(&a, &b)))
        }
        (Value::Bytes(a), Value::Bytes(b)) => {
            within_limits(a.len().saturating_add(b.len()), work)?;
            Value::Bytes([&*a, &*b].concat().into())
        }
        (Value::List(a), Value::List(b)) => Value::List(a.extended(&b, work)?),
        (Value::Duration(a), Value::Duration(b)) => {
            Value::Duration(a.checked_add(b).ok_or_else(duration_overflow)?)
        }
        (Value::Timestamp(at), Value::Duration(by)) | (Value::Duration(by), Value::Timestamp(at)) => {
            moved(at, i128::from(by))?
        }
        _ => return Err(EvalError::no_such_overload()),
    })
}

/// One text behind the other. An `Arc<str>` cannot be written where it will lie, so that a short one is put
/// together on the stack and memory is asked for once.
fn joined(a: &str, b: &str) -> Arc<str> {
    let mut buffer = [0_u8; 128];
    let length = a.len().saturating_add(b.len());
    if let Some((left, rest)) = buffer.split_at_mut_checked(a.len())
        && let Some(right) = rest.get_mut(..b.len())
    {
        left.copy_from_slice(a.as_bytes());
        right.copy_from_slice(b.as_bytes());
        if let Some(Ok(text)) = buffer.get(..length).map(std::str::from_utf8) {
            return text.into();
        }
    }
    [a, b].concat().into()
}

fn subtract<'a>(left: &Value<'a>, right: &Value<'a>) -> Result<Value<'a>, EvalError> {
    match (left, right) {
        (Value::Duration(a), Value::Duration(b)) => {
            a.checked_sub(*b).map(Value::Duration).ok_or_else(duration_overflow)
        }
        (Value::Timestamp(at), Value::Duration(by)) => moved(*at, -i128::from(*by)),
        (Value::Timestamp(a), Value::Timestamp(b)) => i64::try_from(a.nanosecond() - b.nanosecond())
            .map(Value::Duration)
            .map_err(|_| duration_overflow()),
        _ => Err(EvalError::no_such_overload()),
    }
}

fn duration_overflow() -> EvalError {
    EvalError::new("duration overflow")
}

fn moved<'a>(at: Timestamp, by: i128) -> Result<Value<'a>, EvalError> {
    Timestamp::from_nanosecond(at.nanosecond() + by)
        .map(Value::Timestamp)
        .ok_or_else(|| EvalError::new("timestamp overflow"))
}
