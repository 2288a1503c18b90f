//! Who may depend on whom: `base` ← `layers` ← `insight`, `io` ← `app`.

use std::collections::BTreeMap;

use super::{crate_of, violation};
use crate::{House, Violation};

/// What the crates of a folder may depend on. Layers do not know each other: their folder is
/// missing in their own line.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("base", &["base"]),
    ("layers", &["base"]),
    ("insight", &["base", "layers", "insight"]),
    ("io", &["base", "layers", "io"]),
    ("app", &["base", "layers", "insight", "io", "app"]),
];

pub(super) fn check(house: &House) -> Vec<Violation> {
    // A package outside `crates` is for tests; its folder is its first part.
    let folders: BTreeMap<&str, &str> = house
        .manifests()
        .map(|(path, manifest)| {
            let outside = path.split('/').next().unwrap_or_default();
            (manifest.name.as_str(), crate_of(path).map_or(outside, |(folder, _)| folder))
        })
        .collect();
    let mut violations = Vec::new();
    for (path, manifest) in house.manifests() {
        let Some((folder, _)) = crate_of(path) else { continue };
        let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == folder) else {
            violations.push(violation(path, 1, format!("`crates/{folder}` is no folder of the layout")));
            continue;
        };
        for dependency in &manifest.dependencies {
            let Some(used) = folders.get(dependency.name.as_str()) else { continue };
            let is_allowed = may_use.contains(used) || dependency.dev && *used == "testing";
            if !is_allowed {
                violations.push(violation(
                    path,
                    dependency.line,
                    format!("a crate of `{folder}` may not depend on `{}` of `{used}`", dependency.name),
                ));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    #[test]
    fn arrows_point_one_way() {
        fn check(from: &str, section: &str, to: &str, expected: &[&str]) {
            let manifest = format!("[package]\nname = \"a\"\n[{section}]\nb.workspace = true\n");
            let files = [(from, manifest.as_str()), (to, "[package]\nname = \"b\"\n")];
            super::super::testing::check(super::check, &files, expected);
        }
        let (base, layer, other) =
            ("crates/base/a/Cargo.toml", "crates/layers/a/Cargo.toml", "crates/layers/b/Cargo.toml");
        check(layer, "dependencies", "crates/base/b/Cargo.toml", &[]);
        check("crates/io/a/Cargo.toml", "dependencies", other, &[]);
        check(layer, "dev-dependencies", "testing/b/Cargo.toml", &[]);
        let refused = "crates/layers/a/Cargo.toml:4: a crate of `layers` may not depend on `b` of";
        check(layer, "dependencies", other, &[&format!("{refused} `layers`")]);
        check(layer, "dev-dependencies", other, &[&format!("{refused} `layers`")]);
        check(layer, "dependencies", "crates/io/b/Cargo.toml", &[&format!("{refused} `io`")]);
        check(layer, "dependencies", "testing/b/Cargo.toml", &[&format!("{refused} `testing`")]);
        check(
            base,
            "build-dependencies",
            other,
            &["crates/base/a/Cargo.toml:4: a crate of `base` may not depend on `b` of `layers`"],
        );
        check(
            "crates/io/a/Cargo.toml",
            "dependencies",
            "crates/insight/b/Cargo.toml",
            &["crates/io/a/Cargo.toml:4: a crate of `io` may not depend on `b` of `insight`"],
        );
        check(
            "crates/util/a/Cargo.toml",
            "dependencies",
            base,
            &["crates/util/a/Cargo.toml:1: `crates/util` is no folder of the layout"],
        );
    }
}
