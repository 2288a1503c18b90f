//! What a file, a folder and an attribute may look like.

use std::collections::BTreeMap;

use super::{crate_of, violation};
use crate::{House, Violation};

/// Lines of a file, its tests not counted. 400 is what we aim at.
const WALL: usize = 800;

pub(super) fn check(house: &House) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, source) in house.sources() {
        if source.shipped_lines > WALL && !is_table(path) {
            let message = format!("{} lines without tests, the wall is {WALL}", source.shipped_lines);
            violations.push(violation(path, WALL + 1, message));
        }
        if path.ends_with("/mod.rs") {
            violations.push(violation(
                path,
                1,
                "a module `foo` is `foo.rs` with `foo/` beside it, not `mod.rs`",
            ));
        }
        for (line, attribute) in attributes(source) {
            match attribute {
                "ignore" => violations.push(violation(path, line, "a test that is ignored proves nothing")),
                "allow" => {
                    let message = "`#[allow]` outlives its reason: write `#[expect(…, reason = \"…\")]`";
                    violations.push(violation(path, line, message));
                }
                _ => {}
            }
        }
    }
    for (path, manifest) in house.manifests() {
        if !manifest.takes_lints && !path.starts_with("fuzz/") {
            violations.push(violation(
                path,
                1,
                "the workspace's lints are not taken: `[lints] workspace = true`",
            ));
        }
    }
    violations.extend(empty_crates(house));
    violations
}

/// A table is data that happens to be Rust: a file `table.rs`, `tables.rs` or `…_table.rs`, or any
/// file in a folder `tables`.
fn is_table(path: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    matches!(file, "table.rs" | "tables.rs") || file.ends_with("_table.rs") || folder.ends_with("/tables")
}

/// Names of attributes that we look for, also inside `cfg_attr`.
fn attributes(source: &crate::Source) -> Vec<(usize, &str)> {
    let texts: Vec<&str> = source.tokens.iter().map(|token| token.text.as_str()).collect();
    let mut found = Vec::new();
    let mut open = None;
    let mut depth = 0_usize;
    for (index, token) in source.tokens.iter().enumerate() {
        let before = |n: usize| index.checked_sub(n).and_then(|at| texts.get(at)).copied();
        match token.text.as_str() {
            "[" => {
                if open.is_none()
                    && (before(1) == Some("#") || before(1) == Some("!") && before(2) == Some("#"))
                {
                    open = Some(depth);
                }
                depth += 1;
            }
            "]" => {
                depth = depth.saturating_sub(1);
                if open == Some(depth) {
                    open = None;
                }
            }
            name if open.is_some() && matches!(before(1), Some("[" | "," | "(")) => {
                found.push((token.line, name));
            }
            _ => {}
        }
    }
    found
}

/// A crate is created when its first code is; a file of nothing but comments is no code.
fn empty_crates(house: &House) -> Vec<Violation> {
    let mut code: BTreeMap<String, usize> = BTreeMap::new();
    for (path, _) in house.manifests() {
        if let Some((folder, name)) = crate_of(path) {
            code.entry(format!("crates/{folder}/{name}")).or_default();
        }
    }
    for (path, source) in house.sources() {
        if let Some((folder, name)) = crate_of(path) {
            *code.entry(format!("crates/{folder}/{name}")).or_default() += items(&source.shipped);
        }
    }
    let empty = code.into_iter().filter(|(_, items)| *items == 0);
    empty
        .map(|(path, _)| violation(&path, 1, "a crate without code: it is created when its first code is"))
        .collect()
}

/// How much there is beside comments: doc comments are attributes with a literal, and an empty
/// `main` is no code either.
fn items(tokens: &[crate::Token]) -> usize {
    let is_item = |text: &str| {
        matches!(text, "struct" | "enum" | "trait" | "impl" | "mod" | "use" | "const" | "macro_rules")
    };
    let named = tokens.iter().filter(|token| is_item(&token.text)).count();
    let functions = tokens
        .windows(2)
        .filter(|pair| matches!(pair, [keyword, name] if keyword.text == "fn" && name.text != "main"));
    named + functions.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        super::super::testing::check(super::check, files, expected);
    }

    #[test]
    fn a_file_has_a_wall() {
        let long = "const A: u8 = 1;\n".repeat(WALL + 1);
        let tests = format!("const A: u8 = 1;\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        let wall = "e2e/src/lib.rs:801: 801 lines without tests, the wall is 800";
        check(&[("e2e/src/lib.rs", &long)], &[wall]);
        check(&[("e2e/src/lib.rs", long.trim_start_matches("const A: u8 = 1;\n"))], &[]);
        check(&[("e2e/src/lib.rs", &tests), ("e2e/src/a/tests.rs", &long), ("e2e/tests/a.rs", &long)], &[]);
        check(&[("e2e/src/kinds_table.rs", &long), ("e2e/src/tables/a.rs", &long)], &[]);
    }

    #[test]
    fn modules_have_names() {
        check(
            &[("e2e/src/a/mod.rs", "")],
            &["e2e/src/a/mod.rs:1: a module `foo` is `foo.rs` with `foo/` beside it, not `mod.rs`"],
        );
    }

    #[test]
    fn tests_run_and_lints_hold() {
        let allow = "`#[allow]` outlives its reason: write `#[expect(…, reason = \"…\")]`";
        let at = |line: usize| format!("e2e/src/a.rs:{line}: {allow}");
        check(&[("e2e/src/a.rs", "\n#[allow(clippy::unwrap_used)]\nfn f() {}")], &[&at(2)]);
        check(&[("e2e/src/a.rs", "#![allow(dead_code)]")], &[&at(1)]);
        check(&[("e2e/src/a.rs", "#[cfg_attr(unix, allow(dead_code))] fn f() {}")], &[&at(1)]);
        check(
            &[("e2e/src/a.rs", "#[expect(dead_code, reason = \"…\")] fn f() { allow(); x[allow(1)]; }")],
            &[],
        );
        check(
            &[("e2e/src/a.rs", "#[cfg(test)]\nmod t {\n#[test]\n#[ignore = \"slow\"]\nfn f() {} }")],
            &["e2e/src/a.rs:4: a test that is ignored proves nothing"],
        );
        check(
            &[("e2e/Cargo.toml", "[package]\nname = \"e2e\"\n")],
            &["e2e/Cargo.toml:1: the workspace's lints are not taken: `[lints] workspace = true`"],
        );
    }

    #[test]
    fn a_crate_has_code() {
        let manifest = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n";
        let empty = "crates/io/a:1: a crate without code: it is created when its first code is";
        check(&[("crates/io/a/Cargo.toml", manifest)], &[empty]);
        check(&[("crates/io/a/Cargo.toml", manifest), ("crates/io/a/src/lib.rs", "//! Soon.\n")], &[empty]);
        check(&[("crates/io/a/Cargo.toml", manifest), ("crates/io/a/src/main.rs", "fn main() {}")], &[empty]);
        check(&[("crates/io/a/Cargo.toml", manifest), ("crates/io/a/src/lib.rs", "pub fn f() {}")], &[]);
    }
}
