//! The `sets` library: lists whose order and repetitions do not count.

use super::{Args, Library, argument};
use crate::{EvalError, List, Type, Value, work::Work};

/// Declares it.
pub(super) fn declare(library: &mut Library) {
    let list = Type::list(Type::Param('T'));
    let two = [list.clone(), list];
    library.function("sets.contains", "list_sets_contains_list", two.clone(), Type::Bool, |args| {
        let (set, subset) = lists(args)?;
        contains(set, subset, args.work).map(Value::Bool)
    });
    library.function("sets.equivalent", "list_sets_equivalent_list", two.clone(), Type::Bool, |args| {
        let (a, b) = lists(args)?;
        Ok(Value::Bool(contains(a, b, args.work)? && contains(b, a, args.work)?))
    });
    library.function("sets.intersects", "list_sets_intersects_list", two, Type::Bool, |args| {
        let (a, b) = lists(args)?;
        for item in a.iter() {
            if b.contains(&item, args.work)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    });
}

fn lists<'s, 'a>(args: Args<'s, 'a>) -> Result<(&'s List<'a>, &'s List<'a>), EvalError> {
    Ok((argument(args, 0)?.as_list()?, argument(args, 1)?.as_list()?))
}

fn contains(set: &List<'_>, subset: &List<'_>, work: &Work) -> Result<bool, EvalError> {
    for item in subset.iter() {
        if !set.contains(&item, work)? {
            return Ok(false);
        }
    }
    Ok(true)
}
