//! Two worlds that go through the same changes: the engine's, and the naive one.

use std::{collections::VecDeque, sync::Arc};

use authz::{
    Opinion,
    rbac::{Kind, Rbac, Snapshot, World},
};
use types::{Attributes, Decision, User};

use super::{
    Mutant,
    naive::{Expected, Naive, identity},
    objects::{Question, Width},
};
use crate::{Dice, Difference, Tally};

/// Identities that many questions come from.
const REGULARS: usize = 8;

/// Questions that are asked again after changes.
const KEPT: usize = 24;

pub(crate) struct Game {
    width: Width,
    rbac: Rbac,
    naive: Naive,
    regulars: Vec<Arc<User>>,
    kept: VecDeque<Question>,
    /// Whoever holds on to a snapshot goes on seeing its world.
    earlier: Option<(Arc<Snapshot>, Naive)>,
    pub(crate) tally: Tally,
}

impl Game {
    pub(crate) fn new(dice: &mut Dice, width: Width, mutant: Option<Mutant>) -> Self {
        let mut game = Self {
            width,
            rbac: Rbac::default(),
            naive: Naive::new(mutant),
            regulars: (0..REGULARS).map(|_| Arc::new(width.user(dice))).collect(),
            kept: VecDeque::new(),
            earlier: None,
            tally: Tally { worlds: 1, ..Tally::default() },
        };
        let (rbac, naive) = (&game.rbac, &mut game.naive);
        game.regulars.iter().for_each(|regular| rbac.introduce(regular));
        rbac.update(|world| {
            for _ in 0..width.at_first() {
                let kind = any_kind(dice);
                let object = width.object(dice, kind);
                naive.apply(object.clone());
                world.apply(object);
            }
        });
        game
    }

    /// Some changes, then `questions` questions.
    pub(crate) fn round(&mut self, dice: &mut Dice, questions: usize) -> Result<(), Difference> {
        for _ in 0..=dice.roll(4) {
            self.change(dice)?;
        }
        self.regulars_come_and_go(dice);
        let snapshot = self.rbac.snapshot();
        for _ in 0..questions {
            let question = self.question(dice);
            self.tally.decisions += 1;
            self.tally.allowed += u64::from(compare(&question, &snapshot, &self.naive)?);
            if dice.roll(16) == 0 {
                compare_rules(&question.attributes(), &snapshot, &self.naive)?;
            }
            if let Some((snapshot, naive)) = self.earlier.as_ref().filter(|_| dice.roll(16) == 0) {
                compare(&question, snapshot, naive)?;
            }
        }
        if dice.roll(16) == 0 {
            self.earlier = Some((snapshot, self.naive.clone()));
        }
        Ok(())
    }

    /// Makes the same change to both worlds, by every way there is.
    fn change(&mut self, dice: &mut Dice) -> Result<(), Difference> {
        self.tally.changes += 1;
        let (width, kind) = (self.width, any_kind(dice));
        let (rbac, naive) = (&self.rbac, &mut self.naive);
        match dice.roll(12) {
            0..8 => {
                let object = width.object(dice, kind);
                naive.apply(object.clone());
                rbac.apply(object);
            }
            8 => {
                let (namespace, name) = width.key(dice, kind);
                naive.remove(kind, namespace, &name);
                rbac.remove(kind, namespace, &name);
            }
            9 => rbac.update(|world| {
                for _ in 0..3 {
                    let object = width.object(dice, kind);
                    naive.apply(object.clone());
                    world.apply(object);
                }
            }),
            10 => {
                // Another world is put in the place of this one, with most of its objects.
                for (_, namespace, name) in naive.of(kind).iter().map(identity) {
                    if dice.roll(6) == 0 {
                        naive.remove(kind, &namespace, &name);
                    }
                }
                let mut other = World::default();
                Kind::ALL.iter().flat_map(|kind| naive.of(*kind)).for_each(|object| other.apply(object));
                rbac.update(|world| *world = other);
            }
            _ => {
                let (mut kept, mut gone) = (Vec::new(), Vec::new());
                for object in naive.of(kind) {
                    if dice.roll(3) > 0 { kept.push(object) } else { gone.push(object) }
                }
                for object in gone {
                    let (_, namespace, name) = identity(&object);
                    naive.remove(kind, &namespace, &name);
                }
                kept.extend((0..2).map(|_| width.object(dice, kind)));
                kept.iter().for_each(|object| naive.apply(object.clone()));
                rbac.update(|world| world.replace(kind, kept));
                let (found, expected) = (rbac.snapshot().world().count(kind), naive.of(kind).len());
                if found != expected {
                    let what = format!("{found} objects of kind {}, expected {expected}", kind.as_str());
                    return Err(Difference(what));
                }
            }
        }
        Ok(())
    }

    fn regulars_come_and_go(&mut self, dice: &mut Dice) {
        let leaves = dice.roll(REGULARS * 2);
        if let Some(regular) = self.regulars.get_mut(leaves) {
            // The newcomer may well be kept where the one before was.
            *regular = Arc::default();
            *regular = Arc::new(self.width.user(dice));
            self.rbac.introduce(regular);
        }
    }

    fn question(&mut self, dice: &mut Dice) -> Question {
        let again = dice.roll(2 * KEPT);
        if let Some(question) = self.kept.get(again) {
            return question.clone();
        }
        let somebody = dice.roll(2 * REGULARS);
        let user = self.regulars.get(somebody).cloned().unwrap_or_else(|| Arc::new(self.width.user(dice)));
        let question = Question::roll(dice, user);
        if dice.roll(8) == 0 {
            self.kept.truncate(KEPT - 1);
            self.kept.push_front(question.clone());
        }
        question
    }
}

fn any_kind(dice: &mut Dice) -> Kind {
    match dice.roll(4) {
        0 => Kind::Role,
        1 => Kind::ClusterRole,
        2 => Kind::RoleBinding,
        _ => Kind::ClusterRoleBinding,
    }
}

/// Asks twice, so that remembered answers are held to the same. Says whether it is allowed.
fn compare(question: &Question, snapshot: &Snapshot, naive: &Naive) -> Result<bool, Difference> {
    let at = question.attributes();
    let expected = naive.decide(&at);
    for pass in ["first", "again"] {
        let found = snapshot.decide(&at);
        if !meets(&found, &expected) {
            return Err(Difference(format!("asked {pass}: {at:?}\nfound {found:?}\nexpected {expected:?}")));
        }
    }
    Ok(matches!(expected, Expected::Allow(_)))
}

fn compare_rules(at: &Attributes<'_>, snapshot: &Snapshot, naive: &Naive) -> Result<(), Difference> {
    let (mut found, mut expected) =
        (snapshot.world().rules_for(at.user, at.namespace), naive.rules_for(at.user, at.namespace));
    for (rules, errors) in [&mut found, &mut expected] {
        rules.sort_by_cached_key(|rule| format!("{rule:?}"));
        errors.sort();
    }
    if found == expected {
        return Ok(());
    }
    let (user, namespace) = (at.user, at.namespace);
    Err(Difference(format!("rules of {user:?} in `{namespace}`\nfound {found:?}\nexpected {expected:?}")))
}

/// Whether an opinion is one of those that may be given.
fn meets(found: &Opinion, expected: &Expected) -> bool {
    match expected {
        Expected::Allow(reasons) => found.decision == Decision::Allow && reasons.contains(&*found.reason),
        Expected::NoOpinion(errors) => {
            found.decision == Decision::NoOpinion && errors.iter().eq(&listed_errors(&found.reason))
        }
    }
}

/// The errors that a reason lists, sorted; none may stand there twice.
fn listed_errors(reason: &str) -> Vec<String> {
    let listed = reason.strip_prefix("RBAC: ").unwrap_or(reason);
    let listed = listed.strip_prefix('[').and_then(|l| l.strip_suffix(']')).unwrap_or(listed);
    let mut errors: Vec<String> = listed.split(", ").filter(|e| !e.is_empty()).map(str::to_owned).collect();
    errors.sort();
    errors
}
