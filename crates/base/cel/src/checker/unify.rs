//! Which types agree, and what type variables stand for.

use crate::Type;

/// What the type variables of one expression are known to stand for.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    bound: Vec<Option<Type>>,
    /// What was overwritten, to go back when an overload does not fit after all.
    trail: Vec<(usize, Option<Type>)>,
    spent: u32,
}

/// Steps that finding the types of one expression may take. Types can double with each nested macro;
/// real expressions need some hundreds.
const MAX_STEPS: u32 = 400_000;

/// How deeply types may be nested.
const MAX_DEPTH: u32 = 200;

impl Bindings {
    /// A new variable.
    pub(super) fn fresh(&mut self) -> Type {
        let number = u32::try_from(self.bound.len()).unwrap_or(u32::MAX);
        self.bound.push(None);
        Type::Var(number)
    }

    /// Whether types grew beyond what is followed; results mean nothing then.
    pub(super) fn exhausted(&self) -> bool {
        self.spent >= MAX_STEPS
    }

    fn step(&mut self, depth: u32) -> bool {
        self.spent = if depth > MAX_DEPTH { MAX_STEPS } else { self.spent.saturating_add(1) };
        !self.exhausted()
    }

    fn find(&self, variable: u32) -> Option<&Type> {
        self.bound.get(variable as usize).and_then(Option::as_ref)
    }

    fn bind(&mut self, variable: u32, to: Type) {
        let at = variable as usize;
        if let Some(slot) = self.bound.get_mut(at) {
            self.trail.push((at, slot.replace(to)));
        }
    }

    /// Whether each of `found` can be given where `wanted` is asked for. Keeps what it learns only then.
    pub(super) fn all_agree(&mut self, found: &[Type], wanted: &[Type]) -> bool {
        self.trail.clear();
        let agree = found.len() == wanted.len()
            && found.iter().zip(wanted).all(|(found, wanted)| self.assignable(found, wanted, 0));
        if !agree {
            while let Some((at, old)) = self.trail.pop() {
                if let Some(slot) = self.bound.get_mut(at) {
                    *slot = old;
                }
            }
        }
        agree
    }

    /// [`Bindings::all_agree`] for one.
    pub(super) fn agrees(&mut self, found: &Type, wanted: &Type) -> bool {
        self.all_agree(std::slice::from_ref(found), std::slice::from_ref(wanted))
    }

    fn assignable(&mut self, a: &Type, b: &Type, depth: u32) -> bool {
        if !self.step(depth) {
            return true;
        }
        if let Type::Var(variable) = b {
            let (valid, known) = self.substitutes(a, *variable, depth);
            if valid || known {
                return valid;
            }
        }
        if let Type::Var(variable) = a {
            return self.substitutes(b, *variable, depth).0;
        }
        if is_wild(a) || is_wild(b) {
            return true;
        }
        match (a, b) {
            (Type::Null, other) | (other, Type::Null) => is_nullable(other),
            (Type::Wrapper(a), Type::Wrapper(b)) => a == b,
            (a, Type::Wrapper(b)) => *a == **b,
            (Type::Type(_), Type::Type(_)) => true,
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => {
                self.assignable(a, b, depth + 1)
            }
            (Type::Map(key_a, a), Type::Map(key_b, b)) => {
                self.assignable(key_a, key_b, depth + 1) && self.assignable(a, b, depth + 1)
            }
            (a, b) => a == b,
        }
    }

    /// Whether the variable can stand for `a`, and whether it stands for something already.
    fn substitutes(&mut self, a: &Type, variable: u32, depth: u32) -> (bool, bool) {
        if matches!(a, Type::Var(other) if *other == variable) {
            return (true, true);
        }
        if let Some(known) = self.find(variable).cloned() {
            if *a == known {
                return (true, true);
            }
            if self.assignable(a, &known, depth + 1) {
                let general = if less_specific(a, &known) { a.clone() } else { known };
                if self.free_of(variable, &general, depth) {
                    self.bind(variable, general);
                }
                return (true, true);
            }
            return (false, true);
        }
        if self.free_of(variable, a, depth) {
            self.bind(variable, a.clone());
            return (true, false);
        }
        (false, false)
    }

    /// Whether the variable does not occur within the type.
    fn free_of(&mut self, variable: u32, within: &Type, depth: u32) -> bool {
        if !self.step(depth) {
            return false;
        }
        match within {
            Type::Var(other) if *other == variable => false,
            Type::Var(other) => match self.find(*other).cloned() {
                Some(known) => self.free_of(variable, &known, depth + 1),
                None => true,
            },
            Type::List(of) | Type::Optional(of) | Type::Type(of) => self.free_of(variable, of, depth + 1),
            Type::Map(key, value) => {
                self.free_of(variable, key, depth + 1) && self.free_of(variable, value, depth + 1)
            }
            _ => true,
        }
    }

    /// The type with its variables replaced by what they stand for.
    pub(super) fn resolve(&mut self, kind: &Type) -> Type {
        self.replace(kind, false, 0)
    }

    /// [`Bindings::resolve`] where variables that stand for nothing become `dyn`.
    pub(super) fn settle(&mut self, kind: &Type) -> Type {
        self.replace(kind, true, 0)
    }

    fn replace(&mut self, kind: &Type, settle: bool, depth: u32) -> Type {
        if !self.step(depth) {
            return Type::Error;
        }
        match kind {
            Type::Var(variable) => match self.find(*variable).cloned() {
                Some(known) => self.replace(&known, settle, depth + 1),
                None if settle => Type::Dyn,
                None => kind.clone(),
            },
            Type::List(of) => Type::list(self.replace(of, settle, depth + 1)),
            Type::Optional(of) => Type::optional(self.replace(of, settle, depth + 1)),
            Type::Type(of) => Type::type_of(self.replace(of, settle, depth + 1)),
            Type::Map(key, value) => {
                Type::map(self.replace(key, settle, depth + 1), self.replace(value, settle, depth + 1))
            }
            other => other.clone(),
        }
    }
}

/// Replaces the parameters of a declaration by variables, new for each call.
pub(super) fn instantiate(kind: &Type, variables: &mut Vec<(char, Type)>, bindings: &mut Bindings) -> Type {
    match kind {
        Type::Param(name) => match variables.iter().find(|(known, _)| known == name) {
            Some((_, variable)) => variable.clone(),
            None => {
                let variable = bindings.fresh();
                variables.push((*name, variable.clone()));
                variable
            }
        },
        Type::List(of) => Type::list(instantiate(of, variables, bindings)),
        Type::Optional(of) => Type::optional(instantiate(of, variables, bindings)),
        Type::Type(of) => Type::type_of(instantiate(of, variables, bindings)),
        Type::Map(key, value) => {
            Type::map(instantiate(key, variables, bindings), instantiate(value, variables, bindings))
        }
        other => other.clone(),
    }
}

/// Whether the type is checked only at run time.
pub(super) fn is_dyn(kind: &Type) -> bool {
    matches!(kind, Type::Dyn | Type::Any)
}

fn is_wild(kind: &Type) -> bool {
    is_dyn(kind) || *kind == Type::Error
}

fn is_nullable(kind: &Type) -> bool {
    matches!(
        kind,
        Type::Null
            | Type::Wrapper(_)
            | Type::Opaque(_)
            | Type::Optional(_)
            | Type::Object(_)
            | Type::Duration
            | Type::Timestamp
    )
}

/// The more general of two types that agree.
pub(super) fn more_general(a: Type, b: Type) -> Type {
    if less_specific(&a, &b) { a } else { b }
}

fn less_specific(a: &Type, b: &Type) -> bool {
    if is_dyn(a) || matches!(a, Type::Var(_)) {
        return true;
    }
    if is_dyn(b) || matches!(b, Type::Var(_)) {
        return false;
    }
    match (a, b) {
        (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => less_specific(a, b),
        (Type::Map(key_a, a), Type::Map(key_b, b)) => less_specific(key_a, key_b) && less_specific(a, b),
        (Type::Type(_), Type::Type(_)) => true,
        (a, b) => a == b,
    }
}
