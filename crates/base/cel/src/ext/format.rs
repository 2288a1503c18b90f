//! `'%s is %d'.format([…])`: the clauses of a format string, and how values are written by them.

use std::fmt::Write as _;

use super::{Library, argument, quote::quote};
use crate::{EvalError, List, Map, Type, Value, go, limits::MAX_TEXT_BYTES};

/// Stricter than kube-apiserver, which fills any amount of memory with zeros.
const MAX_PRECISION: usize = 1000;

/// Declares the function.
pub(super) fn declare(library: &mut Library) {
    let params = [Type::String, Type::list(Type::Dyn)];
    library.method("format", "string_format", params, Type::String, |args| {
        let (text, list) = (argument(args, 0)?.as_str()?, argument(args, 1)?.as_list()?);
        let mut out = String::new();
        pieces(text, list.len(), |piece| {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Clause(clause, at) => {
                    let value = list.get(at).ok_or_else(|| out_of_range(at))?;
                    args.work.items(clause.digits())?;
                    args.work.unfold(&value)?;
                    let written = clause.write(&value);
                    out.push_str(
                        &written.map_err(|why| EvalError::new(format!("error during formatting: {why}")))?,
                    );
                }
            }
            // Half of the limit, as a text that grows piece by piece takes twice its length.
            if out.len() > MAX_TEXT_BYTES / 2 { Err(EvalError::too_large()) } else { Ok(()) }
        })?;
        Ok(Value::string(out))
    });
}

/// A part of a format string.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// Written as it is.
    Text(&'t str),
    /// Written in place of a clause: the argument with this index.
    Clause(Clause, usize),
}

/// What stands behind a `%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clause {
    /// `%s`
    String,
    /// `%d`
    Decimal,
    /// `%f`, with so many decimals
    Fixed(usize),
    /// `%e`, as wide as this; UPSTREAM: the precision is taken for the width (kube-apiserver 1.36)
    Scientific(usize),
    /// `%b`
    Binary,
    /// `%x`, or `%X` in upper case
    Hexadecimal { upper: bool },
    /// `%o`
    Octal,
}

/// Walks over a format string for so many arguments; returns how many of them it uses.
///
/// # Errors
/// A clause is ill-formed or has no argument; or what `visit` says.
pub(crate) fn pieces<E: From<EvalError>>(
    format: &str,
    arguments: usize,
    mut visit: impl FnMut(Piece<'_>) -> Result<(), E>,
) -> Result<usize, E> {
    let mut used = 0;
    let mut rest = format;
    while let Some((text, after)) = rest.split_once('%') {
        visit(Piece::Text(text))?;
        if let Some(after) = after.strip_prefix('%') {
            visit(Piece::Text("%"))?;
            rest = after;
            continue;
        }
        if used >= arguments {
            return Err(out_of_range(used).into());
        }
        if after.is_empty() {
            return Err(EvalError::new("unexpected end of string").into());
        }
        let (clause, after) = Clause::parse(after)
            .map_err(|why| EvalError::new(format!("could not parse formatting clause: {why}")))?;
        visit(Piece::Clause(clause, used))?;
        used += 1;
        rest = after;
    }
    visit(Piece::Text(rest))?;
    Ok(used)
}

fn out_of_range(at: usize) -> EvalError {
    EvalError::new(format!("index {at} out of range"))
}

impl Clause {
    fn parse(text: &str) -> Result<(Self, &str), String> {
        let (precision, text) = match text.strip_prefix('.') {
            None => (None, text),
            Some(text) => {
                let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
                if rest.is_empty() {
                    return Err(
                        "error while parsing precision: could not find end of precision specifier".to_owned()
                    );
                }
                let precision = text.strip_suffix(rest).and_then(|digits| digits.parse().ok());
                let precision = precision.filter(|precision| *precision <= MAX_PRECISION);
                (
                    Some(precision.ok_or(
                        "error while parsing precision: error while converting precision to integer",
                    )?),
                    rest,
                )
            }
        };
        let mut chars = text.chars();
        let clause = match chars.next() {
            Some('s') => Self::String,
            Some('d') => Self::Decimal,
            Some('f') => Self::Fixed(precision.unwrap_or(6)),
            Some('e') => Self::Scientific(precision.unwrap_or(6)),
            Some('b') => Self::Binary,
            Some('x') => Self::Hexadecimal { upper: false },
            Some('X') => Self::Hexadecimal { upper: true },
            Some('o') => Self::Octal,
            other => return Err(format!("unrecognized formatting clause \"{}\"", other.unwrap_or_default())),
        };
        Ok((clause, chars.as_str()))
    }

    /// How many digits it may have to work out.
    fn digits(self) -> usize {
        match self {
            Self::Fixed(decimals) => decimals.saturating_add(300).saturating_mul(2),
            Self::Scientific(width) => width,
            _ => 1,
        }
    }

    /// What is wrong with an argument of this type.
    pub(crate) fn refuses(self, type_name: &str) -> String {
        let what = match self {
            Self::String => {
                "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps"
            }
            Self::Decimal => "decimal clause can only be used on integers",
            Self::Fixed(_) => "fixed-point clause can only be used on doubles",
            Self::Scientific(_) => "scientific clause can only be used on doubles",
            Self::Binary => "only integers and bools can be formatted as binary",
            Self::Hexadecimal { .. } => "only integers, byte buffers, and strings can be formatted as hex",
            Self::Octal => "octal clause can only be used on integers",
        };
        format!("{what}, was given {type_name}")
    }

    /// Whether an argument of this type may be right, as far as is known before running. Items of list
    /// and map literals in a `%s` are checked each.
    pub(crate) fn may_take(self, of: &Type) -> bool {
        match self {
            _ if *of == Type::Dyn => true,
            Self::String => matches!(
                of,
                Type::List(_)
                    | Type::Map(..)
                    | Type::Int
                    | Type::Uint
                    | Type::Double
                    | Type::Bool
                    | Type::String
                    | Type::Timestamp
                    | Type::Bytes
                    | Type::Duration
                    | Type::Type(_)
                    | Type::Null
            ),
            Self::Decimal | Self::Octal => matches!(of, Type::Int | Type::Uint),
            Self::Fixed(_) | Self::Scientific(_) => matches!(of, Type::Double | Type::String),
            Self::Binary => matches!(of, Type::Int | Type::Uint | Type::Bool),
            Self::Hexadecimal { .. } => matches!(of, Type::Int | Type::Uint | Type::String | Type::Bytes),
        }
    }

    fn write(self, value: &Value<'_>) -> Result<String, String> {
        Ok(match (self, value) {
            (Self::String, value) => return plain(value),
            (Self::Decimal, Value::Int(number)) => number.to_string(),
            (Self::Decimal, Value::Uint(number)) => number.to_string(),
            (Self::Fixed(decimals), value) => fixed(self.double(value)?, decimals),
            (Self::Scientific(width), value) => scientific(self.double(value)?, width),
            (Self::Binary, Value::Int(number)) => signed(*number, |magnitude| format!("{magnitude:b}")),
            (Self::Binary, Value::Uint(number)) => format!("{number:b}"),
            (Self::Binary, Value::Bool(truth)) => u8::from(*truth).to_string(),
            (Self::Octal, Value::Int(number)) => signed(*number, |magnitude| format!("{magnitude:o}")),
            (Self::Octal, Value::Uint(number)) => format!("{number:o}"),
            (Self::Hexadecimal { upper }, value) => {
                let digits = match value {
                    Value::Int(number) => signed(*number, |magnitude| format!("{magnitude:x}")),
                    Value::Uint(number) => format!("{number:x}"),
                    Value::String(text) => hexadecimal(text.as_bytes()),
                    Value::Bytes(bytes) => hexadecimal(bytes),
                    other => return Err(self.refuses(other.type_name())),
                };
                if upper { digits.to_ascii_uppercase() } else { digits }
            }
            (_, other) => return Err(self.refuses(other.type_name())),
        })
    }

    /// A double, or one of the texts that stand for what no literal can be.
    fn double(self, value: &Value<'_>) -> Result<f64, String> {
        match value {
            Value::Double(number) => Ok(*number),
            Value::String(text) if **text == *"NaN" => Ok(f64::NAN),
            Value::String(text) if **text == *"Infinity" => Ok(f64::INFINITY),
            Value::String(text) if **text == *"-Infinity" => Ok(f64::NEG_INFINITY),
            other => Err(self.refuses(other.type_name())),
        }
    }
}

fn signed(number: i64, write: fn(u64) -> String) -> String {
    format!("{}{}", if number < 0 { "-" } else { "" }, write(number.unsigned_abs()))
}

fn hexadecimal(bytes: &[u8]) -> String {
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
fn fixed(number: f64, decimals: usize) -> String {
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
fn scientific(number: f64, width: usize) -> String {
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
fn plain(value: &Value<'_>) -> Result<String, String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ext::Args, work::Work};

    fn format(text: &str, arguments: Vec<Value<'static>>) -> Result<String, String> {
        let mut library = Library::default();
        declare(&mut library);
        let call = library.find("format").unwrap().overloads[0].call;
        let result =
            call(Args { values: &[Value::string(text), Value::list(arguments)], work: &Work::default() })
                .map_err(|error| error.to_string())?;
        Ok(result.as_str().unwrap().to_owned())
    }

    #[test]
    fn written() {
        let check = |text: &str, value: Value<'static>, expected: &str| {
            assert_eq!(format(text, vec![value]).as_deref(), Ok(expected), "{text}");
        };
        check("%%%s%%", Value::str("text"), "%text%");
        check("%.3f", Value::Double(1.2345), "1.234");
        check("%f", Value::Double(2.5), "2.500000");
        check("%.2f", Value::Double(-1_234_567.891), "-1,234,567.89");
        check("%.0f", Value::Double(999.5), "1,000");
        check("%f", Value::str("NaN"), "NaN");
        check("%f", Value::str("-Infinity"), "-∞");
        check("%.6e", Value::Double(1_052.032_911_275), "1.052033×10⁰³");
        check("%e", Value::Double(-1.5e-107), "-1.500000×10⁻¹⁰⁷");
        check("%.14e", Value::Double(1.5), " 1.500000×10⁰⁰");
        check("%e", Value::str("NaN"), "   NaN");
        check("%b", Value::Int(-5), "-101");
        check("%b", Value::Bool(true), "1");
        check("%x", Value::Int(-255), "-ff");
        check("%X", Value::str("hi☃"), "6869E29883");
        check("%o", Value::Uint(8), "10");
        check("%d", Value::Int(i64::MIN), "-9223372036854775808");
        check("%s", Value::Double(2e-9), "2e-09");
        check(
            "%s",
            Value::list(vec![Value::Double(2e-9), Value::Double(f64::INFINITY)]),
            "[0.000000, \"+Inf\"]",
        );
        check(
            "%s",
            Value::list(vec![Value::str("a\n"), Value::Null, Value::Duration(2)]),
            "[\"a\\n\", null, duration(\"0.000000002s\")]",
        );
        check("%s", Value::Type("int"), "int");
    }

    #[test]
    fn known_before_running() {
        for (clause, taken, refused) in [
            (Clause::String, Type::list(Type::Any), Type::Any),
            (Clause::Decimal, Type::Dyn, Type::Double),
            (Clause::Fixed(6), Type::String, Type::Int),
            (Clause::Binary, Type::Bool, Type::String),
            (Clause::Hexadecimal { upper: true }, Type::Bytes, Type::Bool),
        ] {
            assert!(clause.may_take(&taken) && !clause.may_take(&refused), "{clause:?}");
        }
    }

    #[test]
    fn refused() {
        let check = |text: &str, arguments: Vec<Value<'static>>, expected: &str| {
            assert_eq!(format(text, arguments), Err(expected.to_owned()), "{text}");
        };
        check("%s %s", vec![Value::Int(1)], "index 1 out of range");
        check("%", vec![Value::Int(1)], "unexpected end of string");
        check(
            "%z",
            vec![Value::Int(1)],
            "could not parse formatting clause: unrecognized formatting clause \"z\"",
        );
        check(
            "%.f",
            vec![Value::Int(1)],
            "could not parse formatting clause: error while parsing precision: error while converting precision to integer",
        );
        check(
            "%.5",
            vec![Value::Int(1)],
            "could not parse formatting clause: error while parsing precision: could not find end of precision specifier",
        );
        check(
            "%.1000000000f",
            vec![Value::Double(1.0)],
            "could not parse formatting clause: error while parsing precision: error while converting precision to integer",
        );
        check(
            "%d",
            vec![Value::str("x")],
            "error during formatting: decimal clause can only be used on integers, was given string",
        );
        check(
            "%f",
            vec![Value::str("1")],
            "error during formatting: fixed-point clause can only be used on doubles, was given string",
        );
        check(
            "%s",
            vec![Value::Optional(None)],
            &format!("error during formatting: {}", Clause::String.refuses("optional_type")),
        );
    }
}
