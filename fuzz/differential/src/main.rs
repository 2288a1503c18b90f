//! Holds our CEL to the `cel` crate of crates.io, on the language that both share:
//! `cargo run --release --manifest-path fuzz/differential/Cargo.toml -- [EVALUATIONS [SEED]]`.
//!
//! Every difference belongs to a class of `differences.rs`, which says who is right by cel-go and why; one
//! that does not is printed, and the run fails.

mod differences;
mod expressions;
mod outcome;

use std::{collections::BTreeMap, process::ExitCode};

use differences::explained;
use expressions::{Dice, expression};
use outcome::{ours, theirs};
use serde_json::json;

fn main() -> ExitCode {
    // They panic on some inputs; that is an outcome too.
    std::panic::set_hook(Box::new(|_| {}));
    let mut args = std::env::args().skip(1);
    let mut number = |otherwise: u64| args.next().map_or(Ok(otherwise), |text| text.parse::<u64>());
    let (Ok(evaluations), Ok(seed)) = (number(100_000), number(1)) else {
        eprintln!("usage: cel-differential [EVALUATIONS [SEED]], both numbers");
        return ExitCode::from(2);
    };
    let claims = json!({
        "s": "text", "n": 42, "f": 2.5, "b": true, "list": ["a", "b", "text"], "m": { "a": 1, "k": "v" }, "nil": null,
    });
    let other = other::Env::stdlib();
    let context = outcome::context(&claims);
    let mut dice = Dice(seed);
    let (mut same, mut values, mut refused, mut unexplained) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut classes: BTreeMap<&str, (u64, String)> = BTreeMap::new();
    let mut done = 0;
    while done < evaluations {
        let text = expression(&mut dice);
        let Some(ours) = ours(&text, &claims) else {
            refused += 1;
            continue;
        };
        done += 1;
        let theirs = theirs(&text, &other, &context);
        // The words of errors are not compared.
        if ours == theirs || ours.is_error() && theirs.is_error() {
            same += 1;
            values += u64::from(!ours.is_error());
            continue;
        }
        match explained(&text, &ours, &theirs) {
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
    if unexplained == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
