//! Lists.

use std::sync::Arc;

use super::Value;
use crate::{EvalError, limits::MAX_LIST_LENGTH};

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

    /// The items, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.walked(index))
    }

    /// This list with the items of `other` behind its own. Copies only if the list is shared.
    pub fn extended(self, other: &Self) -> Result<Self, EvalError> {
        if self.len().saturating_add(other.len()) > MAX_LIST_LENGTH {
            return Err(EvalError::too_large());
        }
        let mut items = match self {
            Self::Owned(items) => Arc::try_unwrap(items).unwrap_or_else(|shared| shared.as_ref().clone()),
            borrowed => borrowed.iter().collect(),
        };
        items.extend(other.iter());
        Ok(Self::Owned(Arc::new(items)))
    }

    /// This list with one more item. Copies only if the list is shared, so that a macro which builds a
    /// list takes linear time.
    pub fn pushed(self, item: Value<'a>) -> Result<Self, EvalError> {
        if self.len() >= MAX_LIST_LENGTH {
            return Err(EvalError::too_large());
        }
        let mut items = match self {
            Self::Owned(items) => items,
            borrowed => Arc::new(borrowed.iter().collect()),
        };
        Arc::make_mut(&mut items).push(item);
        Ok(Self::Owned(items))
    }
}
