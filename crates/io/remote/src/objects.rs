//! Asking the API server for an object.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use types::{Answer, ObjectKind, ObjectRef};
use upstream::Pool;

use crate::facts::read_facts;

/// No object of these kinds is larger: etcd takes 1.5 MiB by default.
const MAX_BODY_BYTES: usize = 4 << 20;

/// What may stand in a path as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Knows objects, or can find out.
pub trait ObjectSource: Send + Sync + 'static {
    /// Finds out about `object`. Does not limit its own time.
    fn get<'a>(&'a self, object: &'a ObjectRef) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
}

/// Gets objects from the API server, with the gate's own credential.
#[derive(Clone, Debug)]
pub struct UpstreamObjects(Pool<Empty<Bytes>>);

impl UpstreamObjects {
    /// Asks through `pool`, which should be one of the control runtime.
    pub fn new(pool: Pool<Empty<Bytes>>) -> Self {
        Self(pool)
    }

    async fn ask(&self, object: &ObjectRef) -> Result<Answer, String> {
        let req = Request::builder()
            .method(Method::GET)
            .uri(path(object))
            .header(header::ACCEPT, "application/json")
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let res = self.0.send(req).await.map_err(|error| error.to_string())?;
        let status = res.status();
        let body = Limited::new(res.into_body(), MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        match status {
            StatusCode::OK => {
                read_facts(object, &body).map(Answer::Object).map_err(|error| error.to_string())
            }
            // Anything on the way may say 404. Only the API server says it like this.
            StatusCode::NOT_FOUND if is_not_found(&body) => Ok(Answer::NotFound),
            other => Err(format!("the API server answered {other}")),
        }
    }
}

impl ObjectSource for UpstreamObjects {
    fn get<'a>(&'a self, object: &'a ObjectRef) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move { self.ask(object).await.unwrap_or_else(Answer::Failed) })
    }
}

/// Where the object is found.
fn path(object: &ObjectRef) -> String {
    let resource = match object.kind {
        ObjectKind::ServiceAccount => "serviceaccounts",
        ObjectKind::Pod => "pods",
        ObjectKind::Node => "nodes",
        ObjectKind::Secret => "secrets",
    };
    let name = utf8_percent_encode(&object.name, UNRESERVED);
    if object.namespace.is_empty() {
        format!("/api/v1/{resource}/{name}")
    } else {
        let namespace = utf8_percent_encode(&object.namespace, UNRESERVED);
        format!("/api/v1/namespaces/{namespace}/{resource}/{name}")
    }
}

/// Whether this is a `metav1.Status` that says that the object does not exist.
fn is_not_found(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Status {
        kind: String,
        reason: String,
    }
    serde_json::from_slice::<Status>(body)
        .is_ok_and(|status| status.kind == "Status" && status.reason == "NotFound")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use testkit::{Folder, Reply, Upstream};
    use types::{ObjectFacts, Secret};
    use upstream::{Limits, identity::IdentityHeaders};

    use super::*;

    fn object(kind: ObjectKind, namespace: &str, name: &str) -> ObjectRef {
        ObjectRef { kind, namespace: namespace.into(), name: name.into() }
    }

    #[test]
    fn names_stay_in_their_segment() {
        let check = |kind, namespace, name, expected: &str| {
            assert_eq!(path(&object(kind, namespace, name)), expected);
        };
        check(ObjectKind::Node, "", "node-0.example", "/api/v1/nodes/node-0.example");
        check(ObjectKind::Pod, "prod", "web-0", "/api/v1/namespaces/prod/pods/web-0");
        check(ObjectKind::Secret, "a/b", "c?d#e f", "/api/v1/namespaces/a%2Fb/secrets/c%3Fd%23e%20f");
    }

    /// What comes of one answer of the API server.
    async fn ask(object: &ObjectRef, status: u16, body: &str) -> Answer {
        let server = Upstream::start({
            let body = body.to_owned();
            move |_| Reply::json(status, &body)
        });
        let folder = Folder::new();
        let access =
            config::kubeconfig::load(&folder.write("kubeconfig", server.kubeconfig()), None).unwrap();
        let upstream = upstream::Upstream::new(&access, Limits::default()).unwrap();
        let pool = Pool::new(Arc::new(upstream), IdentityHeaders::default());
        let answer = UpstreamObjects::new(pool).get(object).await;
        let lines: Vec<String> = server.seen().into_iter().map(|message| message.line).collect();
        assert_eq!(lines, [format!("GET {} HTTP/1.1", path(object))]);
        answer
    }

    #[tokio::test]
    async fn reads_what_the_api_server_says() {
        let secret = object(ObjectKind::Secret, "ns", "s");
        let body = r#"{"kind":"Secret","metadata":{"name":"s","namespace":"ns","uid":"1",
            "deletionTimestamp":"2026-05-04T03:02:01Z",
            "labels":{"kubernetes.io/legacy-token-invalid-since":"2026-01-01"}},
            "data":{"token":"YWJj"}}"#;
        let facts = ObjectFacts {
            uid: "1".into(),
            deletion_timestamp: Some("2026-05-04T03:02:01Z".parse().unwrap()),
            token: Some(Secret::new("abc")),
            invalid_since: Some("2026-01-01".into()),
            secrets: Vec::new(),
        };
        assert_eq!(ask(&secret, 200, body).await, Answer::Object(facts));

        let account = object(ObjectKind::ServiceAccount, "ns", "a");
        let body = r#"{"metadata":{"name":"a","namespace":"ns","uid":"2"},"secrets":[{"name":"s"}]}"#;
        let facts = ObjectFacts { uid: "2".into(), secrets: vec!["s".into()], ..ObjectFacts::default() };
        assert_eq!(ask(&account, 200, body).await, Answer::Object(facts));
    }

    #[tokio::test]
    async fn only_the_api_server_says_not_found() {
        let pod = object(ObjectKind::Pod, "ns", "p");
        let not_found = r#"{"kind":"Status","apiVersion":"v1","reason":"NotFound","code":404}"#;
        assert_eq!(ask(&pod, 404, not_found).await, Answer::NotFound);
        for (status, body) in [
            (404, "404 page not found\n"),
            (404, r#"{"kind":"Status","reason":"Forbidden"}"#),
            (403, not_found),
            (500, not_found),
            (200, "{}"),
            (200, r#"{"metadata":{"name":"q","namespace":"ns","uid":"1"}}"#),
            (200, r#"{"metadata":{"name":"p","namespace":"other","uid":"1"}}"#),
        ] {
            let answer = ask(&pod, status, body).await;
            assert!(matches!(answer, Answer::Failed(_)), "{status} {body}: {answer:?}");
        }
    }
}
