//! An expression as it was put together, so that parts of it can be found and written otherwise.

use std::borrow::Cow;

/// A form with the parts that stand in it.
#[derive(Clone, Debug)]
pub struct Term {
    /// The text, with `$0`, `$1` … where the parts go.
    pub form: Cow<'static, str>,
    pub parts: Vec<Term>,
}

/// How a part is written instead, in a form of its own parts; nothing if it stays as it is.
pub type Change<'c> = &'c dyn Fn(&Term) -> Option<String>;

pub fn node(form: impl Into<Cow<'static, str>>, parts: Vec<Term>) -> Term {
    Term { form: form.into(), parts }
}

/// What has no parts; `$` means itself in it.
pub fn leaf(text: &str) -> Term {
    Term { form: text.to_owned().into(), parts: Vec::new() }
}

pub fn list(items: Vec<Term>) -> Term {
    let places: Vec<_> = (0..items.len()).map(|at| format!("${at}")).collect();
    node(format!("[{}]", places.join(", ")), items)
}

impl Term {
    pub fn text(&self) -> String {
        self.changed(&|_| None)
    }

    /// Its text after the change, which is asked for each part.
    pub fn changed(&self, change: Change<'_>) -> String {
        let form = change(self).map_or_else(|| self.form.clone(), Cow::Owned);
        if self.parts.is_empty() {
            return form.into_owned();
        }
        let mut text = String::new();
        let mut rest = form.chars();
        while let Some(c) = rest.next() {
            if c == '$' {
                let part = rest.next().and_then(|digit| digit.to_digit(10)).expect("a part is one digit");
                text.push_str(&self.parts[part as usize].changed(change));
            } else {
                text.push(c);
            }
        }
        text
    }

    /// Whether it or a part of it is so.
    pub fn any(&self, is_so: &dyn Fn(&Term) -> bool) -> bool {
        is_so(self) || self.parts.iter().any(|part| part.any(is_so))
    }

    /// The keys, if it is a map that is written out.
    pub fn keys(&self) -> Option<Vec<&Term>> {
        self.form.starts_with("{$").then(|| self.parts.iter().step_by(2).collect())
    }
}
