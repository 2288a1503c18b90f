//! The rules, one file a theme.

pub mod budget;
mod direction;
mod purity;
mod shape;
mod subjects;
mod unused;

use crate::{House, Violation};

/// Holds the house to every rule; the violations are sorted by file and line.
pub fn check(house: &House) -> Vec<Violation> {
    let rules: [fn(&House) -> Vec<Violation>; 5] =
        [direction::check, purity::check, subjects::check, shape::check, unused::check];
    let mut violations: Vec<Violation> = rules.iter().flat_map(|rule| rule(house)).collect();
    violations.sort();
    violations.dedup();
    violations
}

/// `("base", "types")` of `crates/base/types/…`.
fn crate_of(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.strip_prefix("crates/")?.splitn(3, '/');
    let place = (parts.next()?, parts.next()?);
    parts.next().map(|_| place)
}

fn violation(path: &str, line: usize, message: impl Into<String>) -> Violation {
    Violation { path: path.to_owned(), line, message: message.into() }
}

#[cfg(test)]
mod testing {
    use crate::{House, Violation};

    /// Runs a rule on a small house and compares what it says.
    pub(super) fn check(rule: fn(&House) -> Vec<Violation>, files: &[(&str, &str)], expected: &[&str]) {
        let house =
            House::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))).unwrap();
        let mut found: Vec<String> = rule(&house).iter().map(ToString::to_string).collect();
        found.sort();
        assert_eq!(found, expected, "{files:?}");
    }
}
