//! Behaviour by behaviour, through requests as clients send them.

mod applying;
mod changing;
mod deleting;
mod finding;
mod listing;
mod patching;
mod recorded;
mod watching;

use http_body_util::BodyExt;
use serde_json::json;

use super::*;
use crate::{controllers::settle, registry, store::StoreConfig};

/// An API server and the loop that runs it.
pub(crate) struct Lab {
    pub(crate) api: Arc<Api>,
    runtime: tokio::runtime::Runtime,
    _stop: tokio::sync::watch::Sender<bool>,
}

struct Refuses;

impl Reviewer for Refuses {
    fn review(&self, call: &ReviewCall<'_>) -> Result<Value, Status> {
        let mut answer = call.object.clone();
        crate::object::set(
            &mut answer,
            &["status"],
            json!({"user": call.user, "name": call.name, "allowed": call.user.name != "eve"}),
        );
        Ok(answer)
    }

    fn grants(&self, _: &Store) -> Option<Grants> {
        None
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// `metadata.resourceVersion`
    pub(crate) fn version(&self) -> u64 {
        self.json()["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
    }
}

fn noon() -> Timestamp {
    "2026-01-02T12:00:00Z".parse().unwrap()
}

impl Lab {
    /// A lab with a namespace `default` and a node.
    pub(crate) fn new() -> Self {
        let lab = Self::empty(Box::new(Refuses), "");
        let api = &lab.api;
        let kind = |name: &str| registry::by_kind("", name).unwrap();
        api.create(kind("Namespace"), json!({"metadata": {"name": "default"}})).unwrap();
        api.create(
            kind("Node"),
            json!({"metadata": {"name": "node1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
        )
        .unwrap();
        settle(api);
        lab
    }

    /// A lab without objects, and what it hands out as its root certificate.
    pub(crate) fn empty(reviewer: Box<dyn Reviewer>, root_ca: &str) -> Self {
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let store = Store::open(&StoreConfig::default()).unwrap();
        let api = Api::new(store, reviewer, noon, stopping).with_root_ca(root_ca.into());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        Self { api: Arc::new(api), runtime, _stop: stop }
    }

    fn request(line: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
        let (method, uri) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(uri);
        if !headers.iter().any(|(name, _)| *name == "impersonate-user") {
            request = request.header("impersonate-user", "admin");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()
    }

    /// Sends `METHOD /path` with headers and a body, and reads the whole answer.
    pub(crate) fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.answer(Self::request(line, headers, body))
    }

    fn answer(&self, request: Request<Full<Bytes>>) -> Answer {
        self.runtime.block_on(async {
            let response = Arc::clone(&self.api).serve(request).await;
            let (head, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            Answer {
                code: head.status.as_u16(),
                headers: head.headers,
                text: String::from_utf8(bytes.to_vec()).unwrap(),
            }
        })
    }

    /// Sends a request without a body and reads only the status: the answer may be a watch.
    fn head(&self, line: &str) -> u16 {
        let request = Self::request(line, &[], "");
        self.runtime.block_on(async { Arc::clone(&self.api).serve(request).await.status().as_u16() })
    }

    /// Sends JSON.
    pub(crate) fn json(&self, line: &str, body: &Value) -> Answer {
        self.send(line, &[("content-type", "application/json")], &body.to_string())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], "")
    }

    /// Creates an object that is good.
    pub(crate) fn create(&self, path: &str, body: &Value) -> Value {
        let answer = self.json(&format!("POST {path}"), body);
        assert_eq!(answer.code, 201, "{}", answer.text);
        answer.json()
    }

    /// Runs something where time is the test's own.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Lets the controllers work until they are done.
    pub(crate) fn settle(&self) {
        settle(&self.api);
    }

    /// The events that a watch tells until `count` have come or it ends. Time is the test's own: it
    /// passes when nothing else happens, so that a watch that has nothing to say ends at once.
    fn watch(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        count: usize,
        meanwhile: impl FnOnce(&Self),
    ) -> Vec<Value> {
        let request = Self::request(&format!("GET {path}"), headers, "");
        let mut body = self.runtime.block_on(async {
            let response = Arc::clone(&self.api).serve(request).await;
            assert_eq!(response.status(), 200);
            response.into_body()
        });
        meanwhile(self);
        self.runtime.block_on(async {
            let mut events = Vec::new();
            while events.len() < count
                && let Some(frame) = body.frame().await
            {
                let bytes = frame.unwrap().into_data().unwrap();
                events.push(serde_json::from_slice(&bytes).unwrap());
            }
            events
        })
    }
}

/// Whether everything in `expected` is in `found` too.
pub(crate) fn contains(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| contains(found.get(name).unwrap_or(&Value::Null), value))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| contains(f, e))
        }
        _ => found == expected,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
#[track_caller]
pub(crate) fn check(answer: &Answer, code: u16, expected: Value) {
    let found = answer.json();
    assert!(
        answer.code == code && contains(&found, &expected),
        "{} {}\nwanted {code} {expected}",
        answer.code,
        answer.text
    );
}

pub(crate) fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v"}})
}

pub(crate) fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "img:1"}]},
    })
}

pub(crate) const MAPS: &str = "/api/v1/namespaces/default/configmaps";
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

/// The gate follows roles, pods and volumes, and looks up what tokens name. A request for which it forgot to say whose it
/// is must not pass as its own.
#[test]
fn the_gate_may_read_little_in_its_own_name() {
    let lab = Lab::new();
    let check = |line: &str, header: Option<(&str, &str)>, expected: u16| {
        let (method, uri) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(uri);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let answer = lab.answer(request.body(Full::default()).unwrap());
        assert_eq!(answer.code, expected, "{line}: {}", answer.text);
    };
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    check(&format!("GET {roles}"), None, 200);
    check("GET /api/v1/pods", None, 200);
    check("GET /api/v1/persistentvolumes", None, 200);
    check("GET /api/v1/nodes/node1", None, 200);
    check("GET /api/v1/namespaces/default/serviceaccounts/default", None, 200);
    check("GET /api/v1/namespaces/default/secrets/nope", None, 404);
    for line in [
        &format!("POST {roles}"),
        "GET /api/v1/secrets",
        "GET /api/v1/configmaps?watch=1",
        "GET /api/v1/namespaces/default/pods",
        "DELETE /api/v1/persistentvolumes",
        "GET /api/v1/namespaces/default/configmaps/x",
        "GET /api/v1/namespaces/default/pods/x/log",
        "DELETE /api/v1/nodes/node1",
        "GET /version",
        "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    ] {
        check(line, None, 403);
    }
    check(&format!("GET {roles}"), Some(("impersonate-group", "system:masters")), 401);
    check(&format!("GET {roles}"), Some(("impersonate-user", "")), 401);
}
