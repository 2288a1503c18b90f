//! The two ways a certificate writes a moment.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
};

use super::der::{Reader, tag};

/// A moment of a certificate, in seconds since 1970. Wider than [`Timestamp`], which ends a day
/// before the 9999-12-31T23:59:59Z that means "never expires".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    /// Reads a UTCTime or GeneralizedTime.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let element = reader.any()?;
        match element.tag {
            tag::UTC_TIME => utc_time(element.body),
            tag::GENERALIZED_TIME => generalized_time(element.body),
            _ => None,
        }
        .map(Self)
    }

    pub(super) fn is_after(self, now: Timestamp) -> bool {
        self.nanoseconds() > now.as_nanosecond()
    }

    pub(super) fn is_before(self, now: Timestamp) -> bool {
        self.nanoseconds() < now.as_nanosecond()
    }

    /// The nearest timestamp.
    pub(super) fn to_timestamp(self) -> Timestamp {
        let bounded = self.0.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        Timestamp::from_second(bounded).unwrap_or(Timestamp::MAX)
    }

    fn nanoseconds(self) -> i128 {
        i128::from(self.0) * 1_000_000_000
    }
}

// UPSTREAM: seconds may be left out; a two-digit year from 50 on is of the last century
// (kube-apiserver 1.36).
fn utc_time(text: &[u8]) -> Option<i64> {
    let mut digits = Digits(text);
    let short = digits.number(2)?;
    seconds(if short >= 50 { 1900 + short } else { 2000 + short }, digits, true)
}

fn generalized_time(text: &[u8]) -> Option<i64> {
    let mut digits = Digits(text);
    seconds(digits.number(4)?, digits, false)
}

/// What follows the year: `MMDDhhmm[ss]`, then `Z` or an offset.
fn seconds(year: i16, mut digits: Digits<'_>, seconds_optional: bool) -> Option<i64> {
    let date = Date::new(year, digits.byte()?, digits.byte()?).ok()?;
    let (hour, minute) = (digits.byte()?, digits.byte()?);
    let second = match digits.byte() {
        Some(second) => second,
        None if seconds_optional => 0,
        None => return None,
    };
    if second > 59 {
        return None;
    }
    let local = date.to_datetime(Time::new(hour, minute, second, 0).ok()?);
    let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    Some(local.duration_since(epoch).as_secs() - digits.offset()?)
}

/// Decimal digits taken from the front.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn number(&mut self, count: usize) -> Option<i16> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let value = digits.iter().try_fold(0, |value: i16, digit| {
            digit.is_ascii_digit().then(|| value * 10 + i16::from(digit - b'0'))
        })?;
        self.0 = rest;
        Some(value)
    }

    fn byte(&mut self) -> Option<i8> {
        i8::try_from(self.number(2)?).ok()
    }

    /// The zone at the end, in seconds east of UTC. Zero is written `Z` and in no other way.
    fn offset(mut self) -> Option<i64> {
        let (&sign, rest) = self.0.split_first()?;
        self.0 = rest;
        let east = match sign {
            b'Z' => 0,
            b'+' | b'-' => {
                let (hours, minutes) = (i64::from(self.byte()?), i64::from(self.byte()?));
                let offset = hours * 3600 + minutes * 60;
                if hours > 24 || minutes > 59 || offset == 0 {
                    return None;
                }
                if sign == b'-' { -offset } else { offset }
            }
            _ => return None,
        };
        self.0.is_empty().then_some(east)
    }
}
