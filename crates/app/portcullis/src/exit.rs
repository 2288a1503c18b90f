//! What the process ends with.

use std::{fmt, io::Write, process::ExitCode};

/// All is as it should be.
pub(crate) const FINE: u8 = 0;
/// It ran, and found something.
pub(crate) const FINDINGS: u8 = 1;
/// It was called wrongly.
pub(crate) const USAGE: u8 = 2;
/// It could not run.
pub(crate) const COULD_NOT_RUN: u8 = 3;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { code: USAGE, message: message.to_string() }
    }

    pub(crate) fn could_not_run(message: impl fmt::Display) -> Self {
        Self { code: COULD_NOT_RUN, message: message.to_string() }
    }
}

/// Says what is wrong, on standard error.
pub(crate) fn fail(code: u8, message: &str) -> ExitCode {
    let red = anstyle::AnsiColor::Red.on_default();
    // Nobody is left to be told that standard error is closed.
    drop(writeln!(anstream::stderr(), "{red}error:{red:#} {message}"));
    ExitCode::from(code)
}

/// Says what should be different, on standard error.
pub(crate) fn warn(message: &str) {
    let yellow = anstyle::AnsiColor::Yellow.on_default();
    drop(writeln!(anstream::stderr(), "{yellow}warning:{yellow:#} {message}"));
}

/// Prints one line for people, on standard output.
pub(crate) fn say(message: &str) -> Result<(), Failure> {
    writeln!(anstream::stdout(), "{message}").map_err(Failure::could_not_run)
}
