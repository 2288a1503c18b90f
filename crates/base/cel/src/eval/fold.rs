//! Loops.

use super::{Evaluated, Run};
use crate::{
    EvalError, Value,
    plan::{Fold, Node},
    value::{List, Map},
    work::Work,
};

/// What a loop walks over.
enum Range<'a> {
    List(List<'a>),
    /// Keys and values.
    Entries(std::vec::IntoIter<(Evaluated<'a>, Evaluated<'a>)>),
}

/// What adding an item costs: the accumulator, the list around the item unless that is constant, the sum.
const APPENDED: u64 = 12;
const APPENDED_CONSTANT: u64 = 2;

/// How many items a list has room for before it has any.
const FEW: usize = 16;

impl<'a> Run<'a> {
    pub(super) fn fold(&mut self, fold: &'a Fold) -> Evaluated<'a> {
        let range = self.eval(&fold.range)?;
        let mut range = range_of(range, fold.two, &self.work)?;
        if let Range::List(list) = &range
            && let Some(mapped) = self.mapped(fold, list)
        {
            self.set(fold.slot, mapped?);
            let result = self.eval(&fold.result);
            self.set(fold.slot, Ok(Value::Null));
            return result;
        }
        match &fold.init {
            Node::Const(_) => {
                let init = self.eval(&fold.init);
                self.set(fold.slot, init);
            }
            // UPSTREAM: it is worked out when it is asked for (kube-apiserver 1.36).
            init => self.waiting.push((fold.slot, init)),
        }
        let mut index = 0_i64;
        loop {
            let (first, second) = match &mut range {
                Range::List(list) => match usize::try_from(index).ok().and_then(|at| list.walked(at)) {
                    Some(item) if fold.two => (Ok(Value::Int(index)), Ok(item)),
                    Some(item) => (Ok(item), Ok(Value::Null)),
                    None => break,
                },
                Range::Entries(entries) => match entries.next() {
                    Some(entry) => entry,
                    None => break,
                },
            };
            index += 1;
            self.set(fold.slot + 1, first);
            if fold.two {
                self.set(fold.slot + 2, second);
            }
            if let Some(condition) = &fold.condition
                && self.over(condition)?
            {
                break;
            }
            let step = self.eval(&fold.step);
            self.set(fold.slot, super::final_or(step)?);
        }
        let result = self.eval(&fold.result);
        self.waiting.retain(|(slot, _)| *slot != fold.slot);
        // Nobody else holds the result now: what is added to it next is added in place.
        self.set(fold.slot, Ok(Value::Null));
        result
    }

    /// Makes sure that the slot holds something, if it is that of an accumulator.
    pub(super) fn awaited(&mut self, slot: usize) -> Result<(), EvalError> {
        let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == slot) else { return Ok(()) };
        let (_, init) = self.waiting.swap_remove(at);
        let init = super::final_or(self.eval(init))?;
        self.set(slot, init);
        Ok(())
    }

    /// `map` over a list, where the loop does nothing but add an item for each: nobody can name the list
    /// that grows, so it need not be a value yet. Nothing for other loops.
    fn mapped(&mut self, fold: &'a Fold, list: &List<'a>) -> Option<Result<Evaluated<'a>, EvalError>> {
        match (&fold.init, &fold.step) {
            (Node::Const(Value::List(init)), Node::Append { item, constant, .. })
                if init.is_empty() && fold.condition.is_none() =>
            {
                Some(self.map_items(fold, list, item, *constant))
            }
            _ => None,
        }
    }

    fn map_items(
        &mut self,
        fold: &'a Fold,
        list: &List<'a>,
        item: &'a Node,
        constant: bool,
    ) -> Result<Evaluated<'a>, EvalError> {
        let mut made = Vec::with_capacity(list.len().min(FEW));
        let mut failed = None;
        for (index, value) in (0..).zip(list.iter()) {
            if fold.two {
                self.set(fold.slot + 1, Ok(Value::Int(index)));
                self.set(fold.slot + 2, Ok(value));
            } else {
                self.set(fold.slot + 1, Ok(value));
            }
            self.work.steps(1)?;
            self.charge(if constant { APPENDED_CONSTANT } else { APPENDED })?;
            match super::final_or(self.eval(item))? {
                Ok(value) => {
                    self.work.make(2 * size_of::<Value<'_>>())?;
                    made.push(value);
                }
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        Ok(failed.map_or_else(|| Ok(Value::list(made)), Err))
    }

    /// Whether the loop's condition says that it ends here; an error does not.
    fn over(&mut self, condition: &'a Node) -> Result<bool, EvalError> {
        match self.truth(condition) {
            Ok(truth) => Ok(!truth),
            Err(error) if error.is_final() => Err(error),
            Err(_) => Ok(false),
        }
    }

    fn set(&mut self, slot: usize, value: Evaluated<'a>) {
        if let Some(held) = self.slots.get_mut(slot) {
            *held = value;
        }
    }

    fn take(&mut self, slot: usize) -> Evaluated<'a> {
        self.slots.get_mut(slot).map_or(Ok(Value::Null), |held| std::mem::replace(held, Ok(Value::Null)))
    }

    pub(super) fn append(&mut self, slot: usize, item: &'a Node, constant: bool) -> Evaluated<'a> {
        self.charge(if constant { APPENDED_CONSTANT } else { APPENDED })?;
        let item = self.eval(item);
        match (self.take(slot)?, item?) {
            (Value::List(list), item) => Ok(Value::List(list.pushed(item, &self.work)?)),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    pub(super) fn insert(&mut self, slot: usize, key: &'a Node, value: &'a Node) -> Evaluated<'a> {
        // The accumulator.
        self.charge(1)?;
        self.accumulated(slot)?;
        let key = self.eval(key)?;
        let value = super::final_or(self.eval(value))?;
        // The call, if its last argument has run.
        self.charge(1)?;
        let value = value?;
        match self.take(slot)? {
            Value::Map(map) => inserted(map, key, value, &self.work).map(Value::Map),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    pub(super) fn insert_all(&mut self, slot: usize, entries: &'a Node) -> Evaluated<'a> {
        // The accumulator, the call.
        self.charge(2)?;
        let entries = super::final_or(self.eval(entries))?;
        self.accumulated(slot)?;
        match (self.take(slot)?, entries?) {
            (Value::Map(mut map), Value::Map(entries)) => {
                for (key, value) in entries.iter() {
                    map = inserted(map, key, value, &self.work)?;
                }
                Ok(Value::Map(map))
            }
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// The error that the accumulator has become, if it has.
    fn accumulated(&self, slot: usize) -> Result<(), EvalError> {
        match self.slots.get(slot) {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

fn inserted<'a>(map: Map<'a>, key: Value<'a>, value: Value<'a>, work: &Work) -> Result<Map<'a>, EvalError> {
    work.look(&key)?;
    map.inserted(key, value, work)?.ok_or_else(|| EvalError::new("insert failed: the key already exists"))
}

fn range_of<'a>(value: Value<'a>, two: bool, work: &Work) -> Result<Range<'a>, EvalError> {
    match value {
        Value::List(list) => Ok(Range::List(list)),
        Value::Map(map) => {
            work.make_list(map.len().saturating_mul(2))?;
            work.items(map.len().saturating_mul(8))?;
            Ok(Range::Entries(
                map.iter().map(|(key, value)| (Ok(key), Ok(value))).collect::<Vec<_>>().into_iter(),
            ))
        }
        Value::Object(object) if object.size().is_some() => {
            let entry = |name| object.field(name).map(|value| (Ok(Value::str(name)), Ok(value)));
            Ok(Range::Entries(object.names().filter_map(entry).collect::<Vec<_>>().into_iter()))
        }
        // UPSTREAM: walking over `claims` or `user` gives the values of the fields, each reached through its
        // name as if that were written with escapes (kube-apiserver 1.36).
        Value::Object(object) => {
            let entry = |name| {
                let value = object.field(name).ok_or_else(|| EvalError::no_such_key(name));
                let again = match &value {
                    Ok(Value::String(text)) => {
                        object.field(text).ok_or_else(|| EvalError::no_such_key(&**text))
                    }
                    Ok(_) => Err(EvalError::no_such_overload()),
                    Err(error) => Err(error.clone()),
                };
                (value, if two { again } else { Ok(Value::Null) })
            };
            Ok(Range::Entries(object.names().map(entry).collect::<Vec<_>>().into_iter()))
        }
        other => Err(EvalError::new(format!("got '{}', expected iterable type", other.type_name()))),
    }
}
