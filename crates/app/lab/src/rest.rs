//! Kubernetes' REST, written once for all kinds.

mod apply;
mod body;
mod delete;
mod discovery;
mod failure;
mod health;
mod negotiate;
mod openapi;
mod options;
mod order;
mod patch;
mod pod_log;
mod read;
mod route;
mod selection;
mod streaming;
mod subresource;
mod table;
mod update;
mod watch;
mod write;

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use parking_lot::Mutex;
use serde_json::Value;
use types::{MediaType, Status, StatusDetails, StatusReason, Timestamp, User};

use crate::{
    access::{Grants, Write},
    containers::Containers,
    registry::{Kind, Review},
    store::Store,
    streams::Upgrade,
};
use negotiate::Accept;
use options::Query;
use route::Route;

pub(crate) use failure::invalid;
pub(crate) use update::is_released;
pub(crate) use write::seconds;

/// A body that the lab sends.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Answers what is asked and not kept: reviews and token requests. It needs authenticators,
/// authorizers and a signing key, which the API server itself has none of.
pub trait Reviewer: Send + Sync {
    /// Answers `call.object`, whose shape has been checked: the same object with its `status`.
    fn review(&self, call: &ReviewCall<'_>) -> Result<Value, Status>;

    /// Who may grant what by writing roles and bindings; `None` lets everybody grant everything. Asked
    /// before the write begins, for nobody can read the store while it changes.
    fn grants(&self, store: &Store) -> Option<Grants>;
}

/// One question to a [`Reviewer`].
#[derive(Clone, Copy)]
pub struct ReviewCall<'a> {
    /// What is asked.
    pub review: Review,
    /// Who asks.
    pub user: &'a User,
    /// The namespace of the path; empty for none.
    pub namespace: &'a str,
    /// The name of the path (of the service account of a token request); empty for none.
    pub name: &'a str,
    /// The question, decoded; `apiVersion` and `kind` are set.
    pub object: &'a Value,
    /// The objects.
    pub store: &'a Store,
    /// The time.
    pub now: Timestamp,
}

/// The API server: objects and what answers about them.
pub struct Api {
    store: Store,
    reviewer: Box<dyn Reviewer>,
    clock: fn() -> Timestamp,
    stopping: tokio::sync::watch::Receiver<bool>,
    root_ca: String,
    containers: Containers,
}

/// UPSTREAM: `--max-request-body-bytes` of etcd and this server agree on 3 MiB (kube-apiserver 1.36).
const BODY_LIMIT: usize = 3 << 20;

impl Api {
    /// An API server over `store`. Once `stopping` turns true, watches end.
    pub fn new(
        store: Store,
        reviewer: Box<dyn Reviewer>,
        clock: fn() -> Timestamp,
        stopping: tokio::sync::watch::Receiver<bool>,
    ) -> Self {
        Self { store, reviewer, clock, stopping, root_ca: String::new(), containers: Containers::default() }
    }

    /// Hands out this certificate (PEM) in `kube-root-ca.crt` of every namespace.
    #[must_use]
    pub fn with_root_ca(self, root_ca: String) -> Self {
        Self { root_ca, ..self }
    }

    /// What clients inside the cluster trust; empty for none.
    pub(crate) fn root_ca(&self) -> &str {
        &self.root_ca
    }

    /// The objects.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// What runs in pods.
    pub(crate) const fn containers(&self) -> &Containers {
        &self.containers
    }

    /// What tells the time.
    pub(crate) const fn clock(&self) -> fn() -> Timestamp {
        self.clock
    }

    /// Asks what is asked and not kept, in somebody's name.
    pub(crate) fn review(
        &self,
        review: Review,
        user: &User,
        namespace: &str,
        name: &str,
        object: &Value,
    ) -> Result<Value, Status> {
        let (store, now) = (&self.store, self.now());
        self.reviewer.review(&ReviewCall { review, user, namespace, name, object, store, now })
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Creates an object as a client would: decoded, defaulted, validated. For seeds and controllers.
    pub fn create(&self, kind: &Kind, object: Value) -> Result<Value, Status> {
        write::create_trusted(self, kind, object)
    }

    /// Answers one request, whoever sent it: who may send is settled by the server in front.
    pub async fn serve<B>(self: Arc<Self>, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut head, body) = request.into_parts();
        let connection = head.extensions.remove::<hyper::upgrade::OnUpgrade>();
        let wants_upgrade = head.headers.contains_key(header::UPGRADE);
        let upgrade = connection
            .filter(|_| wants_upgrade)
            .map(|connection| Upgrade { headers: head.headers.clone(), connection });
        let query = head.uri.query().unwrap_or_default().to_owned();
        let media = MediaType::negotiate(
            text(&head.headers, header::ACCEPT),
            text(&head.headers, header::USER_AGENT),
            &query,
        );
        let is_head = head.method == Method::HEAD;
        let body = match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return Reply::from(failure::too_large(BODY_LIMIT)).into_response(media, is_head),
        };
        let (user, own) = match impersonated(&head.headers) {
            Some(user) => (user, false),
            None if !asks_for_impersonation(&head.headers) => (User::new(GATE, [GATE_GROUP]), true),
            None => return Reply::from(Status::unauthorized()).into_response(media, is_head),
        };
        let call = Call {
            now: self.now(),
            api: &self,
            method: head.method,
            path: percent_decoded(head.uri.path()),
            query: Query::parse(&query),
            accept: Accept::parse(text(&head.headers, header::ACCEPT)),
            content_type: text(&head.headers, header::CONTENT_TYPE).unwrap_or_default().to_owned(),
            user,
            own,
            body,
            upgrade: Mutex::new(upgrade),
        };
        let reply = dispatch(&call).unwrap_or_else(Reply::from);
        reply.into_response(media, is_head)
    }
}

/// One request, read.
struct Call<'a> {
    api: &'a Arc<Api>,
    method: Method,
    path: String,
    query: Query,
    accept: Accept,
    content_type: String,
    user: User,
    /// Whether the gate asks in its own name.
    own: bool,
    body: Bytes,
    /// The connection, where the client wants it turned over; whoever answers so takes it.
    upgrade: Mutex<Option<Upgrade>>,
    now: Timestamp,
}

impl Call<'_> {
    /// What refuses a role or binding by which the requester would grant more than they hold. Reads the
    /// store, so it is made before a change begins.
    fn grants(&self, target: &route::Target) -> impl Fn(&Value, Option<&Value>) -> Result<(), Status> {
        let grants =
            if Grants::concern(target.kind) { self.api.reviewer.grants(&self.api.store) } else { None };
        move |object, old| {
            let Some(grants) = &grants else { return Ok(()) };
            let (namespace, name) = (target.namespace(), target.name());
            grants.check(&Write { user: &self.user, kind: target.kind, namespace, name, object, old })
        }
    }
}

/// An answer before it is written.
struct Reply {
    code: u16,
    content: Content,
    warnings: Vec<String>,
}

enum Content {
    /// Written in the form that was negotiated.
    Value(Value),
    Status(Box<Status>),
    Bytes {
        kind: &'static str,
        bytes: Bytes,
    },
    Stream {
        kind: &'static str,
        body: Body,
    },
    /// What follows is no HTTP; these headers say what it is.
    TurnedOver(HeaderMap),
}

impl From<Status> for Reply {
    fn from(status: Status) -> Self {
        Self { code: status.code, content: Content::Status(Box::new(status)), warnings: Vec::new() }
    }
}

impl Reply {
    fn value(code: u16, value: Value) -> Self {
        Self { code, content: Content::Value(value), warnings: Vec::new() }
    }

    fn text(code: u16, text: impl Into<String>) -> Self {
        let bytes = Bytes::from(text.into());
        Self {
            code,
            content: Content::Bytes { kind: "text/plain; charset=utf-8", bytes },
            warnings: Vec::new(),
        }
    }

    fn with_warnings(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }

    fn into_response(self, media: MediaType, is_head: bool) -> Response<Body> {
        let (kind, body) = match self.content {
            Content::Value(value) => {
                let (kind, bytes) = order::write(&value, media);
                (kind, full(bytes))
            }
            Content::Status(status) => (media.content_type(), full(status.to_body(media))),
            Content::Bytes { kind, bytes } => (kind, full(bytes)),
            Content::Stream { kind, body } => (kind, body),
            Content::TurnedOver(headers) => {
                let mut response = Response::new(full(Bytes::new()));
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                *response.headers_mut() = headers;
                return response;
            }
        };
        let body = if is_head { full(Bytes::new()) } else { body };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        for warning in self.warnings {
            let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
            if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
                headers.append(header::WARNING, value);
            }
        }
        response
    }
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

fn dispatch(call: &Call<'_>) -> Result<Reply, Status> {
    let route = match route::find(&call.path) {
        Ok(route) => route,
        Err(reply) => return Ok(reply),
    };
    if call.own && !is_the_gates_own(call, &route) {
        return Err(not_for_the_gate(call));
    }
    match route {
        Route::Fixed(page) => page.answer(call),
        Route::Resource(target) => target.answer(call),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What the gate may ask in its own name, as by its ClusterRole in front of a cluster: it follows roles
/// and bindings, pods and volumes, and looks up what a token names. Nothing else: a request for which the gate has
/// forgotten to say whose it is must not pass as one of its own.
fn is_the_gates_own(call: &Call<'_>, route: &Route) -> bool {
    let Route::Resource(target) = route else { return false };
    let kind = target.kind;
    let is_known = match kind.group {
        "rbac.authorization.k8s.io" => true,
        "" => match target.name {
            Some(_) => matches!(kind.plural, "serviceaccounts" | "pods" | "nodes" | "secrets"),
            None => matches!(kind.plural, "pods" | "persistentvolumes") && target.namespace.is_none(),
        },
        "storage.k8s.io" => kind.plural == "volumeattachments" && target.name.is_none(),
        "resource.k8s.io" => kind.plural == "resourceslices" && target.name.is_none(),
        _ => false,
    };
    is_known && target.subresource.is_none() && call.method == Method::GET
}

fn not_for_the_gate(call: &Call<'_>) -> Status {
    let message = format!(
        "forbidden: User {GATE:?} cannot {} path {:?}",
        call.method.as_str().to_lowercase(),
        call.path
    );
    Status::failure(403, StatusReason::Forbidden, message).with_details(StatusDetails::default())
}

/// CN of the gate's certificate.
const GATE: &str = "portcullis-gate";
const GATE_GROUP: &str = types::group::AUTHENTICATED;

fn asks_for_impersonation(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("impersonate-"))
}

/// The user that the gate names. Without a name there is nobody.
fn impersonated(headers: &HeaderMap) -> Option<User> {
    const EXTRA: &str = "impersonate-extra-";
    let all = |name: &str| -> Vec<String> {
        headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    };
    let name = all("impersonate-user").into_iter().next().filter(|name| !name.is_empty())?;
    let uid = all("impersonate-uid").into_iter().next().unwrap_or_default();
    let mut user = User { uid, ..User::new(name, all("impersonate-group")) };
    for key in headers.keys().filter_map(|key| key.as_str().strip_prefix(EXTRA)) {
        user.extra.insert(percent_decoded(key), all(&format!("{EXTRA}{key}")));
    }
    Some(user)
}

/// Decoded once, as kube-apiserver does; bytes that are no UTF-8 become U+FFFD.
fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *byte == b'%') {
            Some(decoded) => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The answer to everybody but the gate.
pub(crate) fn refuse(headers: &HeaderMap) -> Response<Body> {
    let media = MediaType::negotiate(text(headers, header::ACCEPT), text(headers, header::USER_AGENT), "");
    Reply::from(Status::unauthorized()).into_response(media, false)
}

#[cfg(test)]
pub(crate) mod tests;
