//! `'%s is %d'.format([…])`: the clauses of a format string, and how values are written by them.

mod written;

use self::written::{fixed, hexadecimal, plain, scientific, signed};
use super::{Library, argument};
use crate::{EvalError, Type, Value, limits::MAX_TEXT_BYTES};

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
