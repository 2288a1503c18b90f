//! `portcullis`: a gate in front of the Kubernetes API.

mod commands;
mod exit;

use std::process::ExitCode;

use clap::Parser;

/// A gate in front of the Kubernetes API: checks every request in six layers before it gets there.
#[derive(Parser)]
#[command(name = "portcullis", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    // Before clap sees them: it knows only the flags that the gate takes.
    let arguments = match commands::serve::take_out_flags(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(refused) => return exit::fail(exit::USAGE, &refused),
    };
    match Cli::parse_from(arguments).command.run() {
        Ok(code) => ExitCode::from(code),
        Err(failure) => exit::fail(failure.code, &failure.message),
    }
}
