//! An expression as a tree, macros expanded.

use crate::{
    Value,
    limits::{MAX_NODES, MAX_TREE_DEPTH},
};

/// A part of an expression; `'s` is the source text.
#[derive(Clone, Debug)]
pub(crate) struct Expr<'s> {
    /// Where errors about it point: a byte offset into the source.
    pub(crate) at: usize,
    /// 1 for a leaf.
    depth: u16,
    /// How many parts it has, itself included.
    nodes: u32,
    pub(crate) kind: Kind<'s>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind<'s> {
    Literal(Value<'static>),
    Ident(&'s str),
    /// `operand.field`, `operand.?field`.
    Select {
        operand: Box<Expr<'s>>,
        field: &'s str,
        optional: bool,
    },
    /// `has(operand.field)`.
    Has {
        operand: Box<Expr<'s>>,
        field: &'s str,
    },
    Call {
        function: &'s str,
        target: Option<Box<Expr<'s>>>,
        args: Vec<Expr<'s>>,
    },
    List(Vec<Item<'s>>),
    Map(Vec<Entry<'s>>),
    Struct {
        name: String,
        fields: Vec<Field<'s>>,
    },
    Comprehension(Box<Comprehension<'s>>),
    /// Where the text made no sense; an error has been noted.
    Broken,
}

/// An item of a list; `optional` is `[?item]`.
#[derive(Clone, Debug)]
pub(crate) struct Item<'s> {
    pub(crate) value: Expr<'s>,
    pub(crate) optional: bool,
}

/// An entry of a map; `optional` is `{?key: value}`.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'s> {
    pub(crate) key: Expr<'s>,
    pub(crate) value: Expr<'s>,
    pub(crate) optional: bool,
}

/// A field of a message.
#[derive(Clone, Debug)]
pub(crate) struct Field<'s> {
    pub(crate) at: usize,
    pub(crate) name: &'s str,
    pub(crate) value: Expr<'s>,
    pub(crate) optional: bool,
}

/// A loop: what every macro over lists and maps becomes.
#[derive(Clone, Debug)]
pub(crate) struct Comprehension<'s> {
    pub(crate) range: Expr<'s>,
    pub(crate) variable: &'s str,
    pub(crate) second: Option<&'s str>,
    pub(crate) accumulator: &'s str,
    pub(crate) init: Expr<'s>,
    pub(crate) condition: Expr<'s>,
    pub(crate) step: Expr<'s>,
    pub(crate) result: Expr<'s>,
}

/// The tree would be deeper or larger than we walk over.
#[derive(Debug)]
pub(crate) struct TooBig;

impl<'s> Expr<'s> {
    /// Puts a tree together from parts that are within limits.
    pub(crate) fn new(at: usize, kind: Kind<'s>) -> Result<Self, TooBig> {
        let (mut depth, mut nodes) = (0_u16, 1_u32);
        kind.each(&mut |part: &Expr<'_>| {
            depth = depth.max(part.depth);
            nodes = nodes.saturating_add(part.nodes);
        });
        let depth = depth.saturating_add(1);
        if depth > MAX_TREE_DEPTH || nodes > MAX_NODES {
            Err(TooBig)
        } else {
            Ok(Self { at, depth, nodes, kind })
        }
    }

    /// A part without parts.
    pub(crate) fn leaf(at: usize, kind: Kind<'s>) -> Self {
        Self { at, depth: 1, nodes: 1, kind }
    }
}

impl<'s> Kind<'s> {
    /// Each direct part.
    fn each(&self, visit: &mut impl FnMut(&Expr<'s>)) {
        match self {
            Self::Literal(_) | Self::Ident(_) | Self::Broken => {}
            Self::Select { operand, .. } | Self::Has { operand, .. } => visit(operand),
            Self::Call { target, args, .. } => target.as_deref().into_iter().chain(args).for_each(visit),
            Self::List(items) => items.iter().for_each(|item| visit(&item.value)),
            Self::Map(entries) => entries.iter().for_each(|entry| {
                visit(&entry.key);
                visit(&entry.value);
            }),
            Self::Struct { fields, .. } => fields.iter().for_each(|field| visit(&field.value)),
            Self::Comprehension(fold) => {
                [&fold.range, &fold.init, &fold.condition, &fold.step, &fold.result]
                    .into_iter()
                    .for_each(visit);
            }
        }
    }
}
