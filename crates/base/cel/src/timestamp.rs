//! Points in time, within the years that CEL knows.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, civil::Date};

use crate::{EvalError, go};

/// A point in time from the start of year 1 to the end of year 9999, in UTC.
///
/// `jiff::Timestamp` ends a day earlier, so that every offset fits; CEL's last second has to be told apart
/// from the first one that overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Since 1970, rounded down.
    seconds: i64,
    nanosecond: u32,
}

/// UPSTREAM: `minUnixTime` and `maxUnixTime` of cel-go (kube-apiserver 1.36).
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
const NANOS: i128 = 1_000_000_000;

impl Timestamp {
    /// So many seconds after 1970, if the year is known.
    pub fn from_second(seconds: i64) -> Option<Self> {
        SECONDS.contains(&seconds).then_some(Self { seconds, nanosecond: 0 })
    }

    /// So many nanoseconds after 1970, if the year is known.
    pub fn from_nanosecond(nanoseconds: i128) -> Option<Self> {
        let at = Self::from_second(i64::try_from(nanoseconds.div_euclid(NANOS)).ok()?)?;
        Some(Self { nanosecond: u32::try_from(nanoseconds.rem_euclid(NANOS)).ok()?, ..at })
    }

    /// Seconds since 1970, rounded down.
    pub fn second(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds since [`Self::second`].
    pub fn subsecond(self) -> u32 {
        self.nanosecond
    }

    /// Nanoseconds since 1970.
    pub fn nanosecond(self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanosecond)
    }
}

impl FromStr for Timestamp {
    type Err = EvalError;

    /// RFC 3339 as Go reads it.
    fn from_str(text: &str) -> Result<Self, EvalError> {
        go::parse_timestamp(text).ok_or_else(|| EvalError::new("invalid timestamp"))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many decimals as are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = Date::constant(1970, 1, 1).at(0, 0, 0, 0);
        let local = start.saturating_add(SignedDuration::from_secs(self.seconds));
        write!(f, "{}T{:02}:{:02}:{:02}", local.date(), local.hour(), local.minute(), local.second())?;
        if self.nanosecond > 0 {
            let decimals = format!("{:09}", self.nanosecond);
            write!(f, ".{}", decimals.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}
