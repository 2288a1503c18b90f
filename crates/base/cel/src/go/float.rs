//! Texts that become doubles.

/// `strconv.ParseFloat(text, 64)`: decimal or hexadecimal, with underscores between digits, or infinite, or
/// no number. Beyond the range is an error and not infinite.
pub(crate) fn parse_double(text: &str) -> Option<f64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let named = |names: &[&str]| names.iter().any(|name| unsigned.eq_ignore_ascii_case(name));
    let magnitude = if named(&["inf", "infinity"]) {
        f64::INFINITY
    } else if named(&["nan"]) {
        // Go knows no signed NaN.
        return (unsigned.len() == text.len()).then_some(f64::NAN);
    } else {
        finite(unsigned)?
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// A number without a sign.
fn finite(text: &str) -> Option<f64> {
    let stripped;
    let digits = if text.contains('_') {
        stripped = underscores_fit(text).then(|| text.replace('_', ""))?;
        &*stripped
    } else {
        text
    };
    if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return hexadecimal_float(hexadecimal);
    }
    // Rust reads names too, which were looked for before, and signs.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    digits.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether underscores stand between digits only; the prefix of another base counts as one.
fn underscores_fit(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let based = ["0b", "0o", "0x"].iter().any(|prefix| lower.starts_with(prefix));
    let hexadecimal = lower.starts_with("0x");
    let (mut after_digit, mut after_underscore) = (based, false);
    for byte in lower.bytes().skip(if based { 2 } else { 0 }) {
        let digit = byte.is_ascii_digit() || (hexadecimal && matches!(byte, b'a'..=b'f'));
        if (byte == b'_' && !after_digit) || (after_underscore && !digit) {
            return false;
        }
        after_digit = digit;
        after_underscore = byte == b'_';
    }
    !after_underscore
}

/// What follows `0x`: digits, perhaps with a point, and an exponent of two, which has to be there.
fn hexadecimal_float(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The first 64 bits, what they are to be shifted by, and whether anything was cut off.
    let (mut mantissa, mut shift, mut more) = (0_u64, 0_i64, false);
    let digits = whole.chars().map(|digit| (digit, 0)).chain(fraction.chars().map(|digit| (digit, 4)));
    for (digit, behind_point) in digits {
        let digit = u64::from(digit.to_digit(16)?);
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            shift -= behind_point;
        } else {
            more |= digit != 0;
            shift += 4 - behind_point;
        }
    }
    Some(rounded(mantissa, shift.saturating_add(power(exponent)?), more)).filter(|number| number.is_finite())
}

/// A decimal exponent; so large a one that nothing but its sign counts is cut.
fn power(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() {
        return None;
    }
    let mut power = 0_i64;
    for digit in digits.chars() {
        let digit = i64::from(digit.to_digit(10)?);
        if power < 1 << 40 {
            power = power * 10 + digit;
        }
    }
    Some(if negative { -power } else { power })
}

/// The double that is nearest to `mantissa * 2^shift`, or a little beyond it if there was `more`; the even one
/// of two.
fn rounded(mantissa: u64, shift: i64, more: bool) -> f64 {
    const PRECISION: i64 = 53;
    const LEAST: i64 = -1074;
    if mantissa == 0 {
        return 0.0;
    }
    let bits = i64::from(u64::BITS - mantissa.leading_zeros());
    // As many bits go as are too many, or lie below the least of all doubles.
    let cut = (bits - PRECISION).max(LEAST - shift);
    if cut > i64::from(u64::BITS) {
        return 0.0;
    }
    let power = shift + cut;
    let kept = match u32::try_from(cut) {
        Err(_) => mantissa << cut.unsigned_abs().min(63),
        Ok(0) => mantissa,
        Ok(cut) => {
            let kept = mantissa.checked_shr(cut).unwrap_or(0);
            let half = 1_u64.checked_shl(cut - 1).unwrap_or(0);
            let rest = mantissa.checked_shl(u64::BITS - cut.min(64)).unwrap_or(0);
            let (half_bit, below) = (mantissa & half != 0, rest << 1 != 0 || more);
            kept + u64::from(half_bit && (below || kept & 1 == 1))
        }
    };
    // The first bit is left out where there is an exponent, to which it adds one; so does rounding up to the
    // next power of two.
    match u64::try_from(power - LEAST) {
        Ok(exponent) if exponent < 2046 => f64::from_bits((exponent << 52) + kept),
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: impl Into<Option<f64>>) {
        let (found, expected) = (parse_double(text), expected.into());
        assert_eq!(
            found.map(f64::to_bits),
            expected.map(f64::to_bits),
            "{text}: {found:?}, not {expected:?}"
        );
    }

    #[test]
    fn decimal() {
        check("+1", 1.0);
        check("007.50", 7.5);
        check(".5e1", 5.0);
        check("5.", 5.0);
        check("-0e-0", -0.0);
        check("1e-400000", 0.0);
        check("0e+01234567890123456789", 0.0);
        check("1.7976931348623158e308", f64::MAX);
        for text in
            ["", "+", ".", "e5", "1e", "1e-", " 1", "1 ", "1x", "++1", "1.1.", "1e309", "1p2", "--1", "١"]
        {
            check(text, None);
        }
    }

    #[test]
    fn named() {
        check("inf", f64::INFINITY);
        check("+INF", f64::INFINITY);
        check("-Infinity", f64::NEG_INFINITY);
        check("NaN", f64::NAN);
        for text in ["infi", "-nan", "+NaN", "infinity ", "+-inf", "nanx"] {
            check(text, None);
        }
    }

    #[test]
    fn hexadecimal() {
        check("0x1p-2", 0.25);
        check("-0X1.8P1", -3.0);
        check("0x1ep-1", 15.0);
        check("0x.1p+2", 0.25);
        check("0x0p+01234567890123456789", 0.0);
        check("0x1p-18446744073709551616", 0.0);
        check("0x1.fffffffffffffp1023", f64::MAX);
        check("0x1.fffffffffffff7fffp1023", f64::MAX);
        check("0x1p-1074", f64::from_bits(1));
        for text in
            ["0x", "0x.", "0x1", "0x.1", "0xp1", "0x1p", "0x1p+", "0x1e2", "0x1p1p1", "0x1.1.p1", "0x-1p1"]
        {
            check(text, None);
        }
        for text in ["0x1p1024", "0x2p1023", "-0x1.fffffffffffff8p1023", "0x1p2000000000"] {
            check(text, None);
        }
    }

    #[test]
    fn what_lies_between_goes_to_the_nearest_and_halves_to_the_even_one() {
        let next = 1.0 + f64::EPSILON;
        check("0x1.00000000000008p0", 1.0);
        check("0x1.00000000000007Fp0", 1.0);
        check("0x1.000000000000081p0", next);
        check("0x1.00000000000018p0", next + f64::EPSILON);
        check(&format!("0x1.00000000000008{}1p0", "0".repeat(1000)), next);
        check(&format!("0x{}1p-4000", "0".repeat(1000)), 0.0);
        check(&format!("0x1{}p-4000", "0".repeat(1000)), 1.0);
        check("0x0.00000000000008p-1022", 0.0);
        check("0x0.000000000000081p-1022", f64::from_bits(1));
        check("0x0.00000000000018p-1022", f64::from_bits(2));
        check("0x1p-1075", 0.0);
        check("0x1.8p-1075", f64::from_bits(1));
        check("0x0.fffffffffffff8p-1022", f64::MIN_POSITIVE);
        check("0x1.fffffffffffff8p-1022", 2.0 * f64::MIN_POSITIVE);
    }

    #[test]
    fn underscores() {
        check("1_23.50_0_0e+1_2", 1.235e14);
        check("0x_1_2.3_4_5p+1_2", 74_565.0);
        check("-0x1_ep-1", -15.0);
        for text in [
            "_1", "-_1", "1__2", "1_.5", "1._5", "1.5_", "1_e2", "1e_2", "1e+_2", "1e2_", "_0x1p1", "0_x1p1",
            "0x__1p1", "0x1_p1", "0x1p_1", "0x1p1_", "in_f",
        ] {
            check(text, None);
        }
    }
}
