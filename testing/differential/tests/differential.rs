//! As much of the comparison as every run of the tests can afford; the command does more.

use differential::{Mutant, Tally, run};

const SEED: u64 = 20_260_101;

#[test]
fn decides_as_the_naive_reading_does() {
    let mut tally = Tally::default();
    let outcome = run(SEED, 20_000, None, &mut tally);
    println!("seed {SEED}: {tally:?}");
    outcome.unwrap();
    let share = tally.percent_allowed();
    assert!((30..=70).contains(&share), "{share} % allowed: the comparison has lost its balance");
}

#[test]
fn notices_every_mistake() {
    for mutant in Mutant::ALL {
        let mut tally = Tally::default();
        assert!(run(SEED, 100_000, Some(mutant), &mut tally).is_err(), "{mutant:?} survived");
    }
}
