//! Where programs that nobody here wrote are found.

use std::{env, fmt, path::PathBuf};

/// A program that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped: {}", self.0)
    }
}

/// What a variable of the environment names, or else a program of this name on the PATH.
pub fn find(variable: &str, name: Option<&str>) -> Result<PathBuf, Missing> {
    if let Some(path) = env::var_os(variable) {
        return Ok(path.into());
    }
    let on_path = |name| {
        env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
    };
    name.and_then(on_path).ok_or_else(|| Missing(format!("{variable} names no program")))
}

/// Whether nothing may be skipped, as in CI.
pub fn require() -> bool {
    env::var_os("PORTCULLIS_REQUIRE_ALL").is_some()
}
