//! Objects as rows of a table: what `kubectl get` prints.

use serde_json::{Value, json};
use types::Timestamp;

use super::read::metadata_only;
use crate::registry::Kind;

const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some \
    resources may allow a client to request the generation of an appropriate name automatically. Name is primarily \
    intended for creation idempotence and configuration definition. Cannot be updated. More info: \
    https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

/// A table of objects. A watch tells the columns once, with its first row.
/// `include` is the client's `includeObject`: what of each object stands beside its row.
pub(super) fn table(
    kind: &Kind,
    objects: &[Value],
    meta: &Value,
    with_columns: bool,
    include: &str,
    now: Timestamp,
) -> Value {
    let columns = if with_columns { columns(kind) } else { Value::Array(Vec::new()) };
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut cells = vec![json!(crate::object::name(object))];
            cells.extend(kind.columns.iter().map(|column| column.cell.render(object, now)));
            let mut row = json!({ "cells": cells });
            let shown = match include {
                "None" => None,
                "Object" => Some(object.clone()),
                _ => Some(metadata_only(object)),
            };
            if let Some(shown) = shown {
                crate::object::set(&mut row, &["object"], shown);
            }
            row
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": columns, "rows": rows,
    })
}

fn columns(kind: &Kind) -> Value {
    let mut columns =
        vec![json!({"name": "Name", "type": "string", "format": "name", "description": NAME, "priority": 0})];
    columns.extend(kind.columns.iter().map(|column| {
        json!({
            "name": column.name,
            "type": column.kind(),
            "format": "",
            "description": format!("{} of the {}", column.name, kind.singular),
            "priority": column.priority,
        })
    }));
    columns.into()
}
