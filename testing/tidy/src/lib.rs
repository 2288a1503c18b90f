//! Keeps the rules of the layout: what ARCHITECTURE.md says, a test holds.
//!
//! `cargo test -p tidy` prints each violation as `file:line: what is wrong`. A rule reads files as
//! text or as tokens and knows nothing of a file system, so that each can be shown a small house in
//! which it must fail.

mod house;
mod rules;
mod source;

use std::fmt;

pub use house::{Dependency, House, Manifest};
pub use rules::{budget, check};
pub use source::{Source, Token};

/// One place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Relative to the workspace.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// The rule, and what breaks it.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

#[cfg(test)]
mod tests {
    use std::{env, path::Path, process::Command};

    use super::*;

    /// Three levels up from here.
    fn workspace() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
    }

    #[test]
    fn the_house_is_tidy() {
        let house = House::read(workspace()).unwrap();
        assert!(house.sources().count() > 50, "most sources were not found");
        let violations = check(&house);
        let report: Vec<String> = violations.iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{} violations:\n{}", report.len(), report.join("\n"));
    }

    #[test]
    fn the_binary_keeps_its_budget() {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let arguments = "tree --package portcullis --edges normal,build --prefix none --locked --offline";
        let output = Command::new(cargo).args(arguments.split(' ')).current_dir(workspace()).output();
        match output {
            Err(error) => println!("left out, cargo cannot be run: {error}"),
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                let packages = budget::packages(&String::from_utf8(output.stdout).unwrap());
                println!("{} of {} crates in the binary", packages.len(), budget::LIMIT);
                assert_eq!(budget::judge(&packages), Ok(()));
            }
        }
    }
}
