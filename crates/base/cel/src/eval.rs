//! Runs a checked expression within its cost.

mod attribute;
mod fold;
mod literal;

use crate::{
    EvalError, Type, Value,
    cost::{Rule, tenth},
    ext::{Overload, strings::found},
    operators::{calculate, compared, contained, negate},
    plan::{Call, Node, Pattern},
};

/// The value of a step, or why it has none.
pub(crate) type Evaluated<'a> = Result<Value<'a>, EvalError>;

/// One evaluation.
pub(crate) struct Run<'a> {
    input: Value<'a>,
    slots: Vec<Evaluated<'a>>,
    cost: u64,
    limit: u64,
}

impl<'a> Run<'a> {
    pub(crate) fn new(input: Value<'a>, slots: usize, limit: u64) -> Self {
        let slots = std::iter::repeat_with(|| Ok(Value::Null)).take(slots).collect();
        Self { input, slots, cost: 0, limit }
    }

    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    fn charge(&mut self, cost: u64) -> Result<(), EvalError> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.limit { Err(EvalError::cost_limit()) } else { Ok(()) }
    }

    pub(crate) fn eval(&mut self, node: &'a Node) -> Evaluated<'a> {
        match node {
            Node::Const(value) => Ok(value.clone()),
            Node::Attribute(attribute) => self.attribute(attribute),
            Node::And(terms) => self.logical(terms, false),
            Node::Or(terms) => self.logical(terms, true),
            Node::Equal { operands, negated } => self.equal(operands, *negated),
            Node::Compare { operands, test, rule } => {
                let (left, right) = self.both(operands, *rule)?;
                compared(*test, &left, &right)
            }
            Node::Arithmetic { operands, operator, rule } => {
                let (left, right) = self.both(operands, *rule)?;
                calculate(*operator, left, right)
            }
            Node::In { operands, rule } => {
                let (item, container) = self.both(operands, *rule)?;
                contained(&item, &container).map(Value::Bool)
            }
            Node::InConstants { operand, constants } => {
                let item = self.eval(operand)?;
                contained(&item, constants).map(Value::Bool)
            }
            Node::Not(operand) => {
                let truth = self.one(operand)?.as_bool()?;
                Ok(Value::Bool(!truth))
            }
            Node::Negate(operand) => negate(&self.one(operand)?),
            Node::NotStrictlyFalse(operand) => self.not_strictly_false(operand),
            Node::Call(call) => self.call(call),
            Node::List(items) => self.list(items),
            Node::Map(entries) => self.map(entries),
            Node::Message { message, fields } => self.message(*message, fields),
            Node::Fold(fold) => self.fold(fold),
            Node::Append { slot, item, constant } => self.append(*slot, item, *constant),
            Node::Insert { slot, key, value } => self.insert(*slot, key, value),
            Node::InsertAll { slot, entries } => self.insert_all(*slot, entries),
            Node::OrValue { operands, wrapped } => self.or_value(operands, *wrapped),
        }
    }

    /// The operand of an operator that costs 1.
    fn one(&mut self, operand: &'a Node) -> Evaluated<'a> {
        let value = self.eval(operand);
        if !value.as_ref().is_err_and(EvalError::is_final) {
            self.charge(1)?;
        }
        value
    }

    /// Both operands of an operator: the right one runs even if the left one fails.
    fn both(&mut self, operands: &'a [Node; 2], rule: Rule) -> Result<(Value<'a>, Value<'a>), EvalError> {
        let [left, right] = operands;
        let left = final_or(self.eval(left))?;
        let right = final_or(self.eval(right))?;
        match (left, right) {
            (Ok(left), Ok(right)) => {
                let cost = match rule {
                    Rule::Fixed(cost) => cost,
                    Rule::Smaller => tenth(left.cost_size().min(right.cost_size())),
                    Rule::Both => tenth(left.cost_size().saturating_add(right.cost_size())),
                    Rule::SecondSize => right.cost_size(),
                    _ => 1,
                };
                self.charge(cost)?;
                Ok((left, right))
            }
            (Err(error), _) | (_, Err(error)) => {
                self.charge(1)?;
                Err(error)
            }
        }
    }

    fn equal(&mut self, operands: &'a [Node; 2], negated: bool) -> Evaluated<'a> {
        let [left, right] = operands;
        let left = final_or(self.eval(left))?;
        let right = final_or(self.eval(right))?;
        match (left, right) {
            (Ok(left), Ok(right)) => {
                // UPSTREAM: values of kube-apiserver's own libraries cost 1 to compare for equality (kube-apiserver 1.36).
                let cost = match (&left, &right) {
                    (Value::Opaque(_), _) if !negated => 1,
                    (Value::String(a), Value::String(b)) => shorter_tenth(a, b),
                    _ => tenth(left.cost_size().min(right.cost_size())),
                };
                self.charge(cost)?;
                Ok(Value::Bool(left.equals(&right) != negated))
            }
            (Err(error), _) | (_, Err(error)) => {
                self.charge(1)?;
                Err(error)
            }
        }
    }

    /// `&&` and `||`: the first term that decides wins, wherever errors are; else the first error does.
    fn logical(&mut self, terms: &'a [Node], decides: bool) -> Evaluated<'a> {
        let mut failed = None;
        for term in terms {
            match self.eval(term) {
                Ok(Value::Bool(truth)) if truth == decides => return Ok(Value::Bool(decides)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => {
                    failed.get_or_insert_with(EvalError::no_such_overload);
                }
                Err(error) if error.is_final() => return Err(error),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(Value::Bool(!decides)),
        }
    }

    fn not_strictly_false(&mut self, operand: &'a Node) -> Evaluated<'a> {
        match self.one(operand) {
            Ok(Value::Bool(truth)) => Ok(Value::Bool(truth)),
            Err(error) if error.is_final() => Err(error),
            _ => Ok(Value::Bool(true)),
        }
    }

    fn or_value(&mut self, operands: &'a [Node; 2], wrapped: bool) -> Evaluated<'a> {
        let [left, right] = operands;
        match self.eval(left)? {
            Value::Optional(None) => self.eval(right),
            some @ Value::Optional(_) if wrapped => Ok(some),
            Value::Optional(Some(value)) => Ok(value.as_ref().clone()),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    fn call(&mut self, call: &'a Call) -> Evaluated<'a> {
        match &*call.args {
            [] => self.finish(call, &[]),
            [only] => match final_or(self.eval(only))? {
                Ok(value) => self.finish(call, &[value]),
                Err(error) => self.failed(error),
            },
            [first, second] => {
                let first = final_or(self.eval(first))?;
                let second = final_or(self.eval(second))?;
                match (first, second) {
                    (Ok(first), Ok(second)) => self.finish(call, &[first, second]),
                    (Err(error), _) | (_, Err(error)) => self.failed(error),
                }
            }
            many => {
                let mut args = Vec::with_capacity(many.len());
                for arg in many {
                    args.push(self.eval(arg)?);
                }
                self.finish(call, &args)
            }
        }
    }

    fn failed(&mut self, error: EvalError) -> Evaluated<'a> {
        self.charge(1)?;
        Err(error)
    }

    fn finish(&mut self, call: &'a Call, args: &[Value<'a>]) -> Evaluated<'a> {
        let result = match (&call.pattern, args) {
            (Some(pattern), [Value::String(text), _, rest @ ..]) => searched(pattern, text, rest),
            _ => dispatch(&call.overloads, args),
        };
        let cost = call.rule.charge(args, &result);
        self.charge(cost)?;
        result
    }
}

/// Searches with a pattern that was compiled before; `rest` may be how many matches are wanted.
fn searched<'a>(pattern: &Pattern, text: &str, rest: &[Value<'a>]) -> Evaluated<'a> {
    Ok(match pattern {
        Pattern::Matches(regex) => Value::Bool(regex.is_match(text)),
        Pattern::Find(regex) => Value::string(regex.find(text)),
        Pattern::FindAll(regex) => {
            let limit = rest.first().map_or(Ok(-1), Value::as_int)?;
            found(regex, text, limit)
        }
    })
}

/// Runs the first overload that fits.
pub(crate) fn dispatch<'a>(overloads: &[&'static Overload], args: &[Value<'a>]) -> Evaluated<'a> {
    for overload in overloads {
        if overload.params.len() == args.len()
            && overload.params.iter().zip(args).all(|(param, arg)| fits(param, arg))
        {
            return (overload.call)(args);
        }
    }
    Err(EvalError::no_such_overload())
}

/// Whether a value is of a declared type, as far as its run-time type and its first item tell.
///
/// UPSTREAM: `IsAssignableRuntimeType` (kube-apiserver 1.36).
fn fits(param: &Type, arg: &Value<'_>) -> bool {
    match (param, arg) {
        (Type::Dyn | Type::Any | Type::Param(_), _) => true,
        (Type::String, Value::String(_)) | (Type::Int, Value::Int(_)) => true,
        (Type::List(item), Value::List(list)) => list.walked(0).is_none_or(|first| fits(item, &first)),
        (Type::Map(key, value), Value::Map(map)) => {
            map.iter().next().is_none_or(|(first, of)| fits(key, &first) && fits(value, &of))
        }
        (param, arg) => param.runtime_name() == arg.type_name(),
    }
}

/// Lets an error be handled here, unless nothing may handle it.
fn final_or(evaluated: Evaluated<'_>) -> Result<Evaluated<'_>, EvalError> {
    match evaluated {
        Err(error) if error.is_final() => Err(error),
        other => Ok(other),
    }
}

/// A tenth of the code points of the shorter text, without counting those of a short one twice.
fn shorter_tenth(a: &str, b: &str) -> u64 {
    let count = |text: &str| crate::value::count(text.chars().count());
    tenth(count(a).min(count(b)))
}
