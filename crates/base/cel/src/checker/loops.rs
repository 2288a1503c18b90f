//! Loops, which macros have become.

use super::{Checked, Checker, Local};
use crate::{
    Type, Value,
    ast::{Comprehension, Expr},
    plan::{Attribute, Fold, Item, Node, Operator, Root},
};

impl<'s> Checker<'s, '_> {
    pub(super) fn comprehension(&mut self, at: usize, fold: &Comprehension<'s>) -> Checked {
        let range = self.check(&fold.range);
        let slot = self.locals.last().map_or(0, |local| local.slot + 1);
        let outside = std::mem::replace(&mut self.slots, slot);
        let init = self.check(&fold.init);
        // What the accumulator begins with may be worked out in the middle of loops inside of this one: its own
        // loops share no slots with them.
        let slot = self.slots;
        self.slots = slot.max(outside);
        let range_kind = self.bindings.resolve(&range.kind);
        let (first, second) = self.variables(&fold.range, &range_kind, fold.second.is_some());
        let depth = self.locals.len();
        self.locals.push(Local { name: fold.accumulator, kind: init.kind.clone(), slot, depth: init.depth });
        self.locals.push(Local { name: fold.variable, kind: first, slot: slot + 1, depth: range.depth });
        if let Some(name) = fold.second {
            self.locals.push(Local { name, kind: second, slot: slot + 2, depth: range.depth });
        }
        self.slots = self.slots.max(slot + 3);
        let condition = self.check(&fold.condition);
        self.expect(&fold.condition, &condition.kind, &Type::Bool);
        let step = self.check(&fold.step);
        self.expect(&fold.step, &step.kind, &init.kind);
        let made = step.depth.max(init.depth);
        self.locals.truncate(depth + 1);
        if let Some(accumulator) = self.locals.last_mut() {
            accumulator.depth = made;
        }
        let result = self.check(&fold.result);
        self.locals.truncate(depth);
        let kind = self.bindings.resolve(&result.kind);
        if made == u16::MAX {
            self.deeper(at, made);
        }
        let condition = match condition.node {
            Node::Const(Value::Bool(true)) => None,
            other => Some(other),
        };
        let node = Node::Fold(Box::new(Fold {
            range: range.node,
            init: init.node,
            condition,
            step: in_place(step.node, slot),
            result: result.node,
            slot,
            two: fold.second.is_some(),
        }));
        Checked { kind, node, depth: result.depth }
    }

    /// The types of the loop's variables.
    fn variables(&mut self, range: &Expr<'s>, kind: &Type, two: bool) -> (Type, Type) {
        match kind {
            // Two variables over a list are index and item.
            Type::List(item) if two => (Type::Int, item.as_ref().clone()),
            Type::List(item) => (item.as_ref().clone(), Type::Error),
            Type::Map(key, value) => (key.as_ref().clone(), value.as_ref().clone()),
            Type::Dyn | Type::Error | Type::Var(_) => {
                self.bindings.agrees(&Type::Dyn, kind);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let message = format!(
                    "expression of type '{}' cannot be range of a comprehension (must be list, map, or dynamic)",
                    other.in_errors()
                );
                let hint = matches!(other, Type::Any)
                    .then(|| "`dyn(…)` around it leaves what it holds to be known at run time".to_owned());
                self.issues.note_with(range.at, message, hint);
                (Type::Error, Type::Error)
            }
        }
    }

    fn expect(&mut self, expr: &Expr<'s>, found: &Type, wanted: &Type) {
        if !self.bindings.agrees(wanted, found) {
            let (wanted, found) = (self.bindings.resolve(wanted), self.bindings.resolve(found));
            let message = format!("expected type '{}' but found '{}'", wanted.in_errors(), found.in_errors());
            self.issues.note(expr.at, message);
        }
    }
}

/// Makes a step that copies the accumulator and adds to the copy one that adds to the accumulator itself,
/// at the same cost.
fn in_place(step: Node, slot: usize) -> Node {
    match step {
        Node::Attribute(attribute) if attribute.qualifiers.is_empty() => match *attribute {
            Attribute { root: Root::Choice(parts), qualifiers, test } => {
                let [condition, then, other] = *parts;
                let root = Root::Choice(Box::new([condition, in_place(then, slot), other]));
                Node::Attribute(Box::new(Attribute { root, qualifiers, test }))
            }
            other => Node::Attribute(Box::new(other)),
        },
        Node::Arithmetic { operands, operator: Operator::Add, rule } => match *operands {
            [accumulator, Node::List(items)] if is_slot(&accumulator, slot) => match one(items) {
                Ok(item) => Node::Append { slot, item: Box::new(item), constant: false },
                Err(items) => Node::Arithmetic {
                    operands: Box::new([accumulator, Node::List(items)]),
                    operator: Operator::Add,
                    rule,
                },
            },
            [accumulator, Node::Const(Value::List(list))]
                if is_slot(&accumulator, slot) && list.len() == 1 =>
            {
                match list.get(0) {
                    Some(item) => Node::Append { slot, item: Box::new(Node::Const(item)), constant: true },
                    None => accumulator,
                }
            }
            operands => Node::Arithmetic { operands: Box::new(operands), operator: Operator::Add, rule },
        },
        Node::Call(call) if call.overloads.iter().any(|overload| overload.id.starts_with("@mapInsert")) => {
            let mut args = call.args.into_vec().into_iter().skip(1);
            match (args.next(), args.next()) {
                (Some(key), Some(value)) => Node::Insert { slot, key: Box::new(key), value: Box::new(value) },
                (Some(entries), None) => Node::InsertAll { slot, entries: Box::new(entries) },
                _ => Node::Const(Value::Null),
            }
        }
        other => other,
    }
}

fn is_slot(node: &Node, slot: usize) -> bool {
    matches!(node, Node::Attribute(attribute)
        if matches!(attribute.root, Root::Slot(at) if at == slot) && attribute.qualifiers.is_empty())
}

/// The only item, if there is one that is always there.
fn one(items: Box<[Item]>) -> Result<Node, Box<[Item]>> {
    match <Box<[Item; 1]>>::try_from(items) {
        Ok(only) => {
            let [item] = *only;
            if item.optional { Err(Box::new([item])) } else { Ok(item.value) }
        }
        Err(items) => Err(items),
    }
}
