//! The schemas of all kinds: one source for decoding, field validation and the OpenAPI documents.

mod decode;
mod parse;
mod protobuf;

use std::{borrow::Cow, sync::LazyLock};

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

pub(crate) use decode::decode;
pub(crate) use parse::parse;
pub(crate) use protobuf::decode_protobuf;

use crate::registry;

/// A type: what its definition is called, and how it is added with all that it refers to.
#[derive(Clone, Copy, Debug)]
pub struct Define {
    name: fn() -> Cow<'static, str>,
    add: fn(&mut SchemaGenerator) -> Schema,
}

impl Define {
    /// The name of the definition: `io.k8s.api.core.v1.Pod`.
    pub fn name(self) -> Cow<'static, str> {
        (self.name)()
    }
}

/// The [`Define`] of a type.
pub(crate) const fn define<T: JsonSchema>() -> Define {
    Define { name: T::schema_name, add: SchemaGenerator::subschema_for::<T> }
}

/// The type of a deletion's body.
pub(crate) const DELETE_OPTIONS: Define =
    define::<k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions>();

/// Where OpenAPI v3 keeps definitions.
const PREFIX: &str = "#/components/schemas/";

/// All definitions by name, such as `io.k8s.api.core.v1.Pod`.
pub(crate) static DEFINITIONS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let mut generator = SchemaSettings::openapi3().into_generator();
    for kind in registry::all() {
        (kind.schema.add)(&mut generator);
        for schema in kind.subresources.iter().filter_map(|sub| sub.schema) {
            (schema.add)(&mut generator);
        }
    }
    (DELETE_OPTIONS.add)(&mut generator);
    generator.take_definitions(true)
});

/// The definition of a member of a type, or of the items of a list; empty where it is none.
pub(crate) fn type_of(definition: &str, member: &str) -> &'static str {
    let schema = DEFINITIONS.get(definition).and_then(|schema| schema.get("properties")?.get(member));
    schema
        .and_then(|schema| reference(schema).or_else(|| reference(schema.get("items")?)))
        .unwrap_or_default()
}

/// The definition that a schema refers to, also where a description stands beside the reference.
pub(crate) fn reference(schema: &Value) -> Option<&str> {
    let direct = schema.get("$ref").and_then(Value::as_str);
    let wrapped = || schema.pointer("/allOf/0/$ref").and_then(Value::as_str);
    direct.or_else(wrapped)?.strip_prefix(PREFIX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    fn check(kind: &str, text: &str, expected: Value) {
        let kind = registry::all().find(|k| k.kind == kind).unwrap();
        let parsed = parse(text.as_bytes()).unwrap();
        let got = match decode(kind.schema, parsed.value) {
            Ok(decoded) => json!({"value": decoded.value, "unknown": decoded.unknown}),
            Err(mismatch) => json!(mismatch.to_string()),
        };
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn unknown_fields_are_named_by_path_and_dropped() {
        check(
            "Pod",
            r#"{"spec":{"containers":[{"name":"a","imag":"b"}],"foo":1},"bar":{}}"#,
            json!({
                "value": {"spec": {"containers": [{"name": "a"}]}},
                "unknown": ["bar", "spec.containers[0].imag", "spec.foo"],
            }),
        );
    }

    #[test]
    fn null_is_absent_and_numbers_are_quantities() {
        check(
            "Pod",
            r#"{"metadata":{"labels":null,"creationTimestamp":null},
                "spec":{"containers":[{"resources":{"limits":{"cpu":2}},"ports":[{"containerPort":80}]}]}}"#,
            json!({
                "value": {"metadata": {}, "spec": {"containers": [
                    {"resources": {"limits": {"cpu": "2"}}, "ports": [{"containerPort": 80}]}]}},
                "unknown": [],
            }),
        );
        check(
            "Service",
            r#"{"spec":{"ports":[{"port":80,"targetPort":"web"},{"port":81,"targetPort":8080}]}}"#,
            json!({
                "value": {"spec": {"ports": [
                    {"port": 80, "targetPort": "web"}, {"port": 81, "targetPort": 8080}]}},
                "unknown": [],
            }),
        );
    }

    #[test]
    fn mismatches_are_told_in_gos_words() {
        check(
            "ConfigMap",
            r#"{"data":{"a":5}}"#,
            json!("json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        );
        check(
            "Deployment",
            r#"{"spec":{"replicas":"2"}}"#,
            json!(
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
            ),
        );
        check(
            "Pod",
            r#"{"spec":{"containers":{}}}"#,
            json!(
                "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container"
            ),
        );
    }

    #[test]
    fn every_kind_has_its_definition() {
        for kind in registry::all() {
            let name = kind.schema.name();
            assert!(DEFINITIONS.contains_key(&*name), "{name}");
        }
    }
}
