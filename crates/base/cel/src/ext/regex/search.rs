//! Runs the steps of a regular expression over a text: all ways at once, so that time is linear in the text.

use std::ops::Range;

use regex_syntax::hir::Look;

use super::program::{Program, Step};
use crate::{EvalError, work::Work};

/// Up to this many steps, a set of them is a number.
const SMALL: usize = 128;

/// Where a search is: what it may take next and what began there.
#[derive(Debug, Clone, Copy)]
struct Thread {
    step: u32,
    start: usize,
}

/// What a search needs beside the text, kept from one search to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The round in which each step was last met.
    seen: Vec<usize>,
    round: usize,
    waiting: Vec<Thread>,
    ahead: Vec<Thread>,
    stack: Vec<u32>,
}

impl Program {
    /// Whether there is a match anywhere in the text.
    ///
    /// # Errors
    /// It takes more steps than `work` has left.
    pub(super) fn is_match(&self, text: &str, work: &Work) -> Result<bool, EvalError> {
        if self.steps.len() <= SMALL {
            self.matches_small(text, work)
        } else {
            Ok(self.search(text, 0, true, &mut Memory::default(), work)?.is_some())
        }
    }

    /// The leftmost match that begins at `from` or later, of several the one that is preferred.
    ///
    /// # Errors
    /// It takes more steps than `work` has left.
    pub(super) fn find(
        &self,
        text: &str,
        from: usize,
        memory: &mut Memory,
        work: &Work,
    ) -> Result<Option<Range<usize>>, EvalError> {
        self.search(text, from, false, memory, work)
    }

    /// [`Self::is_match`] without any memory of its own.
    fn matches_small(&self, text: &str, work: &Work) -> Result<bool, EvalError> {
        let Some(begin) = self.begin(text, 0) else { return Ok(false) };
        let mut place = Place::new(text, begin);
        let mut waiting = 1_u128;
        loop {
            if waiting == 1 && !self.anchored && !place.skip_to(&self.prefix, work)? {
                return Ok(false);
            }
            let (mut seen, mut ready) = (0_u128, 0_u128);
            while waiting != 0 {
                let at = waiting.trailing_zeros();
                let bit = 1 << at;
                waiting &= !bit;
                seen |= bit;
                match self.step(at) {
                    Step::Match => return Ok(true),
                    Step::Split(a, b) => waiting |= (1 << a | 1 << b) & !seen,
                    Step::Jump(to) => waiting |= (1 << to) & !seen,
                    Step::Look(look) if place.holds(look) => waiting |= (bit << 1) & !seen,
                    Step::Look(_) => {}
                    Step::Char(_) | Step::Class(_) => ready |= bit,
                }
            }
            work.steps(u64::from(seen.count_ones()))?;
            let Some(c) = place.next else { return Ok(false) };
            while ready != 0 {
                let at = ready.trailing_zeros();
                ready &= ready - 1;
                if self.takes(self.step(at), c) {
                    waiting |= 2 << at;
                }
            }
            if !self.anchored {
                waiting |= 1;
            } else if waiting == 0 {
                return Ok(false);
            }
            place.advance(c);
        }
    }

    /// `any`: the first end that is found will do.
    pub(super) fn search(
        &self,
        text: &str,
        from: usize,
        any: bool,
        memory: &mut Memory,
        work: &Work,
    ) -> Result<Option<Range<usize>>, EvalError> {
        let Some(begin) = self.begin(text, from) else { return Ok(None) };
        let Memory { seen, round, waiting, ahead, stack } = memory;
        waiting.clear();
        ahead.clear();
        stack.clear();
        if seen.is_empty() {
            work.items(self.steps.len() / 4)?;
            seen.resize(self.steps.len(), 0);
        }
        let mut best: Option<Range<usize>> = None;
        let mut place = Place::new(text, begin);
        loop {
            if waiting.is_empty() && !self.anchored && !place.skip_to(&self.prefix, work)? {
                return Ok(best);
            }
            if best.is_none() && (!self.anchored || place.at == begin) {
                waiting.push(Thread { step: 0, start: if self.anchored { from } else { place.at } });
            }
            *round += 1;
            let mut taken = 0_u64;
            // In the order in which they are preferred: a match ends all that come behind it.
            'threads: for thread in waiting.drain(..) {
                stack.push(thread.step);
                while let Some(at) = stack.pop() {
                    match seen.get_mut(at as usize) {
                        Some(last) if *last != *round => *last = *round,
                        _ => continue,
                    }
                    taken += 1;
                    let step = self.step(at);
                    match step {
                        Step::Match => {
                            best = Some(thread.start..place.at);
                            if any {
                                return Ok(best);
                            }
                            stack.clear();
                            break 'threads;
                        }
                        Step::Split(a, b) => stack.extend([b, a]),
                        Step::Jump(to) => stack.push(to),
                        Step::Look(look) if place.holds(look) => stack.push(at + 1),
                        Step::Look(_) => {}
                        Step::Char(_) | Step::Class(_) => {
                            if place.next.is_some_and(|c| self.takes(step, c)) {
                                ahead.push(Thread { step: at + 1, start: thread.start });
                            }
                        }
                    }
                }
            }
            work.steps(taken)?;
            let Some(c) = place.next else { return Ok(best) };
            std::mem::swap(waiting, ahead);
            if waiting.is_empty() && (best.is_some() || self.anchored) {
                return Ok(best);
            }
            place.advance(c);
        }
    }

    /// Where the steps begin, if a match can begin at `from` or later.
    fn begin(&self, text: &str, from: usize) -> Option<usize> {
        match self.anchored {
            true => (from == 0 && text.starts_with(&*self.prefix)).then_some(self.prefix.len()),
            false => Some(from),
        }
    }

    fn step(&self, at: u32) -> Step {
        self.steps.get(at as usize).copied().unwrap_or(Step::Match)
    }

    fn takes(&self, step: Step, c: char) -> bool {
        match step {
            Step::Char(wanted) => wanted == c,
            Step::Class(class) => self.classes.get(class as usize).is_some_and(|class| class.holds(c)),
            _ => false,
        }
    }
}

/// A place in a text and the characters around it.
struct Place<'t> {
    text: &'t str,
    at: usize,
    previous: Option<char>,
    next: Option<char>,
}

impl<'t> Place<'t> {
    fn new(text: &'t str, at: usize) -> Self {
        let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
        Self { text, at, previous: before.chars().next_back(), next: after.chars().next() }
    }

    /// Goes on behind `c`, which is what comes next.
    fn advance(&mut self, c: char) {
        self.at += c.len_utf8();
        self.previous = Some(c);
        self.next = self.text.get(self.at..).and_then(|rest| rest.chars().next());
    }

    /// Goes on to where `prefix` is found; false if it is not.
    fn skip_to(&mut self, prefix: &str, work: &Work) -> Result<bool, EvalError> {
        if prefix.is_empty() {
            return Ok(true);
        }
        let Some(found) = self.text.get(self.at..).and_then(|rest| rest.find(prefix)) else {
            return Ok(false);
        };
        if found > 0 {
            work.text(found)?;
            *self = Self::new(self.text, self.at + found);
        }
        Ok(true)
    }

    /// Of the looks there are, those that Go's syntax can write.
    fn holds(&self, look: Look) -> bool {
        let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        match look {
            Look::Start => self.previous.is_none(),
            Look::End => self.next.is_none(),
            Look::StartLF => matches!(self.previous, None | Some('\n')),
            Look::EndLF => matches!(self.next, None | Some('\n')),
            Look::WordAscii => word(self.previous) != word(self.next),
            Look::WordAsciiNegate => word(self.previous) == word(self.next),
            _ => false,
        }
    }
}
