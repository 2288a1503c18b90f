//! The OpenAPI documents: version 3 in full, version 2 as much as old clients need to go on.

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::{Map, Value, json};

use super::{Call, Content, Reply};
use crate::{
    object::set,
    patch::{Strategy, strategy},
    registry::{self, GROUPS, Kind, Subresource},
    schema::DEFINITIONS,
};

const PREFIX: &str = "#/components/schemas/";

/// Which documents there are. The hash lets clients cache them: it changes with the lab's version.
pub(super) fn index() -> Value {
    let mut paths = Map::new();
    for group in GROUPS {
        for version in registry::versions(group) {
            let path = place(group, version);
            let address = format!("/openapi/v3{path}?hash={}", env!("CARGO_PKG_VERSION"));
            paths.insert(path.trim_start_matches('/').into(), json!({ "serverRelativeURL": address }));
        }
    }
    json!({ "paths": paths })
}

fn place(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

/// The document of one group and version.
pub(super) fn v3(group: &str, version: &str) -> Value {
    let mut paths = Map::new();
    let mut wanted = BTreeSet::new();
    for kind in registry::of(group, version) {
        let base = place(group, version);
        let within = if kind.namespaced { format!("{base}/namespaces/{{namespace}}") } else { base.clone() };
        let collection = format!("{within}/{}", kind.plural);
        if kind.namespaced && kind.verbs.contains(&"list") {
            paths.insert(format!("{base}/{}", kind.plural), operations(kind, None, &["list"]));
        }
        paths.insert(collection.clone(), operations(kind, None, &["list", "create", "deletecollection"]));
        let single = ["get", "update", "patch", "delete"];
        if kind.verbs.iter().any(|verb| single.contains(verb)) {
            paths.insert(format!("{collection}/{{name}}"), operations(kind, None, &single));
        }
        for sub in kind.subresources {
            let path = format!("{collection}/{{name}}/{}", sub.name);
            paths.insert(path, operations(kind, Some(sub), &["get", "create", "update", "patch"]));
            wanted.extend(sub.schema.map(|schema| schema.name().into_owned()));
        }
        wanted.insert(kind.schema.name().into_owned());
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": concat!("v1.36.0-portcullis.", env!("CARGO_PKG_VERSION"))},
        "paths": paths,
        "components": {"schemas": definitions(wanted)},
    })
}

fn operations(kind: &Kind, sub: Option<&Subresource>, verbs: &[&str]) -> Value {
    let allowed = sub.map_or(kind.verbs, |sub| sub.verbs);
    let mut item = Map::new();
    for verb in verbs.iter().filter(|verb| allowed.contains(verb)) {
        let method = match *verb {
            "list" | "get" => "get",
            "create" => "post",
            "update" => "put",
            "patch" => "patch",
            _ => "delete",
        };
        item.insert(method.into(), operation(kind, sub, verb));
    }
    item.into()
}

fn operation(kind: &Kind, sub: Option<&Subresource>, verb: &str) -> Value {
    let (mut group, mut version) = (kind.group, kind.version);
    if let Some((sub_group, sub_version)) = sub.and_then(|sub| sub.group_version) {
        (group, version) = (sub_group, sub_version);
    }
    let shown = sub.map_or("", |sub| sub.kind);
    let shown = if shown.is_empty() { kind.kind } else { shown };
    let schema = sub.and_then(|sub| sub.schema).unwrap_or(kind.schema);
    let reference = format!("{PREFIX}{}", schema.name());
    let content = json!({"application/json": {"schema": {"$ref": reference}}});
    let action = match verb {
        "create" => "post",
        "update" => "put",
        other => other,
    };
    let mut operation = json!({
        "operationId": format!("{action}{}{}", shown, sub.map_or("", |sub| sub.name)),
        "parameters": parameters(verb),
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": shown},
    });
    let written = match verb {
        "create" | "update" => Some(json!({ "content": content })),
        "patch" => {
            let types = [
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
            ];
            let content: Map<_, _> =
                types.iter().map(|kind| ((*kind).into(), json!({"schema": {"type": "object"}}))).collect();
            Some(json!({ "content": content }))
        }
        _ => None,
    };
    if let Some(body) = written {
        set(&mut operation, &["requestBody"], body);
    }
    operation
}

/// The query parameters of a verb. That PATCH has `fieldValidation` tells kubectl that the server
/// validates fields.
fn parameters(verb: &str) -> Value {
    let names: &[(&str, &str)] = match verb {
        "create" | "update" | "patch" => {
            &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")]
        }
        "list" | "deletecollection" => &[
            ("continue", "string"),
            ("fieldSelector", "string"),
            ("labelSelector", "string"),
            ("limit", "integer"),
            ("resourceVersion", "string"),
            ("resourceVersionMatch", "string"),
            ("timeoutSeconds", "integer"),
            ("watch", "boolean"),
        ],
        "delete" => {
            &[("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("propagationPolicy", "string")]
        }
        _ => &[],
    };
    let parameter = |(name, kind): &(&str, &str)| json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}});
    names.iter().map(parameter).collect()
}

/// Definitions, with all that they refer to. Those of kinds carry the kind they are.
fn definitions(mut wanted: BTreeSet<String>) -> Value {
    let mut found = Map::new();
    while let Some(name) = wanted.pop_first() {
        if found.contains_key(&name) {
            continue;
        }
        let Some(definition) = DEFINITIONS.get(&name) else { continue };
        references(definition, &mut wanted);
        let mut definition = definition.clone();
        if let Some(kinds) = KINDS_OF.iter().find(|(of, _)| *of == name).map(|(_, kinds)| kinds) {
            set(&mut definition, &["x-kubernetes-group-version-kind"], kinds.clone());
        }
        mark_strategies(&name, &mut definition);
        found.insert(name, definition);
    }
    found.into()
}

/// Tells clients how members are merged by a strategic merge patch.
fn mark_strategies(name: &str, definition: &mut Value) {
    let Some(Value::Object(properties)) = definition.get_mut("properties") else { return };
    for (member, schema) in properties {
        let (words, key) = match strategy(name, member) {
            Some(Strategy::ByKey(key)) => ("merge", key),
            Some(Strategy::ByKeyRetaining(key)) => ("merge,retainKeys", key),
            Some(Strategy::Set) => ("merge", ""),
            Some(Strategy::Retaining) => ("retainKeys", ""),
            None => continue,
        };
        set(schema, &["x-kubernetes-patch-strategy"], words);
        if !key.is_empty() {
            set(schema, &["x-kubernetes-patch-merge-key"], key);
        }
    }
}

static KINDS_OF: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| {
    let own = registry::all().map(|kind| {
        let gvk = json!([{"group": kind.group, "version": kind.version, "kind": kind.kind}]);
        (kind.schema.name().into_owned(), gvk)
    });
    let below = registry::all().flat_map(|kind| kind.subresources).filter_map(|sub| {
        let (group, version) = sub.group_version?;
        let gvk = json!([{"group": group, "version": version, "kind": sub.kind}]);
        Some((sub.schema?.name().into_owned(), gvk))
    });
    own.chain(below).collect()
});

fn references(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(PREFIX)) {
                found.insert(name.into());
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// The old document, without definitions: an old kubectl skips the validation of kinds that it does
/// not find there, and the server's own applies.
pub(super) fn v2(call: &Call<'_>) -> Reply {
    let title = "Kubernetes";
    let version = concat!("v1.36.0-portcullis.", env!("CARGO_PKG_VERSION"));
    if call.accept.wants_openapi_protobuf() {
        // Field 1 is the version of the format, field 2 the title and the version of what it is about,
        // field 8 the paths, of which there are none.
        let mut info = Vec::new();
        field(&mut info, 1, title.as_bytes());
        field(&mut info, 2, version.as_bytes());
        let mut bytes = Vec::new();
        field(&mut bytes, 1, b"2.0");
        field(&mut bytes, 2, &info);
        field(&mut bytes, 8, b"");
        let kind = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
        return Reply {
            code: 200,
            content: Content::Bytes { kind, bytes: bytes.into() },
            warnings: Vec::new(),
        };
    }
    Reply::value(
        200,
        json!({"swagger": "2.0", "info": {"title": title, "version": version}, "paths": {}, "definitions": {}}),
    )
}

/// One length-delimited protobuf field; everything here is shorter than 128 bytes.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX) & 0x7f);
    out.extend_from_slice(bytes);
}
