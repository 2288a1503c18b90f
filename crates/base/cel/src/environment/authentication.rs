//! `claims` and `user`.

use std::sync::LazyLock;

use serde_json::{Map as JsonMap, Value as Json};
use types::User;

use crate::{List, Map, Object, ObjectType, Type, Value, escape::unescaped};

/// UPSTREAM: `kubernetes.UserInfo` (kube-apiserver 1.36).
pub(super) static USER_INFO: LazyLock<ObjectType> = LazyLock::new(|| ObjectType {
    name: "kubernetes.UserInfo",
    fields: vec![
        ("username", Type::String),
        ("uid", Type::String),
        ("groups", Type::list(Type::String)),
        ("extra", Type::map(Type::String, Type::list(Type::String))),
    ],
});

/// The claims of a token.
///
/// UPSTREAM: they are no map at run time, whatever the type says: `size(claims)` and `"x" in claims`
/// compile and fail, and walking over them gives values (kube-apiserver 1.36).
#[derive(Clone, Copy, Debug)]
pub struct Claims<'c>(pub &'c JsonMap<String, Json>);

impl Object for Claims<'_> {
    fn runtime_name(&self) -> &'static str {
        "kubernetes.claims"
    }

    fn field(&self, name: &str) -> Option<Value<'_>> {
        self.0.get(&*unescaped(name)?).map(Value::json)
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.0.keys().map(String::as_str))
    }

    fn size(&self) -> Option<usize> {
        None
    }
}

impl Object for User {
    fn runtime_name(&self) -> &'static str {
        "kubernetes.UserInfo"
    }

    fn field(&self, name: &str) -> Option<Value<'_>> {
        Some(match &*unescaped(name)? {
            "username" => Value::str(&self.name),
            "uid" => Value::str(&self.uid),
            "groups" => Value::List(List::Strings(&self.groups)),
            "extra" => Value::Map(Map::Extra(&self.extra, true)),
            _ => return None,
        })
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(["username", "uid", "groups", "extra"].into_iter())
    }

    fn size(&self) -> Option<usize> {
        None
    }
}
