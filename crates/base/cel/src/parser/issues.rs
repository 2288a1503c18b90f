//! The mistakes in an expression, and where they are.

use std::fmt;

/// A mistake in an expression and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// From 1.
    pub line: usize,
    /// In code points, from 1.
    pub column: usize,
    /// cel-go's words.
    pub message: String,
    /// What may have been meant, for people.
    pub hint: Option<String>,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// The mistakes found so far.
#[derive(Debug)]
pub(crate) struct Issues<'s> {
    source: &'s str,
    found: Vec<Noted>,
}

/// A mistake and its place in bytes.
#[derive(Clone, Debug)]
struct Noted {
    at: usize,
    message: String,
    hint: Option<String>,
}

/// More mistakes than this are not listed.
const MAX_ISSUES: usize = 100;

impl<'s> Issues<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Self { source, found: Vec::new() }
    }

    pub(crate) fn note(&mut self, at: usize, message: String) {
        self.note_with(at, message, None);
    }

    /// With what may have been meant.
    pub(crate) fn note_with(&mut self, at: usize, message: String, hint: Option<String>) {
        if self.found.len() < MAX_ISSUES {
            self.found.push(Noted { at, message, hint });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order in which they stand in the text.
    pub(crate) fn listed(mut self) -> Vec<Issue> {
        self.found.sort_by_key(|noted| noted.at);
        let place = |at: usize| {
            let before = self.source.get(..at).unwrap_or(self.source);
            let line_start = before.rfind('\n').map_or(0, |end| end + 1);
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            (line, before.get(line_start..).unwrap_or_default().chars().count() + 1)
        };
        self.found
            .iter()
            .map(|Noted { at, message, hint }| {
                let (line, column) = place(*at);
                Issue { line, column, message: message.clone(), hint: hint.clone() }
            })
            .collect()
    }
}
