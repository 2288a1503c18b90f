//! `cargo run --release -p differential --example compare -- rbac --triples 1000000 --seed 7`

use std::{
    fmt::Debug,
    io::{self, Write},
    ops::RangeInclusive,
    process::ExitCode,
};

use clap::{Parser, ValueEnum};
use differential::{Difference, Tally, node, rbac};

/// Compares an authorizer with a naive reading of its rules.
#[derive(Parser)]
struct Options {
    /// Which authorizer.
    authorizer: Authorizer,
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

#[derive(Clone, Copy, ValueEnum)]
enum Authorizer {
    Rbac,
    Node,
}

/// Less than the one or more than the other, and the comparison has lost its balance.
const PERCENT_ALLOWED: RangeInclusive<u64> = 30..=70;

fn main() -> io::Result<ExitCode> {
    let options = Options::parse();
    let as_it_must_be = match options.authorizer {
        Authorizer::Rbac => play(&options, rbac::run, &rbac::Mutant::ALL)?,
        Authorizer::Node => play(&options, node::run, &node::Mutant::ALL)?,
    };
    Ok(if as_it_must_be { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Compares `triples` decisions from a seed, with this mistake on one side.
type Run<Mutant> = fn(u64, u64, Option<Mutant>, &mut Tally) -> Result<(), Difference>;

fn play<Mutant: Copy + Debug>(options: &Options, run: Run<Mutant>, mutants: &[Mutant]) -> io::Result<bool> {
    if options.mutate { mutate(options, run, mutants) } else { compare(options, run) }
}

fn compare<Mutant>(options: &Options, run: Run<Mutant>) -> io::Result<bool> {
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

fn mutate<Mutant: Copy + Debug>(options: &Options, run: Run<Mutant>, mutants: &[Mutant]) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let mut survivors = 0;
    for mutant in mutants {
        let mut tally = Tally::default();
        if run(options.seed, options.triples, Some(*mutant), &mut tally).is_err() {
            writeln!(out, "{mutant:?}: noticed at decision {}", tally.decisions)?;
        } else {
            writeln!(out, "{mutant:?}: SURVIVED {} decisions", tally.decisions)?;
            survivors += 1;
        }
    }
    writeln!(out, "seed {}: {} mistakes, {survivors} survived", options.seed, mutants.len())?;
    Ok(survivors == 0)
}
