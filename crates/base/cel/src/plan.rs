//! A checked expression, made ready to run: names are slots, overloads are chosen, constants are folded.

use crate::{
    Value,
    cost::Rule,
    ext::{Overload, regex::Regex},
    value::{Constants, Str},
};

/// A step.
#[derive(Debug)]
pub(crate) enum Node {
    /// Nothing to compute.
    Const(Value<'static>),
    /// A variable, something selected from it, or a ternary: what cel-go calls an attribute.
    Attribute(Box<Attribute>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
    /// A unary or binary operator.
    Not(Box<Node>),
    Negate(Box<Node>),
    /// `dyn(x)`: nothing but the cost.
    Dyn(Box<Node>),
    Equal {
        operands: Box<[Node; 2]>,
        negated: bool,
    },
    Compare {
        operands: Box<[Node; 2]>,
        test: Test,
        rule: Rule,
    },
    Arithmetic {
        operands: Box<[Node; 2]>,
        operator: Operator,
        rule: Rule,
    },
    In {
        operands: Box<[Node; 2]>,
        rule: Rule,
    },
    /// `x in ["a", "b"]` with constants only, which costs nothing.
    InConstants {
        operand: Box<Node>,
        constants: Constants,
    },
    /// A call of a library function.
    Call(Box<Call>),
    List(Box<[Item]>),
    Map(Box<[Entry]>),
    Message {
        message: Message,
        fields: Box<[MessageField]>,
    },
    Fold(Box<Fold>),
    /// `accumulator + [item]`, done in place. `constant`: the list costs nothing.
    Append {
        slot: usize,
        item: Box<Node>,
        constant: bool,
    },
    /// `cel.@mapInsert(accumulator, key, value)`, done in place.
    Insert {
        slot: usize,
        key: Box<Node>,
        value: Box<Node>,
    },
    /// `cel.@mapInsert(accumulator, entries)`, done in place.
    InsertAll {
        slot: usize,
        entries: Box<Node>,
    },
    NotStrictlyFalse(Box<Node>),
    /// `.or(…)` and `.orValue(…)` look at the right only if they must.
    OrValue {
        operands: Box<[Node; 2]>,
        wrapped: bool,
    },
}

/// A root and what is selected from it.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) root: Root,
    pub(crate) qualifiers: Vec<Qualifier>,
    /// `has(…)`: only whether the last qualifier finds something.
    pub(crate) test: bool,
}

/// Where an attribute begins.
#[derive(Debug)]
pub(crate) enum Root {
    /// The variable of the environment.
    Input,
    /// A variable of a loop.
    Slot(usize),
    /// The value of any expression.
    Value(Node),
    /// A ternary: condition, then, else.
    Choice(Box<[Node; 3]>),
}

/// One `.field` or `[index]`.
#[derive(Debug)]
pub(crate) struct Qualifier {
    pub(crate) key: Key,
    pub(crate) optional: bool,
}

/// What a qualifier looks up.
#[derive(Debug)]
pub(crate) enum Key {
    /// A field or a text in brackets.
    Name(Str<'static>),
    Constant(Value<'static>),
    Computed(Node),
}

/// An order that is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Test {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operator on numbers, texts, lists and times.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A call: the first of `overloads` that fits the arguments is taken.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) overloads: Vec<&'static Overload>,
    pub(crate) args: Box<[Node]>,
    pub(crate) rule: Rule,
    /// Whether the first argument that fails ends it: the others do not run, and it costs nothing.
    pub(crate) early: bool,
    /// Set if the second argument is a constant regular expression.
    pub(crate) pattern: Option<Pattern>,
}

/// A search with a regular expression that is known before.
#[derive(Debug)]
pub(crate) enum Pattern {
    Matches(Regex),
    Find(Regex),
    FindAll(Regex),
}

#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) value: Node,
    pub(crate) optional: bool,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Node,
    pub(crate) value: Node,
    pub(crate) optional: bool,
}

/// A protobuf message that expressions can make; none of Kubernetes' own is among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Any,
    Duration,
    Timestamp,
    /// `google.protobuf.Int64Value` and its like: the type inside.
    Wrapper(Wrapped),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapped {
    Bool,
    Bytes,
    Double,
    /// A double of 32 bits.
    Float,
    Int,
    Int32,
    String,
    Uint,
    Uint32,
}

#[derive(Debug)]
pub(crate) struct MessageField {
    pub(crate) name: FieldName,
    pub(crate) value: Node,
    pub(crate) optional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldName {
    Seconds,
    Nanos,
    Value,
    /// `type_url` and `value` of an Any, which is not looked into.
    Other,
}

/// A loop. Its slots follow each other: accumulator, first variable, second variable.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) range: Node,
    /// Runs when something asks for the accumulator, if it is no constant: `optMap` need not ask.
    pub(crate) init: Node,
    /// Nothing: always true.
    pub(crate) condition: Option<Node>,
    pub(crate) step: Node,
    pub(crate) result: Node,
    pub(crate) slot: usize,
    pub(crate) two: bool,
}
