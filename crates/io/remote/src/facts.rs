//! What is kept of an object that the API server sent.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use types::{ObjectFacts, ObjectRef, Secret, Timestamp};

/// The API server sent something that is not the object asked for.
#[derive(Debug, thiserror::Error)]
pub enum BadObject {
    /// Not JSON, or not of an object's shape.
    #[error("not a Kubernetes object: {0}")]
    Json(#[from] serde_json::Error),
    /// Another object.
    #[error("another object than the one asked for")]
    Other,
}

/// Reads the JSON of the object `asked` for.
pub fn read_facts(asked: &ObjectRef, json: &[u8]) -> Result<ObjectFacts, BadObject> {
    let Object { metadata, secrets, data } = serde_json::from_slice(json)?;
    if metadata.name != asked.name || metadata.namespace != asked.namespace {
        return Err(BadObject::Other);
    }
    // A token that does not decode is none: a legacy token then differs from it.
    let token = data
        .and_then(|mut data| data.remove("token"))
        .and_then(|token| STANDARD.decode(token).ok())
        .and_then(|token| String::from_utf8(token).ok());
    Ok(ObjectFacts {
        uid: metadata.uid,
        deletion_timestamp: metadata.deletion_timestamp,
        token: token.map(Secret::new),
        invalid_since: metadata
            .labels
            .and_then(|mut labels| labels.remove("kubernetes.io/legacy-token-invalid-since")),
        secrets: secrets.unwrap_or_default().into_iter().map(|secret| secret.name).collect(),
    })
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    secrets: Option<Vec<Reference>>,
    data: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    uid: String,
    deletion_timestamp: Option<Timestamp>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    name: String,
}
