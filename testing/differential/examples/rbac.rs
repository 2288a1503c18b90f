//! `cargo run --release -p differential --example rbac -- --triples 1000000 --seed 7`

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use differential::{Mutant, Tally, run};

/// Compares the RBAC engine with a naive reading of the rules.
#[derive(Parser)]
struct Options {
    /// Triples of user, request and state of the world to decide.
    #[arg(long, default_value_t = 1_000_000)]
    triples: u64,
    /// The same seed asks the same questions.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plants mistakes instead, one after another; each must be noticed within the triples.
    #[arg(long)]
    mutate: bool,
}

/// Less than the one or more than the other, and the comparison has lost its balance.
const PERCENT_ALLOWED: std::ops::RangeInclusive<u64> = 30..=70;

fn main() -> io::Result<ExitCode> {
    let options = Options::parse();
    let as_it_must_be = if options.mutate { mutate(&options)? } else { compare(&options)? };
    Ok(if as_it_must_be { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn compare(options: &Options) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let mut tally = Tally::default();
    let outcome = run(options.seed, options.triples, None, &mut tally);
    let percent = tally.percent_allowed();
    let Tally { decisions, worlds, changes, .. } = tally;
    let seed = options.seed;
    writeln!(
        out,
        "seed {seed}: {decisions} decisions, {percent} % allowed, {worlds} worlds, {changes} changes"
    )?;
    if let Err(difference) = outcome {
        writeln!(out, "a difference\n{difference}")?;
        return Ok(false);
    }
    if !PERCENT_ALLOWED.contains(&percent) {
        writeln!(out, "{percent} % allowed: too far from the middle to say much")?;
        return Ok(false);
    }
    writeln!(out, "no difference")?;
    Ok(true)
}

fn mutate(options: &Options) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let mut survivors = 0;
    for mutant in Mutant::ALL {
        let mut tally = Tally::default();
        if run(options.seed, options.triples, Some(mutant), &mut tally).is_err() {
            writeln!(out, "{mutant:?}: noticed at decision {}", tally.decisions)?;
        } else {
            writeln!(out, "{mutant:?}: SURVIVED {} decisions", tally.decisions)?;
            survivors += 1;
        }
    }
    writeln!(out, "seed {}: {} mistakes, {survivors} survived", options.seed, Mutant::ALL.len())?;
    Ok(survivors == 0)
}
