//! Calls: which overload fits, and what runs it.

use super::{
    Checked, Checker, broken, dotted, qualified,
    unify::{instantiate, is_dyn},
};
use crate::{
    EvalError, Type, Value,
    ast::Expr,
    cost::{Rule, rule},
    ext::{Function, Overload, regex::Regex},
    plan::{Attribute, Call, Key, Node, Operator, Pattern, Qualifier, Root, Test},
    program::fold_constant,
    value::Constants,
};

impl<'s> Checker<'s, '_> {
    pub(super) fn call(
        &mut self,
        at: usize,
        name: &'s str,
        target: Option<&Expr<'s>>,
        args: &[Expr<'s>],
    ) -> Checked {
        let formatting = name == "format";
        self.inside_format += usize::from(formatting);
        let mut checked: Vec<Checked> = args.iter().map(|arg| self.check(arg)).collect();
        let mut function = None;
        let mut receiver = false;
        if let Some(target) = target {
            // `sets.contains(…)` is a function if there is one of that name, else a call on `sets`.
            let qualified = dotted(target).map(|prefix| format!("{prefix}.{name}"));
            function = qualified.and_then(|name| self.library.find(&name));
            if function.is_none() {
                checked.insert(0, self.check(target));
                receiver = true;
            }
        }
        self.inside_format -= usize::from(formatting);
        let Some(function) = function.or_else(|| self.library.find(name)) else {
            let hint = self.function_hint(name);
            self.issues.note_with(at, format!("undeclared reference to '{name}' (in container '')"), hint);
            return broken();
        };
        if matches!(function.name, "_&&_" | "_||_") {
            return self.logical(function.name, args, checked);
        }
        self.note_literal_argument(function.name, args);
        if formatting && let Some(target) = target {
            self.note_format(at, target, args);
        }
        let Some((kind, overloads)) = self.resolve(at, function, receiver, &checked) else { return broken() };
        self.planned(at, function, receiver, kind, overloads, checked)
    }

    fn logical(&mut self, name: &str, args: &[Expr<'s>], checked: Vec<Checked>) -> Checked {
        let mut kind = Type::Bool;
        for (arg, checked) in args.iter().zip(&checked) {
            if !self.bindings.agrees(&checked.kind, &Type::Bool) {
                let found = self.bindings.resolve(&checked.kind);
                self.issues.note(arg.at, format!("expected type 'bool' but found '{}'", found.in_errors()));
                kind = Type::Error;
            }
        }
        let terms = checked.into_iter().map(|term| term.node).collect();
        let node = if name == "_&&_" { Node::And(terms) } else { Node::Or(terms) };
        Checked { kind, node, depth: 0 }
    }

    /// The type of a call and the overloads that may turn out to fit.
    fn resolve(
        &mut self,
        at: usize,
        function: &'static Function,
        receiver: bool,
        args: &[Checked],
    ) -> Option<(Type, Vec<&'static Overload>)> {
        let kinds: Vec<Type> = args.iter().map(|arg| arg.kind.clone()).collect();
        let mut fitting = Vec::new();
        let mut result: Option<Type> = None;
        for overload in &function.overloads {
            if overload.receiver != receiver || overload.params.len() != kinds.len() {
                continue;
            }
            let mut variables = Vec::new();
            let params: Vec<Type> = overload
                .params
                .iter()
                .map(|param| instantiate(param, &mut variables, &mut self.bindings))
                .collect();
            if !self.bindings.all_agree(&kinds, &params) {
                continue;
            }
            fitting.push(overload);
            let returned = instantiate(&overload.result, &mut variables, &mut self.bindings);
            let returned = self.bindings.resolve(&returned);
            result = Some(match result {
                None => returned,
                Some(known) if is_dyn(&known) || known == returned => known,
                Some(_) => Type::Dyn,
            });
        }
        if result.is_none() {
            let shown: Vec<String> =
                kinds.iter().map(|kind| self.bindings.settle(kind).in_errors().to_string()).collect();
            let signature = match shown.split_first() {
                Some((target, rest)) if receiver => format!("{target}.({})", rest.join(", ")),
                _ => format!("({})", shown.join(", ")),
            };
            self.issues.note(
                at,
                format!("found no matching overload for '{}' applied to '{signature}'", function.name),
            );
        }
        result.map(|kind| (kind, fitting))
    }

    fn planned(
        &mut self,
        at: usize,
        function: &'static Function,
        receiver: bool,
        kind: Type,
        overloads: Vec<&'static Overload>,
        args: Vec<Checked>,
    ) -> Checked {
        let deepest = args.iter().map(|arg| arg.depth).max().unwrap_or_default();
        let scalar =
            matches!(kind, Type::Bool | Type::Int | Type::Uint | Type::Double | Type::String | Type::Bytes);
        let depth = match function.name {
            _ if scalar => 0,
            "_[_]" | "_?_:_" | "_+_" | "dyn" => deepest,
            _ => self.deeper(at, deepest),
        };
        let id = match overloads.as_slice() {
            [only] => Some(only.id),
            _ => None,
        };
        let rule = rule(function.name, id);
        let mut nodes: Vec<Node> = args.into_iter().map(|arg| arg.node).collect();
        let folds = matches!(
            function.name,
            "bool"
                | "bytes"
                | "double"
                | "duration"
                | "dyn"
                | "int"
                | "string"
                | "timestamp"
                | "type"
                | "uint"
        );
        let node = match (function.name, nodes.len()) {
            ("_?_:_", 3) => choice(nodes),
            ("_[_]" | "_[?_]", 2) => index(nodes, function.name == "_[?_]"),
            (_, 1) if folds && matches!(nodes.first(), Some(Node::Const(_))) => {
                let call = Call { overloads, args: nodes.into(), rule, early: false, pattern: None };
                match fold_constant(&call) {
                    Ok(value) => Node::Const(value),
                    Err(error) => {
                        self.folding.get_or_insert(error);
                        Node::Call(Box::new(call))
                    }
                }
            }
            (_, 1 | 2) => match operator(function.name, &mut nodes, rule) {
                Some(node) => node,
                None => self.library_call(function, receiver, overloads, nodes, rule),
            },
            _ => self.library_call(function, receiver, overloads, nodes, rule),
        };
        Checked { kind, node, depth }
    }

    fn library_call(
        &mut self,
        function: &'static Function,
        receiver: bool,
        overloads: Vec<&'static Overload>,
        nodes: Vec<Node>,
        rule: Rule,
    ) -> Node {
        let pattern = self.pattern(function.name, &nodes);
        // UPSTREAM: a call of two arguments evaluates both and is charged for whatever they are; one of any
        // number stops at the first that fails, and unless it is the last, is not charged for. Of that kind are
        // calls with a constant pattern, those whose overload is only known at run time (but those of `matches`
        // and `sortBy`, which have one implementation for all) and `format` (kube-apiserver 1.36).
        let one_for_all = matches!(function.name, "matches" | "@sortByAssociatedKeys");
        let early = nodes.len() > 2
            || pattern.is_some()
            || function.name == "format"
            || (overloads.len() > 1 && !one_for_all);
        // UPSTREAM: with more than one overload left, all of the function are tried at run time
        // (kube-apiserver 1.36).
        let overloads = if overloads.len() == 1 {
            overloads
        } else {
            let fits =
                |overload: &&Overload| overload.receiver == receiver && overload.params.len() == nodes.len();
            function.overloads.iter().filter(fits).collect()
        };
        Node::Call(Box::new(Call { overloads, args: nodes.into(), rule, early, pattern }))
    }

    /// UPSTREAM: constant patterns are compiled when the program is built, which fails with them
    /// (kube-apiserver 1.36).
    fn pattern(&mut self, function: &str, nodes: &[Node]) -> Option<Pattern> {
        let make = match function {
            "matches" => Pattern::Matches,
            "find" => Pattern::Find,
            "findAll" => Pattern::FindAll,
            _ => return None,
        };
        let Some(Node::Const(Value::String(pattern))) = nodes.get(1) else { return None };
        match Regex::new(pattern) {
            Ok(regex) => Some(make(regex)),
            Err(error) => {
                self.folding.get_or_insert_with(|| EvalError::new(error.to_string()));
                None
            }
        }
    }
}

fn choice(nodes: Vec<Node>) -> Node {
    match <Box<[Node; 3]>>::try_from(nodes.into_boxed_slice()) {
        Ok(parts) => Node::Attribute(Box::new(Attribute {
            root: Root::Choice(parts),
            qualifiers: Vec::new(),
            test: false,
        })),
        Err(_) => Node::Const(Value::Null),
    }
}

fn index(mut nodes: Vec<Node>, optional: bool) -> Node {
    let (Some(key), Some(operand)) = (nodes.pop(), nodes.pop()) else { return Node::Const(Value::Null) };
    let key = match key {
        Node::Const(Value::String(name)) => Key::Name(name),
        Node::Const(value) => Key::Constant(value),
        other => Key::Computed(other),
    };
    qualified(operand, Qualifier { key, optional }, false)
}

/// The operators that run without looking for an overload.
fn operator(name: &str, nodes: &mut Vec<Node>, rule: Rule) -> Option<Node> {
    match name {
        "!_" => return nodes.pop().map(|operand| Node::Not(Box::new(operand))),
        "-_" => return nodes.pop().map(|operand| Node::Negate(Box::new(operand))),
        "dyn" => return nodes.pop().map(|operand| Node::Dyn(Box::new(operand))),
        "@not_strictly_false" => return nodes.pop().map(|operand| Node::NotStrictlyFalse(Box::new(operand))),
        _ => {}
    }
    let operands = |nodes: &mut Vec<Node>| -> Option<Box<[Node; 2]>> {
        let right = nodes.pop()?;
        Some(Box::new([nodes.pop()?, right]))
    };
    let arithmetic = |operator, nodes: &mut Vec<Node>| {
        operands(nodes).map(|operands| Node::Arithmetic { operands, operator, rule })
    };
    let compare =
        |test, nodes: &mut Vec<Node>| operands(nodes).map(|operands| Node::Compare { operands, test, rule });
    match name {
        "_==_" => Some(Node::Equal { operands: operands(nodes)?, negated: false }),
        "_!=_" => Some(Node::Equal { operands: operands(nodes)?, negated: true }),
        "_<_" => compare(Test::Less, nodes),
        "_<=_" => compare(Test::LessOrEqual, nodes),
        "_>_" => compare(Test::Greater, nodes),
        "_>=_" => compare(Test::GreaterOrEqual, nodes),
        "_+_" => arithmetic(Operator::Add, nodes),
        "_-_" => arithmetic(Operator::Subtract, nodes),
        "_*_" => arithmetic(Operator::Multiply, nodes),
        "_/_" => arithmetic(Operator::Divide, nodes),
        "_%_" => arithmetic(Operator::Remainder, nodes),
        "or" | "orValue" => Some(Node::OrValue { operands: operands(nodes)?, wrapped: name == "or" }),
        "@in" => within(nodes, rule),
        _ => None,
    }
}

/// UPSTREAM: membership in a list of constants is a look-up that costs nothing, and in an empty list it is
/// false without looking at what is asked for (kube-apiserver 1.36).
fn within(nodes: &mut Vec<Node>, rule: Rule) -> Option<Node> {
    let container = nodes.pop()?;
    let operand = nodes.pop()?;
    if rule == Rule::SecondSize
        && let Node::Const(Value::List(list)) = &container
    {
        if list.is_empty() {
            return Some(Node::Const(Value::Bool(false)));
        }
        if let Some(constants) = Constants::new(list.iter()) {
            return Some(Node::InConstants { operand: Box::new(operand), constants });
        }
    }
    Some(Node::In { operands: Box::new([operand, container]), rule })
}
