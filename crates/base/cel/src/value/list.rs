//! Lists.

use std::{borrow::Cow, slice, sync::Arc};

use super::Value;
use crate::{EvalError, work::Work};

/// A list: made by the expression, or read where it lies.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// Made by the expression.
    Owned(Arc<Vec<Value<'a>>>),
    /// Of a JSON input. The flag says whether maps reached through it by index know escapes.
    Json(&'a [serde_json::Value], bool),
    /// Of a typed input.
    Strings(&'a [String]),
}

impl<'a> List<'a> {
    /// How many items it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Owned(items) => items.len(),
            Self::Json(items, _) => items.len(),
            Self::Strings(items) => items.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at `index`, as `list[index]` gives it.
    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Owned(items) => items.get(index).cloned(),
            Self::Json(items, escapes) => items.get(index).map(|item| Value::json_with(item, *escapes)),
            Self::Strings(items) => items.get(index).map(|item| Value::str(item)),
        }
    }

    /// The item at `index` as a walk over the list sees it.
    ///
    /// UPSTREAM: maps met while walking over a list know no escapes, those reached by index do
    /// (kube-apiserver 1.36 wraps `Get` only).
    pub(crate) fn walked(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Json(items, _) => items.get(index).map(|item| Value::json_with(item, false)),
            other => other.get(index),
        }
    }

    /// [`Self::walked`] without cloning what is there.
    pub(crate) fn item(&self, index: usize) -> Option<Cow<'_, Value<'a>>> {
        match self {
            Self::Owned(items) => items.get(index).map(Cow::Borrowed),
            other => other.walked(index).map(Cow::Owned),
        }
    }

    /// The item at `index` where it lies, if it is a text.
    pub(crate) fn text(&self, index: usize) -> Option<&str> {
        match self {
            Self::Owned(items) => match items.get(index) {
                Some(Value::String(text)) => Some(text),
                _ => None,
            },
            Self::Json(items, _) => items.get(index)?.as_str(),
            Self::Strings(items) => items.get(index).map(String::as_str),
        }
    }

    /// The items, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        match self {
            Self::Owned(items) => Items::Owned(items.iter()),
            Self::Json(items, _) => Items::Json(items.iter()),
            Self::Strings(items) => Items::Strings(items.iter()),
        }
    }

    /// Whether one of the items equals `item`.
    ///
    /// # Errors
    /// `work` is used up.
    pub(crate) fn contains(&self, item: &Value<'_>, work: &Work) -> Result<bool, EvalError> {
        Ok(self.position(0..self.len(), item, work)?.is_some())
    }

    /// The first of these places at which an item equals `item`.
    ///
    /// UPSTREAM: it is `item` that is asked whether it equals the others; an error means that it does not
    /// (kube-apiserver 1.36).
    ///
    /// # Errors
    /// `work` is used up.
    pub(crate) fn position(
        &self,
        places: impl IntoIterator<Item = usize>,
        item: &Value<'_>,
        work: &Work,
    ) -> Result<Option<usize>, EvalError> {
        let lent = matches!(self, Self::Owned(_));
        for at in places {
            if lent {
                work.steps(1)?
            } else {
                work.made_item()?
            }
            if let Some(held) = self.item(at)
                && item.is(&held, work)?
            {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// This list with the items of `other` behind its own. Copies only if the list is shared.
    ///
    /// # Errors
    /// There is no memory for it left in `work`.
    pub(crate) fn extended(self, other: &Self, work: &Work) -> Result<Self, EvalError> {
        work.make_list(self.len().saturating_add(other.len()))?;
        let mut items = match self {
            Self::Owned(items) => Arc::try_unwrap(items).unwrap_or_else(|shared| shared.as_ref().clone()),
            borrowed => borrowed.iter().collect(),
        };
        items.extend(other.iter());
        Ok(Self::Owned(Arc::new(items)))
    }

    /// This list with one more item. Copies only if the list is shared, so that a macro which builds a
    /// list takes linear time.
    ///
    /// # Errors
    /// There is no memory for it left in `work`.
    pub(crate) fn pushed(self, item: Value<'a>, work: &Work) -> Result<Self, EvalError> {
        work.make(2 * size_of::<Value<'_>>())?;
        let mut items = match self {
            Self::Owned(items) => items,
            borrowed => Arc::new(borrowed.iter().collect()),
        };
        if Arc::strong_count(&items) > 1 {
            work.make_list(items.len())?;
        }
        Arc::make_mut(&mut items).push(item);
        Ok(Self::Owned(items))
    }
}

/// A walk over a list.
enum Items<'l, 'a> {
    Owned(slice::Iter<'l, Value<'a>>),
    Json(slice::Iter<'a, serde_json::Value>),
    Strings(slice::Iter<'a, String>),
}

impl<'a> Iterator for Items<'_, 'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        match self {
            Self::Owned(items) => items.next().cloned(),
            Self::Json(items) => items.next().map(|item| Value::json_with(item, false)),
            Self::Strings(items) => items.next().map(|item| Value::str(item)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Owned(items) => items.size_hint(),
            Self::Json(items) => items.size_hint(),
            Self::Strings(items) => items.size_hint(),
        }
    }
}
