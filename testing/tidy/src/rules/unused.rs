//! A package names every crate that it depends on, and those that only its tests name are
//! dev-dependencies: what nobody uses is still built, audited and counted.
//!
//! `fuzz` is left out: it includes files of other packages, which name what it does not.

use super::violation;
use crate::{Dependency, House, Source, Token, Violation};

pub(super) fn check(house: &House) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, manifest) in house.manifests() {
        let Some(folder) = path.strip_suffix("Cargo.toml").filter(|folder| *folder != "fuzz/") else {
            continue;
        };
        let sources: Vec<&Source> = house
            .sources()
            .filter(|(source, _)| source.starts_with(folder))
            .map(|(_, source)| source)
            .collect();
        for dependency in &manifest.dependencies {
            let Dependency { name, import, line, dev } = dependency;
            let in_code = sources.iter().any(|source| names(&source.shipped, import));
            if in_code || *dev && sources.iter().any(|source| names(&source.tokens, import)) {
                continue;
            }
            let message = match sources.iter().any(|source| names(&source.tokens, import)) {
                true => format!("only tests name `{name}`: make it a dev-dependency"),
                false => format!("nothing names `{name}`: drop it"),
            };
            violations.push(violation(path, *line, message));
        }
    }
    violations
}

/// Whether the crate occurs as the beginning of a path, or behind `use`.
fn names(tokens: &[Token], import: &str) -> bool {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    tokens.iter().enumerate().any(|(index, token)| {
        token.text == import
            && (text(index + 1) == ":" && text(index + 2) == ":"
                || index.checked_sub(1).is_some_and(|before| text(before) == "use"))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_dependency_is_named() {
        let check = |section: &str, text: &str, expected: &[&str]| {
            let manifest = format!("[package]\nname = \"a\"\n[{section}]\nx-y.workspace = true\n");
            let files = [("crates/io/a/Cargo.toml", manifest.as_str()), ("crates/io/a/src/lib.rs", text)];
            super::super::testing::check(super::check, &files, expected);
        };
        let unused = &["crates/io/a/Cargo.toml:4: nothing names `x-y`: drop it"][..];
        let in_tests = &["crates/io/a/Cargo.toml:4: only tests name `x-y`: make it a dev-dependency"][..];
        for section in ["dependencies", "dev-dependencies"] {
            check(section, "use x_y::z;", &[]);
            check(section, "use x_y as z;", &[]);
            check(section, "#[derive(x_y::Z)] struct A;", &[]);
            check(section, "// x_y::z\nfn f(x_y: u8) -> u8 { x_y }", unused);
        }
        check("dependencies", "#[cfg(test)] mod tests { use x_y::z; }", in_tests);
        check("dev-dependencies", "#[cfg(test)] mod tests { use x_y::z; }", &[]);
    }
}
