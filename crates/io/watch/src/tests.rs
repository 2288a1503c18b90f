use std::{
    collections::{HashMap, HashSet},
    sync::mpsc::{Receiver, Sender},
};

use k8s_openapi::api::rbac::v1::PolicyRule;
use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::{Folder, Message, Reply};
use types::User;
use upstream::Limits;

use super::{rbac::Kind, *};

const PATIENCE: Duration = Duration::from_secs(20);

/// What the API server holds and does, by resource.
#[derive(Default)]
struct Cluster {
    lists: Mutex<HashMap<String, Vec<Value>>>,
    watches: Mutex<HashMap<String, Arc<Mutex<Receiver<Reply>>>>>,
    forbidden: Mutex<Option<String>>,
    not_served: Mutex<HashSet<String>>,
}

impl Cluster {
    fn set(&self, resource: &str, objects: &[Value]) {
        self.lists.lock().insert(resource.to_owned(), objects.to_vec());
    }

    /// What the watches of `resource` answer, one reply each; until one is sent, they are silent.
    fn watches(&self, resource: &str) -> Sender<Reply> {
        let (send, receive) = std::sync::mpsc::channel();
        self.watches.lock().insert(resource.to_owned(), Arc::new(Mutex::new(receive)));
        send
    }

    fn answer(&self, request: &Message) -> Reply {
        let target = request.line.split(' ').nth(1).unwrap();
        let (path, query) = target.split_once('?').unwrap();
        let resource = path.rsplit('/').next().unwrap();
        if self.not_served.lock().contains(resource) {
            return Reply::json(
                404,
                r#"{"kind":"Status","status":"Failure","reason":"NotFound","code":404}"#,
            );
        }
        if self.forbidden.lock().as_deref() == Some(resource) {
            let message = format!("{resource} is forbidden: User \"gate\" cannot list it");
            let status = json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": message});
            return Reply::json(403, &status.to_string());
        }
        if query.contains("watch=true") {
            let replies = self.watches.lock().get(resource).map(Arc::clone);
            // Without a script the watch stays silent as long as the test runs.
            let silent = || loop {
                std::thread::park();
            };
            return replies.map_or_else(silent, |replies| replies.lock().recv().unwrap_or_else(|_| silent()));
        }
        let items = self.lists.lock().get(resource).cloned().unwrap_or_default();
        Reply::json(200, &json!({"metadata": {"resourceVersion": "10"}, "items": items}).to_string())
    }
}

/// A watch that tells of these events and ends in good order.
fn events(events: &[(&str, Value)]) -> Reply {
    let lines: String = events
        .iter()
        .map(|(kind, object)| format!("{}\n", json!({"type": kind, "object": object})))
        .collect();
    Reply::json(200, &lines)
}

fn role(name: &str, verb: &str) -> Value {
    json!({"metadata": {"name": name, "resourceVersion": "11"},
           "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": [verb]}]})
}

fn binding(name: &str, role: &str) -> Value {
    json!({"metadata": {"name": name, "resourceVersion": "11"},
           "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
           "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}]})
}

struct Running {
    watch: Watch,
    rbac: Rbac,
    _server: testkit::Upstream,
}

fn start(cluster: &Arc<Cluster>) -> Running {
    let rbac = Rbac::default();
    let (watch, _server) = serve(cluster, |upstream| Watch::rbac(upstream, rbac.clone()));
    Running { watch, rbac, _server }
}

fn serve(cluster: &Arc<Cluster>, watch: impl FnOnce(Arc<Upstream>) -> Watch) -> (Watch, testkit::Upstream) {
    let server = testkit::Upstream::start({
        let cluster = Arc::clone(cluster);
        move |request| cluster.answer(request)
    });
    let folder = Folder::new();
    let file = folder.write("kubeconfig", server.kubeconfig());
    let access = config::kubeconfig::load(&file, None).unwrap();
    let upstream = Arc::new(Upstream::new(&access, Limits::default()).unwrap());
    (watch(upstream), server)
}

impl Running {
    /// The verbs that jane holds on pods, in order.
    fn verbs(&self) -> Vec<String> {
        let (rules, _) = self.rbac.snapshot().world().rules_for(&User::new("jane", [""; 0]), "");
        let mut verbs: Vec<_> = rules.into_iter().flat_map(|rule: PolicyRule| rule.verbs).collect();
        verbs.sort();
        verbs
    }

    async fn until(&self, kind: Kind, what: impl Fn(&KindStatus) -> bool) -> KindStatus {
        until(&self.watch, kind.as_str(), what).await
    }
}

async fn until(watch: &Watch, kind: &str, what: impl Fn(&KindStatus) -> bool) -> KindStatus {
    let mut status = watch.subscribe();
    let of = |kinds: &Vec<KindStatus>| kinds.iter().find(|status| status.kind == kind).cloned().unwrap();
    let found = tokio::time::timeout(PATIENCE, status.wait_for(|kinds| what(&of(kinds)))).await;
    of(&found.unwrap().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_then_follows_every_change() {
    let cluster = Arc::new(Cluster::default());
    cluster.set("clusterroles", &[role("reader", "get"), role("writer", "update")]);
    cluster.set("clusterrolebindings", &[binding("a", "reader")]);
    let roles = cluster.watches("clusterroles");
    let bindings = cluster.watches("clusterrolebindings");
    let running = start(&cluster);
    running.watch.synced(PATIENCE).await.unwrap();
    assert_eq!(running.verbs(), ["get"]);

    bindings.send(events(&[("ADDED", binding("b", "writer"))])).unwrap();
    running.until(Kind::ClusterRoleBinding, |kind| kind.applied == 2).await;
    assert_eq!(running.verbs(), ["get", "update"]);

    roles.send(events(&[("MODIFIED", role("reader", "list"))])).unwrap();
    running.until(Kind::ClusterRole, |kind| kind.applied == 2).await;
    assert_eq!(running.verbs(), ["list", "update"]);

    bindings.send(events(&[("DELETED", binding("a", "reader"))])).unwrap();
    let status = running.until(Kind::ClusterRoleBinding, |kind| kind.applied == 3).await;
    assert_eq!(running.verbs(), ["update"]);
    assert_eq!(status.health, Health::On);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanished_while_the_watch_was_broken_is_gone() {
    let cluster = Arc::new(Cluster::default());
    cluster.set("clusterroles", &[role("reader", "get"), role("writer", "update")]);
    cluster.set("clusterrolebindings", &[binding("a", "reader"), binding("b", "writer")]);
    let bindings = cluster.watches("clusterrolebindings");
    let running = start(&cluster);
    running.watch.synced(PATIENCE).await.unwrap();
    assert_eq!(running.verbs(), ["get", "update"]);

    cluster.set("clusterrolebindings", &[binding("b", "writer")]);
    let gone = json!({"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old resource version"});
    bindings.send(events(&[("ERROR", gone)])).unwrap();
    let degraded = running.until(Kind::ClusterRoleBinding, |kind| kind.health != Health::On).await;
    assert_eq!(degraded.health, Health::Degraded { reason: "too old resource version".to_owned() });
    assert!(degraded.synced);
    assert_eq!(running.verbs(), ["get", "update"], "the objects known last stay in force");
    running.until(Kind::ClusterRoleBinding, |kind| kind.health == Health::On).await;
    assert_eq!(running.verbs(), ["update"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_read_leaves_nothing_behind() {
    let cluster = Arc::new(Cluster::default());
    cluster.set("clusterroles", &[role("reader", "get")]);
    cluster.set("clusterrolebindings", &[binding("a", "reader")]);
    let bindings = cluster.watches("clusterrolebindings");
    let running = start(&cluster);
    running.watch.synced(PATIENCE).await.unwrap();

    cluster.set("clusterrolebindings", &[]);
    bindings.send(events(&[("MODIFIED", json!({"metadata": {"name": "a"}, "subjects": 5}))])).unwrap();
    running.until(Kind::ClusterRoleBinding, |kind| kind.health != Health::On).await;
    running.until(Kind::ClusterRoleBinding, |kind| kind.health == Health::On).await;
    assert_eq!(running.verbs(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_first_list_everything_is_denied_and_the_reason_is_told() {
    let cluster = Arc::new(Cluster::default());
    cluster.set("clusterrolebindings", &[binding("a", "reader")]);
    *cluster.forbidden.lock() = Some("clusterroles".to_owned());
    let running = start(&cluster);
    running.until(Kind::ClusterRole, |kind| format!("{kind}").contains("forbidden")).await;
    let error = running.watch.synced(Duration::from_millis(1)).await.unwrap_err();
    assert!(
        error
            .waiting
            .iter()
            .any(|kind| kind.ends_with("clusterroles is forbidden: User \"gate\" cannot list it")),
        "{error}"
    );
    running.until(Kind::ClusterRoleBinding, |kind| kind.synced).await;
    assert_eq!(running.verbs(), [""; 0]);

    cluster.set("clusterroles", &[role("reader", "get")]);
    *cluster.forbidden.lock() = None;
    running.watch.synced(PATIENCE).await.unwrap();
    assert_eq!(running.verbs(), ["get"]);
}

mod node;
