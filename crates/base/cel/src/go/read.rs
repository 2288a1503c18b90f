//! Texts that become numbers, durations and timestamps.

use jiff::civil::Date;

use crate::Timestamp;

/// `strconv.ParseInt(text, 10, 64)`.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// `strconv.ParseUint(text, 10, 64)`: no sign at all.
pub(crate) fn parse_uint(text: &str) -> Option<u64> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// `time.Parse(time.RFC3339, text)`, within the years 1 to 9999 as CEL wants them.
///
/// UPSTREAM: an hour of one digit and a comma before the decimals pass; leap seconds do not (kube-apiserver 1.36).
pub(crate) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let rest = rest.strip_prefix('T')?;
    let (hour, rest) = digits(rest, 2).or_else(|| digits(rest, 1))?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, mut rest) = digits(rest.strip_prefix(':')?, 2)?;
    let mut nanos = 0_i32;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
        let (fraction, after) = fraction.split_at(end);
        if fraction.is_empty() {
            return None;
        }
        for place in 0..9 {
            nanos = nanos * 10 + fraction.as_bytes().get(place).map_or(0, |digit| i32::from(digit - b'0'));
        }
        rest = after;
    }
    let offset = if rest == "Z" {
        0
    } else {
        let (sign, rest) = match rest.strip_prefix('+') {
            Some(rest) => (1, rest),
            None => (-1, rest.strip_prefix('-')?),
        };
        let (hours, rest) = digits(rest, 2)?;
        let (minutes, rest) = digits(rest.strip_prefix(':')?, 2)?;
        if hours > 24 || minutes > 60 || !rest.is_empty() {
            return None;
        }
        sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60)
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let small = |number: i16| i8::try_from(number).ok();
    let local =
        Date::new(year, small(month)?, small(day)?).ok()?.at(small(hour)?, small(minute)?, small(second)?, 0);
    let since = local.duration_since(Date::constant(1970, 1, 1).at(0, 0, 0, 0)).as_secs() - i64::from(offset);
    Timestamp::from_nanosecond(i128::from(since) * 1_000_000_000 + i128::from(nanos))
}

fn digits(text: &str, count: usize) -> Option<(i16, &str)> {
    let (number, rest) = text.split_at_checked(count)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("2026-01-02T03:04:05Z", Some("2026-01-02T03:04:05Z")),
            ("2026-01-02T03:04:05.123456789+02:00", Some("2026-01-02T01:04:05.123456789Z")),
            ("2026-01-02T3:04:05,5Z", Some("2026-01-02T03:04:05.5Z")),
            ("2026-02-30T03:04:05Z", None),
            ("2026-01-02T03:04:60Z", None),
            ("2026-01-02 03:04:05Z", None),
            ("2026-01-02T03:04:05", None),
            ("0001-01-01T00:00:00+01:00", None),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
            ("9999-12-31T23:59:59.999Z", Some("9999-12-31T23:59:59.999Z")),
            ("9999-12-31T23:59:59-00:01", None),
        ] {
            assert_eq!(parse_timestamp(text).map(|at| at.to_string()).as_deref(), expected, "{text}");
        }
    }
}
