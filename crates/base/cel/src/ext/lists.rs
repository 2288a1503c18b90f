//! The `lists` library of cel-go, version 3, that of Kubernetes, and what optional types add to lists.

use std::cmp::Ordering;

use super::{Args, Library, affordable, argument};
use crate::{EvalError, List, Type, Value, value::count, work::Work};

/// The types whose values have an order, in cel-go's order, with the part of the overload's name.
const ORDERED: [(&str, [&str; 5], Type); 8] = {
    macro_rules! ids {
        ($name:literal, $long:literal) => {
            [
                concat!("list_", $name, "_is_sorted_bool"),
                concat!("list_", $name, "_max_", $name),
                concat!("list_", $name, "_min_", $name),
                concat!("list_", $long, "_sort"),
                concat!("list_", $long, "_sortByAssociatedKeys"),
            ]
        };
    }
    [
        ("int", ids!("int", "int"), Type::Int),
        ("uint", ids!("uint", "uint"), Type::Uint),
        ("double", ids!("double", "double"), Type::Double),
        ("bool", ids!("bool", "bool"), Type::Bool),
        ("duration", ids!("duration", "google.protobuf.Duration"), Type::Duration),
        ("timestamp", ids!("timestamp", "google.protobuf.Timestamp"), Type::Timestamp),
        ("string", ids!("string", "string"), Type::String),
        ("bytes", ids!("bytes", "bytes"), Type::Bytes),
    ]
};

/// Declares Kubernetes' own functions on lists.
pub(super) fn declare_kubernetes(library: &mut Library) {
    for (_, [is_sorted_id, max_id, min_id, ..], element) in ORDERED {
        let list = Type::list(element.clone());
        library.method("isSorted", is_sorted_id, [list.clone()], Type::Bool, is_sorted);
        library.method("max", max_id, [list.clone()], element.clone(), |args| {
            extreme(args, "max", Ordering::Less)
        });
        library.method("min", min_id, [list], element, |args| extreme(args, "min", Ordering::Greater));
    }
    library.method("sum", "list_int_sum_int", [Type::list(Type::Int)], Type::Int, |args| {
        sum(args, Value::Int(0))
    });
    library.method("sum", "list_uint_sum_uint", [Type::list(Type::Uint)], Type::Uint, |args| {
        sum(args, Value::Uint(0))
    });
    library.method("sum", "list_double_sum_double", [Type::list(Type::Double)], Type::Double, |args| {
        sum(args, Value::Double(0.0))
    });
    library.method(
        "sum",
        "list_duration_sum_duration",
        [Type::list(Type::Duration)],
        Type::Duration,
        |args| sum(args, Value::Duration(0)),
    );
    let a = Type::Param('A');
    let list_and_item = [Type::list(a.clone()), a];
    library.method("indexOf", "list_a_index_of_int", list_and_item.clone(), Type::Int, |args| {
        let item = argument(args, 1)?;
        let list = argument(args, 0)?.as_list()?;
        list.position(0..list.len(), item, args.work).map(index)
    });
    library.method("lastIndexOf", "list_a_last_index_of_int", list_and_item, Type::Int, |args| {
        let (list, item) = (argument(args, 0)?.as_list()?, argument(args, 1)?);
        list.position((0..list.len()).rev(), item, args.work).map(index)
    });
}

/// Declares cel-go's functions on lists.
pub(super) fn declare(library: &mut Library) {
    let list = Type::list(Type::Param('T'));
    library.method("slice", "list_slice", [list.clone(), Type::Int, Type::Int], list.clone(), slice);
    library
        .method("flatten", "list_flatten", [Type::list(list.clone())], list.clone(), |args| flatten(args, 1));
    let any = Type::list(Type::Dyn);
    library.method("flatten", "list_flatten_int", [any.clone(), Type::Int], any, |args| {
        flatten(args, argument(args, 1)?.as_int()?)
    });
    for (_, [.., sort_id, sort_by_id], element) in ORDERED {
        let keys = Type::list(element);
        library.method("sort", sort_id, [keys.clone()], keys.clone(), |args| {
            let list = argument(args, 0)?.as_list()?;
            sorted(list, list, args.work)
        });
        library.method("@sortByAssociatedKeys", sort_by_id, [list.clone(), keys], list.clone(), |args| {
            sorted(argument(args, 0)?.as_list()?, argument(args, 1)?.as_list()?, args.work)
        });
    }
    library.function("lists.range", "lists_range", [Type::Int], Type::list(Type::Int), |args| {
        let end = argument(args, 0)?.as_int()?;
        affordable(usize::try_from(end).unwrap_or(0))?;
        args.work.make_list(usize::try_from(end).unwrap_or(0))?;
        Ok(Value::list((0..end).map(Value::Int).collect()))
    });
    library.method("reverse", "list_reverse", [list.clone()], list.clone(), |args| {
        let list = argument(args, 0)?.as_list()?;
        args.work.make_list(list.len())?;
        Ok(Value::list((0..list.len()).rev().filter_map(|at| list.get(at)).collect()))
    });
    library.method("distinct", "list_distinct", [list.clone()], list, |args| {
        let list = argument(args, 0)?.as_list()?;
        distinct(list, args.work)
    });
}

/// Declares what takes optional values out of lists, and gives items of lists as optionals.
pub(super) fn declare_optional(library: &mut Library) {
    let (value, list) = (Type::Param('V'), Type::list(Type::Param('V')));
    let optional = Type::optional(value);
    library.method("last", "list_last", [list.clone()], optional.clone(), |args| {
        let list = argument(args, 0)?.as_list()?;
        Ok(optional_item(list.len().checked_sub(1).and_then(|last| list.get(last))))
    });
    library.method("first", "list_first", [list.clone()], optional.clone(), |args| {
        Ok(optional_item(argument(args, 0)?.as_list()?.get(0)))
    });
    let optionals = Type::list(optional);
    library.function("optional.unwrap", "optional_unwrap", [optionals.clone()], list.clone(), unwrap);
    library.method("unwrapOpt", "optional_unwrapOpt", [optionals], list, unwrap);
}

/// The first of all items that are equal.
fn distinct<'a>(list: &List<'a>, work: &Work) -> Result<Value<'a>, EvalError> {
    work.make_list(list.len())?;
    let mut distinct: Vec<Value<'_>> = Vec::with_capacity(list.len());
    for item in (0..list.len()).filter_map(|at| list.get(at)) {
        let mut seen = false;
        for held in &distinct {
            work.steps(1)?;
            seen = item.is(held, work)?;
            if seen {
                break;
            }
        }
        if !seen {
            distinct.push(item);
        }
    }
    Ok(Value::list(distinct))
}

fn optional_item(item: Option<Value<'_>>) -> Value<'_> {
    item.map_or(Value::Optional(None), Value::some)
}

fn unwrap<'a>(args: Args<'_, 'a>) -> Result<Value<'a>, EvalError> {
    args.work.make_list(argument(args, 0)?.as_list()?.len())?;
    let mut held = Vec::new();
    for item in argument(args, 0)?.as_list()?.iter() {
        match item {
            Value::Optional(Some(value)) => held.push(value.as_ref().clone()),
            Value::Optional(None) => {}
            other => return Err(EvalError::new(format!("value {} is not optional", other.type_name()))),
        }
    }
    Ok(Value::list(held))
}

fn index<'a>(at: Option<usize>) -> Value<'a> {
    Value::Int(at.map_or(-1, |at| i64::try_from(count(at)).unwrap_or(i64::MAX)))
}

/// Whether values of the type have an order: only then may a list of them be sorted.
fn has_order(value: &Value<'_>) -> bool {
    matches!(
        value,
        Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Double(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::Timestamp(_)
            | Value::Duration(_)
    )
}

/// UPSTREAM: neighbours that cannot be compared count as in order (kube-apiserver 1.36).
fn is_sorted<'a>(args: Args<'_, 'a>) -> Result<Value<'a>, EvalError> {
    let mut previous: Option<Value<'_>> = None;
    for item in argument(args, 0)?.as_list()?.iter() {
        args.work.made_item()?;
        args.work.look(&item)?;
        if !has_order(&item) {
            return Err(EvalError::no_such_overload());
        }
        if previous.is_some_and(|previous| matches!(previous.compare(&item), Ok(Some(Ordering::Greater)))) {
            return Ok(Value::Bool(false));
        }
        previous = Some(item);
    }
    Ok(Value::Bool(true))
}

/// UPSTREAM: items that cannot be compared with the best so far are passed over (kube-apiserver 1.36).
fn extreme<'a>(args: Args<'_, 'a>, name: &str, replaced: Ordering) -> Result<Value<'a>, EvalError> {
    let mut best: Option<Value<'a>> = None;
    for item in argument(args, 0)?.as_list()?.iter() {
        args.work.made_item()?;
        args.work.look(&item)?;
        if !has_order(&item) {
            return Err(EvalError::no_such_overload());
        }
        match &best {
            Some(so_far) if !matches!(so_far.compare(&item), Ok(Some(order)) if order == replaced) => {}
            _ => best = Some(item),
        }
    }
    best.ok_or_else(|| EvalError::new(format!("{name} called on empty list")))
}

fn sum<'a>(args: Args<'_, 'a>, zero: Value<'a>) -> Result<Value<'a>, EvalError> {
    let overflow = |what: &str| EvalError::new(format!("{what} overflow"));
    argument(args, 0)?.as_list()?.iter().try_fold(zero, |sum, item| {
        args.work.made_item()?;
        Ok(match (sum, item) {
            (Value::Int(a), Value::Int(b)) => {
                Value::Int(a.checked_add(b).ok_or_else(|| overflow("integer"))?)
            }
            (Value::Uint(a), Value::Uint(b)) => {
                Value::Uint(a.checked_add(b).ok_or_else(|| overflow("unsigned integer"))?)
            }
            (Value::Double(a), Value::Double(b)) => Value::Double(a + b),
            (Value::Duration(a), Value::Duration(b)) => {
                Value::Duration(a.checked_add(b).ok_or_else(|| overflow("integer"))?)
            }
            _ => return Err(EvalError::no_such_overload()),
        })
    })
}

fn slice<'a>(args: Args<'_, 'a>) -> Result<Value<'a>, EvalError> {
    let list = argument(args, 0)?.as_list()?;
    let (start, end) = (argument(args, 1)?.as_int()?, argument(args, 2)?.as_int()?);
    let fail = |why: String| EvalError::new(format!("cannot slice({start}, {end}), {why}"));
    let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err(fail("negative indexes not supported".to_owned()));
    };
    if from > to {
        return Err(fail("start index must be less than or equal to end index".to_owned()));
    }
    if list.len() < to {
        return Err(fail(format!("list is length {}", list.len())));
    }
    args.work.make_list(to - from)?;
    Ok(Value::list((from..to).filter_map(|at| list.get(at)).collect()))
}

fn flatten<'a>(args: Args<'_, 'a>, depth: i64) -> Result<Value<'a>, EvalError> {
    let list = argument(args, 0)?.as_list()?;
    if depth < 0 {
        return Err(EvalError::new("level must be non-negative"));
    }
    let mut flat = Vec::new();
    flatten_into(&mut flat, list, depth, args.work)?;
    Ok(Value::list(flat))
}

/// A list may hold the same list many times, at every depth, so that even an empty result can take for ever.
fn flatten_into<'a>(
    flat: &mut Vec<Value<'a>>,
    list: &List<'a>,
    depth: i64,
    work: &Work,
) -> Result<(), EvalError> {
    for item in list.iter() {
        work.made_item()?;
        match item {
            Value::List(nested) if depth > 0 => flatten_into(flat, &nested, depth - 1, work)?,
            item => {
                work.make(2 * size_of::<Value<'_>>())?;
                flat.push(item);
            }
        }
    }
    Ok(())
}

/// The list in the order of its keys; items with equal keys stay as they are.
///
/// UPSTREAM: Go's sort keeps them only in lists of up to twelve (kube-apiserver 1.36).
fn sorted<'a>(list: &List<'a>, keys: &List<'a>, work: &Work) -> Result<Value<'a>, EvalError> {
    if list.len() != keys.len() {
        return Err(EvalError::new(format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got {} and {} elements respectively",
            list.len(),
            keys.len()
        )));
    }
    // As many comparisons of keys as their number has bits.
    let rounds = u64::from(usize::BITS - keys.len().leading_zeros());
    work.make_list(keys.len().saturating_mul(3))?;
    for key in keys.iter() {
        work.steps(rounds)?;
        if let Value::String(text) = &key {
            work.text(text.len().saturating_mul(usize::BITS as usize / 4))?;
        }
    }
    let keys: Vec<Value<'_>> = (0..keys.len()).filter_map(|at| keys.get(at)).collect();
    let Some(first) = keys.first() else { return Ok(Value::List(list.clone())) };
    if !has_order(first) {
        return Err(EvalError::new("list elements must be comparable"));
    }
    if keys.iter().any(|key| key.type_name() != first.type_name()) {
        return Err(EvalError::new("list elements must have the same type"));
    }
    let mut order: Vec<(Value<'_>, usize)> = keys.into_iter().zip(0..).collect();
    order.sort_by(|(a, _), (b, _)| in_order(a, b));
    Ok(Value::list(order.into_iter().filter_map(|(_, at)| list.get(at)).collect()))
}

/// NaN has no place; at the end it upsets no other.
fn in_order(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    let nan = |value: &Value<'_>| matches!(value, Value::Double(number) if number.is_nan());
    nan(a).cmp(&nan(b)).then_with(|| a.compare(b).ok().flatten().unwrap_or(Ordering::Equal))
}
