//! `request`.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::{List, Map, Object, ObjectType, Type, Value};

/// UPSTREAM: `kubernetes.SubjectAccessReviewSpec` and the types within (kube-apiserver 1.36).
pub(super) static SPEC: LazyLock<ObjectType> = LazyLock::new(|| ObjectType {
    name: "kubernetes.SubjectAccessReviewSpec",
    fields: vec![
        ("resourceAttributes", Type::Object(&RESOURCE)),
        ("nonResourceAttributes", Type::Object(&NON_RESOURCE)),
        ("user", Type::String),
        ("groups", Type::list(Type::String)),
        ("extra", Type::map(Type::String, Type::list(Type::String))),
        ("uid", Type::String),
    ],
});

static RESOURCE: LazyLock<ObjectType> = LazyLock::new(|| ObjectType {
    name: "kubernetes.ResourceAttributes",
    fields: ["namespace", "verb", "group", "version", "resource", "subresource", "name"]
        .map(|name| (name, Type::String))
        .into_iter()
        .chain([
            ("fieldSelector", Type::Object(&FIELD_SELECTOR)),
            ("labelSelector", Type::Object(&LABEL_SELECTOR)),
        ])
        .collect(),
});

static NON_RESOURCE: LazyLock<ObjectType> = LazyLock::new(|| ObjectType {
    name: "kubernetes.NonResourceAttributes",
    fields: vec![("path", Type::String), ("verb", Type::String)],
});

static FIELD_SELECTOR: LazyLock<ObjectType> =
    LazyLock::new(|| selector("kubernetes.FieldSelectorAttributes"));
static LABEL_SELECTOR: LazyLock<ObjectType> =
    LazyLock::new(|| selector("kubernetes.LabelSelectorAttributes"));

static REQUIREMENT: LazyLock<ObjectType> = LazyLock::new(|| ObjectType {
    name: "kubernetes.SelectorRequirement",
    fields: vec![("key", Type::String), ("operator", Type::String), ("values", Type::list(Type::String))],
});

fn selector(name: &'static str) -> ObjectType {
    ObjectType {
        name,
        fields: vec![("rawSelector", Type::String), ("requirements", Type::list(Type::Object(&REQUIREMENT)))],
    }
}

/// Who asks for what.
///
/// UPSTREAM: texts that are empty are there all the same, attributes and selectors that are not given
/// are absent (kube-apiserver 1.36).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AccessReviewSpec {
    /// The requester's name.
    pub user: String,
    /// The requester's UID.
    pub uid: String,
    /// The requester's groups.
    pub groups: Vec<String>,
    /// What else is known of the requester.
    pub extra: BTreeMap<String, Vec<String>>,
    /// Set for requests about resources.
    pub resource_attributes: Option<ResourceAttributes>,
    /// Set for all others.
    pub non_resource_attributes: Option<NonResourceAttributes>,
}

/// A request about a resource.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of authorization.k8s.io/v1")]
pub struct ResourceAttributes {
    pub namespace: String,
    pub verb: String,
    pub group: String,
    pub version: String,
    pub resource: String,
    pub subresource: String,
    pub name: String,
    pub field_selector: Option<Selector>,
    pub label_selector: Option<Selector>,
}

/// A request about a path.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of authorization.k8s.io/v1")]
pub struct NonResourceAttributes {
    pub path: String,
    pub verb: String,
}

/// A field or label selector, as text or in parts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of authorization.k8s.io/v1")]
pub struct Selector {
    pub raw_selector: String,
    pub requirements: Vec<Requirement>,
}

/// One requirement of a selector.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of authorization.k8s.io/v1")]
pub struct Requirement {
    pub key: String,
    pub operator: String,
    pub values: Vec<String>,
}

/// An object that passes for a map of the fields that are present.
macro_rules! map_object {
    ($name:ident, [$($field:literal),+], |$this:ident, $asked:ident| $get:expr) => {
        impl Object for $name {
            fn runtime_name(&self) -> &'static str {
                "map"
            }

            fn field(&self, $asked: &str) -> Option<Value<'_>> {
                let $this = self;
                $get
            }

            fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
                Box::new([$($field),+].into_iter().filter(|name| self.field(name).is_some()))
            }

            fn size(&self) -> Option<usize> {
                Some(self.names().count())
            }
        }
    };
}

map_object!(
    AccessReviewSpec,
    ["user", "groups", "uid", "extra", "resourceAttributes", "nonResourceAttributes"],
    |this, name| Some(match name {
        "user" => Value::str(&this.user),
        "groups" => Value::List(List::Strings(&this.groups)),
        "uid" => Value::str(&this.uid),
        "extra" => Value::Map(Map::Extra(&this.extra, false)),
        "resourceAttributes" => Value::Object(this.resource_attributes.as_ref()?),
        "nonResourceAttributes" => Value::Object(this.non_resource_attributes.as_ref()?),
        _ => return None,
    })
);

map_object!(
    ResourceAttributes,
    [
        "namespace",
        "verb",
        "group",
        "version",
        "resource",
        "subresource",
        "name",
        "fieldSelector",
        "labelSelector"
    ],
    |this, name| Some(match name {
        "namespace" => Value::str(&this.namespace),
        "verb" => Value::str(&this.verb),
        "group" => Value::str(&this.group),
        "version" => Value::str(&this.version),
        "resource" => Value::str(&this.resource),
        "subresource" => Value::str(&this.subresource),
        "name" => Value::str(&this.name),
        "fieldSelector" => Value::Object(this.field_selector.as_ref()?),
        "labelSelector" => Value::Object(this.label_selector.as_ref()?),
        _ => return None,
    })
);

map_object!(NonResourceAttributes, ["path", "verb"], |this, name| Some(match name {
    "path" => Value::str(&this.path),
    "verb" => Value::str(&this.verb),
    _ => return None,
}));

map_object!(Selector, ["rawSelector", "requirements"], |this, name| match name {
    "rawSelector" if !this.raw_selector.is_empty() => Some(Value::str(&this.raw_selector)),
    "requirements" if !this.requirements.is_empty() => {
        Some(Value::list(this.requirements.iter().map(|one| Value::Object(one)).collect()))
    }
    _ => None,
});

map_object!(Requirement, ["key", "operator", "values"], |this, name| Some(match name {
    "key" => Value::str(&this.key),
    "operator" => Value::str(&this.operator),
    "values" => Value::List(List::Strings(&this.values)),
    _ => return None,
}));
