//! RBAC: decisions must be the same; of several bindings that allow, any may be named as the reason (as
//! in kube-apiserver); of errors, all must be told.

mod game;
mod mutant;
mod naive;
mod objects;

pub use mutant::Mutant;

use self::{game::Game, objects::Width};
use crate::{Dice, Difference, Tally};

/// Questions after each change.
const QUESTIONS: usize = 32;

/// Rounds of changes that a world goes through.
const ROUNDS: usize = 128;

/// One world in so many is a wide one.
const WIDE_ONE_IN: usize = 32;

/// Compares at least `decisions` decisions, in as many worlds as that takes. `tally` says how far it
/// got, also where there is a difference.
pub fn run(seed: u64, decisions: u64, mutant: Option<Mutant>, tally: &mut Tally) -> Result<(), Difference> {
    let mut dice = Dice::new(&[], seed);
    while tally.decisions < decisions {
        // The first world is a narrow one, so that a planted mistake is found soon.
        let is_wide = tally.worlds % WIDE_ONE_IN as u64 == WIDE_ONE_IN as u64 - 1;
        let (width, rounds) = if is_wide { (Width::WIDE, ROUNDS / 8) } else { (Width::NARROW, ROUNDS) };
        play(&mut dice, width, rounds, mutant, tally)?;
    }
    Ok(())
}

/// One narrow world of `rounds` changes.
pub fn run_one(dice: &mut Dice, rounds: usize, tally: &mut Tally) -> Result<(), Difference> {
    play(dice, Width::NARROW, rounds, None, tally)
}

fn play(
    dice: &mut Dice,
    width: Width,
    rounds: usize,
    mutant: Option<Mutant>,
    tally: &mut Tally,
) -> Result<(), Difference> {
    let mut game = Game::new(dice, width, mutant);
    let outcome = (0..rounds).try_for_each(|_| game.round(dice, QUESTIONS));
    tally.add(&game.tally);
    outcome
}
