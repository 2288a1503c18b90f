//! What a service-account token claims, and when it is good.

use types::Timestamp;

use crate::json::{Object, Value};

/// Clocks may differ by this much.
// UPSTREAM: for exp, nbf, iat and the deletion of what a token is bound to (kube-apiserver 1.36)
pub(super) const LEEWAY_SECONDS: i64 = 60;

/// The claims that every token may have.
#[derive(Debug)]
pub(super) struct Claims<'v> {
    pub(super) issuer: &'v str,
    pub(super) subject: &'v str,
    pub(super) id: &'v str,
    pub(super) audiences: Vec<&'v str>,
    expiry: Option<Date>,
    not_before: Option<Date>,
    issued_at: Option<Date>,
}

/// A date in a claim: seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date(i64);

/// What a bound token says of itself in `kubernetes.io`.
#[derive(Debug)]
pub(super) struct BoundTo<'v> {
    pub(super) namespace: &'v str,
    pub(super) service_account: Reference<'v>,
    pub(super) pod: Option<Reference<'v>>,
    pub(super) secret: Option<Reference<'v>>,
    pub(super) node: Option<Reference<'v>>,
    pub(super) warn_after: Option<Date>,
}

/// An object by name and UID.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reference<'v> {
    pub(super) name: &'v str,
    pub(super) uid: &'v str,
}

/// What a legacy token says of itself.
#[derive(Debug)]
pub(super) struct LegacyBinding<'v> {
    pub(super) namespace: &'v str,
    pub(super) secret: &'v str,
    pub(super) service_account: Reference<'v>,
}

impl<'v> Claims<'v> {
    pub(super) fn read(payload: Object<'v>) -> Result<Self, String> {
        Ok(Self {
            issuer: payload.string("iss")?,
            subject: payload.string("sub")?,
            id: payload.string("jti")?,
            audiences: audiences(payload)?,
            expiry: date(payload, "exp")?,
            not_before: date(payload, "nbf")?,
            issued_at: date(payload, "iat")?,
        })
    }

    /// Whether the token is good at `now`, as far as its own dates go.
    pub(super) fn check_dates(&self, now: Timestamp) -> Result<(), &'static str> {
        let late = instant(now) + LEEWAY_SECONDS as i128 * NANOSECONDS;
        let early = instant(now) - LEEWAY_SECONDS as i128 * NANOSECONDS;
        if self.not_before.is_some_and(|date| late < date.instant()) {
            Err("service account token is not valid yet")
        } else if self.expiry.is_some_and(|date| early > date.instant()) {
            Err("service account token has expired")
        } else if self.issued_at.is_some_and(|date| late < date.instant()) {
            Err("service account token is issued in the future")
        } else {
            Ok(())
        }
    }

    /// The last moment at which [`Self::check_dates`] can pass.
    pub(super) fn valid_until(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.expiry?.0.checked_add(LEEWAY_SECONDS)?).ok()
    }
}

impl<'v> BoundTo<'v> {
    pub(super) fn read(payload: Object<'v>) -> Result<Self, String> {
        let own = payload.object("kubernetes.io")?.unwrap_or_default();
        Ok(Self {
            namespace: own.string("namespace")?,
            service_account: Reference::read(own, "serviceaccount")?.unwrap_or_default(),
            pod: Reference::read(own, "pod")?,
            secret: Reference::read(own, "secret")?,
            node: Reference::read(own, "node")?,
            warn_after: date(own, "warnafter")?,
        })
    }
}

impl<'v> Reference<'v> {
    fn read(binding: Object<'v>, kind: &str) -> Result<Option<Self>, String> {
        match binding.object(kind)? {
            Some(object) => Ok(Some(Self { name: object.string("name")?, uid: object.string("uid")? })),
            None => Ok(None),
        }
    }
}

impl<'v> LegacyBinding<'v> {
    pub(super) fn read(payload: Object<'v>) -> Result<Self, String> {
        Ok(Self {
            namespace: payload.string("kubernetes.io/serviceaccount/namespace")?,
            secret: payload.string("kubernetes.io/serviceaccount/secret.name")?,
            service_account: Reference {
                name: payload.string("kubernetes.io/serviceaccount/service-account.name")?,
                uid: payload.string("kubernetes.io/serviceaccount/service-account.uid")?,
            },
        })
    }
}

impl Date {
    /// How many whole seconds have passed since this date, if it is past. A date of 0 is none.
    pub(super) fn seconds_past(self, now: Timestamp) -> Option<i64> {
        let past = self.0 != 0 && instant(now) > self.instant();
        past.then(|| now.as_second().wrapping_sub(self.0))
    }

    // UPSTREAM: Go counts from the year 1 and wraps around; a date beyond what 64 bits of seconds
    // hold is the remotest past on amd64 (kube-apiserver 1.36)
    fn instant(self) -> i128 {
        i128::from(self.0.wrapping_add(YEAR_1_TO_1970)) * NANOSECONDS
    }
}

const NANOSECONDS: i128 = 1_000_000_000;
const YEAR_1_TO_1970: i64 = 62_135_596_800;

/// Nanoseconds since the beginning of the year 1.
fn instant(now: Timestamp) -> i128 {
    now.as_nanosecond() + i128::from(YEAR_1_TO_1970) * NANOSECONDS
}

fn date(object: Object<'_>, key: &str) -> Result<Option<Date>, String> {
    match object.get(key) {
        None => Ok(None),
        Some(Value::Number(number)) if (-TWO_TO_63..TWO_TO_63).contains(number) => {
            Ok(Some(Date(*number as i64)))
        }
        Some(Value::Number(_)) => Ok(Some(Date(i64::MIN))),
        Some(_) => Err("go-jose/go-jose/jwt: expected number value to unmarshal NumericDate".into()),
    }
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

fn audiences(payload: Object<'_>) -> Result<Vec<&str>, String> {
    let texts = match payload.get_or_null("aud") {
        None => Some(Vec::new()),
        Some(Value::String(one)) => Some(vec![one.as_str()]),
        Some(Value::Array(all)) => all
            .iter()
            .map(|audience| match audience {
                Value::String(text) => Some(text.as_str()),
                _ => None,
            })
            .collect(),
        Some(_) => None,
    };
    texts.ok_or_else(|| "go-jose/go-jose/jwt: expected string or array value to unmarshal to Audience".into())
}
