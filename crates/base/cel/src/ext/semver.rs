//! Semantic versions, as the `semver` library takes them.

use std::{any::Any, cmp::Ordering, fmt};

use super::{Args, Library, argument, quote::quote};
use crate::{EvalError, Opaque, Type, Value, value::count};

const SEMVER: Type = Type::Opaque("kubernetes.Semver");

/// Declares the library `semver`, version 1: the second argument asks for normalization.
pub(super) fn declare(library: &mut Library) {
    let two = [Type::String, Type::Bool];
    library.function("semver", "string_to_semver", [Type::String], SEMVER, |args| {
        value(Semver::parse(argument(args, 0)?.as_str()?))
    });
    library.function("semver", "string_bool_to_semver", two.clone(), SEMVER, |args| value(read(args)?));
    library.function("isSemver", "is_semver_string", [Type::String], Type::Bool, |args| {
        Ok(Value::Bool(Semver::parse(argument(args, 0)?.as_str()?).is_ok()))
    });
    library.function("isSemver", "is_semver_string_bool", two, Type::Bool, |args| {
        Ok(Value::Bool(read(args)?.is_ok()))
    });
    library.method("isGreaterThan", "semver_is_greater_than", [SEMVER, SEMVER], Type::Bool, |args| {
        Ok(Value::Bool(semver(args, 0)?.compare(semver(args, 1)?).is_gt()))
    });
    library.method("isLessThan", "semver_is_less_than", [SEMVER, SEMVER], Type::Bool, |args| {
        Ok(Value::Bool(semver(args, 0)?.compare(semver(args, 1)?).is_lt()))
    });
    library.method("compareTo", "semver_compare_to", [SEMVER, SEMVER], Type::Int, |args| {
        Ok(Value::Int(semver(args, 0)?.compare(semver(args, 1)?) as i64))
    });
    // UPSTREAM: numbers above the largest int wrap around (kube-apiserver 1.36)
    library.method("major", "semver_major", [SEMVER], Type::Int, |args| {
        Ok(Value::Int(semver(args, 0)?.major.cast_signed()))
    });
    library.method("minor", "semver_minor", [SEMVER], Type::Int, |args| {
        Ok(Value::Int(semver(args, 0)?.minor.cast_signed()))
    });
    library.method("patch", "semver_patch", [SEMVER], Type::Int, |args| {
        Ok(Value::Int(semver(args, 0)?.patch.cast_signed()))
    });
}

fn semver<'s>(args: Args<'s, '_>, at: usize) -> Result<&'s Semver, EvalError> {
    argument(args, at)?.as_opaque()
}

fn read(args: Args<'_, '_>) -> Result<Result<Semver, SemverError>, EvalError> {
    let text = argument(args, 0)?.as_str()?;
    Ok(if argument(args, 1)?.as_bool()? { Semver::parse_normalized(text) } else { Semver::parse(text) })
}

fn value<'a>(semver: Result<Semver, SemverError>) -> Result<Value<'a>, EvalError> {
    semver.map(Value::opaque).map_err(|error| EvalError::new(error.to_string()))
}

impl Opaque for Semver {
    fn type_name(&self) -> &'static str {
        "kubernetes.Semver"
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        Ok(other.as_any().downcast_ref::<Self>().is_some_and(|other| self.compare(other).is_eq()))
    }

    fn weight(&self) -> u64 {
        let word = |part: &Identifier| match part {
            Identifier::Number(_) => 1,
            Identifier::Word(word) => 1 + word.len() / 64,
        };
        count(1 + self.build.len() / 64 + self.prerelease.iter().map(word).sum::<usize>())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Why a text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SemverError {
    #[error("Version string empty")]
    Empty,
    #[error("No Major.Minor.Patch elements found")]
    Parts,
    #[error("Invalid character(s) found in {part} number {}", quote(.text))]
    Digits { part: &'static str, text: String },
    #[error("{part} number must not contain leading zeroes {}", quote(.text))]
    LeadingZero { part: &'static str, text: String },
    #[error("strconv.ParseUint: parsing {}: value out of range", quote(.0))]
    Range(String),
    #[error("Prerelease is empty")]
    EmptyPrerelease,
    #[error("Invalid character(s) found in prerelease {}", quote(.0))]
    Prerelease(String),
    #[error("Numeric PreRelease version must not contain leading zeroes {}", quote(.0))]
    PrereleaseZero(String),
    #[error("Build meta data is empty")]
    EmptyBuild,
    #[error("Invalid character(s) found in build meta data {}", quote(.0))]
    Build(String),
    #[error("short version cannot contain PreRelease/Build meta data")]
    Short,
}

/// A version; build metadata takes no part in comparisons, `==` included.
#[derive(Debug, Clone)]
struct Semver {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: Vec<Identifier>,
    build: String,
}

/// A part of a prerelease. The order of the variants is theirs: numbers before words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

impl Semver {
    /// Reads `major.minor.patch[-prerelease][+build]`.
    ///
    /// # Errors
    /// The text is no such version.
    fn parse(text: &str) -> Result<Self, SemverError> {
        if text.is_empty() {
            return Err(SemverError::Empty);
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SemverError::Parts);
        };
        let (major, minor) = (number("major", major)?, number("minor", minor)?);
        let (rest, build) = rest.split_once('+').map_or((rest, None), |(rest, build)| (rest, Some(build)));
        let (patch, prerelease) =
            rest.split_once('-').map_or((rest, None), |(patch, pre)| (patch, Some(pre)));
        Ok(Self {
            major,
            minor,
            patch: number("patch", patch)?,
            prerelease: prerelease.map_or(Ok(Vec::new()), |pre| pre.split('.').map(identifier).collect())?,
            build: build.map_or(Ok(String::new()), metadata)?,
        })
    }

    /// As [`Self::parse`], after dropping a `v` in front and leading zeros, and adding the missing
    /// `.0` of `1` and `1.2`.
    ///
    /// # Errors
    /// The text is no version even so.
    fn parse_normalized(text: &str) -> Result<Self, SemverError> {
        let mut parts: Vec<String> =
            text.strip_prefix('v').unwrap_or(text).splitn(3, '.').map(without_leading_zeros).collect();
        if parts.len() < 3 {
            if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
                return Err(SemverError::Short);
            }
            parts.resize(3, "0".to_owned());
        }
        Self::parse(&parts.join("."))
    }

    /// A prerelease comes before its release; a longer prerelease after its own beginning.
    fn compare(&self, other: &Self) -> Ordering {
        let core = |v: &Self| (v.major, v.minor, v.patch);
        core(self)
            .cmp(&core(other))
            .then_with(|| self.prerelease.is_empty().cmp(&other.prerelease.is_empty()))
            .then_with(|| self.prerelease.cmp(&other.prerelease))
    }
}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        for (i, identifier) in self.prerelease.iter().enumerate() {
            f.write_str(if i == 0 { "-" } else { "." })?;
            match identifier {
                Identifier::Number(number) => write!(f, "{number}")?,
                Identifier::Word(word) => f.write_str(word)?,
            }
        }
        if self.build.is_empty() { Ok(()) } else { write!(f, "+{}", self.build) }
    }
}

fn number(part: &'static str, text: &str) -> Result<u64, SemverError> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SemverError::Digits { part, text: text.to_owned() });
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(SemverError::LeadingZero { part, text: text.to_owned() });
    }
    text.parse().map_err(|_| SemverError::Range(text.to_owned()))
}

fn identifier(text: &str) -> Result<Identifier, SemverError> {
    if text.is_empty() {
        return Err(SemverError::EmptyPrerelease);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        if text.len() > 1 && text.starts_with('0') {
            return Err(SemverError::PrereleaseZero(text.to_owned()));
        }
        return text.parse().map(Identifier::Number).map_err(|_| SemverError::Range(text.to_owned()));
    }
    if !is_word(text) {
        return Err(SemverError::Prerelease(text.to_owned()));
    }
    Ok(Identifier::Word(text.to_owned()))
}

fn metadata(text: &str) -> Result<String, SemverError> {
    for part in text.split('.') {
        if part.is_empty() {
            return Err(SemverError::EmptyBuild);
        }
        if !is_word(part) {
            return Err(SemverError::Build(part.to_owned()));
        }
    }
    Ok(text.to_owned())
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A zero stays where no digit would be left: `00` and `0-rc` keep one.
fn without_leading_zeros(part: &str) -> String {
    if part.len() < 2 {
        return part.to_owned();
    }
    let rest = part.trim_start_matches('0');
    if rest.starts_with(|c: char| c.is_ascii_digit()) { rest.to_owned() } else { format!("0{rest}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parsed() {
        let check = |text: &str, strict: Option<&str>, normalized: Option<&str>| {
            let show = |v: Result<Semver, SemverError>| v.ok().map(|v| v.to_string());
            assert_eq!(show(Semver::parse(text)).as_deref(), strict, "{text}");
            assert_eq!(show(Semver::parse_normalized(text)).as_deref(), normalized, "{text}");
        };
        check("1.2.3", Some("1.2.3"), Some("1.2.3"));
        check("1.2.3-rc.1+b.01", Some("1.2.3-rc.1+b.01"), Some("1.2.3-rc.1+b.01"));
        check("1.2.3+a-b", Some("1.2.3+a-b"), Some("1.2.3+a-b"));
        check("v1.0", None, Some("1.0.0"));
        check("v1", None, Some("1.0.0"));
        check("01.02.03", None, Some("1.2.3"));
        check("1.2.00", None, Some("1.2.0"));
        check("1.2.00-rc", None, Some("1.2.0-rc"));
        check("1.2-rc", None, None);
        check("vv1.2.3", None, None);
        check("", None, None);
        check("v", None, None);
        check("1.2.3.4", None, None);
        check("1.2.3-", None, None);
        check("1.2.3-01", None, None);
        check("1.2.3-0a", Some("1.2.3-0a"), Some("1.2.3-0a"));
        check("1.2.3+", None, None);
        check("1.2.3-é", None, None);
        check(" 1.2.3", None, None);
        check("18446744073709551616.0.0", None, None);
    }

    #[test]
    fn ordered() {
        let ascending = [
            "0.9.9",
            "1.0.0-1",
            "1.0.0-9",
            "1.0.0-10",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-beta",
            "1.0.0",
            "1.0.1",
            "1.1.0",
            "2.0.0",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                let (a, b) = (Semver::parse(a).unwrap(), Semver::parse(b).unwrap());
                assert_eq!(a.compare(&b), i.cmp(&j), "{a} {b}");
            }
        }
        let build = |text| Semver::parse(text).unwrap();
        assert_eq!(build("1.0.0+a").compare(&build("1.0.0+b")), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,24}", near in "v?[0-9.]{0,12}[-+.a-z0-9]{0,12}") {
            for text in [text, near] {
                let _ = Semver::parse(&text).map(|v| v.to_string());
                if let Ok(version) = Semver::parse_normalized(&text) {
                    prop_assert_eq!(Semver::parse(&version.to_string()).unwrap().compare(&version), Ordering::Equal);
                }
            }
        }
    }
}
