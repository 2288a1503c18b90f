//! Regular expressions as Go's `regexp` (RE2) takes them, matched in linear time.
//!
//! The syntax is read by our own parser, because Go's differs from that of the `regex` crate where
//! it hurts: `\d`, `\w`, `\s` and `\b` mean ASCII, `{` may be a literal, `**` and counts over 1000
//! are refused, `\Q…\E` and octal escapes exist, `&&` in a class is two ampersands.
//!
//! What it reads is matched by a search of our own, as plain as RE2's first one: `regex-automata` takes
//! five times as long to build what a condition needs, shares its memory between threads behind a lock,
//! and cannot say how much work a search is, so that none could be stopped. Tests compare the two.

mod class;
mod parse;
mod program;
mod search;

use self::{program::Program, search::Memory};
use crate::{EvalError, value::count, work::Work};

/// How many steps a pattern may be once its repetitions are written out.
///
/// Stricter than kube-apiserver, which takes more than ten times as many.
const MAX_PROGRAM: usize = 1 << 18;

/// What reading a byte of a pattern is charged as, and a range in its classes or a step of its program,
/// if it is read while an expression runs.
const STEPS_A_BYTE: u64 = 32;
const STEPS_A_PART: u64 = 4;

/// Why a pattern is refused. The texts are Go's, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegexError {
    #[error("error parsing regexp: invalid character class range")]
    CharRange,
    #[error("error parsing regexp: invalid escape sequence")]
    Escape,
    #[error("error parsing regexp: invalid named capture")]
    NamedCapture,
    #[error("error parsing regexp: invalid or unsupported Perl syntax")]
    PerlOperator,
    #[error("error parsing regexp: invalid nested repetition operator")]
    NestedRepeat,
    #[error("error parsing regexp: invalid repeat count")]
    RepeatCount,
    #[error("error parsing regexp: missing closing ]")]
    MissingBracket,
    #[error("error parsing regexp: missing closing )")]
    MissingParen,
    #[error("error parsing regexp: missing argument to repetition operator")]
    MissingArgument,
    #[error("error parsing regexp: trailing backslash at end of expression")]
    TrailingBackslash,
    #[error("error parsing regexp: unexpected )")]
    UnexpectedParen,
    #[error("error parsing regexp: expression nests too deeply")]
    Nesting,
    #[error("error parsing regexp: expression too large")]
    TooLarge,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Regex(Program);

impl Regex {
    /// Compiles a pattern of the configuration.
    ///
    /// # Errors
    /// Go would refuse it, or it has more than 262 144 steps, or it nests more than 250 deep.
    pub(crate) fn new(pattern: &str) -> Result<Self, RegexError> {
        let (expression, _) = parse::parse(pattern)?;
        Program::new(&expression, MAX_PROGRAM).map(Self)
    }

    /// Compiles a pattern that an expression has made.
    ///
    /// # Errors
    /// As [`Self::new`], inside; outside, if it takes more than `work` has left.
    pub(crate) fn computed(pattern: &str, work: &Work) -> Result<Result<Self, EvalError>, EvalError> {
        work.steps(count(pattern.len()).saturating_mul(STEPS_A_BYTE))?;
        let refused = |error: RegexError| EvalError::new(error.to_string());
        let (expression, ranges) = match parse::parse(pattern) {
            Ok(parsed) => parsed,
            Err(error) => return Ok(Err(refused(error))),
        };
        work.steps(count(ranges).saturating_mul(STEPS_A_PART))?;
        let program = Program::new(&expression, MAX_PROGRAM);
        work.steps(
            count(program.as_ref().map_or(0, |program| program.steps.len())).saturating_mul(STEPS_A_PART),
        )?;
        Ok(program.map(Self).map_err(refused))
    }

    /// Whether it matches anywhere in the text.
    ///
    /// # Errors
    /// Here and below: it takes more than `work` has left.
    pub(crate) fn is_match(&self, text: &str, work: &Work) -> Result<bool, EvalError> {
        self.0.is_match(text, work)
    }

    /// The leftmost match, empty if there is none.
    pub(crate) fn find<'t>(&self, text: &'t str, work: &Work) -> Result<&'t str, EvalError> {
        let found = self.0.find(text, 0, &mut Memory::default(), work)?;
        Ok(found.and_then(|found| text.get(found)).unwrap_or_default())
    }

    /// All matches that do not overlap, at most `limit` of them unless that is negative. An empty match
    /// right behind another match does not count.
    pub(crate) fn find_all<'t>(
        &self,
        text: &'t str,
        limit: i64,
        work: &Work,
    ) -> Result<Vec<&'t str>, EvalError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut all, mut at, mut last_end) = (Vec::new(), 0, None);
        let mut memory = Memory::default();
        while all.len() < limit
            && at <= text.len()
            && let Some(found) = self.0.find(text, at, &mut memory, work)?
        {
            let again = found.is_empty() && last_end == Some(found.start);
            last_end = Some(found.end);
            at = if found.end > at {
                found.end
            } else {
                // Nothing was found here; one character further there may be more.
                at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
            };
            if !again {
                work.make(FOUND)?;
                all.extend(text.get(found));
            }
        }
        Ok(all)
    }
}

/// What a match takes until it is a value.
const FOUND: usize = 48;

#[cfg(test)]
mod tests;
