//! Parts of timestamps and durations: `getFullYear('Europe/Athens')`, `getSeconds()`.

use std::sync::LazyLock;

use jiff::tz::TimeZoneDatabase;

use super::{Args, Implementation, Library, argument};
use crate::{EvalError, Timestamp, Type, Value};

const DAY: i64 = 86_400;

/// Declares them.
pub(super) fn declare(library: &mut Library) {
    let parts: [(&'static str, &'static str, &'static str, Implementation); 10] = [
        ("getFullYear", "timestamp_to_year", "timestamp_to_year_with_tz", |args| part(args, Moment::year)),
        ("getMonth", "timestamp_to_month", "timestamp_to_month_with_tz", |args| {
            part(args, |at| at.date().1 - 1)
        }),
        ("getDayOfYear", "timestamp_to_day_of_year", "timestamp_to_day_of_year_with_tz", |args| {
            part(args, |at| at.days - days_before(at.year()))
        }),
        ("getDayOfMonth", "timestamp_to_day_of_month", "timestamp_to_day_of_month_with_tz", |args| {
            part(args, |at| at.date().2 - 1)
        }),
        (
            "getDate",
            "timestamp_to_day_of_month_1_based",
            "timestamp_to_day_of_month_1_based_with_tz",
            |args| part(args, |at| at.date().2),
        ),
        ("getDayOfWeek", "timestamp_to_day_of_week", "timestamp_to_day_of_week_with_tz", |args| {
            // The first of January 1970 was a Thursday; Sunday is 0.
            part(args, |at| (at.days + 4).rem_euclid(7))
        }),
        ("getHours", "timestamp_to_hours", "timestamp_to_hours_with_tz", |args| {
            part(args, |at| at.second / 3600)
        }),
        ("getMinutes", "timestamp_to_minutes", "timestamp_to_minutes_with_tz", |args| {
            part(args, |at| at.second / 60 % 60)
        }),
        ("getSeconds", "timestamp_to_seconds", "timestamp_to_seconds_tz", |args| {
            part(args, |at| at.second % 60)
        }),
        ("getMilliseconds", "timestamp_to_milliseconds", "timestamp_to_milliseconds_with_tz", |args| {
            part(args, |at| at.nanosecond / 1_000_000)
        }),
    ];
    for (name, utc, zoned, call) in parts {
        library.method(name, utc, [Type::Timestamp], Type::Int, call);
        library.method(name, zoned, [Type::Timestamp, Type::String], Type::Int, call);
    }
    let totals: [(&'static str, &'static str, Implementation); 4] = [
        ("getHours", "duration_to_hours", |args| total(args, 3_600_000_000_000)),
        ("getMinutes", "duration_to_minutes", |args| total(args, 60_000_000_000)),
        ("getSeconds", "duration_to_seconds", |args| total(args, 1_000_000_000)),
        ("getMilliseconds", "duration_to_milliseconds", |args| total(args, 1_000_000)),
    ];
    for (name, id, call) in totals {
        library.method(name, id, [Type::Duration], Type::Int, call);
    }
}

/// The whole duration in a unit of so many nanoseconds, towards zero.
fn total<'a>(args: Args<'_, 'a>, unit: i64) -> Result<Value<'a>, EvalError> {
    match argument(args, 0)? {
        Value::Duration(nanos) => Ok(Value::Int(nanos / unit)),
        _ => Err(EvalError::no_such_overload()),
    }
}

/// One part of a timestamp, in UTC or in the zone that the second argument names. Durations have some
/// of the parts too: which of both it is may only be known now.
fn part<'a>(args: Args<'_, 'a>, part: fn(&Moment) -> i64) -> Result<Value<'a>, EvalError> {
    let Value::Timestamp(at) = argument(args, 0)? else { return Err(EvalError::no_such_overload()) };
    let offset = match args.values.get(1) {
        Some(zone) => offset(zone.as_str()?, *at)?,
        None => 0,
    };
    Ok(Value::Int(part(&Moment::new(*at, offset))))
}

/// A moment by the calendar of some zone.
struct Moment {
    /// Days since the first of January 1970.
    days: i64,
    /// Seconds since midnight.
    second: i64,
    nanosecond: i64,
}

impl Moment {
    fn new(at: Timestamp, offset: i64) -> Self {
        let second = at.second() + offset;
        Self {
            days: second.div_euclid(DAY),
            second: second.rem_euclid(DAY),
            nanosecond: i64::from(at.subsecond()),
        }
    }

    /// Year, month and day, the latter two from 1, by the Gregorian calendar without beginning or end: an
    /// offset may lead out of the years that timestamps have.
    fn date(&self) -> (i64, i64, i64) {
        // Years are counted from March, so that the leap day is the last.
        let days = self.days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (era * 400 + year_of_era + i64::from(month <= 2), month, day)
    }

    fn year(&self) -> i64 {
        self.date().0
    }
}

/// Days from the first of January 1970 to that of `year`.
fn days_before(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400) - 719_162
}

/// Seconds east of UTC, by an IANA name or by hours and minutes (`+02:00`, `5:30`).
fn offset(zone: &str, at: Timestamp) -> Result<i64, EvalError> {
    let Some((hours, minutes)) = zone.split_once(':') else { return named(zone, at) };
    let number = |text: &str| {
        text.parse::<i64>()
            .map_err(|_| EvalError::new(format!("parsing {}: invalid syntax", super::quote::quote(text))))
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let minutes = if zone.starts_with('-') { minutes.wrapping_neg() } else { minutes };
    // UPSTREAM: any numbers do, and wrap around as nanoseconds (kube-apiserver 1.36)
    let offset = hours.wrapping_mul(60).wrapping_add(minutes);
    Ok(offset.wrapping_mul(60_000_000_000) / 1_000_000_000)
}

/// UPSTREAM: names are those of files, so their case counts; none, and `UTC`, are UTC
/// (kube-apiserver 1.36). `Local`, the zone of the server there, is UTC here.
fn named(zone: &str, at: Timestamp) -> Result<i64, EvalError> {
    static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    if matches!(zone, "" | "UTC" | "Local") {
        return Ok(0);
    }
    let found = ZONES.get(zone).ok().filter(|found| found.iana_name() == Some(zone));
    let found = found.ok_or_else(|| EvalError::new(format!("unknown time zone {zone}")))?;
    // The last day of the year 9999 has the offset of the one before: no zone changes then.
    let at = jiff::Timestamp::from_second(at.second()).unwrap_or(jiff::Timestamp::MAX);
    Ok(i64::from(found.to_offset(at).seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(name: &str, at: &str, zone: &str) -> Result<i64, String> {
        let at = Value::Timestamp(at.parse().unwrap());
        let args = if zone.is_empty() { vec![at] } else { vec![at, Value::str(zone)] };
        let mut library = Library::default();
        declare(&mut library);
        let overloads = &library.find(name).unwrap().overloads;
        let overload = overloads.iter().find(|overload| overload.params.len() == args.len()).unwrap();
        (overload.call)(Args { values: &args, work: &crate::work::Work::default() })
            .and_then(|value| value.as_int())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn parts() {
        let check = |at: &str, zone: &str, expected: [i64; 10]| {
            let names = [
                "getFullYear",
                "getMonth",
                "getDate",
                "getDayOfMonth",
                "getDayOfWeek",
                "getDayOfYear",
                "getHours",
                "getMinutes",
                "getSeconds",
                "getMilliseconds",
            ];
            assert_eq!(names.map(|name| get(name, at, zone).unwrap()), expected, "{at} {zone}");
        };
        check("2026-01-02T03:04:05.678Z", "", [2026, 0, 2, 1, 5, 1, 3, 4, 5, 678]);
        check("2026-01-02T03:04:05.678Z", "America/New_York", [2026, 0, 1, 0, 4, 0, 22, 4, 5, 678]);
        check("2026-07-02T03:04:05Z", "America/New_York", [2026, 6, 1, 0, 3, 181, 23, 4, 5, 0]);
        check("2026-01-02T03:04:05Z", "-08:30", [2026, 0, 1, 0, 4, 0, 18, 34, 5, 0]);
        check("2026-01-02T03:04:05Z", "05:45", [2026, 0, 2, 1, 5, 1, 8, 49, 5, 0]);
        check("2024-12-31T23:59:59Z", "+00:01", [2025, 0, 1, 0, 3, 0, 0, 0, 59, 0]);
        check("2024-02-29T00:00:00Z", "UTC", [2024, 1, 29, 28, 4, 59, 0, 0, 0, 0]);
        check("1969-12-31T23:59:59.999Z", "", [1969, 11, 31, 30, 3, 364, 23, 59, 59, 999]);
        check("0001-01-01T00:00:00Z", "-01:00", [0, 11, 31, 30, 0, 365, 23, 0, 0, 0]);
        check("9999-12-30T21:59:59Z", "+50:00", [10_000, 0, 1, 0, 6, 0, 23, 59, 59, 0]);
    }

    #[test]
    fn zones() {
        let check = |zone: &str, expected: Result<i64, &str>| {
            assert_eq!(
                get("getHours", "2026-01-02T03:04:05Z", zone),
                expected.map_err(str::to_owned),
                "{zone}"
            );
        };
        check("US/Central", Ok(21));
        check("Asia/Kathmandu", Ok(8));
        check("+2:00", Ok(5));
        check("1:-30", Ok(3));
        check("99999999999999:00", Ok(get("getHours", "2026-01-02T03:04:05Z", "99999999999999:00").unwrap()));
        check("us/central", Err("unknown time zone us/central"));
        check("Nope/Zone", Err("unknown time zone Nope/Zone"));
        check("../etc", Err("unknown time zone ../etc"));
        check(":30", Err("parsing \"\": invalid syntax"));
        check("a:30", Err("parsing \"a\": invalid syntax"));
    }
}
