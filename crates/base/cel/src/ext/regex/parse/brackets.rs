//! Classes of characters in brackets.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::{MAX_RANGES, Parser, RegexError, class};

impl<'p> Parser<'p> {
    /// Behind `[`.
    pub(super) fn class(&mut self) -> Result<(), RegexError> {
        let negated = self.take("^");
        let mut ranges = Vec::new();
        let mut first = true;
        while first || !self.take("]") {
            first = false;
            let item = self.class_item()?;
            self.ranges += item.ranges().len();
            if self.ranges > MAX_RANGES {
                return Err(RegexError::TooLarge);
            }
            ranges.extend_from_slice(item.ranges());
        }
        let mut class = ClassUnicode::new(ranges);
        if negated {
            class.negate();
        }
        self.push_class(class)
    }

    fn class_item(&mut self) -> Result<ClassUnicode, RegexError> {
        if let Some((name, after)) = self.named_class() {
            self.rest = after;
            let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
            let mut class = self.folded(class::posix(name).ok_or(RegexError::CharRange)?)?;
            if negated {
                class.negate();
            }
            return Ok(class);
        }
        let before = self.rest;
        if self.take("\\") {
            if let Some(class) = self.class_escape()? {
                return Ok(class);
            }
            self.rest = before;
        }
        let low = self.class_char()?;
        let mut high = low;
        // A hyphen at the end stands for itself.
        if self.rest.starts_with('-') && self.rest.len() > 1 && !self.rest.starts_with("-]") {
            self.next();
            high = self.class_char()?;
        }
        if high < low {
            return Err(RegexError::CharRange);
        }
        self.folded(scalar_range(low, high))
    }

    /// What stands in `[:…:]`, and what behind it.
    fn named_class(&mut self) -> Option<(&'p str, &'p str)> {
        let rest = self.rest.strip_prefix("[:").filter(|_| self.named_classes)?;
        let found = rest.split_once(":]");
        self.named_classes = found.is_some();
        found
    }

    /// One character of a class, as its code: surrogates may be written as escapes.
    fn class_char(&mut self) -> Result<u32, RegexError> {
        let before = self.rest;
        match self.next() {
            None => Err(RegexError::MissingBracket),
            Some('\\') => match self.char_escape()? {
                Some(c) => Ok(u32::from(c)),
                None => {
                    self.rest = before;
                    self.take("\\x");
                    self.hexadecimal()
                }
            },
            Some(c) => Ok(u32::from(c)),
        }
    }
}

/// The characters between two codes, which may be surrogates.
fn scalar_range(low: u32, high: u32) -> ClassUnicode {
    let low = char::from_u32(low).unwrap_or('\u{e000}');
    let high = char::from_u32(high).unwrap_or('\u{d7ff}');
    if low > high { class::ranges(&[]) } else { ClassUnicode::new([ClassUnicodeRange::new(low, high)]) }
}
