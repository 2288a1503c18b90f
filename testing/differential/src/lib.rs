//! The RBAC engine against a reading of the rules that is too simple to be wrong.
//!
//! Worlds of roles and bindings are made of small colliding alphabets and changed in every way there
//! is; after each change both are asked the same questions. Decisions must be the same; of several
//! bindings that allow, any may be named as the reason (as in kube-apiserver); of errors, all must be
//! told.
//!
//! That a comparison can fail is shown by [`Mutant`]s: mistakes planted on one side, each of which it
//! must notice.

mod dice;
mod game;
mod mutant;
mod naive;

pub use dice::Dice;
pub use mutant::Mutant;

use dice::Width;
use game::Game;

/// Questions after each change.
const QUESTIONS: usize = 32;

/// Rounds of changes that a world goes through.
const ROUNDS: usize = 128;

/// One world in so many is a wide one.
const WIDE_ONE_IN: usize = 32;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Triples of user, request and state of the world that were decided by both.
    pub decisions: u64,
    /// How many of them are allowed.
    pub allowed: u64,
    /// Worlds that began empty.
    pub worlds: u64,
    /// Changes made to them; one may concern several objects.
    pub changes: u64,
}

impl Tally {
    /// Of the decisions, in per cent.
    pub fn percent_allowed(&self) -> u64 {
        100 * self.allowed / self.decisions.max(1)
    }

    fn add(&mut self, other: &Self) {
        self.decisions += other.decisions;
        self.allowed += other.allowed;
        self.worlds += other.worlds;
        self.changes += other.changes;
    }
}

/// The two do not agree: what was asked, what was found and what was expected.
#[derive(Debug)]
pub struct Difference(String);

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Difference {}

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
