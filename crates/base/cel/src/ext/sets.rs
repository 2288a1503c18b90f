//! The `sets` library: lists whose order and repetitions do not count.

use super::{Library, affordable, argument};
use crate::{EvalError, List, Type, Value};

/// Declares it.
pub(super) fn declare(library: &mut Library) {
    let list = Type::list(Type::Param('T'));
    let two = [list.clone(), list];
    library.function("sets.contains", "list_sets_contains_list", two.clone(), Type::Bool, |args| {
        let (set, subset) = lists(args, 1)?;
        Ok(Value::Bool(contains(set, subset)))
    });
    library.function("sets.equivalent", "list_sets_equivalent_list", two.clone(), Type::Bool, |args| {
        let (a, b) = lists(args, 2)?;
        Ok(Value::Bool(contains(a, b) && contains(b, a)))
    });
    library.function("sets.intersects", "list_sets_intersects_list", two, Type::Bool, |args| {
        let (a, b) = lists(args, 1)?;
        Ok(Value::Bool(a.iter().any(|item| holds(b, &item))))
    });
}

/// Both lists, unless comparing every pair costs more than an expression may.
fn lists<'s, 'a>(
    args: &'s [Value<'a>],
    comparisons: usize,
) -> Result<(&'s List<'a>, &'s List<'a>), EvalError> {
    let (a, b) = (argument(args, 0)?.as_list()?, argument(args, 1)?.as_list()?);
    affordable(a.len().saturating_mul(b.len()).saturating_mul(comparisons))?;
    Ok((a, b))
}

fn contains(set: &List<'_>, subset: &List<'_>) -> bool {
    subset.iter().all(|item| holds(set, &item))
}

fn holds(list: &List<'_>, item: &Value<'_>) -> bool {
    list.iter().any(|held| item.equals(&held))
}
