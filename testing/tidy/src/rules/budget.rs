//! How many crates the binary is built from.

use std::collections::BTreeSet;

/// The most there may be, build scripts and procedural macros among them.
pub const LIMIT: usize = 300;

/// The packages, by name and version, in what `cargo tree --prefix none` prints.
pub fn packages(tree: &str) -> BTreeSet<String> {
    let words = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    tree.lines().map(words).filter(|package| !package.is_empty()).collect()
}

/// Refuses a number over the limit.
pub fn judge(packages: &BTreeSet<String>) -> Result<(), String> {
    if packages.len() <= LIMIT {
        Ok(())
    } else {
        Err(format!("the binary is built from {} crates, the budget is {LIMIT}", packages.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_a_package_once() {
        let tree = "a v1.0.0 (/x/a)\nb v1.0.0 (proc-macro)\nc v2.0.0\nc v2.0.0 (*)\nc v1.0.0\n\n";
        assert_eq!(
            packages(tree).into_iter().collect::<Vec<_>>(),
            ["a v1.0.0", "b v1.0.0", "c v1.0.0", "c v2.0.0"]
        );
    }

    #[test]
    fn a_crate_too_many_is_refused() {
        let of = |count: usize| (0..count).map(|n| format!("c{n} v1.0.0")).collect();
        assert_eq!(judge(&of(LIMIT)), Ok(()));
        assert!(judge(&of(LIMIT + 1)).is_err());
    }
}
