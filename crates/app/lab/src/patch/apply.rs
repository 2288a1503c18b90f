//! Fields and who applied them, as `metadata.managedFields` tells it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Strategy, strategy};
use crate::schema::{self, Define};

/// One step on the way to a field, as a `FieldsV1` writes it: `f:NAME` is a member, `k:{…}` the item of
/// a list with that key, `v:…` the item of a set.
type Steps = Vec<String>;

/// A set of fields. A map or a list that is merged by its items is not a field itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(BTreeSet<Steps>);

/// Members of metadata that say which object it is, and nothing of what it should be.
const NOT_OWNED: [&str; 8] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

impl Fields {
    /// What somebody applies with `object`.
    pub(crate) fn of(definition: Define, object: &Value) -> Self {
        let mut applied = object.clone();
        if let Value::Object(members) = &mut applied {
            members.remove("apiVersion");
            members.remove("kind");
            if let Some(Value::Object(metadata)) = members.get_mut("metadata") {
                NOT_OWNED.iter().for_each(|name| drop(metadata.remove(*name)));
                if metadata.is_empty() {
                    members.remove("metadata");
                }
            }
        }
        let mut fields = Self::default();
        fields.add_members(&definition.name(), &applied, &mut Vec::new());
        fields
    }

    fn add_members(&mut self, definition: &str, object: &Value, steps: &mut Steps) {
        for (name, value) in object.as_object().into_iter().flatten() {
            steps.push(format!("f:{name}"));
            let of = schema::type_of(definition, name);
            match (value, strategy(definition, name)) {
                (Value::Array(items), Some(Strategy::ByKey(key) | Strategy::ByKeyRetaining(key))) => {
                    for item in items {
                        steps.push(format!("k:{}", json!({key: item.get(key)})));
                        self.0.insert(steps.clone());
                        self.add_members(of, item, steps);
                        steps.pop();
                    }
                }
                (Value::Array(items), Some(Strategy::Set)) => {
                    let sets = items.iter().map(|item| [steps.as_slice(), &[format!("v:{item}")]].concat());
                    self.0.extend(sets.collect::<Vec<_>>());
                }
                (Value::Object(members), _) if !members.is_empty() => self.add_members(of, value, steps),
                _ => drop(self.0.insert(steps.clone())),
            }
            steps.pop();
        }
    }

    /// Reads a `FieldsV1`.
    pub(crate) fn read(fields_v1: &Value) -> Self {
        fn add(fields: &mut Fields, node: &Value, steps: &mut Steps) {
            let members = node.as_object().into_iter().flatten();
            if !steps.is_empty() && (node.get(".").is_some() || members.clone().next().is_none()) {
                fields.0.insert(steps.clone());
            }
            for (step, below) in members.filter(|(step, _)| *step != ".") {
                steps.push(step.clone());
                add(fields, below, steps);
                steps.pop();
            }
        }
        let mut fields = Self::default();
        add(&mut fields, fields_v1, &mut Vec::new());
        fields
    }

    /// As a `FieldsV1`.
    pub(crate) fn write(&self) -> Value {
        fn put(node: &mut Map<String, Value>, steps: &[String], more: bool) {
            let Some((step, rest)) = steps.split_first() else {
                if more {
                    node.insert(".".into(), json!({}));
                }
                return;
            };
            if let Value::Object(below) = node.entry(step.as_str()).or_insert_with(|| json!({})) {
                put(below, rest, more);
            }
        }
        let mut root = Map::new();
        for steps in &self.0 {
            // A field that has others below it says with a dot that it is one itself.
            let more = self.0.iter().any(|other| other.len() > steps.len() && other.starts_with(steps));
            put(&mut root, steps, more);
        }
        root.into()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the fields of `others`.
    pub(crate) fn add(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    /// Takes the fields of `others` away.
    pub(crate) fn forget(&mut self, others: &Self) {
        self.0.retain(|steps| !others.0.contains(steps));
    }

    /// Those of these fields that `others` has, too, and that are not the same in two objects.
    pub(crate) fn contested(&self, others: &Self, old: &Value, new: &Value) -> Self {
        // That an item is there is nothing to fight about.
        let is_value = |steps: &&Steps| steps.last().is_some_and(|step| step.starts_with("f:"));
        let both = self.0.intersection(&others.0).filter(is_value);
        Self(both.filter(|steps| find(old, steps) != find(new, steps)).cloned().collect())
    }

    /// As people read them: `.spec.containers[name="c"].image`
    pub(crate) fn shown(&self) -> Vec<String> {
        let step = |step: &String| match step.split_once(':') {
            Some(("k", key)) => {
                let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let told: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("[{}]", told.join(","))
            }
            Some(("v", value)) => format!("[={value}]"),
            Some((_, name)) => format!(".{name}"),
            None => String::new(),
        };
        self.0.iter().map(|steps| steps.iter().map(step).collect()).collect()
    }

    /// Takes the fields out of an object, but for what `kept` needs.
    pub(crate) fn take_out(&self, object: &mut Value, kept: &Self) {
        // Items come before what is in them, which includes their key.
        for steps in &self.0 {
            if !kept.0.iter().any(|other| other.starts_with(steps)) {
                take_out(object, steps);
            }
        }
    }
}

/// Which item of a list a step means.
fn position(items: &[Value], step: &str) -> Option<usize> {
    let (kind, told) = step.split_once(':')?;
    let told: Value = serde_json::from_str(told).ok()?;
    items.iter().position(|item| match kind {
        "k" => {
            told.as_object().is_some_and(|key| key.iter().all(|(name, value)| item.get(name) == Some(value)))
        }
        _ => *item == told,
    })
}

fn find<'a>(object: &'a Value, steps: &[String]) -> Option<&'a Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(object) };
    let below = match object {
        Value::Array(items) => items.get(position(items, step)?)?,
        _ => object.get(step.strip_prefix("f:")?)?,
    };
    find(below, rest)
}

fn take_out(object: &mut Value, steps: &[String]) {
    let Some((step, rest)) = steps.split_first() else { return };
    match object {
        Value::Array(items) => {
            let Some(at) = position(items, step) else { return };
            if rest.is_empty() {
                items.remove(at);
            } else if let Some(item) = items.get_mut(at) {
                take_out(item, rest);
            }
        }
        Value::Object(members) => {
            let Some(name) = step.strip_prefix("f:") else { return };
            if rest.is_empty() {
                members.remove(name);
                return;
            }
            let Some(below) = members.get_mut(name) else { return };
            take_out(below, rest);
            // A map or list of which nothing is left was there for what was in it.
            if below.as_object().is_some_and(Map::is_empty) || below.as_array().is_some_and(Vec::is_empty) {
                members.remove(name);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    fn pod(object: &Value) -> Fields {
        Fields::of(registry::by_kind("", "Pod").unwrap().schema, object)
    }

    fn example() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "labels": {"a": "1"}, "finalizers": ["x/y"]},
            "spec": {"containers": [{"name": "c", "image": "i", "args": ["a", "b"]}]},
        })
    }

    #[test]
    fn fields_are_told_and_read_as_managed_fields() {
        let told = json!({
            "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {"v:\"x/y\"": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {}}}},
        });
        let fields = pod(&example());
        assert_eq!(fields.write(), told);
        assert_eq!(Fields::read(&told), fields);
        assert_eq!(
            fields.shown(),
            [
                ".metadata.finalizers[=\"x/y\"]",
                ".metadata.labels.a",
                ".spec.containers[name=\"c\"]",
                ".spec.containers[name=\"c\"].args",
                ".spec.containers[name=\"c\"].image",
                ".spec.containers[name=\"c\"].name",
            ]
        );
    }

    #[test]
    fn what_is_given_up_goes_unless_another_needs_it() {
        let check = |kept: &Value, expected: Value| {
            let mut object = example();
            pod(&example()).take_out(&mut object, &pod(kept));
            assert_eq!(object, expected);
        };
        check(&json!({}), json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}));
        check(
            &json!({"spec": {"containers": [{"name": "c", "image": "other"}]}}),
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            }),
        );
    }
}
