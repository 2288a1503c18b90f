//! `cargo run --release -p decisions`: what a decision of layer 4 costs. docs/performance.md explains the tables.

mod changes;
mod clock;
mod first;
mod flood;
mod impersonation;
mod memory;
mod node;
mod rbac;
// The gate's own, and private there; it locks with `parking_lot`.
#[expect(dead_code, reason = "not all of it is measured")]
#[path = "../../../crates/app/gate/src/recent.rs"]
mod recent;
mod remember;
mod report;
mod worlds;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, ValueEnum};
use parking_lot as _;

use report::Report;

/// Measures decisions of layer 4 with few and with many objects, and fails where an aim is missed.
#[derive(Parser)]
pub(crate) struct Options {
    /// What to measure; everything, if nothing is named.
    sections: Vec<Section>,
    /// Worlds built anew for each figure that can be taken only once a world.
    #[arg(long, default_value_t = 7)]
    worlds: usize,
    /// Decisions for each figure that can be taken as often as one likes.
    #[arg(long, default_value_t = 200_000)]
    decisions: usize,
    /// Changes applied while readers decide.
    #[arg(long, default_value_t = 2_000)]
    changes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// What everything takes in memory.
    Memory,
    /// Decisions of RBAC.
    Rbac,
    /// The first decision in a world that has just been built.
    First,
    /// Changes to RBAC, and what readers notice of them.
    Changes,
    /// Ever new questions and identities, when memory is full.
    Flood,
    /// Users who act as somebody else.
    Impersonation,
    /// The Node authorizer.
    Node,
    /// What `explain --audit-id` needs of each request.
    Remember,
}

impl Section {
    fn measure(self, options: &Options) -> Vec<Report> {
        match self {
            Self::Memory => vec![memory::measure()],
            Self::Rbac => rbac::measure(options),
            Self::First => first::measure(options),
            Self::Changes => changes::measure(options),
            Self::Flood => vec![flood::measure()],
            Self::Impersonation => vec![impersonation::measure(options)],
            Self::Node => node::measure(options),
            Self::Remember => vec![remember::measure()],
        }
    }
}

fn main() -> io::Result<ExitCode> {
    let options = Options::parse();
    let all = Section::value_variants();
    let mut missed = Vec::new();
    let mut out = io::stdout().lock();
    for section in
        all.iter().filter(|section| options.sections.is_empty() || options.sections.contains(section))
    {
        for report in section.measure(&options) {
            writeln!(out, "{}\n\n{}\n", report.title, report.table())?;
            missed.extend(report.missed);
        }
    }
    for aim in &missed {
        writeln!(out, "missed: {aim}")?;
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
