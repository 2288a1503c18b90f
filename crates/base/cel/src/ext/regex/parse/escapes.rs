//! What a backslash begins: classes by name, characters by number, what matches between characters.

use regex_syntax::hir::{ClassUnicode, Hir, Look};

use super::{Parser, RegexError, class};

impl<'p> Parser<'p> {
    /// Behind `\`, outside a class.
    pub(super) fn escape(&mut self) -> Result<(), RegexError> {
        match self.rest.chars().next() {
            Some('A') => self.look(Look::Start),
            Some('z') => self.look(Look::End),
            Some('b') => self.look(Look::WordAscii),
            Some('B') => self.look(Look::WordAsciiNegate),
            Some('Q') => return self.quoted(),
            _ => {
                if let Some(class) = self.class_escape()? {
                    return self.push_class(class);
                }
                return match self.char_escape()? {
                    Some(c) => self.literal(c),
                    None => {
                        // A surrogate, which no text holds.
                        self.push(Hir::fail());
                        Ok(())
                    }
                };
            }
        }
        self.next();
        Ok(())
    }

    /// `\Q…\E`, or to the end.
    fn quoted(&mut self) -> Result<(), RegexError> {
        self.next();
        let text = self.until("\\E").unwrap_or_else(|| std::mem::take(&mut self.rest));
        text.chars().try_for_each(|c| self.literal(c))
    }

    /// Behind `\`: `d`, `p{Greek}` and their like.
    pub(super) fn class_escape(&mut self) -> Result<Option<ClassUnicode>, RegexError> {
        let Some(letter) = self.rest.chars().next() else { return Ok(None) };
        let (class, negated) = if let Some(perl) = class::perl(letter) {
            self.next();
            perl
        } else if matches!(letter, 'p' | 'P') {
            self.next();
            let (name, inverse) = self.property_name()?;
            (class::unicode(name).ok_or(RegexError::CharRange)?, inverse != (letter == 'P'))
        } else {
            return Ok(None);
        };
        let mut class = self.folded(class)?;
        if negated {
            class.negate();
        }
        Ok(Some(class))
    }

    /// One letter or `{name}`, and whether a `^` stands in front.
    fn property_name(&mut self) -> Result<(&'p str, bool), RegexError> {
        let name = if self.take("{") {
            self.until("}").ok_or(RegexError::CharRange)?
        } else {
            let before = self.rest;
            self.next();
            before.strip_suffix(self.rest).unwrap_or_default()
        };
        Ok(name.strip_prefix('^').map_or((name, false), |name| (name, true)))
    }

    /// Behind `\`: one character; nothing for a surrogate.
    pub(super) fn char_escape(&mut self) -> Result<Option<char>, RegexError> {
        let c = self.next().ok_or(RegexError::TrailingBackslash)?;
        let code = match c {
            'a' => 7,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            'x' => self.hexadecimal()?,
            // One digit alone would be a backreference.
            '1'..='7' if !self.rest.starts_with(|c: char| ('0'..='7').contains(&c)) => {
                return Err(RegexError::Escape);
            }
            '0'..='7' => self.octal(c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => return Ok(Some(c)),
            _ => return Err(RegexError::Escape),
        };
        Ok(char::from_u32(code))
    }

    fn octal(&mut self, first: char) -> u32 {
        let mut code = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else { break };
            self.next();
            code = code * 8 + digit;
        }
        code
    }

    /// Two digits, or any number of them in braces.
    pub(super) fn hexadecimal(&mut self) -> Result<u32, RegexError> {
        let digits = if self.take("{") {
            self.until("}").ok_or(RegexError::Escape)?
        } else {
            let (digits, rest) = self.rest.split_at_checked(2).ok_or(RegexError::Escape)?;
            self.rest = rest;
            digits
        };
        let digits = Some(digits).filter(|digits| !digits.is_empty()).ok_or(RegexError::Escape)?;
        digits.chars().try_fold(0_u32, |code, c| {
            let code = code * 16 + c.to_digit(16).ok_or(RegexError::Escape)?;
            if code > u32::from(char::MAX) { Err(RegexError::Escape) } else { Ok(code) }
        })
    }
}
