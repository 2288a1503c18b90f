//! One audit event.

use std::hash::{DefaultHasher, Hash, Hasher};

use request::RequestInfo;
use serde::Deserialize;
use types::{Attributes, User, group, username};

/// A line that is no audit event.
#[derive(Debug, thiserror::Error)]
pub enum BadEvent {
    /// Not JSON, or not of an event's shape.
    #[error("not an audit event: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("expected an Event of audit.k8s.io/v1, found kind `{kind}` of `{api_version}`")]
    Kind {
        /// `kind`
        kind: String,
        /// `apiVersion`
        api_version: String,
    },
    /// An event that says neither verb nor path.
    #[error("the event has no {0}")]
    Missing(&'static str),
}

/// What became of a request, as its event tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The authorizers let it pass.
    Allowed,
    /// They did not.
    Forbidden,
    /// It ended before they had an answer: with this status code.
    NotAsked(u16),
}

/// Which request an event is about: the same for all stages of one.
///
/// The audit ID alone does not say it, since clients choose theirs (`Audit-ID`), and could hide one request
/// behind another. Beside it stand who made the request, when it was received, and what it asked for. Kept
/// as 128 bits, so that many requests can be open at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u64, u64);

impl RequestId {
    fn new(parts: &[&str; 5]) -> Self {
        let half = |number: u8| {
            let mut hasher = DefaultHasher::new();
            (number, parts).hash(&mut hasher);
            hasher.finish()
        };
        Self(half(0), half(1))
    }
}

/// One event of `audit.k8s.io/v1`, as far as it says who asked for what.
#[derive(Debug)]
pub struct Event {
    /// Tells the events of one request from those of others.
    pub request: RequestId,
    /// `RequestReceived`, `ResponseStarted`, `ResponseComplete` or `Panic`.
    pub stage: String,
    /// Who showed a credential.
    pub requester: User,
    /// On whose behalf, where that is somebody else.
    pub impersonated: Option<User>,
    /// The constrained mode of impersonation that allowed this, if one did.
    pub constraint: String,
    /// What became of it.
    pub recorded: Recorded,
    /// Why, in the authorizer's words; often empty.
    pub reason: String,
    asked: Asked,
}

#[derive(Debug)]
enum Asked {
    /// The request line, read as the API server reads it.
    Line(Box<RequestInfo>),
    /// What the event itself says, where there is no such line.
    Object { verb: String, object: ObjectRef },
    /// A path whose line cannot be read.
    Path { verb: String, path: String },
}

impl Event {
    /// Reads one line.
    ///
    /// # Errors
    /// When it is no event of this version, with what it is instead.
    pub fn parse(line: &[u8]) -> Result<Self, BadEvent> {
        let raw: Raw = serde_json::from_slice(line)?;
        if raw.kind != "Event" || raw.api_version != "audit.k8s.io/v1" {
            return Err(BadEvent::Kind { kind: raw.kind, api_version: raw.api_version });
        }
        if raw.request_uri.is_empty() && raw.object_ref.is_none() {
            return Err(BadEvent::Missing("requestURI"));
        }
        let code = raw.response_status.map_or(0, |status| status.code);
        let recorded = match raw.annotations.decision.as_deref() {
            Some("allow") => Recorded::Allowed,
            Some("forbid") => Recorded::Forbidden,
            // UPSTREAM: whoever was authorized has the annotation. Without it a 401 failed
            // authentication, a 429 found no seat, a 403 failed impersonation (kube-apiserver 1.36)
            _ if matches!(code, 400 | 401 | 403 | 429) => Recorded::NotAsked(code),
            // An audit policy can leave annotations out of nothing, but whoever passes a log on can. What
            // went wrong in the server may have gone wrong before anybody was asked.
            // UPSTREAM: authorizers that could not decide leave the reason `internal error`, a panic and a
            // time-out ahead of authorization leave nothing (kube-apiserver 1.36)
            _ if code == 0 || code >= 500 => Recorded::NotAsked(code),
            _ => Recorded::Allowed,
        };
        let parts = [
            raw.audit_id.as_str(),
            &raw.user.name,
            &raw.request_received_timestamp,
            &raw.verb,
            &raw.request_uri,
        ];
        Ok(Self {
            request: RequestId::new(&parts),
            stage: raw.stage,
            requester: raw.user,
            impersonated: raw.impersonated_user,
            constraint: raw.authentication_metadata.impersonation_constraint,
            recorded,
            reason: raw.annotations.reason,
            asked: Asked::new(raw.verb, &raw.request_uri, raw.object_ref),
        })
    }

    /// As whom the requester asked to be treated, before the server added groups of its own.
    // UPSTREAM: it adds system:authenticated, the groups of a service account, and in the modes for
    // nodes system:nodes. Whether a client named one of these itself is not on record (kube-apiserver 1.36)
    pub fn wanted(&self) -> Option<User> {
        let mut wanted = self.impersonated.clone()?;
        let account =
            wanted.name.strip_prefix(username::SERVICE_ACCOUNT_PREFIX).and_then(|n| n.split_once(':'));
        let of_account = account.map(|(namespace, _)| format!("{}:{namespace}", group::SERVICE_ACCOUNTS));
        wanted.groups.retain(|group| match group.as_str() {
            group::AUTHENTICATED | group::UNAUTHENTICATED => false,
            group::SERVICE_ACCOUNTS => of_account.is_none(),
            group::NODES => !self.constraint.ends_with("-node"),
            other => of_account.as_deref() != Some(other),
        });
        Some(wanted)
    }

    /// For whom the request was made.
    pub fn effective(&self) -> &User {
        self.impersonated.as_ref().unwrap_or(&self.requester)
    }

    /// The request as an authorizer was asked about it.
    pub fn attributes(&self) -> Attributes<'_> {
        self.attributes_of(self.effective())
    }

    /// The same as if `user` had made it.
    pub fn attributes_of<'a>(&'a self, user: &'a User) -> Attributes<'a> {
        match &self.asked {
            Asked::Line(info) => info.attributes(user),
            Asked::Path { verb, path } => Attributes::of_path(user, verb, path),
            Asked::Object { verb, object } => Attributes {
                resource_request: true,
                namespace: &object.namespace,
                api_group: &object.api_group,
                api_version: &object.api_version,
                resource: &object.resource,
                subresource: &object.subresource,
                name: &object.name,
                ..Attributes::of_path(user, verb, "")
            },
        }
    }
}

impl Asked {
    /// The request line says more than the event's own fields: selectors, and the name that the
    /// authorizer saw.
    // UPSTREAM: `objectRef.name` of a create is filled from the object that was sent, while the
    // authorizer was asked without a name (kube-apiserver 1.36)
    fn new(verb: String, uri: &str, object: Option<ObjectRef>) -> Self {
        let method = match verb.as_str() {
            "get" | "list" | "watch" => "GET".to_owned(),
            "create" => "POST".to_owned(),
            "update" => "PUT".to_owned(),
            "delete" | "deletecollection" => "DELETE".to_owned(),
            other => other.to_ascii_uppercase(),
        };
        let line = RequestInfo::parse(&method, uri).ok().filter(|info| info.verb() == verb);
        match (line, object) {
            (Some(info), object) if info.is_resource_request() == object.is_some() => {
                Self::Line(Box::new(info))
            }
            (_, Some(object)) => Self::Object { verb, object },
            (_, None) => {
                let path = uri.split('?').next().unwrap_or_default().to_owned();
                Self::Path { verb, path }
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    api_version: String,
    #[serde(default, rename = "auditID")]
    audit_id: String,
    #[serde(default)]
    stage: String,
    #[serde(default)]
    request_received_timestamp: String,
    #[serde(default, rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    verb: String,
    #[serde(default)]
    user: User,
    impersonated_user: Option<User>,
    #[serde(default)]
    authentication_metadata: AuthenticationMetadata,
    object_ref: Option<ObjectRef>,
    response_status: Option<Code>,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
    api_group: String,
    api_version: String,
}

#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    code: u16,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AuthenticationMetadata {
    impersonation_constraint: String,
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(rename = "authorization.k8s.io/decision")]
    decision: Option<String>,
    #[serde(default, rename = "authorization.k8s.io/reason")]
    reason: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(change: &serde_json::Value) -> Result<Event, BadEvent> {
        let mut event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "1", "stage": "ResponseComplete",
            "requestURI": "/api/v1/namespaces/ns/pods?limit=1", "verb": "list", "user": {"username": "alice"},
            "objectRef": {"resource": "pods", "namespace": "ns", "apiVersion": "v1"},
            "responseStatus": {"code": 200},
        });
        for (key, value) in change.as_object().unwrap() {
            event[key] = value.clone();
        }
        Event::parse(event.to_string().as_bytes())
    }

    #[test]
    fn reads_what_the_authorizer_was_asked() {
        let check = |change: serde_json::Value, expected: &str| {
            let event = event(&change).unwrap();
            let at = event.attributes();
            let about = if at.resource_request {
                format!("{}:{}/{}:{}", at.api_group, at.namespace, at.combined_resource(), at.name)
            } else {
                at.path.to_owned()
            };
            assert_eq!(format!("{} {} {about}", at.user.name, at.verb), expected);
        };
        check(json!({}), "alice list :ns/pods:");
        // The name of what was created stands in the event; nobody was asked about it.
        check(
            json!({"requestURI": "/api/v1/namespaces/ns/pods", "verb": "create",
                   "objectRef": {"resource": "pods", "namespace": "ns", "name": "web"}}),
            "alice create :ns/pods:",
        );
        check(
            json!({"requestURI": "/apis/apps/v1/namespaces/ns/deployments/web/scale", "verb": "patch",
                   "objectRef": {"resource": "deployments"}}),
            "alice patch apps:ns/deployments/scale:web",
        );
        check(json!({"requestURI": "/metrics?x=1", "verb": "get", "objectRef": null}), "alice get /metrics");
        check(
            json!({"requestURI": "/healthz", "verb": "options", "objectRef": null}),
            "alice options /healthz",
        );
        check(json!({"impersonatedUser": {"username": "bob"}}), "bob list :ns/pods:");
        // A line that says something else than the event: the event is believed.
        check(
            json!({"requestURI": "/nope", "verb": "get", "objectRef": {"resource": "secrets", "name": "a", "namespace": "b"}}),
            "alice get :b/secrets:a",
        );
    }

    #[test]
    fn knows_who_was_never_asked_about() {
        let check = |change: serde_json::Value, expected: Recorded| {
            assert_eq!(event(&change).unwrap().recorded, expected, "{change}");
        };
        let code = |code: u16| json!({"responseStatus": {"code": code}});
        let decided = |decision: &str, code: u16| json!({"annotations": {"authorization.k8s.io/decision": decision}, "responseStatus": {"code": code}});
        check(code(200), Recorded::Allowed);
        check(code(404), Recorded::Allowed);
        check(code(401), Recorded::NotAsked(401));
        check(code(429), Recorded::NotAsked(429));
        check(code(403), Recorded::NotAsked(403));
        check(code(500), Recorded::NotAsked(500));
        check(code(504), Recorded::NotAsked(504));
        check(json!({"responseStatus": null}), Recorded::NotAsked(0));
        check(decided("allow", 500), Recorded::Allowed);
        check(
            json!({"annotations": {"authorization.k8s.io/decision": "allow"}, "responseStatus": null}),
            Recorded::Allowed,
        );
        check(
            json!({"annotations": {"authorization.k8s.io/reason": "internal error"}, "responseStatus": {"code": 500}}),
            Recorded::NotAsked(500),
        );
        check(decided("forbid", 403), Recorded::Forbidden);
        // An admission plugin refused what the authorizers allowed.
        check(decided("allow", 403), Recorded::Allowed);
        check(decided("allow", 429), Recorded::Allowed);
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |line: &str, expected: &str| {
            let error = Event::parse(line.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("{", "not an audit event: EOF");
        check("[]", "not an audit event: ");
        check("{}", "expected an Event of audit.k8s.io/v1, found kind `` of ``");
        check(
            r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1beta1"}"#,
            "expected an Event of audit.k8s.io/v1, found kind `Event` of `audit.k8s.io/v1beta1`",
        );
        check(r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1"}"#, "the event has no requestURI");
    }
}
