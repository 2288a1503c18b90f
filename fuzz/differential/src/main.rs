//! Holds our CEL to the `cel` crate of crates.io, on the language that both share:
//! `cargo run --release --manifest-path fuzz/differential/Cargo.toml -- [--mutate] [EVALUATIONS [SEED]]`.
//!
//! Every difference belongs to a class of `differences.rs`, which says who is right by cel-go and why; one
//! that does not is printed, and the run fails. With `--mutate` mistakes are planted on our side, one after the
//! other, and it fails if one is not noticed.

mod differences;
mod expressions;
mod mutant;
mod outcome;
mod term;

use std::{collections::BTreeMap, process::ExitCode};

use differences::explained;
use expressions::{Dice, expression};
use mutant::Mutant;
use outcome::World;
use serde_json::json;

fn main() -> ExitCode {
    // They panic on some inputs; that is an outcome too.
    std::panic::set_hook(Box::new(|_| {}));
    let mut args = std::env::args().skip(1).peekable();
    let mutate = args.next_if_eq("--mutate").is_some();
    let mut number = |otherwise: u64| args.next().map_or(Ok(otherwise), |text| text.parse::<u64>());
    let (Ok(evaluations), Ok(seed)) = (number(100_000), number(1)) else {
        eprintln!("usage: cel-differential [--mutate] [EVALUATIONS [SEED]], both numbers");
        return ExitCode::from(2);
    };
    let world = World::new(json!({
        "s": "text", "n": 42, "f": 2.5, "b": true, "list": ["a", "b", "text"], "m": { "a": 1, "k": "v" }, "nil": null,
    }));
    let holds =
        if mutate { every_mutant(&world, evaluations, seed) } else { compare(&world, evaluations, seed) };
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether every difference has a class.
fn compare(world: &World, evaluations: u64, seed: u64) -> bool {
    let mut dice = Dice(seed);
    let (mut same, mut values, mut refused, mut unexplained) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut classes: BTreeMap<&str, (u64, String)> = BTreeMap::new();
    let mut done = 0;
    while done < evaluations {
        let term = expression(&mut dice);
        let text = term.text();
        let Some(ours) = world.ours(&text) else {
            refused += 1;
            continue;
        };
        done += 1;
        let theirs = world.theirs(&text);
        if ours.alike(&theirs) {
            same += 1;
            values += u64::from(!ours.is_error());
            continue;
        }
        match explained(world, &term, &ours, &theirs) {
            Some(class) => {
                let (count, shortest) = classes.entry(class.what).or_default();
                *count += 1;
                if shortest.is_empty() || text.len() < shortest.len() {
                    *shortest = text;
                }
            }
            None => {
                unexplained += 1;
                if unexplained <= 60 {
                    println!("unexplained: {text}\n  ours   {ours}\n  theirs {theirs}");
                }
            }
        }
    }
    println!(
        "{done} evaluations with seed {seed}; {refused} more were refused by our checker, which they have none of"
    );
    println!("{same:>9} alike, {values} of them values, the others errors on both sides");
    for (what, (count, shortest)) in &classes {
        println!("{count:>9} {what}: {shortest}");
    }
    println!("{unexplained:>9} unexplained");
    unexplained == 0
}

/// Whether each of them is noticed.
fn every_mutant(world: &World, evaluations: u64, seed: u64) -> bool {
    let mut survivors = 0;
    for mutant in &mutant::ALL {
        match noticed(world, mutant, evaluations, seed) {
            Some((after, text)) => println!("{after:>9} until noticed: {}: {text}", mutant.what),
            None => {
                survivors += 1;
                println!(" SURVIVES: {}", mutant.what);
            }
        }
    }
    println!("{} mutants, {survivors} survive {evaluations} evaluations with seed {seed}", mutant::ALL.len());
    survivors == 0
}

/// After how many evaluations a mutant makes a difference that has no class, and by which expression.
fn noticed(world: &World, mutant: &Mutant, evaluations: u64, seed: u64) -> Option<(u64, String)> {
    let mut dice = Dice(seed);
    for done in 1..=evaluations {
        let term = expression(&mut dice);
        let text = term.text();
        let changed = term.changed(&mutant.change);
        let (Some(right), Some(ours)) = (world.ours(&text), world.ours(&changed)) else { continue };
        let ours = (mutant.outcome)(ours);
        // Where the mistake shows nothing, and where only the way that it is written is refused.
        if ours.alike(&right) || ours.says("constant: ") {
            continue;
        }
        let theirs = world.theirs(&text);
        if !ours.alike(&theirs) && explained(world, &term, &ours, &theirs).is_none() {
            return Some((done, text));
        }
    }
    None
}
