//! Objects as Kubernetes' own clients send them: protobuf in an envelope.
//!
//! Only reading: an answer is JSON, which every client takes. The numbers of members are a table; their
//! types are the schemas'.

use std::{collections::HashMap, sync::LazyLock};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Number, Value, json};
use types::Timestamp;

use super::{DEFINITIONS, Define, reference};

/// What every protobuf body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// A body that is no object in protobuf.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtobufError {
    /// The envelope is missing.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    NoEnvelope,
    /// The bytes end, or go on, where they must not.
    #[error("proto: illegal wireType or unexpected EOF")]
    Broken,
}

/// Reads an object of a type. `apiVersion` and `kind` are the envelope's; an object that says it is of
/// another type comes without its members, so that the caller's check refuses it by name.
pub(crate) fn decode_protobuf(schema: Define, kind: &str, body: &[u8]) -> Result<Value, ProtobufError> {
    let envelope = body.strip_prefix(MAGIC).ok_or(ProtobufError::NoEnvelope)?;
    let (mut api_version, mut of, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Fields(envelope) {
        match field? {
            (1, Wire::Bytes(meta)) => {
                for field in Fields(meta) {
                    match field? {
                        (1, Wire::Bytes(text)) => api_version = lossy(text),
                        (2, Wire::Bytes(text)) => of = lossy(text),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut object = Map::new();
    if of.is_empty() || of == kind {
        message(raw, &schema.name(), &mut object)?;
    }
    for (member, text) in [("apiVersion", api_version), ("kind", of)] {
        if !text.is_empty() {
            object.insert(member.into(), text.into());
        }
    }
    Ok(object.into())
}

/// One member of a type.
#[derive(Clone, Copy, Debug)]
struct Member {
    name: &'static str,
    /// Zero is told from absent.
    pointer: bool,
    /// The members of the type of this name stand here.
    inline: bool,
}

static MEMBERS: LazyLock<HashMap<&'static str, Vec<(u32, Member)>>> = LazyLock::new(|| {
    let lines = include_str!("wire.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(name, members)| (name, read_members(members)))
        .collect()
});

fn read_members(line: &'static str) -> Vec<(u32, Member)> {
    let mut number = 0;
    let read = |text: &'static str| {
        let (given, text) = text.split_once('=').unwrap_or(("", text));
        number = given.parse().unwrap_or(number + 1);
        let (name, inline) = text.strip_prefix('+').map_or((text, false), |name| (name, true));
        let (name, pointer) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
        (number, Member { name, pointer, inline })
    };
    line.split(' ').map(read).collect()
}

/// `io.k8s.api.core.v1.Pod` as the table names it: `core.v1.Pod`.
fn table_name(definition: &str) -> &str {
    let prefixes = ["io.k8s.api.", "io.k8s.apimachinery.pkg.apis."];
    prefixes.iter().find_map(|prefix| definition.strip_prefix(prefix)).unwrap_or(definition)
}

/// Reads a struct.
fn message(bytes: &[u8], definition: &str, out: &mut Map<String, Value>) -> Result<(), ProtobufError> {
    match DEFINITIONS.get(definition).and_then(|schema| schema.get("properties")) {
        Some(Value::Object(properties)) => members(bytes, table_name(definition), properties, out),
        _ => Ok(()),
    }
}

fn members(
    bytes: &[u8],
    table: &str,
    properties: &Map<String, Value>,
    out: &mut Map<String, Value>,
) -> Result<(), ProtobufError> {
    let known = MEMBERS.get(table).map_or(&[][..], Vec::as_slice);
    for field in Fields(bytes) {
        let (number, wire) = field?;
        // A number that nobody has is a member of a later version: dropped, as Go drops it.
        let Some((_, member)) = known.iter().find(|(known, _)| *known == number) else { continue };
        if member.inline {
            if let Wire::Bytes(inner) = wire {
                members(inner, member.name, properties, out)?;
            }
            continue;
        }
        let Some(schema) = properties.get(member.name) else { continue };
        match schema.get("type").and_then(Value::as_str) {
            Some("array") => {
                let items = out.entry(member.name).or_insert_with(|| json!([]));
                if let (Value::Array(items), Some(element)) = (items, schema.get("items")) {
                    repeated(wire, element, items)?;
                }
            }
            Some("object") if schema.get("additionalProperties").is_some_and(Value::is_object) => {
                let entries = out.entry(member.name).or_insert_with(|| json!({}));
                if let (Value::Object(entries), Some(element)) = (entries, schema.get("additionalProperties"))
                {
                    entry(wire, element, entries)?;
                }
            }
            _ => {
                let value = single(wire, schema)?;
                if !value.is_null() && (member.pointer || !is_zero(&value)) {
                    out.insert(member.name.into(), value);
                }
            }
        }
    }
    Ok(())
}

/// Members that cannot be told from absent ones are written even when they are zero.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn repeated(wire: Wire<'_>, element: &Value, items: &mut Vec<Value>) -> Result<(), ProtobufError> {
    let packed = element.get("type").and_then(Value::as_str) == Some("integer");
    match wire {
        Wire::Bytes(mut bytes) if packed => {
            while !bytes.is_empty() {
                items.push(signed(varint(&mut bytes)?));
            }
        }
        wire => items.push(single(wire, element)?),
    }
    Ok(())
}

fn entry(wire: Wire<'_>, element: &Value, entries: &mut Map<String, Value>) -> Result<(), ProtobufError> {
    let Wire::Bytes(bytes) = wire else { return Err(ProtobufError::Broken) };
    let (mut key, mut value) = (String::new(), None);
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Bytes(text)) => key = lossy(text),
            (2, wire) => value = Some(map_value(wire, element)?),
            _ => {}
        }
    }
    entries.insert(key, value.unwrap_or_default());
    Ok(())
}

/// A list as the value of a map is wrapped in a message of its own.
fn map_value(wire: Wire<'_>, element: &Value) -> Result<Value, ProtobufError> {
    let (Some("array"), Wire::Bytes(bytes), Some(of)) =
        (element.get("type").and_then(Value::as_str), wire, element.get("items"))
    else {
        return single(wire, element);
    };
    let mut items = Vec::new();
    for field in Fields(bytes) {
        if let (1, wire) = field? {
            items.push(single(wire, of)?);
        }
    }
    Ok(items.into())
}

fn single(wire: Wire<'_>, schema: &Value) -> Result<Value, ProtobufError> {
    if let Some(name) = reference(schema) {
        let Wire::Bytes(bytes) = wire else { return Err(ProtobufError::Broken) };
        return match name.rsplit('.').next().unwrap_or_default() {
            "Time" | "MicroTime" => time(bytes, name.ends_with("MicroTime")),
            "Quantity" => first(bytes).map(|wire| wire.map_or(Value::Null, |wire| text(wire).into())),
            "IntOrString" => int_or_string(bytes),
            "RawExtension" | "FieldsV1" => {
                let raw = first(bytes)?.map(|wire| if let Wire::Bytes(raw) = wire { raw } else { &[] });
                Ok(raw.and_then(|raw| serde_json::from_slice(raw).ok()).unwrap_or_default())
            }
            _ => {
                let mut out = Map::new();
                message(bytes, name, &mut out)?;
                Ok(out.into())
            }
        };
    }
    Ok(match (schema.get("type").and_then(Value::as_str), wire) {
        (Some("string"), Wire::Bytes(bytes))
            if schema.get("format").and_then(Value::as_str) == Some("byte") =>
        {
            BASE64_STANDARD.encode(bytes).into()
        }
        (Some("string"), wire) => match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => {
                let Wire::Bytes(bytes) = wire else { return Err(ProtobufError::Broken) };
                return time(bytes, false);
            }
            _ => text(wire).into(),
        },
        (Some("integer"), Wire::Varint(number)) => signed(number),
        (Some("boolean"), Wire::Varint(number)) => (number != 0).into(),
        (Some("number"), Wire::Fixed64(bits)) => {
            Number::from_f64(f64::from_bits(bits)).map_or(Value::Null, Value::Number)
        }
        _ => return Err(ProtobufError::Broken),
    })
}

/// Seconds and nanoseconds since 1970; nothing for Go's zero time.
fn time(bytes: &[u8], micro: bool) -> Result<Value, ProtobufError> {
    let (mut seconds, mut nanos) = (None, 0);
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Varint(number)) => seconds = Some(number.cast_signed()),
            (2, Wire::Varint(number)) => nanos = i32::try_from(number).unwrap_or_default(),
            _ => {}
        }
    }
    let Some(moment) = seconds.and_then(|seconds| Timestamp::new(seconds, nanos).ok()) else {
        return Ok(Value::Null);
    };
    let format = if micro { "%Y-%m-%dT%H:%M:%S.%6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    Ok(moment.strftime(format).to_string().into())
}

fn int_or_string(bytes: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut number, mut words) = (false, Value::from(0), String::new());
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Varint(kind)) => is_text = kind == 1,
            (2, Wire::Varint(value)) => number = signed(value),
            (3, wire) => words = text(wire),
            _ => {}
        }
    }
    Ok(if is_text { words.into() } else { number })
}

fn first(bytes: &[u8]) -> Result<Option<Wire<'_>>, ProtobufError> {
    for field in Fields(bytes) {
        if let (1, wire) = field? {
            return Ok(Some(wire));
        }
    }
    Ok(None)
}

fn text(wire: Wire<'_>) -> String {
    if let Wire::Bytes(bytes) = wire { lossy(bytes) } else { String::new() }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Negative numbers of any width are written with all 64 bits.
fn signed(number: u64) -> Value {
    number.cast_signed().into()
}

#[derive(Clone, Copy, Debug)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of a message, in order.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = next_field(&mut self.0);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn next_field<'a>(bytes: &mut &'a [u8]) -> Result<(u32, Wire<'a>), ProtobufError> {
    let tag = varint(bytes)?;
    let number = u32::try_from(tag >> 3).map_err(|_| ProtobufError::Broken)?;
    let wire = match tag & 7 {
        0 => Wire::Varint(varint(bytes)?),
        1 => {
            let (head, rest) = bytes.split_first_chunk::<8>().ok_or(ProtobufError::Broken)?;
            *bytes = rest;
            Wire::Fixed64(u64::from_le_bytes(*head))
        }
        2 => {
            let length = usize::try_from(varint(bytes)?).map_err(|_| ProtobufError::Broken)?;
            let (head, rest) = bytes.split_at_checked(length).ok_or(ProtobufError::Broken)?;
            *bytes = rest;
            Wire::Bytes(head)
        }
        5 => {
            *bytes = bytes.get(4..).ok_or(ProtobufError::Broken)?;
            Wire::Fixed32
        }
        _ => return Err(ProtobufError::Broken),
    };
    Ok((number, wire))
}

fn varint(bytes: &mut &[u8]) -> Result<u64, ProtobufError> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(ProtobufError::Broken)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(ProtobufError::Broken)
}

#[cfg(test)]
mod tests;
