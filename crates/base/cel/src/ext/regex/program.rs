//! From expression to steps.

use std::collections::BTreeMap;

use regex_syntax::hir::{Class as HirClass, ClassUnicode, Hir, HirKind, Look, Repetition};

use super::RegexError;

/// One step of a search. Those that do not name the next one go on to the one behind them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// This character.
    Char(char),
    /// A character of this class.
    Class(u32),
    /// Nothing, where this holds.
    Look(Look),
    /// Both ways; the first is preferred.
    Split(u32, u32),
    Jump(u32),
    Match,
}

/// A class of characters.
#[derive(Debug, Clone)]
pub(super) struct Class {
    /// A bit for each of the first 128.
    ascii: u128,
    /// What lies beyond, in order.
    ranges: Box<[(char, char)]>,
}

impl Class {
    fn new(class: &ClassUnicode) -> Self {
        let (mut ascii, mut ranges) = (0_u128, Vec::new());
        for range in class.ranges() {
            let (first, last) = (range.start(), range.end());
            for c in u32::from(first)..=u32::from(last).min(127) {
                ascii |= 1 << c;
            }
            if !last.is_ascii() {
                ranges.push((first.max('\u{80}'), last));
            }
        }
        Self { ascii, ranges: ranges.into() }
    }

    pub(super) fn holds(&self, c: char) -> bool {
        if c.is_ascii() {
            return self.ascii & (1 << u32::from(c)) != 0;
        }
        let after = self.ranges.partition_point(|(first, _)| *first <= c);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|(_, last)| c <= *last)
    }
}

/// An expression as steps.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) steps: Box<[Step]>,
    pub(super) classes: Box<[Class]>,
    /// What every match begins with. If `anchored` the steps come behind it, else it is among them.
    pub(super) prefix: Box<str>,
    /// Whether a match can begin only where the text does.
    pub(super) anchored: bool,
}

impl Program {
    /// Writes repetitions out; `limit` is how many steps there may be.
    ///
    /// # Errors
    /// There would be more.
    pub(super) fn new(expression: &Hir, limit: usize) -> Result<Self, RegexError> {
        let mut builder = Builder { steps: Vec::new(), classes: Vec::new(), known: BTreeMap::new(), limit };
        let mut parts = match expression.kind() {
            HirKind::Concat(parts) => parts.as_slice(),
            _ => std::slice::from_ref(expression),
        };
        let anchored = match parts.split_first() {
            Some((first, rest)) if matches!(first.kind(), HirKind::Look(Look::Start)) => {
                parts = rest;
                true
            }
            _ => false,
        };
        let mut prefix = "";
        if let Some((first, rest)) = parts.split_first()
            && let HirKind::Literal(literal) = first.kind()
        {
            prefix = text(&literal.0)?;
            parts = if anchored { rest } else { parts };
        }
        parts.iter().try_for_each(|part| builder.expression(part))?;
        builder.push(Step::Match)?;
        Ok(Self {
            steps: builder.steps.into(),
            classes: builder.classes.into(),
            prefix: prefix.into(),
            anchored,
        })
    }
}

/// Literals are whole characters: our parser makes no others.
fn text(literal: &[u8]) -> Result<&str, RegexError> {
    std::str::from_utf8(literal).map_err(|_| RegexError::TooLarge)
}

struct Builder {
    steps: Vec<Step>,
    classes: Vec<Class>,
    /// Classes that have been met, by where they lie: one that is repeated is kept once.
    known: BTreeMap<*const ClassUnicode, u32>,
    limit: usize,
}

impl Builder {
    fn push(&mut self, step: Step) -> Result<(), RegexError> {
        if self.steps.len() >= self.limit {
            return Err(RegexError::TooLarge);
        }
        self.steps.push(step);
        Ok(())
    }

    /// The number of the step that is pushed next.
    fn next(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    fn expression(&mut self, expression: &Hir) -> Result<(), RegexError> {
        match expression.kind() {
            HirKind::Empty => Ok(()),
            HirKind::Literal(literal) => text(&literal.0)?.chars().try_for_each(|c| self.push(Step::Char(c))),
            HirKind::Class(HirClass::Unicode(class)) => self.class(class),
            HirKind::Class(HirClass::Bytes(class)) => {
                let class = class.to_unicode_class().ok_or(RegexError::TooLarge)?;
                self.classes.push(Class::new(&class));
                self.push(Step::Class(last(&self.classes)))
            }
            HirKind::Look(look) => self.push(Step::Look(*look)),
            HirKind::Repetition(repetition) => self.repetition(repetition),
            HirKind::Capture(group) => self.expression(&group.sub),
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.expression(part)),
            HirKind::Alternation(parts) => self.alternation(parts),
        }
    }

    fn class(&mut self, class: &ClassUnicode) -> Result<(), RegexError> {
        let at = match self.known.get(&std::ptr::from_ref(class)) {
            Some(at) => *at,
            None => {
                self.classes.push(Class::new(class));
                let at = last(&self.classes);
                self.known.insert(class, at);
                at
            }
        };
        self.push(Step::Class(at))
    }

    fn alternation(&mut self, parts: &[Hir]) -> Result<(), RegexError> {
        let Some((last, parts)) = parts.split_last() else { return Ok(()) };
        let mut ends = Vec::with_capacity(parts.len());
        for part in parts {
            let split = self.hole()?;
            self.expression(part)?;
            ends.push(self.hole()?);
            let (first, second) = (after(split), self.next());
            self.fill(split, Step::Split(first, second));
        }
        self.expression(last)?;
        let end = self.next();
        ends.into_iter().for_each(|at| self.fill(at, Step::Jump(end)));
        Ok(())
    }

    fn repetition(&mut self, repetition: &Repetition) -> Result<(), RegexError> {
        let Repetition { min, max, greedy, sub } = repetition;
        match (*min, *max) {
            // As Go and RE2: `(|a)*` is `((|a)+)?`, so that the empty way is not tried for ever.
            (0, None) if sub.properties().minimum_len() == Some(0) => {
                let skip = self.hole()?;
                self.at_least_once(sub, *greedy)?;
                let end = self.next();
                self.fill(skip, choice(after(skip), end, *greedy));
                Ok(())
            }
            (0, None) => {
                let split = self.hole()?;
                self.expression(sub)?;
                self.push(Step::Jump(number(split)))?;
                let end = self.next();
                self.fill(split, choice(after(split), end, *greedy));
                Ok(())
            }
            (min, None) => {
                self.copies(sub, min - 1)?;
                self.at_least_once(sub, *greedy)
            }
            (min, Some(max)) => {
                self.copies(sub, min)?;
                let mut splits = Vec::new();
                for _ in min..max {
                    splits.push(self.hole()?);
                    self.expression(sub)?;
                }
                let end = self.next();
                splits.into_iter().for_each(|split| self.fill(split, choice(after(split), end, *greedy)));
                Ok(())
            }
        }
    }

    fn at_least_once(&mut self, sub: &Hir, greedy: bool) -> Result<(), RegexError> {
        let again = self.next();
        self.expression(sub)?;
        let end = self.next().saturating_add(1);
        self.push(choice(again, end, greedy))
    }

    fn copies(&mut self, sub: &Hir, count: u32) -> Result<(), RegexError> {
        for _ in 0..count {
            let before = self.steps.len();
            self.expression(sub)?;
            if self.steps.len() == before {
                // Nothing, however often.
                break;
            }
        }
        Ok(())
    }

    /// A step that is known only once what follows it is.
    fn hole(&mut self) -> Result<usize, RegexError> {
        self.push(Step::Match)?;
        Ok(self.steps.len() - 1)
    }

    fn fill(&mut self, hole: usize, step: Step) {
        if let Some(held) = self.steps.get_mut(hole) {
            *held = step;
        }
    }
}

/// Once more or on: greedy ones prefer once more.
fn choice(again: u32, on: u32, greedy: bool) -> Step {
    if greedy { Step::Split(again, on) } else { Step::Split(on, again) }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn after(at: usize) -> u32 {
    number(at).saturating_add(1)
}

fn last(classes: &[Class]) -> u32 {
    number(classes.len().saturating_sub(1))
}
