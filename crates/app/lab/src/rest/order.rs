//! Writing values with their members in the order that people know from Kubernetes.

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use types::{MediaType, json};

/// Members that come first, in this order; the others follow by name.
const FIRST: &[&str] = &[
    "kind",
    "apiVersion",
    "metadata",
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "spec",
    "status",
];

/// A value whose objects are written in that order.
pub(super) struct Ordered<'a>(pub(super) &'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            Value::Object(map) => {
                let mut out = serializer.serialize_map(Some(map.len()))?;
                for (name, value) in FIRST.iter().filter_map(|name| map.get_key_value(*name)) {
                    out.serialize_entry(name, &Ordered(value))?;
                }
                for (name, value) in map.iter().filter(|(name, _)| !FIRST.contains(&name.as_str())) {
                    out.serialize_entry(name, &Ordered(value))?;
                }
                out.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

/// The body and its type. Objects are not written as protobuf: a client that prefers it has named
/// JSON as well, or was refused before.
pub(super) fn write(value: &Value, media: MediaType) -> (&'static str, Bytes) {
    let mut out = Vec::new();
    let written = match media {
        MediaType::IndentedJson => json::write_indented(&mut out, &Ordered(value)),
        MediaType::Yaml => match config::yaml::write(&Ordered(value)) {
            Some(text) => return (MediaType::Yaml.content_type(), text.into()),
            None => Ok(()),
        },
        MediaType::Json | MediaType::Protobuf => {
            json::write_compact(&mut out, &Ordered(value)).map(|()| out.push(b'\n'))
        }
    };
    // A `Value` always serialises: its keys are texts.
    drop(written);
    (MediaType::Json.content_type(), out.into())
}
