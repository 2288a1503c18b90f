//! What a clause writes: numbers in all their forms, and values of any type.

use std::fmt::Write as _;

use super::Clause;
use crate::{List, Map, Value, ext::quote::quote, go, limits::MAX_TEXT_BYTES};

pub(super) fn signed(number: i64, write: fn(u64) -> String) -> String {
    format!("{}{}", if number < 0 { "-" } else { "" }, write(number.unsigned_abs()))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Not a number, or infinite: what is written in place of digits.
fn special(number: f64) -> Option<&'static str> {
    match number {
        _ if number.is_nan() => Some("NaN"),
        f64::INFINITY => Some("∞"),
        f64::NEG_INFINITY => Some("-∞"),
        _ => None,
    }
}

/// UPSTREAM: written for readers of American English: commas between thousands (kube-apiserver 1.36).
pub(super) fn fixed(number: f64, decimals: usize) -> String {
    if let Some(special) = special(number) {
        return special.to_owned();
    }
    let digits = format!("{:.decimals$}", number.abs());
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::from(if number < 0.0 { "-" } else { "" });
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

/// UPSTREAM: `1.500000×10⁰³`, six decimals whatever is asked for (kube-apiserver 1.36).
pub(super) fn scientific(number: f64, width: usize) -> String {
    let written = special(number).map_or_else(|| superscripted(number), str::to_owned);
    let padding = width.saturating_sub(written.chars().count());
    format!("{}{written}", " ".repeat(padding))
}

fn superscripted(number: f64) -> String {
    let digits = format!("{:.6e}", number.abs());
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(("", exponent), |exponent| ("⁻", exponent));
    let exponent: String = format!("{exponent:0>2}")
        .chars()
        .map(|digit| match digit {
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '4' => '⁴',
            '5' => '⁵',
            '6' => '⁶',
            '7' => '⁷',
            '8' => '⁸',
            '9' => '⁹',
            _ => '⁰',
        })
        .collect();
    let minus = if number < 0.0 { "-" } else { "" };
    format!("{minus}{mantissa}×10{sign}{exponent}")
}

/// A value that stands for itself.
pub(super) fn plain(value: &Value<'_>) -> Result<String, String> {
    Ok(match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => go::format_double(*number),
        Value::String(text) => (**text).to_owned(),
        Value::Bytes(bytes) => {
            std::str::from_utf8(bytes).map_err(|_| "could not convert argument to string")?.to_owned()
        }
        Value::Timestamp(at) => at.to_string(),
        Value::Duration(nanos) => go::format_duration(*nanos),
        Value::Type(name) => (*name).to_owned(),
        Value::List(list) => list_literal(list)?,
        Value::Map(map) => map_literal(map)?,
        other => return Err(Clause::String.refuses(other.type_name())),
    })
}

/// A value as it would stand in an expression, more or less.
fn literal(value: &Value<'_>) -> Result<String, String> {
    Ok(match value {
        Value::String(text) => quote(text),
        Value::Bytes(_) => format!("b{}", quote(&plain(value)?)),
        Value::Timestamp(_) => format!("timestamp({})", quote(&plain(value)?)),
        Value::Duration(_) => format!("duration({})", quote(&plain(value)?)),
        Value::Double(number) if number.is_finite() => format!("{number:.6}"),
        Value::Double(number) => quote(&go::format_double(*number)),
        Value::Optional(_) | Value::Opaque(_) | Value::Object(_) => {
            return Err(format!("no formatting function for {}", value.type_name()));
        }
        other => plain(other)?,
    })
}

fn list_literal(list: &List<'_>) -> Result<String, String> {
    let mut out = String::from("[");
    for (i, item) in list.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        out.push_str(&literal(&item)?);
        bounded(&out)?;
    }
    out.push(']');
    Ok(out)
}

fn map_literal(map: &Map<'_>) -> Result<String, String> {
    let mut entries = Vec::with_capacity(map.len());
    for (key, value) in map.iter() {
        if !matches!(key, Value::String(_) | Value::Bool(_) | Value::Int(_) | Value::Uint(_)) {
            return Err(format!("no formatting function for map key of type {}", key.type_name()));
        }
        entries.push((literal(&key)?, literal(&value)?));
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut out = String::from("{");
    for (i, (key, value)) in entries.iter().enumerate() {
        let _ = write!(out, "{}{key}:{value}", if i > 0 { ", " } else { "" });
        bounded(&out)?;
    }
    out.push('}');
    Ok(out)
}

/// A list may hold the same list many times, at every depth.
fn bounded(out: &str) -> Result<(), String> {
    if out.len() > MAX_TEXT_BYTES { Err("the text would be too large".to_owned()) } else { Ok(()) }
}
