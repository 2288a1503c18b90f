//! How Go writes and reads what CEL leaves to it: numbers, durations, timestamps.

mod float;
mod read;

pub(crate) use types::duration::parse as parse_duration;

pub(crate) use self::{
    float::parse_double,
    read::{parse_bool, parse_int, parse_timestamp, parse_uint},
};

/// `strconv.FormatFloat(x, 'g', -1, 64)`.
pub(crate) fn format_double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{number}"),
    }
}

/// The text of a duration: seconds, with as many decimals as are needed.
pub(crate) fn format_duration(nanos: i64) -> String {
    format!("{}s", seconds(nanos))
}

/// Go's `Duration.Seconds`.
pub(crate) fn seconds(nanos: i64) -> f64 {
    (nanos / 1_000_000_000) as f64 + (nanos % 1_000_000_000) as f64 / 1e9
}

/// Standard base64, padded.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| ALPHABET.get((bits & 63) as usize).map_or('=', |byte| char::from(*byte));
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            out.push(if place <= chunk.len() { digit(word >> (18 - 6 * place)) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{base64, format_double, format_duration};

    #[test]
    fn doubles_are_written_as_go_writes_them() {
        for (number, expected) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (2.5, "2.5"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (1_893_456_000.0, "1.893456e+09"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e308, "1e+308"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format_double(number), expected);
        }
        assert_eq!(format_duration(-90_500_000_000), "-90.5s");
        assert_eq!(base64(b"a"), "YQ==");
        assert_eq!(base64(b"ab"), "YWI=");
        assert_eq!(base64(b"abc"), "YWJj");
    }
}
