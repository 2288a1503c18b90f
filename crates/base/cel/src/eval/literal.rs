//! Lists, maps and messages.

use std::sync::Arc;

use super::{Evaluated, Run};
use crate::{
    EvalError, Timestamp, Value,
    plan::{Entry, FieldName, Item, Message, MessageField, Wrapped},
    value::{ENTRY, Entries, Map, Str},
};

/// UPSTREAM: what making one costs (kube-apiserver 1.36).
const LIST_COST: u64 = 10;
const MAP_COST: u64 = 30;
const MESSAGE_COST: u64 = 40;

impl<'a> Run<'a> {
    pub(super) fn list(&mut self, items: &'a [Item]) -> Evaluated<'a> {
        self.charge(LIST_COST)?;
        self.work.make_list(items.len())?;
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let value = self.eval(&item.value)?;
            if !item.optional {
                list.push(value);
            } else if let Some(value) = held(value)? {
                list.push(value);
            }
        }
        Ok(Value::list(list))
    }

    pub(super) fn map(&mut self, entries: &'a [Entry]) -> Evaluated<'a> {
        self.charge(MAP_COST)?;
        self.work.make(entries.len().saturating_mul(ENTRY))?;
        self.work.items(entries.len().saturating_mul(8))?;
        let mut map = Entries::default();
        for entry in entries {
            let key = self.eval(&entry.key)?;
            self.work.look(&key)?;
            let value = self.eval(&entry.value)?;
            if !entry.optional {
                map.insert(key, value);
            } else if let Some(value) = held(value)? {
                map.insert(key, value);
            }
        }
        Ok(Value::Map(Map::Owned(Arc::new(map))))
    }

    pub(super) fn message(&mut self, message: Message, fields: &'a [MessageField]) -> Evaluated<'a> {
        self.charge(MESSAGE_COST)?;
        let (mut seconds, mut nanos, mut wrapped) = (0, 0, None);
        for field in fields {
            let mut value = self.eval(&field.value)?;
            if field.optional {
                match held(value)? {
                    Some(held) => value = held,
                    None => continue,
                }
            }
            match field.name {
                FieldName::Seconds => seconds = value.as_int()?,
                FieldName::Nanos => {
                    nanos = i32::try_from(value.as_int()?).map_err(|_| EvalError::new("integer overflow"))?;
                }
                FieldName::Value => wrapped = Some(value),
                FieldName::Other => {}
            }
        }
        match message {
            Message::Any => Err(EvalError::new("unsupported conversion to ref.Val: (*dynamicpb.Message)")),
            Message::Duration => seconds
                .checked_mul(1_000_000_000)
                .and_then(|whole| whole.checked_add(i64::from(nanos)))
                .map(Value::Duration)
                .ok_or_else(|| EvalError::new("duration overflow")),
            Message::Timestamp => {
                Timestamp::from_nanosecond(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
                    .map(Value::Timestamp)
                    .ok_or_else(|| EvalError::new("timestamp overflow"))
            }
            Message::Wrapper(kind) => wrapper(kind, wrapped),
        }
    }
}

fn wrapper<'a>(kind: Wrapped, value: Option<Value<'a>>) -> Evaluated<'a> {
    Ok(match (kind, value) {
        (Wrapped::Bool, None) => Value::Bool(false),
        (Wrapped::Bytes, None) => Value::Bytes(Arc::new([])),
        (Wrapped::Double | Wrapped::Float, None) => Value::Double(0.0),
        (Wrapped::Int | Wrapped::Int32, None) => Value::Int(0),
        (Wrapped::String, None) => Value::String(Str::Borrowed("")),
        (Wrapped::Uint | Wrapped::Uint32, None) => Value::Uint(0),
        (Wrapped::Float, Some(Value::Double(number))) => Value::Double(f64::from(number as f32)),
        (Wrapped::Int32, Some(Value::Int(number))) if i32::try_from(number).is_err() => {
            return Err(EvalError::new("integer overflow"));
        }
        (Wrapped::Uint32, Some(Value::Uint(number))) if u32::try_from(number).is_err() => {
            return Err(EvalError::new("unsigned integer overflow"));
        }
        (Wrapped::Bool, Some(value @ Value::Bool(_)))
        | (Wrapped::Bytes, Some(value @ Value::Bytes(_)))
        | (Wrapped::Double, Some(value @ Value::Double(_)))
        | (Wrapped::Int | Wrapped::Int32, Some(value @ Value::Int(_)))
        | (Wrapped::String, Some(value @ Value::String(_)))
        | (Wrapped::Uint | Wrapped::Uint32, Some(value @ Value::Uint(_))) => value,
        _ => return Err(EvalError::no_such_overload()),
    })
}

/// What an optional item holds.
fn held(value: Value<'_>) -> Result<Option<Value<'_>>, EvalError> {
    match value {
        Value::Optional(held) => Ok(held.map(|value| value.as_ref().clone())),
        other => Err(EvalError::new(format!(
            "cannot initialize optional entry from non-optional value {}",
            other.type_name()
        ))),
    }
}
