//! Kubernetes quantities (`1.5Gi`, `100m`, `12e6`) as `resource.Quantity` parses, adds, compares and
//! prints them, with its two representations: a 64-bit integer with a decimal exponent for as long
//! as the value fits, a decimal of any length after that. Which one a value has can be seen from
//! outside (`isInteger`, `asApproximateFloat`), so it is kept as upstream keeps it.

mod decimal;
mod parse;

use std::{any::Any, cmp::Ordering, fmt};

use num_bigint::BigInt;

use self::decimal::{Decimal, TooLong, remove_factors};
use super::{Args, Library, argument};
use crate::{EvalError, Opaque, Type, Value};

const QUANTITY: Type = Type::Opaque("kubernetes.Quantity");

/// Declares the library `quantity`.
pub(super) fn declare(library: &mut Library) {
    library.function("quantity", "string_to_quantity", [Type::String], QUANTITY, |args| {
        value(Quantity::parse(argument(args, 0)?.as_str()?))
    });
    library.function("isQuantity", "is_quantity_string", [Type::String], Type::Bool, |args| {
        Ok(Value::Bool(Quantity::parse(argument(args, 0)?.as_str()?).is_ok()))
    });
    // UPSTREAM: declared as a function, though the documentation calls it as a method (kube-apiserver 1.36)
    library.function("sign", "quantity_sign", [QUANTITY], Type::Int, |args| {
        Ok(Value::Int(quantity(args, 0)?.sign()))
    });
    library.method("isGreaterThan", "quantity_is_greater_than", [QUANTITY, QUANTITY], Type::Bool, |args| {
        Ok(Value::Bool(quantity(args, 0)?.compare(quantity(args, 1)?).is_gt()))
    });
    library.method("isLessThan", "quantity_is_less_than", [QUANTITY, QUANTITY], Type::Bool, |args| {
        Ok(Value::Bool(quantity(args, 0)?.compare(quantity(args, 1)?).is_lt()))
    });
    library.method("compareTo", "quantity_compare_to", [QUANTITY, QUANTITY], Type::Int, |args| {
        Ok(Value::Int(quantity(args, 0)?.compare(quantity(args, 1)?) as i64))
    });
    library.method("asApproximateFloat", "quantity_get_float", [QUANTITY], Type::Double, |args| {
        Ok(Value::Double(quantity(args, 0)?.approximate()))
    });
    library.method("asInteger", "quantity_get_int", [QUANTITY], Type::Int, |args| {
        let integer = quantity(args, 0)?.as_integer().map(Value::Int);
        integer.ok_or_else(|| EvalError::new("cannot convert value to integer"))
    });
    library.method("isInteger", "quantity_is_integer", [QUANTITY], Type::Bool, |args| {
        Ok(Value::Bool(quantity(args, 0)?.as_integer().is_some()))
    });
    library.method("add", "quantity_add", [QUANTITY, QUANTITY], QUANTITY, |args| {
        computed(quantity(args, 0)?.add(quantity(args, 1)?))
    });
    library.method("add", "quantity_add_int", [QUANTITY, Type::Int], QUANTITY, |args| {
        computed(quantity(args, 0)?.add(&Quantity::from(argument(args, 1)?.as_int()?)))
    });
    library.method("sub", "quantity_sub", [QUANTITY, QUANTITY], QUANTITY, |args| {
        computed(quantity(args, 0)?.sub(quantity(args, 1)?))
    });
    library.method("sub", "quantity_sub_int", [QUANTITY, Type::Int], QUANTITY, |args| {
        computed(quantity(args, 0)?.sub(&Quantity::from(argument(args, 1)?.as_int()?)))
    });
}

fn quantity<'s>(args: Args<'s, '_>, at: usize) -> Result<&'s Quantity, EvalError> {
    argument(args, at)?.as_opaque()
}

fn value<'a>(quantity: Result<Quantity, QuantityError>) -> Result<Value<'a>, EvalError> {
    quantity.map(Value::opaque).map_err(|error| EvalError::new(error.to_string()))
}

/// The result of `add` or `sub`.
fn computed<'a>(quantity: Result<Quantity, QuantityError>) -> Result<Value<'a>, EvalError> {
    value(quantity.map(|quantity| Quantity { computed: true, ..quantity }))
}

impl Opaque for Quantity {
    fn type_name(&self) -> &'static str {
        "kubernetes.Quantity"
    }

    /// UPSTREAM: what `add` and `sub` make is of another Go type than what `quantity()` reads, and equality
    /// has no overload for that type on the right (kube-apiserver 1.36).
    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        match other.as_any().downcast_ref::<Self>() {
            Some(other) if !other.computed => Ok(self.compare(other).is_eq()),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// Digits are added one by one, but read and written in time that grows with their square.
    fn weight(&self) -> u64 {
        let digits = match &self.amount {
            Amount::Small { scale, .. } => u64::from(scale.unsigned_abs()),
            Amount::Big(decimal) => (decimal.unscaled.bits() / 3).max(decimal.scale.unsigned_abs()),
        };
        1 + digits.min(2 * decimal::MAX_DIGITS.unsigned_abs()).pow(2) / 1024
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Why a text is no quantity, or an operation has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum QuantityError {
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    #[error("unable to parse quantity's suffix")]
    Suffix,
    #[error("quantity has too many digits")]
    TooLong,
}

impl From<TooLong> for QuantityError {
    fn from(TooLong: TooLong) -> Self {
        Self::TooLong
    }
}

/// How a quantity was written, and is printed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// `12e6`
    DecimalExponent,
    /// `12Mi`
    BinarySi,
    /// `12M`
    DecimalSi,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Amount {
    /// `value` × 10^`scale`
    Small { value: i64, scale: i32 },
    /// Did not fit, or was rounded to nanos.
    Big(Decimal),
}

/// A quantity.
#[derive(Debug, Clone)]
struct Quantity {
    amount: Amount,
    format: Format,
    /// The text it was read from, when upstream prints that again instead of the canonical form.
    text: Option<Box<str>>,
    /// Whether `add` or `sub` made it.
    computed: bool,
}

impl Quantity {
    /// Reads a quantity.
    ///
    /// # Errors
    /// The text is none. Numbers of more than 4096 digits are refused too, which upstream would
    /// spend unbounded time on.
    fn parse(text: &str) -> Result<Self, QuantityError> {
        parse::quantity(text)
    }

    /// -1, 0 or 1.
    fn sign(&self) -> i64 {
        match &self.amount {
            Amount::Small { value, .. } => value.signum(),
            Amount::Big(decimal) => decimal.signum(),
        }
    }

    /// The value, if it is an integer of 64 bits and has not outgrown the fast representation:
    /// `1Ei` and `1.0` have not, `1000m` has decimals, whatever they are.
    fn as_integer(&self) -> Option<i64> {
        match &self.amount {
            Amount::Small { value, scale } => times_power_of_ten(*value, *scale),
            Amount::Big(_) => None,
        }
    }

    /// The value as a double, inexact beyond 2^53; infinite when too large.
    fn approximate(&self) -> f64 {
        match &self.amount {
            // UPSTREAM: converts the integer, then multiplies by a power of ten (kube-apiserver 1.36)
            #[expect(clippy::cast_precision_loss, reason = "an approximation is what is asked for")]
            Amount::Small { value, scale } => scaled_float(*value as f64, i64::from(*scale)),
            Amount::Big(decimal) => decimal.approximate(),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        if let (Amount::Small { value: a, scale: a_scale }, Amount::Small { value: b, scale: b_scale }) =
            (&self.amount, &other.amount)
            && a_scale == b_scale
        {
            return a.cmp(b);
        }
        self.decimal().compare(&other.decimal())
    }

    /// The sum; it is printed as the first one is, or as the second when the first is zero.
    ///
    /// # Errors
    /// The sum would have too many digits.
    fn add(&self, other: &Self) -> Result<Self, QuantityError> {
        let format = if self.sign() == 0 { other.format } else { self.format };
        if let (Amount::Small { value: a, scale: a_scale }, Amount::Small { value: b, scale: b_scale }) =
            (&self.amount, &other.amount)
            && let Some((value, scale)) = add_small((*a, *a_scale), (*b, *b_scale))
        {
            return Ok(Self { amount: Amount::Small { value, scale }, format, text: None, computed: false });
        }
        let amount = Amount::Big(self.decimal().add(&other.decimal())?);
        Ok(Self { amount, format, text: None, computed: false })
    }

    /// The difference, printed as [`Self::add`] prints a sum.
    ///
    /// # Errors
    /// The difference would have too many digits.
    fn sub(&self, other: &Self) -> Result<Self, QuantityError> {
        let format = if self.sign() == 0 { other.format } else { self.format };
        if let (Amount::Small { value: a, scale: a_scale }, Amount::Small { value: b, scale: b_scale }) =
            (&self.amount, &other.amount)
            // UPSTREAM: the smallest integer negated is itself (kube-apiserver 1.36)
            && let Some((value, scale)) = add_small((*a, *a_scale), (b.wrapping_neg(), *b_scale))
        {
            return Ok(Self { amount: Amount::Small { value, scale }, format, text: None, computed: false });
        }
        let amount = Amount::Big(self.decimal().sub(&other.decimal())?);
        Ok(Self { amount, format, text: None, computed: false })
    }

    fn decimal(&self) -> Decimal {
        match &self.amount {
            Amount::Small { value, scale } => Decimal::new(*value, -i64::from(*scale)),
            Amount::Big(decimal) => decimal.clone(),
        }
    }

    /// Number and suffix, canonical: the largest suffix that keeps the number whole.
    fn canonical(&self) -> (BigInt, String) {
        let decimal = self.decimal();
        if self.format == Format::BinarySi
            && let Ok(Some(whole)) = binary_integer(&decimal)
        {
            let (number, exponent) = match i64::try_from(&whole) {
                // UPSTREAM: the smallest integer keeps its factors (kube-apiserver 1.36)
                Ok(i64::MIN) => (whole, 0),
                _ => remove_factors(whole, 1024),
            };
            return (number, binary_suffix(exponent).to_owned());
        }
        let (mut number, times) = remove_factors(decimal.unscaled, 10);
        let mut exponent = times.saturating_sub(decimal.scale);
        while exponent % 3 != 0 {
            number *= 10;
            exponent -= 1;
        }
        let suffix = if self.format == Format::DecimalExponent {
            if exponent == 0 { String::new() } else { format!("e{exponent}") }
        } else {
            decimal_suffix(exponent).to_owned()
        };
        (number, suffix)
    }
}

impl From<i64> for Quantity {
    /// An integer as `add` and `sub` take one.
    fn from(value: i64) -> Self {
        Self {
            amount: Amount::Small { value, scale: 0 },
            format: Format::DecimalExponent,
            text: None,
            computed: false,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        if self.sign() == 0 {
            return f.write_str("0");
        }
        let (number, suffix) = self.canonical();
        write!(f, "{number}{suffix}")
    }
}

/// The integer that a binary suffix may follow: at least 1024, without decimals.
fn binary_integer(decimal: &Decimal) -> Result<Option<BigInt>, TooLong> {
    let small = Decimal::new(-1024, 0).compare(decimal) == Ordering::Less
        && decimal.compare(&Decimal::new(1024, 0)) == Ordering::Less;
    if small {
        return Ok(None);
    }
    let whole = decimal.round_up(0)?;
    Ok((whole.compare(decimal) == Ordering::Equal).then_some(whole.unscaled))
}

/// UPSTREAM: beyond the last suffix the number is printed without any, and so as a smaller one
/// (kube-apiserver 1.36).
fn decimal_suffix(exponent: i64) -> &'static str {
    match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    }
}

/// As [`decimal_suffix`], for powers of 1024.
fn binary_suffix(exponent: i64) -> &'static str {
    match exponent {
        1 => "Ki",
        2 => "Mi",
        3 => "Gi",
        4 => "Ti",
        5 => "Pi",
        6 => "Ei",
        _ => "",
    }
}

/// `value` × 10^`scale`, if an `i64` holds it; a negative scale never does, even for zeros.
fn times_power_of_ten(value: i64, scale: i32) -> Option<i64> {
    let scale = u32::try_from(scale).ok()?;
    if value == 0 {
        return Some(0);
    }
    value.checked_mul(10_i64.checked_pow(scale)?)
}

/// The sum at the smaller scale, if it fits.
fn add_small((a, a_scale): (i64, i32), (b, b_scale): (i64, i32)) -> Option<(i64, i32)> {
    if b == 0 {
        return Some((a, a_scale));
    }
    if a == 0 {
        return Some((b, b_scale));
    }
    let scale = a_scale.min(b_scale);
    let a = times_power_of_ten(a, a_scale.checked_sub(scale)?)?;
    let b = times_power_of_ten(b, b_scale.checked_sub(scale)?)?;
    Some((a.checked_add(b)?, scale))
}

/// `base` × 10^`exponent`, where the power alone is already rounded to a double.
fn scaled_float(base: f64, exponent: i64) -> f64 {
    if exponent == 0 {
        return base;
    }
    // UPSTREAM: Go makes powers of ten from two tables, so that some are off by a bit (Go 1.26)
    let literal = |exponent: i64| format!("1e{exponent}").parse().unwrap_or(f64::NAN);
    let power = match exponent {
        309.. => f64::INFINITY,
        0..=308 => literal(exponent - exponent % 32) * literal(exponent % 32),
        -323..0 => literal(exponent - exponent % 32) / literal(-(exponent % 32)),
        _ => 0.0,
    };
    base * power
}

#[cfg(test)]
mod tests;
