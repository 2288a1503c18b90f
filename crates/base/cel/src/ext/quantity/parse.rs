//! From text to quantity.

use num_bigint::BigInt;

use super::decimal::Decimal;
use super::{Amount, Format, Quantity, QuantityError};

/// The parts of a quantity's text.
struct Parts<'a> {
    negative: bool,
    /// Sign, digits and point as written; empty if the text begins with its suffix.
    value: &'a str,
    /// Digits before the point without leading zeros, at least `0`.
    whole: &'a str,
    /// Digits after the point.
    decimals: &'a str,
    suffix: &'a str,
}

pub(super) fn quantity(text: &str) -> Result<Quantity, QuantityError> {
    if text.is_empty() {
        return Err(QuantityError::Format);
    }
    if text == "0" {
        let amount = Amount::Small { value: 0, scale: 0 };
        return Ok(Quantity { amount, format: Format::DecimalSi, text: Some("0".into()), computed: false });
    }
    let parts = split(text)?;
    let (exponent, format) = suffix(parts.suffix).ok_or(QuantityError::Suffix)?;
    match small(text, &parts, exponent, format)? {
        Some(quantity) => Ok(quantity),
        None => big(&parts, exponent, format),
    }
}

/// UPSTREAM: a scanner laxer than the regular expression of its own error message: `+`, `.` and `k`
/// are zero (kube-apiserver 1.36).
fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let digit = |c: char| c.is_ascii_digit();
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let negative = text.starts_with('-');
    let rest = rest.trim_start_matches('0');
    if rest.is_empty() {
        return Ok(Parts { negative, value: "0", whole: "0", decimals: "", suffix: "" });
    }
    let after_whole = rest.trim_start_matches(digit);
    let whole = rest.strip_suffix(after_whole).filter(|whole| !whole.is_empty()).unwrap_or("0");
    let (decimals, suffix) = match after_whole.strip_prefix('.') {
        Some(fraction) => {
            let after = fraction.trim_start_matches(digit);
            (fraction.strip_suffix(after).unwrap_or(fraction), after)
        }
        None => ("", after_whole),
    };
    let exponent = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if !exponent.chars().all(digit) {
        return Err(QuantityError::Format);
    }
    let value = text.strip_suffix(suffix).unwrap_or(text);
    Ok(Parts { negative, value, whole, decimals, suffix })
}

/// The exponent that a suffix stands for: of two for the binary ones, of ten for all others.
fn suffix(suffix: &str) -> Option<(i32, Format)> {
    let decimal = |exponent| Some((exponent, Format::DecimalSi));
    let binary = |exponent| Some((exponent, Format::BinarySi));
    match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent: i64 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            #[expect(clippy::cast_possible_truncation, reason = "UPSTREAM: keeps the lowest 32 bits")]
            let exponent = exponent as i32;
            Some((exponent, Format::DecimalExponent))
        }
    }
}

/// The fast representation, if the digits are surely few enough.
fn small(
    text: &str,
    parts: &Parts<'_>,
    exponent: i32,
    format: Format,
) -> Result<Option<Quantity>, QuantityError> {
    let (whole, decimals) = (length(parts.whole), length(parts.decimals));
    let (scale, precision, factor) = match format {
        Format::BinarySi if decimals > 0 => return Ok(None),
        // UPSTREAM: reckons three digits for ten bits, rounded down (kube-apiserver 1.36)
        Format::BinarySi => (0, 14 - whole - exponent * 3 / 10, 1_i64 << exponent),
        Format::DecimalExponent | Format::DecimalSi => (exponent, 18 - whole - decimals, 1),
    };
    if precision < 0 {
        return Ok(None);
    }
    // UPSTREAM: 32-bit arithmetic that wraps around (kube-apiserver 1.36)
    let scale = scale.wrapping_sub(decimals);
    if scale < -9 {
        return Ok(None);
    }
    let digits = format!("{}{}", parts.whole, parts.decimals);
    let value: i64 = digits.parse().map_err(|_| QuantityError::Numeric)?;
    let Some(product) = value.checked_mul(factor) else {
        return Ok(None);
    };
    // What counts as canonical already; it need not be: `+5` and `5.100` are kept too.
    let kept = match format {
        Format::BinarySi => exponent % 10 == 0 && value & 7 != 0,
        _ => scale % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0'),
    };
    Ok(Some(Quantity {
        amount: Amount::Small { value: if parts.negative { -product } else { product }, scale },
        format,
        text: kept.then(|| text.into()),
        computed: false,
    }))
}

/// Rounded away from zero to nanos; a binary one ends at the largest 64-bit integer.
fn big(parts: &Parts<'_>, exponent: i32, mut format: Format) -> Result<Quantity, QuantityError> {
    let mut amount = Decimal::parse(parts.value)?.ok_or(QuantityError::Numeric)?;
    if format == Format::BinarySi {
        amount.unscaled *= BigInt::from(1_i64 << exponent);
    } else {
        amount.scale -= i64::from(exponent);
    }
    if !amount.is_zero() {
        amount = amount.round_up(9)?;
    }
    if format == Format::BinarySi {
        let limit = Decimal::new(i64::MAX, 0);
        let size = Decimal { unscaled: amount.unscaled.magnitude().clone().into(), scale: amount.scale };
        if size.compare(&limit).is_gt() {
            amount = Decimal::new(if parts.negative { -i64::MAX } else { i64::MAX }, 0);
        } else if !size.is_zero() && size.compare(&Decimal::new(1, 0)).is_lt() {
            format = Format::DecimalSi;
        }
    }
    Ok(Quantity { amount: Amount::Big(amount), format, text: None, computed: false })
}

fn length(digits: &str) -> i32 {
    i32::try_from(digits.len()).unwrap_or(i32::MAX / 4)
}
