//! Strategic merge: a merge patch that knows which lists are sets of named items, and has directives
//! for what a plain merge cannot say.

use serde_json::{Map, Value};

use super::PatchError;
use crate::schema::{self, Define};

/// How a member is merged where not by the common rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// A list whose items are named by a member of theirs.
    ByKey(&'static str),
    /// As before; and where an item names the members it keeps, the others go.
    ByKeyRetaining(&'static str),
    /// A list of plain values that is a set.
    Set,
    /// A struct that names the members it keeps.
    Retaining,
}

use Strategy::{ByKey, ByKeyRetaining, Retaining, Set};

/// Type, member, strategy. A type whose name begins with `*` stands for all that end so.
// UPSTREAM: the patchStrategy and patchMergeKey of the types (kube-apiserver 1.36)
const STRATEGIES: &[(&str, &str, Strategy)] = &[
    ("ObjectMeta", "finalizers", Set),
    ("ObjectMeta", "ownerReferences", ByKey("uid")),
    ("PodSpec", "containers", ByKey("name")),
    ("PodSpec", "initContainers", ByKey("name")),
    ("PodSpec", "ephemeralContainers", ByKey("name")),
    ("PodSpec", "volumes", ByKeyRetaining("name")),
    ("PodSpec", "imagePullSecrets", ByKey("name")),
    ("PodSpec", "hostAliases", ByKey("ip")),
    ("PodSpec", "topologySpreadConstraints", ByKey("topologyKey")),
    ("PodSpec", "schedulingGates", ByKey("name")),
    ("PodSpec", "resourceClaims", ByKeyRetaining("name")),
    ("*Container", "ports", ByKey("containerPort")),
    ("*Container", "env", ByKey("name")),
    ("*Container", "volumeMounts", ByKey("mountPath")),
    ("*Container", "volumeDevices", ByKey("devicePath")),
    ("PodStatus", "podIPs", ByKey("ip")),
    ("PodStatus", "hostIPs", ByKey("ip")),
    ("PodStatus", "resourceClaimStatuses", ByKeyRetaining("name")),
    ("NodeSpec", "podCIDRs", Set),
    ("NodeStatus", "addresses", ByKey("type")),
    ("ServiceSpec", "ports", ByKey("port")),
    ("ServiceAccount", "secrets", ByKey("name")),
    ("DeploymentSpec", "strategy", Retaining),
    ("*Status", "conditions", ByKey("type")),
];

/// The strategy of a member of a type.
pub(crate) fn strategy(definition: &str, member: &str) -> Option<Strategy> {
    let name = definition.rsplit('.').next().unwrap_or(definition);
    let fits = |pattern: &str| pattern.strip_prefix('*').map_or(pattern == name, |end| name.ends_with(end));
    STRATEGIES.iter().find(|(of, list, _)| *list == member && fits(of)).map(|(.., strategy)| *strategy)
}

impl Strategy {
    const fn key(self) -> Option<&'static str> {
        match self {
            ByKey(key) | ByKeyRetaining(key) => Some(key),
            Set | Retaining => None,
        }
    }
}

/// Applies a strategic merge patch.
pub(crate) fn strategic_merge(of: Define, target: &mut Value, patch: &Value) -> Result<(), PatchError> {
    match patch {
        Value::Object(patch) => merge_map(target, patch, &of.name()),
        _ => Err(PatchError::Malformed(
            "json: cannot unmarshal patch into Go value of type map[string]interface {}".into(),
        )),
    }
}

/// `definition` is the type of `target`; empty for a map.
fn merge_map(target: &mut Value, patch: &Map<String, Value>, definition: &str) -> Result<(), PatchError> {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            *target = Value::Object(without_directives(patch));
            return Ok(());
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(PatchError::Malformed(format!("unknown patch type found: {other}"))),
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return Ok(()) };
    if let Some(Value::Array(kept)) = patch.get("$retainKeys") {
        map.retain(|member, _| kept.iter().any(|name| name.as_str() == Some(member)));
    }
    for (member, value) in patch {
        if let Some(list) = member.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (map.get_mut(list), value) {
                items.retain(|item| !gone.contains(item));
            }
        } else if member.starts_with('$') {
            // Order is restored below, the others have been acted on above.
        } else if value.is_null() {
            map.remove(member);
        } else {
            let slot = map.entry(member.as_str()).or_insert(Value::Null);
            match value {
                Value::Object(inner) => merge_map(slot, inner, schema::type_of(definition, member))?,
                Value::Array(items) => merge_list(slot, items, definition, member)?,
                _ => *slot = value.clone(),
            }
        }
    }
    for (member, order) in patch {
        if let (Some(list), Value::Array(order)) = (member.strip_prefix("$setElementOrder/"), order) {
            sort(map, list, order, strategy(definition, list).and_then(Strategy::key));
        }
    }
    Ok(())
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    let kept = patch.iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn merge_list(slot: &mut Value, patch: &[Value], definition: &str, name: &str) -> Result<(), PatchError> {
    let replaces = |item: &Value| item.get("$patch").and_then(Value::as_str) == Some("replace");
    if let Some(at) = patch.iter().position(replaces) {
        let directive_only = |item: &Value| item.as_object().is_some_and(|map| map.len() == 1);
        let kept = patch.iter().enumerate().filter(|(index, item)| *index != at || !directive_only(item));
        *slot = kept.map(|(_, item)| plain(item)).collect();
        return Ok(());
    }
    let existing = slot.as_array_mut().map(std::mem::take).unwrap_or_default();
    *slot = Value::Array(match strategy(definition, name) {
        Some(ByKey(key) | ByKeyRetaining(key)) => {
            merge_items(existing, patch, key, schema::type_of(definition, name))?
        }
        Some(Set) => union(existing, patch),
        Some(Retaining) | None => patch.to_vec(),
    });
    Ok(())
}

fn union(mut items: Vec<Value>, more: &[Value]) -> Vec<Value> {
    for item in more {
        if !items.contains(item) {
            items.push(item.clone());
        }
    }
    items
}

fn plain(item: &Value) -> Value {
    item.as_object().map_or_else(|| item.clone(), |map| Value::Object(without_directives(map)))
}

fn merge_items(
    mut items: Vec<Value>,
    patch: &[Value],
    key: &str,
    definition: &str,
) -> Result<Vec<Value>, PatchError> {
    for change in patch {
        let Value::Object(change_map) = change else {
            return Err(PatchError::Malformed(format!("expected objects in a list merged by `{key}`")));
        };
        let Some(wanted) = change.get(key) else {
            return Err(PatchError::Malformed(format!(
                "map: {change} does not contain declared merge key: {key}"
            )));
        };
        if change.get("$patch").and_then(Value::as_str) == Some("delete") {
            items.retain(|item| item.get(key) != Some(wanted));
            continue;
        }
        match items.iter_mut().find(|item| item.get(key) == Some(wanted)) {
            Some(item) => merge_map(item, change_map, definition)?,
            None => {
                let mut item = Value::Null;
                merge_map(&mut item, change_map, definition)?;
                items.push(item);
            }
        }
    }
    Ok(items)
}

/// Items that the order names come in that order; the others stay behind the item they stood after.
fn sort(map: &mut Map<String, Value>, list: &str, order: &[Value], key: Option<&str>) {
    let Some(Value::Array(items)) = map.get_mut(list) else { return };
    let identity = |value: &Value| key.map_or_else(|| Some(value.clone()), |key| value.get(key).cloned());
    let order: Vec<_> = order.iter().map(identity).collect();
    let rank = |item: &Value| order.iter().position(|wanted| *wanted == identity(item));
    let mut last = 0;
    let mut ranked: Vec<(usize, Value)> = Vec::new();
    for item in std::mem::take(items) {
        if let Some(found) = rank(&item) {
            last = found;
        }
        ranked.push((last, item));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    *items = ranked.into_iter().map(|(_, item)| item).collect();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema_of(kind: &str) -> Define {
        crate::registry::all().find(|entry| entry.kind == kind).unwrap().schema
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    fn check(kind: &str, mut target: Value, patch: Value, expected: Value) {
        strategic_merge(schema_of(kind), &mut target, &patch).unwrap();
        assert_eq!(target, expected, "{patch}");
    }

    #[test]
    fn named_items_merge_by_their_key() {
        check(
            "Pod",
            json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}),
            json!({"spec": {"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]}}),
            json!({"spec": {"containers": [
                {"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c", "image": "3"}]}}),
        );
        check(
            "Pod",
            json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "x"}]}]}}),
            json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "y"}]}]}}),
            json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "y"}]}]}}),
        );
        check(
            "NetworkPolicy",
            json!({"spec": {"ingress": [{"ports": [{"port": 1}]}]}}),
            json!({"spec": {"ingress": [{"ports": [{"port": 2}]}]}}),
            json!({"spec": {"ingress": [{"ports": [{"port": 2}]}]}}),
        );
    }

    #[test]
    fn directives() {
        check(
            "Pod",
            json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
            json!({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}),
            json!({"spec": {"containers": [{"name": "b"}]}}),
        );
        check(
            "Pod",
            json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
            json!({"spec": {"containers": [{"name": "c"}, {"$patch": "replace"}]}}),
            json!({"spec": {"containers": [{"name": "c"}]}}),
        );
        check(
            "Deployment",
            json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"a": 1}}}}),
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
        );
        check(
            "Deployment",
            json!({"spec": {"strategy": {"a": 1}}}),
            json!({"spec": {"strategy": {"$patch": "replace", "b": 2}}}),
            json!({"spec": {"strategy": {"b": 2}}}),
        );
        check(
            "Pod",
            json!({"metadata": {"finalizers": ["a", "b"]}}),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["b", "c"]}}),
            json!({"metadata": {"finalizers": ["b", "c"]}}),
        );
        check(
            "Pod",
            json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
            json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}],
                            "containers": [{"name": "c"}]}}),
            json!({"spec": {"containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}]}}),
        );
    }

    #[test]
    fn null_takes_away_and_plain_lists_are_replaced() {
        check(
            "Pod",
            json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"args": [1, 2]}}),
            json!({"metadata": {"labels": {"a": null}}, "spec": {"args": [3]}}),
            json!({"metadata": {"labels": {"b": "2"}}, "spec": {"args": [3]}}),
        );
        let mut target = json!({"spec": {"containers": []}});
        let refused = strategic_merge(
            schema_of("Pod"),
            &mut target,
            &json!({"spec": {"containers": [{"image": "x"}]}}),
        );
        assert!(matches!(refused, Err(PatchError::Malformed(_))));
    }
}
