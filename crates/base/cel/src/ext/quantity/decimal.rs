//! Decimals of any length, as Go's `inf.Dec`: an integer and how many of its digits are decimals.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

/// The most digits that a number may need while it is worked out.
///
/// Stricter than kube-apiserver, which would work (and allocate) for as long as the exponent asks:
/// `1234567890123456789e2000000000` has two thousand million digits.
pub(super) const MAX_DIGITS: i64 = 4096;

/// The number needs more digits than [`MAX_DIGITS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// `unscaled` × 10^-`scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) unscaled: BigInt,
    pub(super) scale: i64,
}

impl Decimal {
    pub(super) fn new(unscaled: impl Into<BigInt>, scale: i64) -> Self {
        Self { unscaled: unscaled.into(), scale }
    }

    /// Reads a sign, digits and at most one point; `None` without any digit.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, TooLong> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{decimals}");
        if length(digits.len()) > MAX_DIGITS {
            return Err(TooLong);
        }
        Ok(digits.parse().ok().map(|unscaled: BigInt| Self { unscaled, scale: length(decimals.len()) }))
    }

    pub(super) fn is_zero(&self) -> bool {
        self.unscaled.sign() == Sign::NoSign
    }

    pub(super) fn signum(&self) -> i64 {
        match self.unscaled.sign() {
            Sign::Minus => -1,
            Sign::NoSign => 0,
            Sign::Plus => 1,
        }
    }

    /// The same value with `scale` decimals, rounded away from zero.
    pub(super) fn round_up(&self, scale: i64) -> Result<Self, TooLong> {
        if scale >= self.scale {
            return Ok(Self { unscaled: shifted(&self.unscaled, scale.saturating_sub(self.scale))?, scale });
        }
        let dropped = self.scale.saturating_sub(scale);
        if self.is_zero() {
            return Ok(Self::new(0, scale));
        }
        if dropped > digits(&self.unscaled) {
            return Ok(Self::new(self.signum(), scale));
        }
        let divisor = power_of_ten(dropped)?;
        let (quotient, remainder) = (&self.unscaled / &divisor, &self.unscaled % &divisor);
        let up = if remainder.sign() == Sign::NoSign { 0 } else { self.signum() };
        Ok(Self { unscaled: quotient + up, scale })
    }

    pub(super) fn add(&self, other: &Self) -> Result<Self, TooLong> {
        let scale = self.scale.max(other.scale);
        let unscaled = self.round_up(scale)?.unscaled + other.round_up(scale)?.unscaled;
        Ok(Self { unscaled, scale })
    }

    pub(super) fn sub(&self, other: &Self) -> Result<Self, TooLong> {
        self.add(&Self { unscaled: -&other.unscaled, scale: other.scale })
    }

    /// Compares without ever writing out the zeros of a large exponent.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let by_sign = self.signum().cmp(&other.signum());
        if by_sign != Ordering::Equal || self.is_zero() {
            return by_sign;
        }
        let magnitude = |d: &Self| digits(&d.unscaled).saturating_sub(d.scale);
        let by_magnitude = magnitude(self).cmp(&magnitude(other));
        let outward = if by_magnitude == Ordering::Equal {
            // As many digits before the point: the scales differ by no more than the digits do.
            let scale = self.scale.max(other.scale);
            match (self.round_up(scale), other.round_up(scale)) {
                (Ok(a), Ok(b)) => return a.unscaled.cmp(&b.unscaled),
                _ => Ordering::Equal,
            }
        } else {
            by_magnitude
        };
        if self.signum() < 0 { outward.reverse() } else { outward }
    }

    /// The nearest double to the unscaled integer, times the power of ten: two roundings, as upstream.
    pub(super) fn approximate(&self) -> f64 {
        let base: f64 = self.unscaled.to_string().parse().unwrap_or(f64::NAN);
        super::scaled_float(base, self.scale.saturating_neg())
    }
}

/// `value` × 10^`places`.
fn shifted(value: &BigInt, places: i64) -> Result<BigInt, TooLong> {
    if value.sign() == Sign::NoSign {
        return Ok(BigInt::ZERO);
    }
    if digits(value).saturating_add(places) > 2 * MAX_DIGITS {
        return Err(TooLong);
    }
    Ok(value * power_of_ten(places)?)
}

fn power_of_ten(exponent: i64) -> Result<BigInt, TooLong> {
    let exponent = u32::try_from(exponent).map_err(|_| TooLong)?;
    if i64::from(exponent) > 2 * MAX_DIGITS {
        return Err(TooLong);
    }
    Ok(BigInt::from(10).pow(exponent))
}

/// How many decimal digits the integer has; bounded, since every integer here is.
pub(super) fn digits(value: &BigInt) -> i64 {
    length(value.magnitude().to_string().len())
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Takes every factor `factor` out: the rest, and how often it went in. Zero has none.
pub(super) fn remove_factors(mut value: BigInt, factor: u32) -> (BigInt, i64) {
    let mut times = 0;
    while value.sign() != Sign::NoSign && (&value % factor).sign() == Sign::NoSign {
        value /= factor;
        times += 1;
    }
    (value, times)
}
