//! Holds Portcullis to what kube-apiserver decided, case by case.
//!
//! A vector file is a list of cases: what went in, what came out. A runner turns `given` into a call
//! of the very function that the gate (or the lab, or a command) calls, and compares.

mod case;
mod flip;
pub mod runners;

pub use case::{Case, read_cases};
pub use flip::Flip;

/// How one case differs from its record; `Ok` means it is met.
pub type Outcome = Result<(), String>;

/// Runs one case. A runner passes the decision it got through [`Flip`] before it compares, so that
/// `--mutate` can prove that a wrong decision would be noticed.
pub type Run = fn(&Case, &mut Flip) -> Outcome;
