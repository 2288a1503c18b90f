//! What calls cost.
//!
//! UPSTREAM: kube-apiserver's `CostEstimator.CallCost` by function name, then cel-go's tracker by
//! overload, then 1 (kube-apiserver 1.36).

use crate::{EvalError, List, Value, ext::named_format::pattern_length, value::count, work::Work};

/// How the cost of a call follows from its arguments and result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Always the same.
    Fixed(u64),
    /// A tenth of the first argument's size, times this.
    Traversal(u64),
    /// A fifth of the result's size.
    Result,
    /// Every part of the first argument, texts at a tenth of their length.
    Parts,
    /// A regular expression (second) over a text (first).
    Pattern,
    /// One text searched for another.
    Search,
    /// The size of the second argument.
    SecondSize,
    /// A tenth of the smaller argument.
    Smaller,
    /// A tenth of both arguments.
    Both,
    /// `cidr.containsIP`; whether the second argument must be read first.
    ContainsIp(bool),
    /// `cidr.containsCIDR`; likewise.
    ContainsCidr(bool),
    /// The size of the list that results.
    MadeList,
    /// The size of the first argument, times the second.
    Flattened,
    /// Every item of an argument with every other.
    Pairs { of: usize },
    /// Every item of the first argument with every item of the second, times this.
    Cross(u64),
    /// `format.validate`: by the longest text the format's own rule allows.
    Format,
}

/// The rule for a function; `overload` only if exactly one was chosen when the expression was checked.
pub(crate) fn rule(function: &str, overload: Option<&str>) -> Rule {
    if let Some(rule) = overload.and_then(by_library) {
        return rule;
    }
    match function {
        "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => return Rule::Parts,
        "url" | "lowerAscii" | "upperAscii" | "substring" | "trim" | "cidr" | "isIP" | "isCIDR"
        | "quantity" | "isQuantity" | "semver" | "isSemver" => return Rule::Traversal(1),
        "replace" | "split" | "ip.isCanonical" => return Rule::Traversal(2),
        "join" => return Rule::Result,
        "find" | "findAll" => return Rule::Pattern,
        "ip" if overload != Some("cidr_ip") => return Rule::Traversal(1),
        "containsIP" => return Rule::ContainsIp(overload == Some("cidr_contains_ip_string")),
        "containsCIDR" => return Rule::ContainsCidr(overload == Some("cidr_contains_cidr_string")),
        "validate" => return Rule::Format,
        _ => {}
    }
    match overload.unwrap_or_default() {
        "starts_with_string" | "ends_with_string" | "string_to_bytes" | "bytes_to_string"
        | "strings_quote" | "string_format" => Rule::Traversal(1),
        "in_list" => Rule::SecondSize,
        "less_string"
        | "greater_string"
        | "less_equals_string"
        | "greater_equals_string"
        | "less_bytes"
        | "greater_bytes"
        | "less_equals_bytes"
        | "greater_equals_bytes"
        | "equals"
        | "not_equals" => Rule::Smaller,
        "add_string" | "add_bytes" => Rule::Both,
        "matches_string" => Rule::Pattern,
        "contains_string" => Rule::Search,
        _ => Rule::Fixed(1),
    }
}

/// UPSTREAM: `lists` and `sets` charge for the lists they make and the pairs they compare, before anything
/// else is asked (kube-apiserver 1.36).
fn by_library(overload: &str) -> Option<Rule> {
    Some(match overload {
        "list_slice" | "lists_range" | "list_reverse" => Rule::MadeList,
        "list_flatten" | "list_flatten_int" => Rule::Flattened,
        "list_distinct" => Rule::Pairs { of: 0 },
        "list_sets_contains_list" | "list_sets_intersects_list" => Rule::Cross(1),
        "list_sets_equivalent_list" => Rule::Cross(2),
        id if id.ends_with("_sort") => Rule::Pairs { of: 0 },
        id if id.ends_with("_sortByAssociatedKeys") => Rule::Pairs { of: 1 },
        _ => return None,
    })
}

impl Rule {
    /// The cost of a call, if it does not depend on what comes out: a call that is past the limit need not be
    /// made. An argument that has failed is given as null: its size is 1 too.
    ///
    /// # Errors
    /// To find it out takes more than `work` has left, or it cannot be found out.
    pub(crate) fn before(self, args: &[Value<'_>], work: &Work) -> Result<Option<u64>, EvalError> {
        let size = |at: usize| args.get(at).map_or(1, Value::cost_size);
        Ok(Some(match self {
            Self::Result | Self::MadeList => return Ok(None),
            Self::Fixed(cost) => cost,
            Self::Traversal(times) => tenth(size(0).saturating_mul(times)),
            Self::Parts => args.first().map_or(Ok(1), |arg| parts(arg, work))?,
            Self::Pattern => pattern(size(0), size(1)),
            Self::Search => tenth(size(0)).saturating_mul(tenth(size(1))),
            Self::SecondSize => size(1),
            Self::Smaller => tenth(size(0).min(size(1))),
            Self::Both => tenth(size(0).saturating_add(size(1))),
            Self::ContainsIp(text) => tenth(size(0) * 2) + if text { tenth(size(1)) } else { 0 },
            Self::ContainsCidr(text) => {
                tenth(size(0) * 2) + tenth(size(0)) + 1 + if text { tenth(size(1)) } else { 0 }
            }
            Self::Flattened => {
                let depth =
                    args.get(1).map_or(Ok(1), |depth| depth.as_int().map_err(|_| EvalError::internal()))?;
                flattened(size(0), depth)
            }
            Self::Pairs { of } => match args.get(of) {
                Some(Value::List(list)) => pairs(list),
                _ => return Err(EvalError::internal()),
            },
            Self::Cross(times) => size(0).saturating_mul(size(1)).saturating_mul(times).saturating_add(1),
            Self::Format => {
                args.first().and_then(pattern_length).map_or(1, |length| pattern(size(1), length))
            }
        }))
    }

    /// The cost that follows from what came out; an error counts as a value of size 1.
    pub(crate) fn after(self, result: &Result<Value<'_>, EvalError>) -> u64 {
        let size = result.as_ref().map_or(1, Value::cost_size);
        match self {
            Self::Result => tenth(size.saturating_mul(2)),
            Self::MadeList => size.saturating_add(LIST_CALL),
            _ => 0,
        }
    }
}

/// A tenth, rounded up: what walking over a text costs.
pub(crate) fn tenth(size: u64) -> u64 {
    (size as f64 * 0.1).ceil() as u64
}

/// What a call that makes a list costs beside its items.
const LIST_CALL: u64 = 11;

/// UPSTREAM: what a flattened list costs may be less than nothing, as a depth below zero is only refused when
/// it is used, and wraps around (kube-apiserver 1.36).
fn flattened(size: u64, depth: i64) -> u64 {
    let cost = i128::from(size) * i128::from(depth);
    let cost = i64::try_from(cost).unwrap_or(if depth < 0 { i64::MIN } else { i64::MAX >> 1 });
    cost.wrapping_add(LIST_CALL.cast_signed()).cast_unsigned()
}

/// UPSTREAM: whatever is no list makes the accounts panic: a sort of an argument that has failed ends the
/// evaluation, whatever `||` would make of it (kube-apiserver 1.36).
fn pairs(list: &List<'_>) -> u64 {
    let texts = matches!(list.walked(0), Some(Value::String(_) | Value::Bytes(_)));
    let size = count(list.len());
    let factor = if texts { 2.1 } else { 2.0 };
    ((size.saturating_mul(size) as f64 * factor) as u64).saturating_add(LIST_CALL)
}

fn pattern(text: u64, pattern: u64) -> u64 {
    tenth(text.saturating_add(1)).saturating_mul((pattern as f64 * 0.25).ceil() as u64)
}

fn parts(value: &Value<'_>, work: &Work) -> Result<u64, EvalError> {
    work.steps(2)?;
    Ok(match value {
        Value::String(text) => (text.len() as f64 * 0.1) as u64,
        Value::Bytes(bytes) => (bytes.len() as f64 * 0.1) as u64,
        Value::List(list) => {
            if let List::Owned(items) = list {
                return sum(items.iter().map(|item| parts(item, work)));
            }
            sum(list.iter().map(|item| parts(&item, work)))?
        }
        Value::Map(map) => {
            sum(map.iter().map(|(key, value)| Ok(parts(&key, work)?.saturating_add(parts(&value, work)?))))?
        }
        Value::Object(object) => object.size().map_or(1, count),
        _ => 1,
    })
}

fn sum(mut costs: impl Iterator<Item = Result<u64, EvalError>>) -> Result<u64, EvalError> {
    costs.try_fold(0_u64, |sum, cost| Ok(sum.saturating_add(cost?)))
}
