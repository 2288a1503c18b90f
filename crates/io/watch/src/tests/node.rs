//! What a Node authorizer decides by.

use std::{sync::Arc, time::Duration};

use authz::node::{Kind, Node};
use serde_json::{Value, json};
use types::{Attributes, Decision, User, selector::Selectors};

use super::{Cluster, PATIENCE, events, serve, until};
use crate::{Health, KindStatus, Watch};

fn pod(name: &str, uid: &str, node: &str, secret: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "prod", "uid": uid, "resourceVersion": "11"},
           "spec": {"nodeName": node, "containers": [],
                    "volumes": [{"name": "v", "secret": {"secretName": secret}}]}})
}

struct Running {
    watch: Watch,
    node: Node,
    server: testkit::Upstream,
}

fn start(cluster: &Arc<Cluster>, pod_certificate_requests: bool) -> Running {
    let node = Node::new(pod_certificate_requests);
    let (watch, server) = serve(cluster, |upstream| Watch::node(upstream, node.clone()));
    Running { watch, node, server }
}

impl Running {
    fn reads(&self, node: &str, resource: &str, name: &str) -> bool {
        let at = Attributes {
            user: &User::new(format!("system:node:{node}"), ["system:nodes"]),
            verb: "get",
            resource_request: true,
            namespace: if resource == "resourceslices" { "" } else { "prod" },
            api_group: if resource == "resourceslices" { "resource.k8s.io" } else { "" },
            api_version: "v1",
            resource,
            subresource: "",
            name,
            path: "",
            selectors: &Selectors::NONE,
        };
        self.node.decide(&at).decision == Decision::Allow
    }

    async fn until(&self, kind: Kind, what: impl Fn(&KindStatus) -> bool) -> KindStatus {
        until(&self.watch, kind.as_str(), what).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_pods_from_node_to_node() {
    let cluster = Arc::new(Cluster::default());
    cluster.set("pods", &[pod("web", "1", "n1", "tls")]);
    let slice = json!({"metadata": {"name": "gpu", "resourceVersion": "11"}, "spec": {"driver": "d", "nodeName": "n1"}});
    cluster.set("resourceslices", &[slice]);
    let pods = cluster.watches("pods");
    let running = start(&cluster, false);
    running.watch.synced(PATIENCE).await.unwrap();
    assert!(running.reads("n1", "secrets", "tls") && !running.reads("n2", "secrets", "tls"));
    assert!(running.reads("n1", "resourceslices", "gpu") && !running.reads("n2", "resourceslices", "gpu"));

    pods.send(events(&[("DELETED", pod("web", "1", "n1", "tls")), ("ADDED", pod("web", "2", "n2", "tls"))]))
        .unwrap();
    running.until(Kind::Pod, |kind| kind.applied == 3).await;
    assert!(!running.reads("n1", "secrets", "tls") && running.reads("n2", "secrets", "tls"));
    let asked: Vec<_> = running.server.seen().into_iter().map(|request| request.line).collect();
    let watched = |resource: &str| asked.iter().any(|line| line.contains(&format!("/{resource}?")));
    assert!(watched("pods") && watched("persistentvolumes") && watched("volumeattachments"), "{asked:?}");
    assert!(!watched("secrets") && !watched("configmaps") && !watched("podcertificaterequests"), "{asked:?}");
}

/// The pod was deleted and made anew under its name while nobody watched.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_list_forgets_what_an_earlier_pod_of_the_name_gave() {
    let cluster = Arc::new(Cluster::default());
    cluster.set("pods", &[pod("web", "1", "n1", "tls"), pod("db", "2", "n1", "password")]);
    let pods = cluster.watches("pods");
    let running = start(&cluster, false);
    running.watch.synced(PATIENCE).await.unwrap();
    assert!(running.reads("n1", "secrets", "tls") && running.reads("n1", "secrets", "password"));

    cluster.set("pods", &[pod("web", "3", "", "tls")]);
    let gone = json!({"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old resource version"});
    pods.send(events(&[("ERROR", gone)])).unwrap();
    running.until(Kind::Pod, |kind| kind.health != Health::On).await;
    running.until(Kind::Pod, |kind| kind.health == Health::On).await;
    assert!(!running.reads("n1", "secrets", "tls") && !running.reads("n1", "secrets", "password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_the_server_does_not_serve_hold_up_nothing() {
    let cluster = Arc::new(Cluster::default());
    cluster.not_served.lock().extend(["resourceslices".to_owned(), "podcertificaterequests".to_owned()]);
    cluster.set("pods", &[pod("web", "1", "n1", "tls")]);
    let running = start(&cluster, true);
    running.watch.synced(PATIENCE).await.unwrap();
    assert_eq!(running.watch.status().len(), Kind::ALL.len());
    assert!(running.reads("n1", "secrets", "tls"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_may_not_be_listed_are_none() {
    let cluster = Arc::new(Cluster::default());
    cluster.set("pods", &[pod("web", "1", "n1", "tls")]);
    *cluster.forbidden.lock() = Some("pods".to_owned());
    let running = start(&cluster, false);
    let status = running.until(
        Kind::Pod,
        |kind| matches!(&kind.health, Health::Degraded { reason } if reason.contains("forbidden")),
    );
    assert!(!status.await.synced);
    assert!(!running.reads("n1", "secrets", "tls"));
    let error = running.watch.synced(Duration::from_millis(1)).await.unwrap_err().to_string();
    assert!(error.starts_with("objects of the Node authorizer are not in sync"), "{error}");
}
