//! Optional values: `optional.of(x)`, `a.?b.hasValue()`.

use crate::{
    EvalError, Type, Value,
    ext::{Implementation, Library},
    standard::argument,
};

/// Declares what can be done with them.
pub(crate) fn declare(library: &mut Library) {
    let value = Type::Param('V');
    let optional = Type::optional(value.clone());
    library.function("optional.of", "optional_of", [value.clone()], optional.clone(), |args| {
        Ok(Value::some(argument(args, 0)?.clone()))
    });
    library.function(
        "optional.ofNonZeroValue",
        "optional_ofNonZeroValue",
        [value.clone()],
        optional.clone(),
        |args| {
            let value = argument(args, 0)?;
            Ok(if is_zero(value) { Value::Optional(None) } else { Value::some(value.clone()) })
        },
    );
    library.function("optional.none", "optional_none", [], optional.clone(), |_| Ok(Value::Optional(None)));
    library.method("value", "optional_value", [optional.clone()], value.clone(), |args| {
        match argument(args, 0)? {
            Value::Optional(Some(value)) => Ok(value.as_ref().clone()),
            Value::Optional(None) => Err(EvalError::new("optional.none() dereference")),
            _ => Err(EvalError::no_such_overload()),
        }
    });
    library.method("hasValue", "optional_hasValue", [optional.clone()], Type::Bool, |args| {
        match argument(args, 0)? {
            Value::Optional(held) => Ok(Value::Bool(held.is_some())),
            _ => Err(EvalError::no_such_overload()),
        }
    });
    let or: Implementation = |args| match argument(args, 0)? {
        Value::Optional(Some(_)) => argument(args, 0).cloned(),
        Value::Optional(None) => argument(args, 1).cloned(),
        _ => Err(EvalError::no_such_overload()),
    };
    library.method("or", "optional_or_optional", [optional.clone(), optional.clone()], optional.clone(), or);
    library.method("orValue", "optional_orValue_value", [optional, value.clone()], value, |args| {
        match argument(args, 0)? {
            Value::Optional(Some(value)) => Ok(value.as_ref().clone()),
            Value::Optional(None) => argument(args, 1).cloned(),
            _ => Err(EvalError::no_such_overload()),
        }
    });
}

/// UPSTREAM: `IsZeroValue`; times and values of libraries are never zero but for the start of time
/// (kube-apiserver 1.36).
fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Int(number) => *number == 0,
        Value::Uint(number) => *number == 0,
        Value::Double(number) => *number == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Duration(nanos) => *nanos == 0,
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Optional(held) => held.is_none(),
        Value::Object(object) => object.size() == Some(0),
        Value::Timestamp(_) | Value::Type(_) | Value::Opaque(_) => false,
    }
}
