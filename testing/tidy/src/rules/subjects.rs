//! Each foreign subject lives in one crate, so that replacing it touches one crate.

use super::violation;
use crate::{House, Violation};

/// The package, as manifests and as sources spell it, and the crate that may name it.
const HOMES: &[(&str, &str, &str)] = &[
    ("rustls", "rustls", "crates/io/tls"),
    ("tokio-rustls", "tokio_rustls", "crates/io/tls"),
    ("serde-saphyr", "serde_saphyr", "crates/io/config"),
    ("clap", "clap", "crates/app/portcullis"),
    ("clap_complete", "clap_complete", "crates/app/portcullis"),
    ("clap_mangen", "clap_mangen", "crates/app/portcullis"),
];

/// Tests of any crate, and what is not under `crates`, may name anything.
pub(super) fn check(house: &House) -> Vec<Violation> {
    let strays = |path: &str, home: &str| {
        path.starts_with("crates/") && !path.strip_prefix(home).is_some_and(|rest| rest.starts_with('/'))
    };
    let mut violations = Vec::new();
    for (path, source) in house.sources() {
        for token in &source.shipped {
            if let Some((_, name, home)) = HOMES.iter().find(|(_, name, _)| *name == token.text)
                && strays(path, home)
            {
                violations.push(violation(path, token.line, format!("`{name}` is named in `{home}` only")));
            }
        }
    }
    for (path, manifest) in house.manifests() {
        for dependency in manifest.dependencies.iter().filter(|dependency| !dependency.dev) {
            if let Some((name, _, home)) = HOMES.iter().find(|(name, ..)| *name == dependency.name)
                && strays(path, home)
            {
                let message = format!("`{name}` is depended on by `{home}` only");
                violations.push(violation(path, dependency.line, message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_subject_has_one_home() {
        let check = |files: &[(&str, &str)], expected: &[&str]| {
            super::super::testing::check(super::check, files, expected);
        };
        let tls = "use rustls::ServerConfig;";
        check(&[("crates/io/tls/src/lib.rs", tls), ("testing/testkit/src/lib.rs", tls)], &[]);
        check(
            &[("crates/io/tls2/src/lib.rs", tls)],
            &["crates/io/tls2/src/lib.rs:1: `rustls` is named in `crates/io/tls` only"],
        );
        check(
            &[("crates/app/lab/src/a.rs", "\nfn f() { serde_saphyr::from_str(t) }")],
            &["crates/app/lab/src/a.rs:2: `serde_saphyr` is named in `crates/io/config` only"],
        );
        check(&[("crates/app/lab/src/a.rs", "#[cfg(test)] mod tests { use clap::Parser; }")], &[]);
        check(
            &[("crates/app/gate/Cargo.toml", "[package]\nname = \"gate\"\n[dependencies]\nclap = \"4\"\n")],
            &["crates/app/gate/Cargo.toml:4: `clap` is depended on by `crates/app/portcullis` only"],
        );
    }
}
