//! The standard functions of CEL that are not operators: conversions, sizes, tests of strings.

use crate::{
    EvalError, Timestamp, Type, Value,
    ext::{Args, Library},
    go,
    value::{Str, count},
};

/// Declares them in cel-go's order, which decides the type of a call that fits more than one overload.
pub(crate) fn declare(library: &mut Library) {
    sizes(library);
    to_numbers(library);
    to_others(library);
    strings(library);
}

fn sizes(library: &mut Library) {
    let (a, b) = (Type::Param('A'), Type::Param('B'));
    for (id, method, of) in [
        ("size_bytes", "bytes_size", Type::Bytes),
        ("size_list", "list_size", Type::list(a.clone())),
        ("size_map", "map_size", Type::map(a, b)),
        ("size_string", "string_size", Type::String),
    ] {
        library.function("size", id, [of.clone()], Type::Int, size);
        library.method("size", method, [of], Type::Int, size);
    }
}

fn to_numbers(library: &mut Library) {
    for (id, from) in [
        ("double_to_double", Type::Double),
        ("int64_to_double", Type::Int),
        ("string_to_double", Type::String),
        ("uint64_to_double", Type::Uint),
    ] {
        library.function("double", id, [from], Type::Double, to_double);
    }
    for (id, from) in [
        ("int64_to_int64", Type::Int),
        ("double_to_int64", Type::Double),
        ("duration_to_int64", Type::Duration),
        ("string_to_int64", Type::String),
        ("timestamp_to_int64", Type::Timestamp),
        ("uint64_to_int64", Type::Uint),
    ] {
        library.function("int", id, [from], Type::Int, to_int);
    }
    for (id, from) in [
        ("uint64_to_uint64", Type::Uint),
        ("double_to_uint64", Type::Double),
        ("int64_to_uint64", Type::Int),
        ("string_to_uint64", Type::String),
    ] {
        library.function("uint", id, [from], Type::Uint, to_uint);
    }
}

fn to_others(library: &mut Library) {
    library.function("bool", "bool_to_bool", [Type::Bool], Type::Bool, first);
    library.function("bool", "string_to_bool", [Type::String], Type::Bool, |args| {
        let text = argument(args, 0)?.as_str()?;
        go::parse_bool(text).map(Value::Bool).ok_or_else(|| conversion("string", "bool"))
    });
    library.function("bytes", "bytes_to_bytes", [Type::Bytes], Type::Bytes, first);
    library.function("bytes", "string_to_bytes", [Type::String], Type::Bytes, |args| {
        Ok(Value::Bytes(argument(args, 0)?.as_str()?.as_bytes().into()))
    });
    library.function("duration", "duration_to_duration", [Type::Duration], Type::Duration, first);
    library.function("duration", "string_to_duration", [Type::String], Type::Duration, |args| {
        let text = argument(args, 0)?.as_str()?;
        args.work.items(text.len())?;
        go::parse_duration(text)
            .map(Value::Duration)
            .ok_or_else(|| conversion("string", "google.protobuf.Duration"))
    });
    library.function("timestamp", "timestamp_to_timestamp", [Type::Timestamp], Type::Timestamp, first);
    library.function("timestamp", "int64_to_timestamp", [Type::Int], Type::Timestamp, |args| {
        let at = Timestamp::from_second(argument(args, 0)?.as_int()?);
        at.map(Value::Timestamp).ok_or_else(|| EvalError::new("timestamp overflow"))
    });
    library.function("timestamp", "string_to_timestamp", [Type::String], Type::Timestamp, |args| {
        let text = argument(args, 0)?.as_str()?;
        args.work.items(text.len() / 4)?;
        go::parse_timestamp(text)
            .map(Value::Timestamp)
            .ok_or_else(|| conversion("string", "google.protobuf.Timestamp"))
    });
    library.function("dyn", "to_dyn", [Type::Param('A')], Type::Dyn, first);
    library.function("type", "type", [Type::Param('A')], Type::type_of(Type::Param('A')), |args| {
        Ok(Value::Type(argument(args, 0)?.type_name()))
    });
    for (id, from) in [
        ("string_to_string", Type::String),
        ("bool_to_string", Type::Bool),
        ("bytes_to_string", Type::Bytes),
        ("double_to_string", Type::Double),
        ("duration_to_string", Type::Duration),
        ("int64_to_string", Type::Int),
        ("timestamp_to_string", Type::Timestamp),
        ("uint64_to_string", Type::Uint),
    ] {
        library.function("string", id, [from], Type::String, to_string);
    }
}

fn strings(library: &mut Library) {
    let two = [Type::String, Type::String];
    library.method("contains", "contains_string", two.clone(), Type::Bool, |args| {
        Ok(Value::Bool(argument(args, 0)?.as_str()?.contains(argument(args, 1)?.as_str()?)))
    });
    library.method("endsWith", "ends_with_string", two.clone(), Type::Bool, |args| {
        Ok(Value::Bool(argument(args, 0)?.as_str()?.ends_with(argument(args, 1)?.as_str()?)))
    });
    library.method("startsWith", "starts_with_string", two, Type::Bool, |args| {
        Ok(Value::Bool(argument(args, 0)?.as_str()?.starts_with(argument(args, 1)?.as_str()?)))
    });
}

/// The argument at `index`; calls of a wrong shape do not get past the checker.
pub(crate) fn argument<'s, 'a>(args: Args<'s, 'a>, index: usize) -> Result<&'s Value<'a>, EvalError> {
    args.values.get(index).ok_or_else(EvalError::no_such_overload)
}

fn first<'a>(args: Args<'_, 'a>) -> Result<Value<'a>, EvalError> {
    argument(args, 0).cloned()
}

fn conversion(from: &str, to: &str) -> EvalError {
    EvalError::new(format!("type conversion error from '{from}' to '{to}'"))
}

fn size<'a>(args: Args<'_, 'a>) -> Result<Value<'a>, EvalError> {
    let size = match argument(args, 0)? {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Object(object) => object.size().ok_or_else(EvalError::no_such_overload)?,
        _ => return Err(EvalError::no_such_overload()),
    };
    Ok(Value::Int(i64::try_from(count(size)).unwrap_or(i64::MAX)))
}

fn to_double<'a>(args: Args<'_, 'a>) -> Result<Value<'a>, EvalError> {
    Ok(Value::Double(match argument(args, 0)? {
        Value::Double(number) => *number,
        Value::Int(number) => *number as f64,
        Value::Uint(number) => *number as f64,
        Value::String(text) => {
            args.work.items(text.len() / 4)?;
            go::parse_double(text).ok_or_else(|| conversion("string", "double"))?
        }
        _ => return Err(EvalError::no_such_overload()),
    }))
}

fn to_int<'a>(args: Args<'_, 'a>) -> Result<Value<'a>, EvalError> {
    let overflow = || EvalError::new("integer overflow");
    Ok(Value::Int(match argument(args, 0)? {
        Value::Int(number) => *number,
        Value::Uint(number) => i64::try_from(*number).map_err(|_| overflow())?,
        // Both ends are refused: neither can be told from its neighbours beyond the range.
        Value::Double(number) if *number > i64::MIN as f64 && *number < i64::MAX as f64 => *number as i64,
        Value::Double(_) => return Err(overflow()),
        Value::String(text) => {
            args.work.items(text.len() / 4)?;
            go::parse_int(text).ok_or_else(|| conversion("string", "int"))?
        }
        Value::Duration(nanos) => *nanos,
        Value::Timestamp(at) => at.second(),
        _ => return Err(EvalError::no_such_overload()),
    }))
}

fn to_uint<'a>(args: Args<'_, 'a>) -> Result<Value<'a>, EvalError> {
    let overflow = || EvalError::new("unsigned integer overflow");
    Ok(Value::Uint(match argument(args, 0)? {
        Value::Uint(number) => *number,
        Value::Int(number) => u64::try_from(*number).map_err(|_| overflow())?,
        Value::Double(number) if *number >= 0.0 && *number < u64::MAX as f64 => *number as u64,
        Value::Double(_) => return Err(overflow()),
        Value::String(text) => {
            args.work.items(text.len() / 4)?;
            go::parse_uint(text).ok_or_else(|| conversion("string", "uint"))?
        }
        _ => return Err(EvalError::no_such_overload()),
    }))
}

fn to_string<'a>(args: Args<'_, 'a>) -> Result<Value<'a>, EvalError> {
    Ok(match argument(args, 0)? {
        Value::String(text) => Value::String(text.clone()),
        Value::Bool(truth) => Value::str(if *truth { "true" } else { "false" }),
        Value::Int(number) => Value::string(number.to_string()),
        Value::Uint(number) => Value::string(number.to_string()),
        Value::Double(number) => Value::string(go::format_double(*number)),
        Value::Duration(nanos) => Value::string(go::format_duration(*nanos)),
        Value::Timestamp(at) => Value::string(at.to_string()),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::String(Str::Shared(text.into())),
            Err(_) => return Err(EvalError::new("invalid UTF-8 in bytes, cannot convert to string")),
        },
        _ => return Err(EvalError::no_such_overload()),
    })
}
