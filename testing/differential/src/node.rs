//! The Node authorizer: decisions and reasons must be the same, and the way that is named for an Allow
//! must be one.

mod mutant;
mod naive;
mod objects;

use authz::node::{Grounds, Kind, Node, Snapshot};
use types::Decision;

pub use mutant::Mutant;

use self::{
    naive::{Naive, Whole},
    objects::{Question, key, object},
};
use crate::{Dice, Difference, Tally};

/// Questions after each round of changes.
const QUESTIONS: usize = 24;

/// Rounds that a graph goes through.
const ROUNDS: usize = 128;

/// Compares at least `decisions` decisions, in as many graphs as that takes. `tally` says how far it
/// got, also where there is a difference.
pub fn run(seed: u64, decisions: u64, mutant: Option<Mutant>, tally: &mut Tally) -> Result<(), Difference> {
    let mut dice = Dice::new(&[], seed);
    while tally.decisions < decisions {
        play(&mut dice, ROUNDS, mutant, tally)?;
    }
    Ok(())
}

/// One graph that goes through `rounds` of changes.
pub fn run_one(dice: &mut Dice, rounds: usize, tally: &mut Tally) -> Result<(), Difference> {
    play(dice, rounds, None, tally)
}

fn play(dice: &mut Dice, rounds: usize, mutant: Option<Mutant>, tally: &mut Tally) -> Result<(), Difference> {
    let gate = dice.roll(2) == 0;
    let (node, mut naive) = (Node::new(gate), Naive::new(mutant));
    // Whoever holds on to a snapshot goes on seeing its graph.
    let mut earlier: Option<(Snapshot, Naive)> = None;
    tally.worlds += 1;
    for _ in 0..rounds {
        for _ in 0..=dice.roll(3) {
            tally.changes += 1;
            change(dice, &node, &mut naive);
        }
        let snapshot = node.snapshot();
        for _ in 0..QUESTIONS {
            let question = Question::roll(dice);
            tally.decisions += 1;
            tally.allowed += u64::from(compare(&question, &snapshot, &naive, gate)?);
            if let Some((snapshot, naive)) = earlier.as_ref().filter(|_| dice.roll(16) == 0) {
                compare(&question, snapshot, naive, gate)?;
            }
        }
        if dice.roll(16) == 0 {
            earlier = Some((snapshot, naive.clone()));
        }
    }
    // When everything has gone, nothing may be left.
    for kind in Kind::ALL {
        naive.replace(kind, &[]);
        node.update(|graph| graph.replace(kind, []));
    }
    if mutant.is_none() && !node.snapshot().graph().is_empty() {
        return Err(Difference("something is left in a graph without objects".to_owned()));
    }
    Ok(())
}

/// Makes the same change to both, by every way there is.
fn change(dice: &mut Dice, node: &Node, naive: &mut Naive) {
    let kind = match dice.roll(8) {
        0..4 => Kind::Pod,
        4 => Kind::VolumeAttachment,
        5 => Kind::ResourceSlice,
        6 => Kind::PodCertificateRequest,
        _ => Kind::PersistentVolume,
    };
    match dice.roll(16) {
        0..12 => {
            let object = object(dice, kind);
            naive.apply(&object);
            node.apply(object);
        }
        12 => {
            let (namespace, name) = key(dice, kind);
            naive.remove(kind, namespace, name);
            node.remove(kind, namespace, name);
        }
        13..15 => node.update(|graph| {
            for _ in 0..4 {
                let object = object(dice, kind);
                naive.apply(&object);
                graph.apply(object.into());
            }
        }),
        _ => {
            // A list has one object of a name.
            let mut listed: Vec<Whole> = Vec::new();
            for _ in 0..3 {
                let object = object(dice, kind);
                listed.retain(|other| other.key() != object.key());
                listed.push(object);
            }
            naive.replace(kind, &listed);
            node.update(|graph| graph.replace(kind, listed.into_iter().map(Into::into)));
        }
    }
}

/// Whether it is allowed.
fn compare(question: &Question, snapshot: &Snapshot, naive: &Naive, gate: bool) -> Result<bool, Difference> {
    let at = question.attributes();
    let (allowed, reason) = naive.decide(gate, &at);
    let expected = if allowed { Decision::Allow } else { Decision::NoOpinion };
    let found = snapshot.decide(&at);
    if (found.decision, &*found.reason, &found.error) != (expected, &*reason, &None) {
        return Err(Difference(format!("asked {at:?}\nfound {found:?}\nexpected {expected:?} {reason:?}")));
    }
    let grounds = snapshot.grounds(&at);
    let node = at.user.name.strip_prefix("system:node:").unwrap_or_default();
    let is_told = match &grounds {
        Some(Grounds::Path(path)) => allowed && naive.is_way(path, &at, node),
        other => other.is_some() == allowed,
    };
    if !is_told {
        return Err(Difference(format!("asked {at:?}\n{expected:?} because of {grounds:?}")));
    }
    Ok(allowed)
}
