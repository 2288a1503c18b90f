//! Variables and what is selected from them.

use std::sync::Arc;

use super::{Evaluated, Run};
use crate::{
    EvalError, Value,
    plan::{Attribute, Key, Node, Qualifier, Root},
};

impl<'a> Run<'a> {
    /// An attribute as a step of its own.
    pub(super) fn attribute(&mut self, attribute: &'a Attribute) -> Evaluated<'a> {
        if let Some(Ok(value)) = self.plain_slot(attribute) {
            let value = value.clone();
            self.charge(1)?;
            return Ok(value);
        }
        let value = self.resolve(attribute);
        let free = attribute.test || matches!(attribute.root, Root::Choice(_));
        if !free && !value.as_ref().is_err_and(EvalError::is_final) {
            self.charge(1)?;
        }
        value
    }

    /// What a variable of a loop holds, if the attribute is nothing but that.
    pub(super) fn plain_slot(&self, attribute: &Attribute) -> Option<&Evaluated<'a>> {
        match attribute.root {
            Root::Slot(slot) if attribute.qualifiers.is_empty() && self.waiting.is_empty() => {
                self.slots.get(slot)
            }
            _ => None,
        }
    }

    /// An attribute without the cost of being a step.
    fn resolve(&mut self, attribute: &'a Attribute) -> Evaluated<'a> {
        // The way of nearly every expression: a field of the input.
        if let (Root::Input, Value::Object(object)) = (&attribute.root, &self.input)
            && let [Qualifier { key: Key::Name(name), optional: false }, rest @ ..] =
                attribute.qualifiers.as_slice()
            && !(attribute.test && rest.is_empty())
        {
            let field = object.field(name);
            self.charge(1)?;
            return match field {
                Some(value) if rest.is_empty() => Ok(value),
                Some(value) => self.qualify(value, rest, attribute.test),
                None => Err(EvalError::no_such_key(&**name)),
            };
        }
        let root = match &attribute.root {
            Root::Input => self.input.clone(),
            Root::Slot(slot) => {
                self.awaited(*slot)?;
                match self.slots.get(*slot) {
                    Some(value) => value.clone()?,
                    None => Value::Null,
                }
            }
            Root::Value(node) => self.eval(node)?,
            Root::Choice(parts) => match self.chosen(parts)? {
                Node::Attribute(attribute) => self.resolve(attribute)?,
                node => self.eval(node)?,
            },
        };
        match attribute.qualifiers.as_slice() {
            [] => Ok(root),
            qualifiers => self.qualify(root, qualifiers, attribute.test),
        }
    }

    /// The branch that a ternary leads to, through ternaries in ternaries. None of them costs anything.
    fn chosen(&mut self, mut parts: &'a [Node; 3]) -> Result<&'a Node, EvalError> {
        loop {
            self.work.steps(1)?;
            let [condition, then, other] = parts;
            let branch = if self.truth(condition)? { then } else { other };
            match branch {
                Node::Attribute(attribute) => match &attribute.root {
                    Root::Choice(inner) if attribute.qualifiers.is_empty() => parts = inner,
                    _ => return Ok(branch),
                },
                _ => return Ok(branch),
            }
        }
    }

    /// What a ternary that has to be a bool is; nothing if the attribute is none.
    pub(super) fn chosen_truth(&mut self, attribute: &'a Attribute) -> Option<Result<bool, EvalError>> {
        let Attribute { root: Root::Choice(parts), qualifiers, .. } = attribute else { return None };
        if !qualifiers.is_empty() {
            return None;
        }
        Some(match self.chosen(parts) {
            Ok(Node::Attribute(attribute)) => self.resolve(attribute).and_then(|value| value.as_bool()),
            Ok(node) => self.truth(node),
            Err(error) => Err(error),
        })
    }

    fn qualify(&mut self, root: Value<'a>, qualifiers: &'a [Qualifier], test: bool) -> Evaluated<'a> {
        let (mut value, mut optional) = match root {
            Value::Optional(None) if test => return Ok(Value::Bool(false)),
            Value::Optional(None) => return Ok(Value::Optional(None)),
            Value::Optional(Some(value)) => (value.as_ref().clone(), true),
            other => (other, false),
        };
        for (at, qualifier) in qualifiers.iter().enumerate() {
            let testing = test && at + 1 == qualifiers.len();
            optional |= qualifier.optional;
            if testing {
                let found = present(&value, &qualifier.key).map(|found| found.is_some());
                // UPSTREAM: behind `.?` only what is there is charged for (kube-apiserver 1.36).
                if !optional || matches!(found, Ok(true)) {
                    self.charge(1)?;
                }
                return found.map(Value::Bool);
            }
            let found = match &qualifier.key {
                Key::Computed(node) => {
                    let key = match node {
                        Node::Attribute(attribute) => self.resolve(attribute),
                        node => self.eval(node),
                    };
                    super::final_or(key)?.and_then(|key| look_up(&value, &key, optional))
                }
                constant => present_or_error(&value, constant, optional),
            };
            match found {
                Ok(Some(next)) => {
                    self.charge(1)?;
                    value = next;
                }
                Ok(None) if test => return Ok(Value::Bool(false)),
                Ok(None) => return Ok(Value::Optional(None)),
                Err(error) => {
                    if !optional {
                        self.charge(1)?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(if optional { Value::Optional(Some(Arc::new(value))) } else { value })
    }
}

/// What `has` looks at.
fn present<'a>(value: &Value<'a>, key: &Key) -> Result<Option<Value<'a>>, EvalError> {
    present_or_error(value, key, true)
}

fn present_or_error<'a>(
    value: &Value<'a>,
    key: &Key,
    optional: bool,
) -> Result<Option<Value<'a>>, EvalError> {
    match key {
        Key::Name(name) => match value {
            Value::Object(object) => found(object.field(name), optional, || EvalError::no_such_key(&**name)),
            other => look_up(other, &Value::String(name.clone()), optional),
        },
        Key::Constant(key) => look_up(value, key, optional),
        Key::Computed(_) => Err(EvalError::no_such_overload()),
    }
}

/// `value[key]`: nothing only if `optional`, else an error says what is missing.
///
/// UPSTREAM: `refQualify` of cel-go (kube-apiserver 1.36).
fn look_up<'a>(value: &Value<'a>, key: &Value<'_>, optional: bool) -> Result<Option<Value<'a>>, EvalError> {
    let missing = || EvalError::no_such_key(shown(key));
    match value {
        Value::Map(map) => found(map.find(key), optional, missing),
        Value::Object(object) => match key {
            Value::String(name) => found(object.field(name), optional, missing),
            _ if object.size().is_none() => Err(EvalError::no_such_overload()),
            _ => found(None, optional, missing),
        },
        Value::List(list) => {
            let index = index(key)?;
            let item = usize::try_from(index).ok().and_then(|index| list.get(index));
            found(item, optional, || EvalError::new(format!("index out of bounds: {index}")))
        }
        _ => found(None, optional, missing),
    }
}

fn found<'a>(
    value: Option<Value<'a>>,
    optional: bool,
    missing: impl FnOnce() -> EvalError,
) -> Result<Option<Value<'a>>, EvalError> {
    match value {
        None if !optional => Err(missing()),
        other => Ok(other),
    }
}

/// The index a value stands for: any number that is whole.
fn index(key: &Value<'_>) -> Result<i64, EvalError> {
    let unsupported = || EvalError::new(format!("unsupported index value {} in list", shown(key)));
    match key {
        Value::Int(number) => Ok(*number),
        Value::Uint(number) => i64::try_from(*number).map_err(|_| unsupported()),
        Value::Double(number) if number.fract() == 0.0 && number.abs() < i64::MAX as f64 => {
            Ok(*number as i64)
        }
        Value::Double(_) => Err(unsupported()),
        other => Err(EvalError::new(format!("unsupported index type '{}' in list", other.type_name()))),
    }
}

fn shown(key: &Value<'_>) -> String {
    match key {
        Value::String(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => crate::go::format_double(*number),
        Value::Bool(truth) => truth.to_string(),
        other => other.type_name().to_owned(),
    }
}
