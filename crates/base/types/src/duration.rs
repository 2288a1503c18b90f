//! Durations as Go writes and reads them: in flags, configuration files and query parameters.

/// `time.ParseDuration`, in nanoseconds: `1h30m`, `-1.5s`, `0`.
pub fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let whole_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (whole, after) = rest.split_at(whole_end);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let scale: u64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let mut nanos = whole.checked_mul(scale)?;
        if !fraction.is_empty() {
            // As Go: digits beyond what fits are dropped, the rest is scaled as a double.
            let mut digits = 0_u64;
            let mut divisor = 1.0_f64;
            for digit in fraction.bytes().map(|byte| u64::from(byte - b'0')) {
                match digits.checked_mul(10).and_then(|d| d.checked_add(digit)).filter(|d| *d <= 1 << 63) {
                    Some(next) => (digits, divisor) = (next, divisor * 10.0),
                    None => break,
                }
            }
            nanos = nanos.checked_add((digits as f64 * (scale as f64 / divisor)) as u64)?;
        }
        total = total.checked_add(nanos).filter(|total| *total <= 1 << 63)?;
        rest = after;
    }
    if negative { 0_i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() }
}

/// `Duration.String`, of nanoseconds: `3s`, `1m30s`, `5m0s`, `150ms`, `0s`.
pub fn format(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let magnitude = nanos.unsigned_abs();
    let (unit, scale) = match magnitude {
        0 => return "0s".to_owned(),
        1..1_000 => ("ns", 1),
        1_000..1_000_000 => ("µs", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000),
    };
    let (whole, rest) = (magnitude / scale, magnitude % scale);
    let fraction = match rest {
        0 => String::new(),
        // As many digits as the unit has places, without the zeros at the end.
        rest => {
            let places = scale.ilog10() as usize;
            format!(".{}", format!("{rest:0places$}").trim_end_matches('0'))
        }
    };
    match (unit, whole / 3600, whole / 60 % 60, whole % 60) {
        ("s", 0, 0, seconds) => format!("{sign}{seconds}{fraction}s"),
        ("s", 0, minutes, seconds) => format!("{sign}{minutes}m{seconds}{fraction}s"),
        ("s", hours, minutes, seconds) => format!("{sign}{hours}h{minutes}m{seconds}{fraction}s"),
        _ => format!("{sign}{whole}{fraction}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("1h30m", Some(5_400_000_000_000)),
            ("-1.5s", Some(-1_500_000_000)),
            ("0", Some(0)),
            ("1µs", Some(1_000)),
            (".5s", Some(500_000_000)),
            ("100", None),
            ("", None),
            ("-", None),
            (".s", None),
            ("1d", None),
            ("-9223372036854775808ns", Some(i64::MIN)),
            ("9223372036854775808ns", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (nanos, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (150_000_000, "150ms"),
            (2_200_000, "2.2ms"),
            (3_000_000_000, "3s"),
            (1_500_000_000, "1.5s"),
            (300_000_000_000, "5m0s"),
            (90_000_000_001, "1m30.000000001s"),
            (3_600_000_000_000, "1h0m0s"),
            (-1_000_000_000, "-1s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(format(nanos), expected);
            assert_eq!(parse(expected), Some(nanos));
        }
    }
}
