//! Finds the type of every part of an expression, and makes it ready to run on the way.
//!
//! UPSTREAM: the rules, their order and the words of the errors are those of cel-go's checker and
//! of the validators that kube-apiserver switches on (kube-apiserver 1.36).

mod calls;
mod formats;
mod hints;
mod literals;
mod loops;
mod unify;

use std::collections::HashMap;

use self::unify::Bindings;
use crate::{
    Type, Value,
    ast::{Expr, Kind},
    ext::Library,
    parser::Issues,
    plan::{Attribute, Key, Node, Qualifier, Root},
    value::Str,
};

/// How deeply lists, maps and optionals that an expression makes may lie in each other. Whoever walks
/// over a value has this depth of stack to find.
const MAX_VALUE_DEPTH: u16 = 300;

/// A part that has been checked.
pub(crate) struct Checked {
    pub(crate) kind: Type,
    pub(crate) node: Node,
    /// How deep its value may be, apart from what comes from the input.
    depth: u16,
}

/// A name that can be used.
struct Local<'s> {
    name: &'s str,
    kind: Type,
    slot: usize,
    depth: u16,
}

pub(crate) struct Checker<'s, 'i> {
    library: &'static Library,
    variable: &'static str,
    variable_kind: &'i Type,
    locals: Vec<Local<'s>>,
    /// The most slots in use at a time.
    slots: usize,
    bindings: Bindings,
    issues: &'i mut Issues<'s>,
    /// What the validators look at once all types are known.
    literals: Vec<literals::Literal>,
    /// How many calls of `format` we are inside of.
    inside_format: usize,
    /// Types of the items of literals in there, by place.
    format_kinds: HashMap<usize, Type>,
    /// The first thing that fails while constants are folded: the program cannot be built.
    folding: Option<crate::EvalError>,
}

/// What checking found.
pub(crate) struct Outcome {
    pub(crate) kind: Type,
    pub(crate) node: Node,
    pub(crate) slots: usize,
    /// Why the program cannot be built although its types are right.
    pub(crate) folding: Option<crate::EvalError>,
}

/// Checks an expression over one variable; mistakes are noted in `issues`.
pub(crate) fn check<'s>(
    expr: &Expr<'s>,
    variable: &'static str,
    variable_kind: &Type,
    library: &'static Library,
    issues: &mut Issues<'s>,
) -> Outcome {
    let mut checker = Checker {
        library,
        variable,
        variable_kind,
        locals: Vec::new(),
        slots: 0,
        bindings: Bindings::default(),
        issues,
        literals: Vec::new(),
        inside_format: 0,
        format_kinds: HashMap::new(),
        folding: None,
    };
    let checked = checker.check(expr);
    let kind = checker.bindings.settle(&checked.kind);
    if checker.issues.is_empty() {
        checker.validate();
    }
    if checker.bindings.exhausted() {
        checker.issues.note(expr.at, "the types in the expression are too complex".to_owned());
    }
    Outcome { kind, node: checked.node, slots: checker.slots, folding: checker.folding }
}

impl<'s> Checker<'s, '_> {
    fn check(&mut self, expr: &Expr<'s>) -> Checked {
        match &expr.kind {
            Kind::Literal(value) => {
                Checked { kind: literals::kind_of(value), node: Node::Const(value.clone()), depth: 0 }
            }
            Kind::Ident(name) => self.ident(expr.at, name),
            Kind::Select { operand, field, optional } => self.select(expr, operand, field, *optional),
            Kind::Has { operand, field } => self.has(expr.at, operand, field),
            Kind::Call { function, target, args } => self.call(expr.at, function, target.as_deref(), args),
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Struct { name, fields } => self.message(expr.at, name, fields),
            Kind::Comprehension(fold) => self.comprehension(expr.at, fold),
            Kind::Broken => broken(),
        }
    }

    fn error(&mut self, at: usize, message: String) -> Checked {
        self.issues.note(at, message);
        broken()
    }

    /// A value that is one level deeper than those it is made of.
    fn deeper(&mut self, at: usize, depth: u16) -> u16 {
        if depth >= MAX_VALUE_DEPTH {
            self.issues.note(at, "the values in the expression are nested too deeply".to_owned());
        }
        depth.saturating_add(1)
    }

    fn ident(&mut self, at: usize, name: &'s str) -> Checked {
        if let Some(local) = self.locals.iter().rev().find(|local| local.name == name) {
            return Checked {
                kind: local.kind.clone(),
                node: root(Root::Slot(local.slot)),
                depth: local.depth,
            };
        }
        if name == self.variable {
            return Checked { kind: self.variable_kind.clone(), node: root(Root::Input), depth: 0 };
        }
        match named_type(name) {
            Some(kind) => type_value(kind),
            None => {
                let hint = self.variable_hint(name);
                let message = format!("undeclared reference to '{name}' (in container '')");
                self.issues.note_with(at, message, Some(hint));
                broken()
            }
        }
    }

    fn select(&mut self, expr: &Expr<'s>, operand: &Expr<'s>, field: &'s str, optional: bool) -> Checked {
        if !optional
            && let Some(name) = dotted(expr)
            && let Some(kind) = named_type(&name)
        {
            return type_value(kind);
        }
        let operand = self.check(operand);
        let kind = self.field(expr.at, &operand.kind, field, optional);
        let key = Key::Name(Str::Shared(field.into()));
        Checked {
            kind,
            node: qualified(operand.node, Qualifier { key, optional }, false),
            depth: operand.depth,
        }
    }

    fn has(&mut self, at: usize, operand: &Expr<'s>, field: &'s str) -> Checked {
        let operand = self.check(operand);
        self.field(at, &operand.kind, field, false);
        let key = Key::Name(Str::Shared(field.into()));
        Checked {
            kind: Type::Bool,
            node: qualified(operand.node, Qualifier { key, optional: false }, true),
            depth: 0,
        }
    }

    /// The type of a field.
    fn field(&mut self, at: usize, operand: &Type, field: &str, optional: bool) -> Type {
        let operand = self.bindings.resolve(operand);
        let (target, wrapped) = match &operand {
            Type::Optional(of) => (of.as_ref().clone(), true),
            other => (other.clone(), false),
        };
        let kind = match &target {
            Type::Map(_, value) => value.as_ref().clone(),
            Type::Object(object) => match object.field(field) {
                Some(kind) => kind.clone(),
                None => {
                    let hint = hints::field_hint(object, field);
                    self.issues.note_with(at, format!("undefined field '{field}'"), Some(hint));
                    Type::Error
                }
            },
            Type::Var(_) => {
                self.bindings.agrees(&Type::Dyn, &target);
                Type::Dyn
            }
            Type::Dyn | Type::Any | Type::Error => Type::Dyn,
            other => {
                let message = format!("type '{}' does not support field selection", other.in_errors());
                self.issues.note(at, message);
                Type::Dyn
            }
        };
        if wrapped || optional { Type::optional(kind) } else { kind }
    }
}

fn broken() -> Checked {
    Checked { kind: Type::Error, node: Node::Const(Value::Null), depth: 0 }
}

fn root(root: Root) -> Node {
    Node::Attribute(Box::new(Attribute { root, qualifiers: Vec::new(), test: false }))
}

fn type_value(kind: Type) -> Checked {
    let node = Node::Const(Value::Type(kind.runtime_name()));
    Checked { kind: Type::type_of(kind), node, depth: 0 }
}

/// Puts a qualifier behind an attribute, or makes one of any other expression.
fn qualified(operand: Node, qualifier: Qualifier, test: bool) -> Node {
    let mut attribute = match operand {
        Node::Attribute(attribute) if !attribute.test => attribute,
        other => Box::new(Attribute { root: Root::Value(other), qualifiers: Vec::new(), test: false }),
    };
    attribute.qualifiers.push(qualifier);
    attribute.test = test;
    Node::Attribute(attribute)
}

/// `a.b.c` as one name, if it is that and nothing else.
fn dotted(expr: &Expr<'_>) -> Option<String> {
    match &expr.kind {
        Kind::Ident(name) => Some((*name).to_owned()),
        Kind::Select { operand, field, optional: false } => {
            let mut name = dotted(operand)?;
            name.push('.');
            name.push_str(field);
            Some(name)
        }
        _ => None,
    }
}

/// Types that expressions can name.
fn named_type(name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "bytes" => Type::Bytes,
        "double" => Type::Double,
        "int" => Type::Int,
        "list" => Type::list(Type::Dyn),
        "map" => Type::map(Type::Dyn, Type::Dyn),
        "null_type" => Type::Null,
        "string" => Type::String,
        "type" => Type::type_of(Type::Dyn),
        "uint" => Type::Uint,
        "optional_type" => Type::optional(Type::Dyn),
        "google.protobuf.Timestamp" => Type::Timestamp,
        "google.protobuf.Duration" => Type::Duration,
        "net.IP" => Type::Opaque("net.IP"),
        "net.CIDR" => Type::Opaque("net.CIDR"),
        "kubernetes.URL" => Type::Opaque("kubernetes.URL"),
        "kubernetes.Quantity" => Type::Opaque("kubernetes.Quantity"),
        "kubernetes.Semver" => Type::Opaque("kubernetes.Semver"),
        "kubernetes.NamedFormat" => Type::Opaque("kubernetes.NamedFormat"),
        _ => return None,
    })
}
