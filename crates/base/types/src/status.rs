//! `metav1.Status`: how every refusal is told to a client.

mod protobuf;
mod yaml;

use serde::{Deserialize, Serialize, Serializer};

use crate::{json, media::MediaType};

/// A failure (or a success without an object) in kube-apiserver's shape. The members are
/// serialised in kube-apiserver's order, so that bodies are equal byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// HTTP status code, repeated in the body.
    pub code: u16,
    /// The machine-readable reason; empty ([`StatusReason::Unknown`]) is left out.
    pub reason: StatusReason,
    /// The sentence kubectl prints.
    pub message: String,
    /// What the failure is about; left out when `None`, `{}` when empty.
    pub details: Option<StatusDetails>,
}

/// What a failure is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDetails {
    /// The object's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The API group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The resource (plural) or kind.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The object's UID.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Each single thing that is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// When to try again.
    #[serde(default, rename = "retryAfterSeconds", skip_serializing_if = "is_zero")]
    pub retry_after_seconds: u32,
}

/// One thing that is wrong with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired`, …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What is wrong, for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The field's path: `spec.containers[0].image`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
}

fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}

macro_rules! status_reasons {
    ($($name:ident $(= $text:literal)?),+ $(,)?) => {
        /// `metav1.StatusReason`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum StatusReason {
            /// No reason is given.
            Unknown,
            $(#[doc = concat!("`", stringify!($name), "`")] $name),+
        }

        impl StatusReason {
            /// As it stands in the body; empty for `Unknown`.
            pub const fn as_str(self) -> &'static str {
                match self { Self::Unknown => "", $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

status_reasons!(
    Unauthorized,
    Forbidden,
    NotFound,
    AlreadyExists,
    Conflict,
    Gone,
    Expired,
    Invalid,
    ServerTimeout,
    Timeout,
    TooManyRequests,
    BadRequest,
    MethodNotAllowed,
    NotAcceptable,
    RequestEntityTooLarge,
    UnsupportedMediaType,
    InternalError,
    ServiceUnavailable,
);

impl Status {
    /// A failure without details.
    pub fn failure(code: u16, reason: StatusReason, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    /// Adds what the failure is about.
    #[must_use]
    pub fn with_details(mut self, details: StatusDetails) -> Self {
        self.details = Some(details);
        self
    }

    /// The 401 that kube-apiserver gives, whatever was wrong with the credential.
    pub fn unauthorized() -> Self {
        Self::failure(401, StatusReason::Unauthorized, "Unauthorized")
    }

    /// `Success` or `Failure`.
    pub const fn outcome(&self) -> &'static str {
        if self.code < 400 { "Success" } else { "Failure" }
    }

    /// The body in the form that was negotiated.
    pub fn to_body(&self, media: MediaType) -> Vec<u8> {
        match media {
            MediaType::Json => self.to_json(),
            MediaType::IndentedJson => self.to_json_indented(),
            MediaType::Yaml => self.to_yaml().into_bytes(),
            MediaType::Protobuf => self.to_protobuf(),
        }
    }

    /// The body on one line, with kube-apiserver's line feed at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160 + self.message.len());
        // A struct of strings and numbers always serialises, and a Vec takes every byte.
        drop(json::write_compact(&mut out, self));
        out.push(b'\n');
        out
    }

    /// The body as kube-apiserver indents it for a person (two spaces, no line feed at the end).
    pub fn to_json_indented(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(240 + self.message.len());
        drop(json::write_indented(&mut out, self));
        out
    }

    /// The body as YAML.
    pub fn to_yaml(&self) -> String {
        let mut out = String::with_capacity(240 + self.message.len());
        yaml::write(&mut out, &serde_json::to_value(self).unwrap_or_default(), 0);
        out
    }

    /// The body as Kubernetes' protobuf, its magic bytes included.
    pub fn to_protobuf(&self) -> Vec<u8> {
        protobuf::encode(self)
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            kind: &'static str,
            api_version: &'static str,
            metadata: Empty,
            status: &'static str,
            #[serde(skip_serializing_if = "str::is_empty")]
            message: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            reason: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            details: Option<&'a StatusDetails>,
            code: u16,
        }
        #[derive(Serialize)]
        struct Empty {}
        Wire {
            kind: "Status",
            api_version: "v1",
            metadata: Empty {},
            status: self.outcome(),
            message: &self.message,
            reason: self.reason.as_str(),
            details: self.details.as_ref(),
            code: self.code,
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unauthorized_as_kube_apiserver_writes_it() {
        assert_eq!(
            String::from_utf8(Status::unauthorized().to_json()).unwrap(),
            "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\
             \"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}\n"
        );
        let indented = String::from_utf8(Status::unauthorized().to_json_indented()).unwrap();
        assert!(indented.starts_with("{\n  \"kind\": \"Status\",\n"));
        assert!(indented.ends_with("\n  \"code\": 401\n}"));
    }
}
