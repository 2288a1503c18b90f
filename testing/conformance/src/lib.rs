//! Holds Portcullis to what kube-apiserver decided, case by case.
//!
//! A vector file is a list of cases: what went in, what came out. A runner turns `given` into a call
//! of the very function that the gate (or the lab, or a command) calls, and compares. `runners.toml`
//! says which function that is and who else calls it; `ledger.toml` holds the cases that are not met,
//! each with a reason that a user would accept.

mod case;
mod flip;
mod given;
mod ledger;
mod plan;
mod report;
pub mod runners;
pub mod socket;
mod webhook_server;

use std::{
    env,
    path::{Path, PathBuf},
};

pub use case::{Case, read_cases};
pub use flip::Flip;
pub use ledger::{Ledger, NEVER_LEDGERED};
pub use plan::{Plan, Planned};
pub use report::{Mode, run_file};

/// How one case differs from its record; `Ok` means it is met.
pub type Outcome = Result<(), String>;

/// Runs one case. A runner passes the decision it got through [`Flip`] before it compares, so that
/// `--mutate` can prove that a wrong decision would be noticed.
pub type Run = fn(&Case, &mut Flip) -> Outcome;

/// This package's folder: the ledger, the plan and the vectors lie in it.
pub const HOME: &str = env!("CARGO_MANIFEST_DIR");

/// The folder of the vectors: `PORTCULLIS_VECTORS`, or the project's own.
pub fn vectors() -> PathBuf {
    env::var_os("PORTCULLIS_VECTORS").map_or_else(|| Path::new(HOME).join("vectors"), PathBuf::from)
}
