//! Runs a checked expression within its cost.

mod attribute;
mod fold;
mod literal;

use crate::{
    EvalError, Type, Value,
    cost::{Rule, tenth},
    ext::{Args, Overload, made_list},
    operators::{calculate, compared, contained, negate},
    plan::{Call, Node, Pattern},
    work::Work,
};

/// The value of a step, or why it has none.
pub(crate) type Evaluated<'a> = Result<Value<'a>, EvalError>;

/// One evaluation.
pub(crate) struct Run<'a> {
    input: Value<'a>,
    slots: Slots<'a>,
    /// Slots of accumulators that nothing has asked for yet, and what they begin with.
    waiting: Vec<(usize, &'a Node)>,
    cost: u64,
    limit: u64,
    work: Work,
}

impl<'a> Run<'a> {
    pub(crate) fn new(input: Value<'a>, slots: usize, limit: u64) -> Self {
        Self { input, slots: Slots::new(slots), waiting: Vec::new(), cost: 0, limit, work: Work::default() }
    }

    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    fn charge(&mut self, cost: u64) -> Result<(), EvalError> {
        // UPSTREAM: without a look at overflow (kube-apiserver 1.36); only `flatten` comes near.
        self.cost = self.cost.wrapping_add(cost);
        if self.cost > self.limit { Err(EvalError::cost_limit()) } else { Ok(()) }
    }

    /// Charges for writing a result out in full: only then may it leave.
    pub(crate) fn unfold(&self, value: &Value<'_>) -> Result<(), EvalError> {
        match value {
            Value::List(_) | Value::Map(_) | Value::Optional(_) => self.work.unfold(value),
            _ => Ok(()),
        }
    }

    pub(crate) fn eval(&mut self, node: &'a Node) -> Evaluated<'a> {
        self.work.steps(1)?;
        match node {
            // Lent, so that nobody counts who holds it.
            Node::Const(Value::String(text)) => Ok(Value::str(text)),
            Node::Const(value) => Ok(value.clone()),
            Node::Attribute(attribute) => self.attribute(attribute),
            Node::And(_)
            | Node::Or(_)
            | Node::Equal { .. }
            | Node::Compare { .. }
            | Node::In { .. }
            | Node::InConstants { .. }
            | Node::Not(_)
            | Node::NotStrictlyFalse(_) => self.decided(node).map(Value::Bool),
            Node::Arithmetic { operands, operator, rule } => {
                let (left, right) = self.both(operands, *rule)?;
                calculate(*operator, left, right, &self.work)
            }
            Node::Negate(operand) => negate(&self.one(operand)?),
            Node::Dyn(operand) => self.one(operand),
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

    /// A step that has to be a bool; an error if it is none.
    pub(crate) fn truth(&mut self, node: &'a Node) -> Result<bool, EvalError> {
        match node {
            Node::And(_)
            | Node::Or(_)
            | Node::Equal { .. }
            | Node::Compare { .. }
            | Node::In { .. }
            | Node::InConstants { .. }
            | Node::Not(_)
            | Node::NotStrictlyFalse(_) => {
                self.work.steps(1)?;
                self.decided(node)
            }
            Node::Attribute(attribute) if let Some(Ok(Value::Bool(truth))) = self.plain_slot(attribute) => {
                let truth = *truth;
                self.work.steps(1)?;
                self.charge(1)?;
                Ok(truth)
            }
            Node::Const(value) => {
                self.work.steps(1)?;
                value.as_bool()
            }
            Node::Attribute(attribute) => {
                self.work.steps(1)?;
                match self.chosen_truth(attribute) {
                    Some(truth) => truth,
                    None => self.attribute(attribute)?.as_bool(),
                }
            }
            other => self.eval(other)?.as_bool(),
        }
    }

    /// The steps that are bools whatever they are about: without a value around them, as most of a
    /// condition is made of them.
    fn decided(&mut self, node: &'a Node) -> Result<bool, EvalError> {
        match node {
            Node::And(terms) => self.logical(terms, false),
            Node::Or(terms) => self.logical(terms, true),
            Node::Equal { operands, negated } => self.equal(operands, *negated),
            Node::Compare { operands, test, rule } => {
                let (left, right) = self.both(operands, *rule)?;
                compared(*test, &left, &right)
            }
            Node::In { operands, rule } => {
                let (item, container) = self.both(operands, *rule)?;
                contained(&item, &container, &self.work)
            }
            Node::InConstants { operand, constants } => {
                let item = self.eval(operand)?;
                self.work.look(&item)?;
                Ok(constants.contain(&item))
            }
            Node::Not(operand) => {
                let truth = self.truth(operand);
                self.charge_for(truth.as_ref().err(), 1)?;
                truth.map(|truth| !truth)
            }
            Node::NotStrictlyFalse(operand) => {
                let truth = self.truth(operand);
                self.charge_for(truth.as_ref().err(), 1)?;
                Ok(truth.unwrap_or(true))
            }
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// Charges for a step, unless it has failed in a way that ends everything: then nothing is charged, and
    /// that error goes on.
    fn charge_for(&mut self, failed: Option<&EvalError>, cost: u64) -> Result<(), EvalError> {
        match failed {
            Some(error) if error.is_final() => Err(error.clone()),
            _ => self.charge(cost),
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

    /// Both operands of an operator, without its cost: the right one runs even if the left one fails.
    fn operands(&mut self, operands: &'a [Node; 2], rule: Rule) -> Result<(Value<'a>, Value<'a>), EvalError> {
        let [left, right] = operands;
        match self.eval(left) {
            Ok(left) => match self.eval(right) {
                Ok(right) => Ok((left, right)),
                Err(error) => Err(self.failed(rule, &[left, Value::Null], error)),
            },
            Err(error) if error.is_final() => Err(error),
            Err(error) => {
                let right = final_or(self.eval(right))?.unwrap_or(Value::Null);
                Err(self.failed(rule, &[Value::Null, right], error))
            }
        }
    }

    /// An error among operands or arguments, with null in its place: the call is charged for all the same.
    fn failed(&mut self, rule: Rule, args: &[Value<'_>], error: EvalError) -> EvalError {
        if error.is_final() {
            return error;
        }
        let charged = match rule.before(args, &self.work) {
            Ok(cost) => self.charge(cost.unwrap_or_else(|| rule.after(&Err(error.clone())))),
            Err(error) => Err(error),
        };
        charged.err().unwrap_or(error)
    }

    /// Both operands of an operator, which is charged for.
    fn both(&mut self, operands: &'a [Node; 2], rule: Rule) -> Result<(Value<'a>, Value<'a>), EvalError> {
        let (left, right) = self.operands(operands, rule)?;
        self.work.look(&left)?;
        self.work.look(&right)?;
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

    fn equal(&mut self, operands: &'a [Node; 2], negated: bool) -> Result<bool, EvalError> {
        // The way of nearly every condition: something is compared with a constant, where that lies.
        if let [left, Node::Const(right)] = operands {
            return match self.eval(left) {
                Ok(left) => self.same(&left, right, negated),
                Err(error) => Err(self.failed(Rule::Smaller, &[Value::Null, right.clone()], error)),
            };
        }
        let (left, right) = self.operands(operands, Rule::Smaller)?;
        self.same(&left, &right, negated)
    }

    fn same(&mut self, left: &Value<'_>, right: &Value<'_>, negated: bool) -> Result<bool, EvalError> {
        // UPSTREAM: values of kube-apiserver's own libraries cost 1 to compare for equality (kube-apiserver 1.36).
        let cost = match (left, right) {
            (Value::Opaque(_), _) if !negated => 1,
            (Value::String(a), Value::String(b)) => tenth(shorter(a, b, &self.work)?),
            _ => {
                self.work.look(left)?;
                self.work.look(right)?;
                tenth(left.cost_size().min(right.cost_size()))
            }
        };
        self.charge(cost)?;
        // UPSTREAM: what cannot be compared is not equal, to `!=` (kube-apiserver 1.36).
        let same = if negated { left.is(right, &self.work) } else { left.equals(right, &self.work) };
        same.map(|same| same != negated)
    }

    /// `&&` and `||`: the first term that decides wins, wherever errors are; else the first error does.
    fn logical(&mut self, terms: &'a [Node], decides: bool) -> Result<bool, EvalError> {
        let mut failed = None;
        for term in terms {
            match self.truth(term) {
                Ok(truth) if truth == decides => return Ok(decides),
                Ok(_) => {}
                Err(error) if error.is_final() => return Err(error),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(!decides), Err)
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
            [only] => match self.eval(only) {
                Ok(value) => self.finish(call, &[value]),
                Err(error) => Err(self.failed(call.rule, &[Value::Null], error)),
            },
            [first, second] => match self.eval(first) {
                Ok(first) => match self.eval(second) {
                    Ok(second) => self.finish(call, &[first, second]),
                    Err(error) => Err(self.failed(call.rule, &[first, Value::Null], error)),
                },
                Err(error) if call.early || error.is_final() => Err(error),
                Err(error) => {
                    let second = final_or(self.eval(second))?.unwrap_or(Value::Null);
                    Err(self.failed(call.rule, &[Value::Null, second], error))
                }
            },
            many => {
                let mut args = Vec::with_capacity(many.len());
                for arg in many {
                    match self.eval(arg) {
                        Ok(value) => args.push(value),
                        Err(error) if args.len() + 1 == many.len() => {
                            args.push(Value::Null);
                            return Err(self.failed(call.rule, &args, error));
                        }
                        Err(error) => return Err(error),
                    }
                }
                self.finish(call, &args)
            }
        }
    }

    fn finish(&mut self, call: &'a Call, args: &[Value<'a>]) -> Evaluated<'a> {
        for arg in args {
            self.work.look(arg)?;
        }
        let cost = call.rule.before(args, &self.work)?;
        self.charge(cost.unwrap_or_default())?;
        let result = match (&call.pattern, args) {
            (Some(pattern), [Value::String(text), _, rest @ ..]) => searched(pattern, text, rest, &self.work),
            _ => dispatch(&call.overloads, Args { values: args, work: &self.work }),
        };
        match &result {
            Ok(value) => self.work.made(value)?,
            Err(error) if error.is_final() => return result,
            Err(_) => {}
        }
        if cost.is_none() {
            self.charge(call.rule.after(&result))?;
        }
        result
    }
}

/// Searches with a pattern that was compiled before; `rest` may be how many matches are wanted.
fn searched<'a>(pattern: &Pattern, text: &str, rest: &[Value<'a>], work: &Work) -> Evaluated<'a> {
    match pattern {
        Pattern::Matches(regex) => regex.is_match(text, work).map(Value::Bool),
        Pattern::Find(regex) => regex.find(text, work).map(Value::string),
        Pattern::FindAll(regex) => {
            let limit = rest.first().map_or(Ok(-1), Value::as_int)?;
            made_list(&regex.find_all(text, limit, work)?, work)
        }
    }
}

/// Runs the first overload that fits.
pub(crate) fn dispatch<'a>(overloads: &[&'static Overload], args: Args<'_, 'a>) -> Evaluated<'a> {
    for overload in overloads {
        if overload.params.len() == args.values.len()
            && overload.params.iter().zip(args.values).all(|(param, arg)| fits(param, arg))
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

/// The code points of the text that has fewer. A text has at least a quarter as many as it has bytes, so
/// that a long one need not be counted beside a short one.
fn shorter(a: &str, b: &str, work: &Work) -> Result<u64, EvalError> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let count = |text: &str| {
        work.text(text.len())?;
        Ok(crate::value::count(text.chars().count()))
    };
    let fewer = count(short)?;
    if long.len() / 4 >= short.len() { Ok(fewer) } else { Ok(fewer.min(count(long)?)) }
}

/// Room for what loops name: without memory of its own for up to two of them in each other.
#[derive(Debug)]
enum Slots<'a> {
    Few([Evaluated<'a>; 6]),
    Many(Vec<Evaluated<'a>>),
}

impl<'a> Slots<'a> {
    fn new(count: usize) -> Self {
        let empty = || Ok(Value::Null);
        if count <= 6 {
            Self::Few(std::array::from_fn(|_| empty()))
        } else {
            Self::Many(std::iter::repeat_with(empty).take(count).collect())
        }
    }

    fn get(&self, slot: usize) -> Option<&Evaluated<'a>> {
        match self {
            Self::Few(slots) => slots.get(slot),
            Self::Many(slots) => slots.get(slot),
        }
    }

    fn get_mut(&mut self, slot: usize) -> Option<&mut Evaluated<'a>> {
        match self {
            Self::Few(slots) => slots.get_mut(slot),
            Self::Many(slots) => slots.get_mut(slot),
        }
    }
}
