//! The workspace as a map from path to text.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use toml::Table;

use crate::Source;

/// What is read: everything else in the workspace is data or documents.
const FOLDERS: [&str; 5] = ["crates", "testing", "e2e", "bench", "fuzz"];

/// All sources and manifests of the workspace.
#[derive(Debug, Default)]
pub struct House {
    sources: BTreeMap<String, Source>,
    manifests: BTreeMap<String, Manifest>,
}

/// A `Cargo.toml`.
#[derive(Debug)]
pub struct Manifest {
    /// Of the package.
    pub name: String,
    /// Normal, build and dev dependencies.
    pub dependencies: Vec<Dependency>,
    /// Whether the package takes the workspace's lints.
    pub takes_lints: bool,
}

/// One dependency.
#[derive(Debug)]
pub struct Dependency {
    /// Of the package depended on.
    pub name: String,
    /// What sources call it.
    pub import: String,
    /// Where the manifest says so.
    pub line: usize,
    /// Only for tests, examples and benches.
    pub dev: bool,
}

impl House {
    /// Reads the workspace at `root`.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for folder in FOLDERS {
            read_folder(&root.join(folder), folder, &mut files)?;
        }
        Self::new(files)
    }

    /// A house of these files, paths relative to the workspace.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> io::Result<Self> {
        let mut house = Self::default();
        for (path, text) in files {
            let invalid = |error: String| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{path}: cannot be read: {error}"))
            };
            if path.ends_with(".rs") {
                house.sources.insert(path.clone(), Source::parse(&text).map_err(invalid)?);
            } else if path.ends_with("Cargo.toml") {
                house.manifests.insert(path.clone(), Manifest::parse(&text).map_err(invalid)?);
            }
        }
        house.mark_tests();
        Ok(house)
    }

    /// Files that belong to tests by their place, or because their module is declared under
    /// `#[cfg(test)]`.
    fn mark_tests(&mut self) {
        let declared: BTreeSet<String> = self
            .sources
            .iter()
            .flat_map(|(path, source)| {
                let home = match path.strip_suffix(".rs") {
                    Some(stem) if !path.ends_with("/lib.rs") && !path.ends_with("/main.rs") => stem,
                    _ => path.rsplit_once('/').map_or("", |(folder, _)| folder),
                };
                source.test_modules.iter().map(move |module| format!("{home}/{module}"))
            })
            .collect();
        for (path, source) in &mut self.sources {
            let stem = path.strip_suffix(".rs").unwrap_or(path);
            let by_place = stem.split('/').any(|part| matches!(part, "tests" | "benches"));
            let by_declaration = declared.iter().any(|module| {
                stem.strip_prefix(module.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'))
            });
            if by_place || by_declaration {
                source.make_test();
            }
        }
    }

    /// Every source with its path.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.sources.iter().map(|(path, source)| (path.as_str(), source))
    }

    /// Every manifest with its path.
    pub fn manifests(&self) -> impl Iterator<Item = (&str, &Manifest)> {
        self.manifests.iter().map(|(path, manifest)| (path.as_str(), manifest))
    }
}

impl Manifest {
    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
        let name =
            table.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str()).unwrap_or_default();
        let mut dependencies = Vec::new();
        collect(&table, text, &mut dependencies);
        for target in table.get("target").and_then(|t| t.as_table()).into_iter().flat_map(Table::values) {
            if let Some(target) = target.as_table() {
                collect(target, text, &mut dependencies);
            }
        }
        let lints = table.get("lints").and_then(|l| l.get("workspace")).and_then(toml::Value::as_bool);
        Ok(Self { name: name.to_owned(), dependencies, takes_lints: lints == Some(true) })
    }
}

fn collect(table: &Table, text: &str, into: &mut Vec<Dependency>) {
    for (section, dev) in [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
    {
        for (key, value) in table.get(section).and_then(|s| s.as_table()).into_iter().flatten() {
            let renamed = value.get("package").and_then(|p| p.as_str());
            into.push(Dependency {
                name: renamed.unwrap_or(key).to_owned(),
                import: key.replace('-', "_"),
                line: line_of(text, section, key),
                dev,
            });
        }
    }
}

/// The line that names `key` in `section`; 1 where it is written in a way we do not look for.
fn line_of(text: &str, section: &str, key: &str) -> usize {
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(header) = line.trim().strip_prefix('[') {
            let header = header.trim_end_matches(']');
            if header.ends_with(&format!("{section}.{key}")) {
                return index + 1;
            }
            inside = header == section || header.ends_with(&format!(".{section}"));
        } else if inside && line.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ' ', '='])) {
            return index + 1;
        }
    }
    1
}

fn read_folder(folder: &Path, path: &str, into: &mut Vec<(String, String)>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{path}/{name}");
        if entry.file_type()?.is_dir() {
            if name != "target" && !name.starts_with('.') {
                read_folder(&entry.path(), &path, into)?;
            }
        } else if path.ends_with(".rs") || name == "Cargo.toml" {
            into.push((path, fs::read_to_string(entry.path())?));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(files: &[(&str, &str)]) -> House {
        House::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))).unwrap()
    }

    #[test]
    fn knows_which_files_are_tests() {
        let house = house(&[
            ("crates/base/a/src/lib.rs", "mod b; #[cfg(test)] mod checks;"),
            ("crates/base/a/src/b.rs", "#[cfg(test)] mod cases; mod plain;"),
            ("crates/base/a/src/b/cases.rs", "fn f() {}"),
            ("crates/base/a/src/b/cases/deep.rs", "fn f() {}"),
            ("crates/base/a/src/b/plain.rs", "fn f() {}"),
            ("crates/base/a/src/checks.rs", "fn f() {}"),
            ("crates/base/a/src/c/tests.rs", "fn f() {}"),
            ("crates/base/a/tests/d.rs", "fn f() {}"),
        ]);
        let shipped: Vec<&str> =
            house.sources().filter(|(_, source)| !source.shipped.is_empty()).map(|(path, _)| path).collect();
        assert_eq!(
            shipped,
            ["crates/base/a/src/b.rs", "crates/base/a/src/b/plain.rs", "crates/base/a/src/lib.rs"]
        );
    }

    #[test]
    fn reads_dependencies_with_their_lines() {
        let manifest = Manifest::parse(
            "[package]\nname = \"a\"\n\n[dependencies]\ntypes.workspace = true\nx = { package = \"y\" }\n\n\
             [dev-dependencies]\ntypes.workspace = true\n[target.'cfg(unix)'.dependencies]\nz = \"1\"\n\
             [dependencies.w]\nversion = \"1\"\n",
        )
        .unwrap();
        let mut found: Vec<_> =
            manifest.dependencies.iter().map(|d| (d.name.as_str(), d.line, d.dev)).collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [("types", 5, false), ("types", 9, true), ("w", 12, false), ("y", 6, false), ("z", 11, false)]
        );
        assert!(!manifest.takes_lints);
    }
}
