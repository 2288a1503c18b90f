//! From pattern to expression.
//!
//! No recursion: groups are a stack, so that a pattern of any depth is read (and refused) safely.

mod brackets;
mod escapes;

use regex_syntax::hir::{Class, ClassUnicode, Dot, Hir, Look, Repetition};

use super::{RegexError, class};

/// UPSTREAM: the largest count, and the largest product of nested ones (Go 1.26).
const MAX_REPEAT: u32 = 1000;

/// Nesting of what remains once groups are taken away. Stricter than Go's 1000, so that those who
/// walk over the expression stay within a thread's stack.
const MAX_DEPTH: u32 = 250;

/// The longest pattern, in bytes, and the most ranges in all its classes: more would make an
/// automaton that is refused anyway.
const MAX_PATTERN: usize = 128 << 10;
const MAX_RANGES: usize = 1 << 18;

/// Reads a pattern as `regexp.Compile` does: Perl's syntax, `^` and `$` for the whole text. Also says how
/// many ranges its classes have.
pub(super) fn parse(pattern: &str) -> Result<(Hir, usize), RegexError> {
    if pattern.len() > MAX_PATTERN {
        return Err(RegexError::TooLarge);
    }
    let mut parser = Parser {
        rest: pattern,
        flags: Flags::default(),
        groups: Vec::new(),
        open: Group::default(),
        ranges: 0,
        named_classes: true,
    };
    parser.run()?;
    if !parser.groups.is_empty() {
        return Err(RegexError::MissingParen);
    }
    Ok((parser.open.close()?.expression, parser.ranges))
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    /// `i`
    fold: bool,
    /// `m`
    multi_line: bool,
    /// `s`
    dot_all: bool,
    /// `U`
    lazy: bool,
}

/// A piece of the pattern that an operator may follow.
struct Piece {
    expression: Hir,
    depth: u32,
    /// The product of the counts in it, along its costliest branch.
    repeats: u32,
}

impl Piece {
    fn leaf(expression: Hir) -> Self {
        Self { expression, depth: 1, repeats: 1 }
    }
}

/// A group, from its opening to where the parser stands.
#[derive(Default)]
struct Group {
    /// The flags to return to behind it.
    outer: Flags,
    /// The alternatives that are complete.
    alternatives: Vec<Piece>,
    /// The alternative that is being read.
    sequence: Vec<Piece>,
}

impl Group {
    fn end_alternative(&mut self) -> Result<(), RegexError> {
        let alternative = joined(std::mem::take(&mut self.sequence), Hir::concat)?;
        self.alternatives.push(alternative);
        Ok(())
    }

    fn close(mut self) -> Result<Piece, RegexError> {
        self.end_alternative()?;
        joined(self.alternatives, Hir::alternation)
    }
}

fn joined(mut pieces: Vec<Piece>, join: fn(Vec<Hir>) -> Hir) -> Result<Piece, RegexError> {
    if pieces.len() == 1
        && let Some(only) = pieces.pop()
    {
        return Ok(only);
    }
    let depth = 1 + pieces.iter().map(|piece| piece.depth).max().unwrap_or(0);
    if depth > MAX_DEPTH {
        return Err(RegexError::Nesting);
    }
    let repeats = pieces.iter().map(|piece| piece.repeats).max().unwrap_or(1);
    Ok(Piece { expression: join(pieces.into_iter().map(|piece| piece.expression).collect()), depth, repeats })
}

struct Parser<'p> {
    rest: &'p str,
    flags: Flags,
    /// The groups around the open one, outermost first.
    groups: Vec<Group>,
    open: Group,
    ranges: usize,
    /// Whether there may still be a `:]`.
    named_classes: bool,
}

impl<'p> Parser<'p> {
    fn run(&mut self) -> Result<(), RegexError> {
        let mut repeated = false;
        while let Some(c) = self.next() {
            let mut is_repeat = false;
            match c {
                '(' if self.take("?") => self.perl_group()?,
                '(' => self.open_group(self.flags),
                '|' => self.open.end_alternative()?,
                ')' => self.close_group()?,
                '^' => self.look(if self.flags.multi_line { Look::StartLF } else { Look::Start }),
                '$' => self.look(if self.flags.multi_line { Look::EndLF } else { Look::End }),
                '.' => {
                    self.push(Hir::dot(if self.flags.dot_all { Dot::AnyChar } else { Dot::AnyCharExceptLF }))
                }
                '[' => self.class()?,
                '*' => is_repeat = self.repeat(0, None, repeated)?,
                '+' => is_repeat = self.repeat(1, None, repeated)?,
                '?' => is_repeat = self.repeat(0, Some(1), repeated)?,
                '{' => match self.counts() {
                    Some((min, max)) => is_repeat = self.counted(min, max, repeated)?,
                    None => self.literal('{')?,
                },
                '\\' => self.escape()?,
                c => self.literal(c)?,
            }
            repeated = is_repeat;
        }
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    fn take(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// What stands before `end`, which is skipped.
    fn until(&mut self, end: &str) -> Option<&'p str> {
        let (before, after) = self.rest.split_once(end)?;
        self.rest = after;
        Some(before)
    }

    fn push(&mut self, expression: Hir) {
        self.open.sequence.push(Piece::leaf(expression));
    }

    fn look(&mut self, look: Look) {
        self.push(Hir::look(look));
    }

    fn literal(&mut self, c: char) -> Result<(), RegexError> {
        if !self.flags.fold {
            self.push(Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes().to_vec()));
            return Ok(());
        }
        let class = self.folded(class::ranges(&[(c, c)]))?;
        self.push_class(class)
    }

    fn push_class(&mut self, class: ClassUnicode) -> Result<(), RegexError> {
        self.ranges += class.ranges().len();
        if self.ranges > MAX_RANGES {
            return Err(RegexError::TooLarge);
        }
        self.push(Hir::class(Class::Unicode(class)));
        Ok(())
    }

    /// The class with every case of its characters, if case does not count.
    fn folded(&self, mut class: ClassUnicode) -> Result<ClassUnicode, RegexError> {
        if self.flags.fold {
            class.try_case_fold_simple().map_err(|_| RegexError::TooLarge)?;
        }
        Ok(class)
    }

    fn open_group(&mut self, inner: Flags) {
        let group = Group { outer: self.flags, ..Group::default() };
        self.groups.push(std::mem::replace(&mut self.open, group));
        self.flags = inner;
    }

    fn close_group(&mut self) -> Result<(), RegexError> {
        let outer = self.groups.pop().ok_or(RegexError::UnexpectedParen)?;
        let group = std::mem::replace(&mut self.open, outer);
        self.flags = group.outer;
        self.open.sequence.push(group.close()?);
        Ok(())
    }

    /// Behind `(?`: a name, flags, or a group that captures nothing. No captures are kept anyway.
    fn perl_group(&mut self) -> Result<(), RegexError> {
        // UPSTREAM: `(?P<` at the very end of the pattern is read as flags (Go 1.26)
        if self.rest.len() > 2 && self.take("P<") || self.rest.len() > 1 && self.take("<") {
            let name = self.until(">").ok_or(RegexError::NamedCapture)?;
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(RegexError::NamedCapture);
            }
            self.open_group(self.flags);
            return Ok(());
        }
        let mut flags = self.flags;
        let (mut value, mut seen) = (true, true);
        loop {
            match self.next() {
                Some('i') => flags.fold = value,
                Some('m') => flags.multi_line = value,
                Some('s') => flags.dot_all = value,
                Some('U') => flags.lazy = value,
                Some('-') if value => {
                    (value, seen) = (false, false);
                    continue;
                }
                Some(':') if seen => {
                    self.open_group(flags);
                    return Ok(());
                }
                Some(')') if seen => {
                    self.flags = flags;
                    return Ok(());
                }
                _ => return Err(RegexError::PerlOperator),
            }
            seen = true;
        }
    }

    /// Behind `{`: the counts of a repetition, if that is what follows. Too large ones are `u32::MAX`.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        // Not up to the next brace: to look for that one behind each of many takes long.
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && c != ',')?;
        let (inside, after) = self.rest.split_at_checked(end)?;
        let after = after.strip_prefix('}')?;
        let number = |text: &str| {
            let well_formed = !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'));
            well_formed.then(|| text.parse().unwrap_or(u32::MAX))
        };
        let counts = match inside.split_once(',') {
            None => {
                let count = number(inside)?;
                (count, Some(count))
            }
            Some((min, "")) => (number(min)?, None),
            Some((min, max)) => (number(min)?, Some(number(max)?)),
        };
        self.rest = after;
        Some(counts)
    }

    fn counted(&mut self, min: u32, max: Option<u32>, repeated: bool) -> Result<bool, RegexError> {
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || min > max) {
            return Err(RegexError::RepeatCount);
        }
        self.repeat(min, max, repeated)?;
        let Some(piece) = self.open.sequence.last_mut() else { return Ok(true) };
        let copies = max.unwrap_or(min);
        piece.repeats = match (copies, max) {
            (0, Some(_)) => 1,
            _ => piece.repeats.saturating_mul(copies.max(1)),
        };
        if copies >= 2 && piece.repeats > MAX_REPEAT {
            return Err(RegexError::RepeatCount);
        }
        Ok(true)
    }

    /// Repeats the last piece. `repeated`: a repetition stands right before, as in `a**`.
    fn repeat(&mut self, min: u32, max: Option<u32>, repeated: bool) -> Result<bool, RegexError> {
        let lazy = self.take("?");
        if repeated {
            return Err(RegexError::NestedRepeat);
        }
        let Piece { expression, depth, repeats } =
            self.open.sequence.pop().ok_or(RegexError::MissingArgument)?;
        if depth >= MAX_DEPTH {
            return Err(RegexError::Nesting);
        }
        let repetition = Repetition { min, max, greedy: lazy == self.flags.lazy, sub: Box::new(expression) };
        self.open.sequence.push(Piece { expression: Hir::repetition(repetition), depth: depth + 1, repeats });
        Ok(true)
    }
}
