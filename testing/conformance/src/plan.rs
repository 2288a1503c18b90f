//! `runners.toml`: which file is run through which function, and who else calls that function.

use std::{collections::BTreeSet, fs, path::Path};

use serde::Deserialize;

/// The plan for all vector files.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Files that no issue has reached. The list only shrinks: [`Plan::check`] refuses a file that
    /// is here and has a runner.
    pub unreached: Vec<String>,
    /// Files that have a runner.
    pub runner: Vec<Planned>,
}

/// One file's runner.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// The vector file.
    pub file: String,
    /// The public function that decides.
    pub function: String,
    /// The source file, outside this package, that calls it in production.
    pub caller: String,
}

impl Plan {
    /// Reads `runners.toml`.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Checks the plan against the runners there are, the vector files there are, and the sources
    /// that are said to call the same functions. Returns what is wrong, a line each.
    pub fn check(&self, runners: &[&str], vectors: &Path, workspace: &Path) -> Vec<String> {
        let mut wrong = Vec::new();
        let planned: BTreeSet<&str> = self.runner.iter().map(|p| p.file.as_str()).collect();
        let unreached: BTreeSet<&str> = self.unreached.iter().map(String::as_str).collect();
        let running: BTreeSet<&str> = runners.iter().copied().collect();
        for file in running.symmetric_difference(&planned) {
            wrong.push(format!("{file}: stands in only one of runners.rs and runners.toml"));
        }
        for file in unreached.intersection(&running) {
            wrong.push(format!("{file}: has a runner, so strike it from `unreached` in runners.toml"));
        }
        let present = match fs::read_dir(vectors) {
            Ok(entries) => entries,
            Err(error) => return vec![format!("{}: {error}", vectors.display())],
        };
        for entry in present.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".jsonl")
                && !running.contains(name.as_str())
                && !unreached.contains(name.as_str())
            {
                wrong.push(format!("{name}: neither run nor listed as unreached"));
            }
        }
        for Planned { file, function, caller } in &self.runner {
            let called = function.rsplit("::").next().unwrap_or(function);
            match fs::read_to_string(workspace.join(caller)) {
                Ok(source) if names(&source, called) => {}
                Ok(_) => wrong.push(format!("{file}: {caller} does not call `{function}`")),
                Err(error) => wrong.push(format!("{file}: {caller}: {error}")),
            }
        }
        wrong
    }
}

/// Whether `source` calls a function of this name, outside comments.
fn names(source: &str, function: &str) -> bool {
    source.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        line.match_indices(function).any(|(at, _)| {
            let before = line.split_at(at).0.chars().next_back();
            let after = line.split_at(at + function.len()).1.chars().next();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_') && matches!(after, Some('(' | ':'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_caller_must_call() {
        assert!(names("let x = rbac.decide(&at);", "decide"));
        assert!(!names("// rbac.decide(&at)", "decide"));
        assert!(!names("let decided = 1;", "decide"));
        assert!(!names("fn undecide() {}", "decide"));
    }
}
