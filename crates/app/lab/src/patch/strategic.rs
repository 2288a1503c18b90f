//! Strategic merge: a merge patch that knows which lists are sets of named items, and has directives
//! for what a plain merge cannot say.

use serde_json::{Map, Value};

use super::PatchError;

/// Lists merged by a member of their items, by the name of the list. Where a name means different
/// things the parent decides.
// UPSTREAM: patchMergeKey tags of the types (kube-apiserver 1.36)
const KEYS: &[(&str, &str, &str)] = &[
    ("status", "addresses", "type"),
    ("status", "volumesAttached", ""),
    ("status", "podIPs", "ip"),
    ("status", "hostIPs", "ip"),
    ("subsets", "addresses", ""),
    ("subsets", "notReadyAddresses", ""),
    ("subsets", "ports", ""),
    ("ingress", "ports", ""),
    ("egress", "ports", ""),
    ("endpoints", "addresses", ""),
    ("containers", "ports", "containerPort"),
    ("initContainers", "ports", "containerPort"),
    ("ephemeralContainers", "ports", "containerPort"),
    ("spec", "ports", "port"),
    ("", "containers", "name"),
    ("", "initContainers", "name"),
    ("", "ephemeralContainers", "name"),
    ("", "env", "name"),
    ("", "volumeMounts", "mountPath"),
    ("", "volumeDevices", "devicePath"),
    ("", "volumes", "name"),
    ("", "imagePullSecrets", "name"),
    ("", "hostAliases", "ip"),
    ("", "topologySpreadConstraints", "topologyKey"),
    ("", "schedulingGates", "name"),
    ("", "resourceClaims", "name"),
    ("", "conditions", "type"),
    ("", "ownerReferences", "uid"),
    ("", "secrets", "name"),
];

/// Lists of plain values merged as sets.
const SETS: &[&str] = &["finalizers"];

/// The member that names the items of a list; `None` where the list is one value.
fn merge_key(parent: &str, list: &str) -> Option<&'static str> {
    let entry = KEYS.iter().find(|(p, l, _)| *l == list && *p == parent);
    let entry = entry.or_else(|| KEYS.iter().find(|(p, l, _)| *l == list && p.is_empty()));
    entry.map(|(_, _, key)| *key).filter(|key| !key.is_empty())
}

/// Applies a strategic merge patch.
pub(crate) fn strategic_merge(target: &mut Value, patch: &Value) -> Result<(), PatchError> {
    match patch {
        Value::Object(patch) => merge_map(target, patch, ""),
        _ => Err(PatchError::Malformed(
            "json: cannot unmarshal patch into Go value of type map[string]interface {}".into(),
        )),
    }
}

fn merge_map(target: &mut Value, patch: &Map<String, Value>, name: &str) -> Result<(), PatchError> {
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
                Value::Object(inner) => merge_map(slot, inner, member)?,
                Value::Array(items) => merge_list(slot, items, name, member)?,
                _ => *slot = value.clone(),
            }
        }
    }
    for (member, order) in patch {
        if let (Some(list), Value::Array(order)) = (member.strip_prefix("$setElementOrder/"), order) {
            sort(map, list, order, merge_key(name, list));
        }
    }
    Ok(())
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    let kept = patch.iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn merge_list(slot: &mut Value, patch: &[Value], parent: &str, name: &str) -> Result<(), PatchError> {
    let replaces = |item: &Value| item.get("$patch").and_then(Value::as_str) == Some("replace");
    if let Some(at) = patch.iter().position(replaces) {
        let directive_only = |item: &Value| item.as_object().is_some_and(|map| map.len() == 1);
        let kept = patch.iter().enumerate().filter(|(index, item)| *index != at || !directive_only(item));
        *slot = kept.map(|(_, item)| plain(item)).collect();
        return Ok(());
    }
    let existing = slot.as_array_mut().map(std::mem::take).unwrap_or_default();
    *slot = Value::Array(match merge_key(parent, name) {
        Some(key) => merge_items(existing, patch, key, name)?,
        None if SETS.contains(&name) => {
            let mut items = existing;
            items.extend(patch.iter().cloned());
            let mut seen = Vec::new();
            items.retain(|item| {
                !seen.contains(item) && {
                    seen.push(item.clone());
                    true
                }
            });
            items
        }
        None => patch.to_vec(),
    });
    Ok(())
}

fn plain(item: &Value) -> Value {
    item.as_object().map_or_else(|| item.clone(), |map| Value::Object(without_directives(map)))
}

fn merge_items(
    mut items: Vec<Value>,
    patch: &[Value],
    key: &str,
    name: &str,
) -> Result<Vec<Value>, PatchError> {
    for change in patch {
        let Value::Object(change_map) = change else {
            return Err(PatchError::Malformed(format!("expected objects in the list `{name}`")));
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
            Some(item) => merge_map(item, change_map, name)?,
            None => {
                let mut item = Value::Null;
                merge_map(&mut item, change_map, name)?;
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

    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    fn check(mut target: Value, patch: Value, expected: Value) {
        strategic_merge(&mut target, &patch).unwrap();
        assert_eq!(target, expected, "{patch}");
    }

    #[test]
    fn named_items_merge_by_their_key() {
        check(
            json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}),
            json!({"spec": {"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]}}),
            json!({"spec": {"containers": [
                {"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c", "image": "3"}]}}),
        );
        check(
            json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "x"}]}]}}),
            json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "y"}]}]}}),
            json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "y"}]}]}}),
        );
        check(
            json!({"spec": {"ingress": [{"ports": [{"port": 1}]}]}}),
            json!({"spec": {"ingress": [{"ports": [{"port": 2}]}]}}),
            json!({"spec": {"ingress": [{"ports": [{"port": 2}]}]}}),
        );
    }

    #[test]
    fn directives() {
        check(
            json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
            json!({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}),
            json!({"spec": {"containers": [{"name": "b"}]}}),
        );
        check(
            json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
            json!({"spec": {"containers": [{"name": "c"}, {"$patch": "replace"}]}}),
            json!({"spec": {"containers": [{"name": "c"}]}}),
        );
        check(
            json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"a": 1}}}}),
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
        );
        check(
            json!({"spec": {"strategy": {"a": 1}}}),
            json!({"spec": {"strategy": {"$patch": "replace", "b": 2}}}),
            json!({"spec": {"strategy": {"b": 2}}}),
        );
        check(
            json!({"metadata": {"finalizers": ["a", "b"]}}),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["b", "c"]}}),
            json!({"metadata": {"finalizers": ["b", "c"]}}),
        );
        check(
            json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
            json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}],
                            "containers": [{"name": "c"}]}}),
            json!({"spec": {"containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}]}}),
        );
    }

    #[test]
    fn null_takes_away_and_plain_lists_are_replaced() {
        check(
            json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"args": [1, 2]}}),
            json!({"metadata": {"labels": {"a": null}}, "spec": {"args": [3]}}),
            json!({"metadata": {"labels": {"b": "2"}}, "spec": {"args": [3]}}),
        );
        let mut target = json!({"spec": {"containers": []}});
        let refused = strategic_merge(&mut target, &json!({"spec": {"containers": [{"image": "x"}]}}));
        assert!(matches!(refused, Err(PatchError::Malformed(_))));
    }
}
