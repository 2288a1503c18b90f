//! The file as it is written.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de::Visitor};
use types::duration;

use super::{Document, FieldError};
use crate::yaml::Node;

const GROUP: &str = "apiserver.config.k8s.io";
const KIND: &str = "AuthorizationConfiguration";

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Configuration {
    /// Read before, to tell which type it is.
    kind: String,
    api_version: String,
    pub(super) authorizers: Vec<Authorizer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Authorizer {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) webhook: Option<Webhook>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Webhook {
    #[serde(rename = "authorizedTTL")]
    pub(super) authorized_ttl: GoDuration,
    pub(super) cache_authorized_requests: Option<bool>,
    #[serde(rename = "unauthorizedTTL")]
    pub(super) unauthorized_ttl: GoDuration,
    pub(super) cache_unauthorized_requests: Option<bool>,
    pub(super) timeout: GoDuration,
    pub(super) subject_access_review_version: String,
    pub(super) match_condition_subject_access_review_version: String,
    pub(super) failure_policy: String,
    pub(super) connection_info: ConnectionInfo,
    pub(super) match_conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ConnectionInfo {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) kube_config_file: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    pub(super) expression: String,
}

/// A duration as Go writes it, in nanoseconds.
// UPSTREAM: a null is an empty text, and that is no duration (kube-apiserver 1.36)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GoDuration(pub(super) i64);

impl GoDuration {
    /// Nothing if it is negative.
    pub(super) fn get(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = GoDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `3s` or `5m0s`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<GoDuration, E> {
                duration::parse(text)
                    .map(GoDuration)
                    .ok_or_else(|| E::custom(format!("`{text}` is no duration")))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Reads a document strictly: kind and version first, then every field.
pub(super) fn decode(document: &Document) -> Result<Configuration, FieldError> {
    let text = |field: &str| document.root().get(field).and_then(Node::text).unwrap_or_default();
    let (kind, version) = (text("kind"), text("apiVersion"));
    if kind != KIND {
        let message = match kind {
            "" => format!("is missing: expected `{KIND}`"),
            other => format!("expected `{KIND}`, found `{other}`"),
        };
        return Err(document.error("kind", message));
    }
    let known = ["v1", "v1beta1", "v1alpha1"];
    if !version.strip_prefix(GROUP).and_then(|v| v.strip_prefix('/')).is_some_and(|v| known.contains(&v)) {
        let message = match version {
            "" => format!("is missing: expected `{GROUP}/v1`"),
            other => format!("expected `{GROUP}/v1`, `v1beta1` or `v1alpha1`, found `{other}`"),
        };
        return Err(document.error("apiVersion", message));
    }
    document.decode()
}
