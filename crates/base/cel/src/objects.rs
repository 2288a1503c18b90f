//! Inputs with named fields, read where they lie.

use std::fmt;

use crate::{Value, cel_type::Type};

/// A declared type with fields, such as `kubernetes.UserInfo`.
#[derive(Debug)]
pub struct ObjectType {
    /// Its name, by which alone it is told apart.
    pub name: &'static str,
    /// Its fields and their types.
    pub fields: Vec<(&'static str, Type)>,
}

impl ObjectType {
    /// The type of a field.
    pub fn field(&self, name: &str) -> Option<&Type> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, kind)| kind)
    }
}

impl PartialEq for ObjectType {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ObjectType {}

/// An input whose fields are asked for one by one, so that evaluating `user.username` copies nothing.
pub trait Object: fmt::Debug + Send + Sync {
    /// The run-time name of its type: `map`, or its own.
    fn runtime_name(&self) -> &'static str;
    /// The field that `.name` and `["name"]` reach; nothing if it is absent.
    fn field(&self, name: &str) -> Option<Value<'_>>;
    /// The names of the fields that are present.
    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_>;
    /// How many fields are present, if it passes for a map; nothing if `size`, `in` and `==` mean nothing for it.
    fn size(&self) -> Option<usize>;
}
