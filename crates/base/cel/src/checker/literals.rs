//! Lists, maps and messages, and what validators say about literals.

use super::{
    Checked, Checker, broken,
    unify::{is_dyn, more_general},
};
use crate::{
    Timestamp, Type, Value,
    ast::{Entry, Expr, Field, Item, Kind},
    ext::regex::Regex,
    go,
    plan::{self, FieldName, Message, Node, Wrapped},
    value::Entries,
};

/// Something that a validator looks at when all types are known.
pub(super) enum Literal {
    /// Items, or keys, or values, that have to be of one type.
    Alike(Vec<(usize, Type)>),
    /// A constant format and what is given to it.
    Format(super::formats::Format),
    /// `matches('[')`: the argument is no pattern.
    Invalid { at: usize, function: &'static str },
}

pub(super) fn kind_of(value: &Value<'_>) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Uint(_) => Type::Uint,
        Value::Double(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::Bytes(_) => Type::Bytes,
        _ => Type::Dyn,
    }
}

impl<'s> Checker<'s, '_> {
    /// The type that a literal has if one more item is of type `next`.
    fn join(&mut self, known: Option<Type>, next: Type) -> Type {
        match known {
            None => next,
            // More than one type: dyn here, and an error of the validator later.
            Some(known) => {
                if self.bindings.agrees(&known, &next) {
                    more_general(known, next)
                } else {
                    Type::Dyn
                }
            }
        }
    }

    /// The type inside of an optional item.
    fn unwrapped(&mut self, at: usize, kind: Type) -> Type {
        match kind {
            Type::Optional(of) => of.as_ref().clone(),
            other => {
                if !is_dyn(&other) {
                    let found = self.bindings.settle(&other);
                    let message = format!(
                        "expected type 'optional_type({})' but found '{}'",
                        found.in_errors(),
                        found.in_errors()
                    );
                    self.issues.note(at, message);
                }
                other
            }
        }
    }

    fn alike(&mut self, kinds: Vec<(usize, Type)>) {
        if self.inside_format > 0 {
            self.format_kinds.extend(kinds);
        } else if kinds.len() > 1 {
            self.literals.push(Literal::Alike(kinds));
        }
    }

    pub(super) fn list(&mut self, items: &[Item<'s>]) -> Checked {
        let (mut kind, mut kinds, mut depth) = (None, Vec::with_capacity(items.len()), 0);
        let mut nodes = Vec::with_capacity(items.len());
        for item in items {
            let checked = self.check(&item.value);
            let mut of = checked.kind;
            if item.optional {
                of = self.unwrapped(item.value.at, of);
            }
            kinds.push((item.value.at, of.clone()));
            kind = Some(self.join(kind, of));
            depth = depth.max(self.deeper(item.value.at, checked.depth));
            nodes.push(plan::Item { value: checked.node, optional: item.optional });
        }
        self.alike(kinds);
        let kind = Type::list(kind.unwrap_or_else(|| self.bindings.fresh()));
        Checked { kind, node: folded_list(nodes), depth }
    }

    pub(super) fn map(&mut self, entries: &[Entry<'s>]) -> Checked {
        let (mut key_kind, mut value_kind, mut depth) = (None, None, 0);
        let (mut keys, mut values, mut nodes) = (Vec::new(), Vec::new(), Vec::with_capacity(entries.len()));
        for entry in entries {
            let key = self.check(&entry.key);
            let value = self.check(&entry.value);
            let mut of = value.kind;
            if entry.optional {
                of = self.unwrapped(entry.value.at, of);
            }
            keys.push((entry.key.at, key.kind.clone()));
            values.push((entry.value.at, of.clone()));
            key_kind = Some(self.join(key_kind, key.kind));
            value_kind = Some(self.join(value_kind, of));
            depth = depth.max(self.deeper(entry.key.at, key.depth.max(value.depth)));
            nodes.push(plan::Entry { key: key.node, value: value.node, optional: entry.optional });
        }
        self.alike(keys);
        self.alike(values);
        let key = key_kind.unwrap_or_else(|| self.bindings.fresh());
        let value = value_kind.unwrap_or_else(|| self.bindings.fresh());
        Checked { kind: Type::map(key, value), node: folded_map(nodes), depth }
    }

    /// `google.protobuf.Duration{seconds: 1}` and its like.
    pub(super) fn message(&mut self, at: usize, name: &str, fields: &[Field<'s>]) -> Checked {
        let Some((kind, message)) = message_named(name) else {
            for field in fields {
                self.check(&field.value);
            }
            return self.error(at, format!("undeclared reference to '{name}' (in container '')"));
        };
        let (mut nodes, mut depth, mut known) = (Vec::with_capacity(fields.len()), 0, true);
        for field in fields {
            let checked = self.check(&field.value);
            let mut found = checked.kind;
            if field.optional {
                found = self.unwrapped(field.value.at, found);
            }
            let Some((name, wanted)) = field_named(message, field.name) else {
                self.issues.note(field.at, format!("undefined field '{}'", field.name));
                known = false;
                continue;
            };
            if !self.bindings.agrees(&wanted, &found) {
                let found = self.bindings.settle(&found);
                let message = format!(
                    "expected type of field '{}' is '{}' but provided type is '{}'",
                    field.name,
                    wanted.in_errors(),
                    found.in_errors()
                );
                self.issues.note(field.at, message);
            }
            depth = depth.max(checked.depth);
            nodes.push(plan::MessageField { name, value: checked.node, optional: field.optional });
        }
        if !known {
            return broken();
        }
        Checked { kind, node: Node::Message { message, fields: nodes.into() }, depth }
    }

    /// Remembers calls whose literal argument can be judged without running them.
    pub(super) fn note_literal_argument(&mut self, function: &'static str, args: &[Expr<'s>]) {
        let Some(Expr { at, kind: Kind::Literal(value), .. }) = args.first() else { return };
        // UPSTREAM: of `matches(text, pattern)` it is the text that is looked at: the validator takes the
        // first argument, whatever the style of the call (kube-apiserver 1.36).
        let valid = match (function, value) {
            ("duration", Value::String(text)) => go::parse_duration(text).is_some(),
            ("timestamp", Value::String(text)) => go::parse_timestamp(text).is_some(),
            ("timestamp", Value::Int(seconds)) => Timestamp::from_second(*seconds).is_some(),
            ("matches", Value::String(pattern)) => Regex::new(pattern).is_ok(),
            _ => true,
        };
        if !valid {
            self.literals.push(Literal::Invalid { at: *at, function });
        }
    }

    /// UPSTREAM: the validators run only over expressions whose types are right (kube-apiserver 1.36).
    pub(super) fn validate(&mut self) {
        for literal in std::mem::take(&mut self.literals) {
            match literal {
                Literal::Format(format) => self.validate_format(&format),
                Literal::Invalid { at, function } => {
                    self.issues.note(at, format!("invalid {function} argument"))
                }
                Literal::Alike(kinds) => {
                    let mut kinds = kinds
                        .iter()
                        .map(|(at, kind)| (*at, self.bindings.settle(kind)))
                        .collect::<Vec<_>>()
                        .into_iter();
                    let Some((_, first)) = kinds.next() else { continue };
                    if let Some((at, other)) = kinds.find(|(_, kind)| *kind != first) {
                        let message = format!(
                            "expected type '{}' but found '{}'",
                            first.in_errors(),
                            other.in_errors()
                        );
                        self.issues.note(at, message);
                    }
                }
            }
        }
    }
}

fn folded_list(items: Vec<plan::Item>) -> Node {
    if !items.iter().all(|item| matches!(item.value, Node::Const(_)) && !item.optional) {
        return Node::List(items.into());
    }
    let constant = |item: plan::Item| match item.value {
        Node::Const(value) => Some(value),
        _ => None,
    };
    Node::Const(Value::list(items.into_iter().filter_map(constant).collect()))
}

fn folded_map(entries: Vec<plan::Entry>) -> Node {
    let constant = |entry: &plan::Entry| {
        matches!((&entry.key, &entry.value), (Node::Const(_), Node::Const(_))) && !entry.optional
    };
    if !entries.iter().all(constant) {
        return Node::Map(entries.into());
    }
    let mut map = Entries::default();
    for entry in entries {
        if let (Node::Const(key), Node::Const(value)) = (entry.key, entry.value) {
            map.insert(key, value);
        }
    }
    Node::Const(Value::Map(crate::value::Map::Owned(std::sync::Arc::new(map))))
}

fn message_named(name: &str) -> Option<(Type, Message)> {
    let name = name.strip_prefix("google.protobuf.")?;
    let wrapper = |kind, wrapped| (Type::Wrapper(std::sync::Arc::new(kind)), Message::Wrapper(wrapped));
    Some(match name {
        "Any" => (Type::Any, Message::Any),
        "Duration" => (Type::Duration, Message::Duration),
        "Timestamp" => (Type::Timestamp, Message::Timestamp),
        "BoolValue" => wrapper(Type::Bool, Wrapped::Bool),
        "BytesValue" => wrapper(Type::Bytes, Wrapped::Bytes),
        "DoubleValue" => wrapper(Type::Double, Wrapped::Double),
        "FloatValue" => wrapper(Type::Double, Wrapped::Float),
        "Int32Value" => wrapper(Type::Int, Wrapped::Int32),
        "Int64Value" => wrapper(Type::Int, Wrapped::Int),
        "StringValue" => wrapper(Type::String, Wrapped::String),
        "UInt32Value" => wrapper(Type::Uint, Wrapped::Uint32),
        "UInt64Value" => wrapper(Type::Uint, Wrapped::Uint),
        _ => return None,
    })
}

fn field_named(message: Message, field: &str) -> Option<(FieldName, Type)> {
    Some(match (message, field) {
        (Message::Duration | Message::Timestamp, "seconds") => (FieldName::Seconds, Type::Int),
        (Message::Duration | Message::Timestamp, "nanos") => (FieldName::Nanos, Type::Int),
        (Message::Any, "type_url") => (FieldName::Other, Type::String),
        (Message::Any, "value") => (FieldName::Other, Type::Bytes),
        (Message::Wrapper(wrapped), "value") => (
            FieldName::Value,
            match wrapped {
                Wrapped::Bool => Type::Bool,
                Wrapped::Bytes => Type::Bytes,
                Wrapped::Double | Wrapped::Float => Type::Double,
                Wrapped::Int | Wrapped::Int32 => Type::Int,
                Wrapped::String => Type::String,
                Wrapped::Uint | Wrapped::Uint32 => Type::Uint,
            },
        ),
        _ => return None,
    })
}
