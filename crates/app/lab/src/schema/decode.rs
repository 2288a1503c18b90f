//! What decoding into a Go struct does to JSON: unknown members vanish, `null` is absence, a value of
//! the wrong type is an error in Go's words.

use std::fmt;

use serde_json::{Map, Value};

use super::{DEFINITIONS, Define, reference};

/// A value in the shape of its type.
pub(crate) struct Decoded {
    pub(crate) value: Value,
    /// Paths of members that the type does not have.
    pub(crate) unknown: Vec<String>,
}

/// A value whose type is not the member's.
#[derive(Debug)]
pub(crate) struct TypeMismatch {
    got: &'static str,
    owner: String,
    path: String,
    wanted: String,
}

impl fmt::Display for TypeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { got, owner, path, wanted } = self;
        if path.is_empty() {
            return write!(f, "json: cannot unmarshal {got} into Go value of type {wanted}");
        }
        write!(f, "json: cannot unmarshal {got} into Go struct field {owner}.{path} of type {wanted}")
    }
}

/// Brings `value` into the shape of a type.
pub(crate) fn decode(schema: Define, mut value: Value) -> Result<Decoded, TypeMismatch> {
    let name = schema.name();
    let mut walk = Walk { unknown: Vec::new() };
    let at = At { owner: short(&name), fields: String::new(), path: String::new() };
    if value.is_null() {
        value = Value::Object(Map::new());
    }
    if let Some(definition) = DEFINITIONS.get(&*name) {
        walk.value(&mut value, definition, &at)?;
    }
    walk.unknown.sort();
    Ok(Decoded { value, unknown: walk.unknown })
}

/// `a.b`, or `b` at the root.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}.{name}") }
}

#[derive(Clone)]
struct At<'a> {
    /// The innermost struct.
    owner: &'a str,
    /// The path in Go's words: fields only.
    fields: String,
    /// The path in Kubernetes' words: fields and indexes.
    path: String,
}

struct Walk {
    unknown: Vec<String>,
}

impl Walk {
    fn value(&mut self, value: &mut Value, schema: &Value, at: &At<'_>) -> Result<(), TypeMismatch> {
        if let Some(name) = reference(schema) {
            let Some(definition) = DEFINITIONS.get(name) else { return Ok(()) };
            return match short(name) {
                "Quantity" => quantity(value, at),
                "IntOrString" => expect(value, at, "intstr.IntOrString", |v| v.is_string() || v.is_i64()),
                _ => self.value(
                    value,
                    definition,
                    &At { owner: struct_name(name, definition, at.owner), ..at.clone() },
                ),
            };
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => self.object(value, schema, at),
            Some("array") => {
                let Value::Array(items) = value else { return Err(mismatch(value, at, go_type(schema))) };
                let Some(element) = schema.get("items") else { return Ok(()) };
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(item, element, &At { path: format!("{}[{index}]", at.path), ..at.clone() })?;
                }
                Ok(())
            }
            Some("string") => expect(value, at, &go_type(schema), Value::is_string),
            Some("boolean") => expect(value, at, "bool", Value::is_boolean),
            Some("integer") => expect(value, at, &go_type(schema), |v| v.is_i64() || v.is_u64()),
            Some("number") => expect(value, at, "float64", Value::is_number),
            _ => Ok(()),
        }
    }

    fn object(&mut self, value: &mut Value, schema: &Value, at: &At<'_>) -> Result<(), TypeMismatch> {
        let Value::Object(map) = value else { return Err(mismatch(value, at, go_type(schema))) };
        if let Some(element) = schema.get("additionalProperties").filter(|element| element.is_object()) {
            for (name, item) in map.iter_mut() {
                self.value(item, element, &At { path: join(&at.path, name), ..at.clone() })?;
            }
            return Ok(());
        }
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Ok(()) };
        map.retain(|name, item| {
            let known = properties.contains_key(name);
            if !known {
                self.unknown.push(join(&at.path, name));
            }
            known && !item.is_null()
        });
        for (name, item) in map.iter_mut() {
            if let Some(member) = properties.get(name) {
                let inner =
                    At { owner: at.owner, fields: join(&at.fields, name), path: join(&at.path, name) };
                self.value(item, member, &inner)?;
            }
        }
        Ok(())
    }
}

/// A definition that is a struct names the owner of its fields; any other is a plain value.
fn struct_name<'a>(name: &'a str, definition: &Value, owner: &'a str) -> &'a str {
    if definition.get("properties").is_some() { short(name) } else { owner }
}

fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// UPSTREAM: a bare number is a quantity too (kube-apiserver 1.36).
fn quantity(value: &mut Value, at: &At<'_>) -> Result<(), TypeMismatch> {
    if let Value::Number(number) = value {
        *value = Value::String(number.to_string());
    }
    expect(value, at, "resource.Quantity", Value::is_string)
}

fn expect(value: &Value, at: &At<'_>, wanted: &str, fits: fn(&Value) -> bool) -> Result<(), TypeMismatch> {
    // An element of a list or map can be null, which leaves it at its zero value.
    if fits(value) || value.is_null() { Ok(()) } else { Err(mismatch(value, at, wanted.to_owned())) }
}

fn mismatch(value: &Value, at: &At<'_>, wanted: String) -> TypeMismatch {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    TypeMismatch { got, owner: at.owner.to_owned(), path: at.fields.clone(), wanted }
}

fn go_type(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        let mut parts = name.rsplit('.');
        let (kind, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        return format!("{version}.{kind}");
    }
    let format = schema.get("format").and_then(Value::as_str);
    match schema.get("type").and_then(Value::as_str).unwrap_or_default() {
        "array" => format!("[]{}", schema.get("items").map(go_type).unwrap_or_default()),
        "object" => match schema.get("additionalProperties").filter(|element| element.is_object()) {
            Some(element) => format!("map[string]{}", go_type(element)),
            None => "struct".into(),
        },
        "string" if format == Some("byte") => "[]uint8".into(),
        "integer" => format.unwrap_or("int64").into(),
        "boolean" => "bool".into(),
        other => other.into(),
    }
}
