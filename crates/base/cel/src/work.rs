//! What one evaluation may do beyond what kube-apiserver charges it for.
//!
//! Its costs count calls, not what they take: `==` of two lists costs a tenth of their length, however
//! deep the lists in them are, `a + b` of lists and a ternary cost 1 and 0, and `replace` is charged for
//! what it reads and not for what it makes. So that the limit on costs is a limit on time and memory
//! too, every evaluation has a second account: steps (a part of the expression that is run, an item or
//! 16 bytes that are looked at, a step of a regular expression) and bytes made.

use std::cell::{Cell, RefCell};

use crate::{
    EvalError, Value,
    ext::regex::Regex,
    limits::{MAX_MADE_BYTES, MAX_STEPS},
    value::{Str, count},
};

/// The account of one evaluation.
#[derive(Debug, Default)]
pub(crate) struct Work {
    steps: Cell<u64>,
    bytes: Cell<u64>,
    /// The patterns that this evaluation has made, latest last.
    patterns: RefCell<Vec<Made>>,
}

/// A pattern and what it was read as.
type Made = (Box<str>, Result<Regex, EvalError>);

/// How many patterns made at run time are kept: a loop rarely makes more than one.
const KEPT_PATTERNS: usize = 8;

/// Steps in the time that an item takes which is made when it is looked at.
const MADE_ITEM: u64 = 4;

/// Bytes of text that are looked at in the time of one step.
const BYTES_A_STEP: u64 = 16;

impl Work {
    /// Charges for so many steps, before they are taken.
    ///
    /// # Errors
    /// There would be more than [`MAX_STEPS`].
    pub(crate) fn steps(&self, steps: u64) -> Result<(), EvalError> {
        let sum = self.steps.get().saturating_add(steps);
        self.steps.set(sum);
        if sum > MAX_STEPS { Err(EvalError::too_much_work()) } else { Ok(()) }
    }

    /// Charges for looking at so many items.
    pub(crate) fn items(&self, items: usize) -> Result<(), EvalError> {
        self.steps(count(items))
    }

    /// Charges for an item that is made when it is looked at: of the input, or a copy.
    pub(crate) fn made_item(&self) -> Result<(), EvalError> {
        self.steps(MADE_ITEM)
    }

    /// Charges for looking at so many bytes of text.
    pub(crate) fn text(&self, bytes: usize) -> Result<(), EvalError> {
        match count(bytes) / BYTES_A_STEP {
            0 => Ok(()),
            steps => self.steps(steps),
        }
    }

    /// Charges for memory, before it is taken.
    ///
    /// # Errors
    /// All that was made, whether it is still held or not, would exceed [`MAX_MADE_BYTES`].
    pub(crate) fn make(&self, bytes: usize) -> Result<(), EvalError> {
        let sum = self.bytes.get().saturating_add(count(bytes));
        self.bytes.set(sum);
        if sum > MAX_MADE_BYTES { Err(EvalError::too_large()) } else { Ok(()) }
    }

    /// Charges for a list of so many items.
    pub(crate) fn make_list(&self, items: usize) -> Result<(), EvalError> {
        self.steps(count(items) / 4)?;
        self.make(items.saturating_mul(size_of::<Value<'_>>()).saturating_add(HEADER))
    }

    /// Charges for a text or bytes of this length.
    pub(crate) fn make_text(&self, bytes: usize) -> Result<(), EvalError> {
        self.text(bytes)?;
        self.make(bytes.saturating_add(HEADER))
    }

    /// Charges for what a call has made, unless it is a list: that was charged for before.
    pub(crate) fn made(&self, value: &Value<'_>) -> Result<(), EvalError> {
        match value {
            Value::String(Str::Shared(text)) => self.make_text(text.len()),
            Value::Bytes(bytes) => self.make_text(bytes.len()),
            Value::Opaque(value) => self.make(4 * HEADER + usize::try_from(value.weight()).unwrap_or(0)),
            _ => Ok(()),
        }
    }

    /// Charges for looking at a whole value, as far as it is text or a library knows better.
    pub(crate) fn look(&self, value: &Value<'_>) -> Result<(), EvalError> {
        match value {
            Value::String(text) => self.text(text.len()),
            Value::Bytes(bytes) => self.text(bytes.len()),
            Value::Opaque(value) => self.steps(value.weight()),
            Value::Optional(Some(value)) => self.look(value),
            _ => Ok(()),
        }
    }

    /// Charges for writing a value out in full, which may be far larger than what is held in memory: a list
    /// can hold another one many times over.
    pub(crate) fn unfold(&self, value: &Value<'_>) -> Result<(), EvalError> {
        self.steps(1)?;
        match value {
            Value::String(text) => self.make_text(text.len()),
            Value::Bytes(bytes) => self.make_text(bytes.len()),
            Value::Optional(Some(value)) => self.unfold(value),
            Value::List(list) => {
                self.make(HEADER)?;
                self.items(list.len())?;
                list.iter().try_for_each(|item| self.unfold(&item))
            }
            Value::Map(map) => {
                self.make(HEADER)?;
                map.iter().try_for_each(|(key, value)| {
                    self.unfold(&key)?;
                    self.unfold(&value)
                })
            }
            _ => self.make(HEADER),
        }
    }

    /// Does something with the regular expression that a run-time `pattern` is, which is read once an
    /// evaluation and not once a call.
    pub(crate) fn with_pattern<T>(
        &self,
        pattern: &str,
        then: impl FnOnce(&Regex) -> Result<T, EvalError>,
    ) -> Result<T, EvalError> {
        let mut patterns = self.patterns.borrow_mut();
        let at = match patterns.iter().position(|(known, _)| **known == *pattern) {
            Some(at) => at,
            None => {
                if patterns.len() == KEPT_PATTERNS {
                    patterns.drain(..1);
                }
                let regex = Regex::computed(pattern, self)?;
                patterns.push((pattern.into(), regex));
                patterns.len() - 1
            }
        };
        match patterns.get(at) {
            Some((_, Ok(regex))) => then(regex),
            Some((_, Err(error))) => Err(error.clone()),
            None => Err(EvalError::no_such_overload()),
        }
    }
}

/// What a value takes beside its contents, roughly.
const HEADER: usize = 32;
