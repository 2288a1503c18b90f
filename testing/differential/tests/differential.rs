//! As much of the comparisons as every run of the tests can afford; the command does more.

use std::fmt::Debug;

use differential::{Difference, Tally, node, rbac};

const SEED: u64 = 20_260_101;

fn agrees(run: impl Fn(u64, u64, &mut Tally) -> Result<(), Difference>) {
    let mut tally = Tally::default();
    let outcome = run(SEED, 20_000, &mut tally);
    assert!(outcome.is_ok(), "seed {SEED}: {outcome:?}");
    let share = tally.percent_allowed();
    assert!((30..=70).contains(&share), "{share} % allowed: the comparison has lost its balance");
}

fn notices<Mutant: Copy + Debug>(
    mutants: &[Mutant],
    run: impl Fn(u64, u64, Option<Mutant>, &mut Tally) -> Result<(), Difference>,
) {
    for mutant in mutants {
        let outcome = run(SEED, 100_000, Some(*mutant), &mut Tally::default());
        assert!(outcome.is_err(), "{mutant:?} survived");
    }
}

#[test]
fn rbac_decides_as_the_naive_reading_does() {
    agrees(|seed, decisions, tally| rbac::run(seed, decisions, None, tally));
}

#[test]
fn every_mistake_about_rbac_is_noticed() {
    notices(&rbac::Mutant::ALL, rbac::run);
}

#[test]
fn nodes_are_decided_on_as_the_naive_reading_does() {
    agrees(|seed, decisions, tally| node::run(seed, decisions, None, tally));
}

#[test]
fn every_mistake_about_nodes_is_noticed() {
    notices(&node::Mutant::ALL, node::run);
}
