//! The engine against the naive reading, on dice.

use std::env;

use super::compare::{Dice, run};

const ROUNDS: usize = 400;
const QUESTIONS: usize = 50;

#[test]
fn decides_as_the_naive_reading_does() {
    let seed = env::var("PORTCULLIS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_260_101);
    println!("seed {seed} (PORTCULLIS_SEED sets another)");
    let (asked, allowed) = run(&mut Dice::new(&[], seed), ROUNDS, QUESTIONS);
    let share = 100 * allowed / asked;
    println!("{asked} questions, {share} % allowed");
    assert!((30..=70).contains(&share), "{share} % allowed: the test has lost its balance");
}
