//! The admin address, and the gate's own paths on the main port.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use gate::{LoadError, Options};
use testkit::{Folder, Reply, Upstream};

use crate::world::{World, request};

pub(crate) fn admin(world: &World, head: &str) -> (u16, String) {
    admin_by_name(world, "localhost:8080", head)
}

fn admin_by_name(world: &World, host: &str, head: &str) -> (u16, String) {
    let head = format!("{head}\r\nHost: {host}");
    let mut tcp = TcpStream::connect(world.running().admin_address().unwrap()).unwrap();
    tcp.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn the_six_layers_are_on_one_page() {
    let world = World::new();
    let (status, body) = admin(&world, "GET /status HTTP/1.1");
    assert_eq!(status, 200);
    let page: serde_json::Value = serde_json::from_str(&body).unwrap();
    let layers: Vec<_> = page["layers"].as_array().unwrap().iter().collect();
    let names: Vec<_> = layers.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["network", "tls", "authentication", "authorization", "admission", "audit"]);
    let states: Vec<_> = layers.iter().map(|layer| layer["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["off", "on", "on", "on", "on", "on"]);
    assert!(layers.iter().all(|layer| !layer["why"].as_str().unwrap().is_empty()));
}

#[test]
fn an_answer_that_the_upstream_breaks_off_is_counted() {
    let world =
        World::answering(|_| Reply::Last(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec()));
    assert!(world.dev().roundtrip(request("GET /version", &[])).is_err(), "the answer came whole");
    let (_, metrics) = admin(&world, "GET /metrics HTTP/1.1");
    assert!(metrics.contains("portcullis_upstream_failures_total{kind=\"cut\"} 1\n"), "{metrics}");
}

#[test]
fn a_decision_is_explained_by_its_audit_id() {
    let world = World::new();
    let recall = |id: &str| admin(&world, &format!("GET /explain HTTP/1.1\r\nAudit-ID: {id}"));
    let ask = |line: &str, id: &str| {
        let id = format!("Audit-ID: {id}");
        world.ask(&request(line, &["Authorization: Bearer tok-dev", &id])).status
    };
    assert_eq!(ask("GET /version", "allowed-1"), 200);
    assert_eq!(ask("GET /api/v1/namespaces/ns/secrets/db", "refused-1"), 403);
    let bad = ["Authorization: Bearer secret-token", "Audit-ID: unknown-1"];
    assert_eq!(world.ask(&request("GET /version", &bad)).status, 401);

    let mut seen = String::new();
    let mut told = |id: &str| -> serde_json::Value {
        world.until_on_record(id, if id == "unknown-1" { "ResponseStarted" } else { "ResponseComplete" });
        let (status, body) = (0..1000).map(|_| recall(id)).find(|(status, _)| *status == 200).unwrap();
        assert_eq!(status, 200);
        seen.push_str(&body);
        serde_json::from_str(&body).unwrap()
    };
    let layer = |told: &serde_json::Value, name: &str| {
        let layers = told["layers"].as_array().unwrap().clone();
        layers.into_iter().find(|layer| layer["layer"] == name).unwrap_or_default()
    };

    let refused = told("refused-1");
    assert_eq!((&refused["allowed"], &refused["code"]), (&false.into(), &403.into()));
    assert_eq!(refused["question"], "get secrets \"db\" in namespace ns");
    assert_eq!(refused["user"]["username"], "dev");
    assert_eq!(layer(&refused, "authorization")["reason"], "not_allowed");
    assert_eq!(layer(&refused, "upstream"), serde_json::Value::Null);
    assert_eq!(refused["now"]["answer"], "deny");
    assert_eq!(refused["now"]["authorizers"][0]["evidence"][0]["kind"], "lack");

    let allowed = told("allowed-1");
    assert_eq!((&allowed["allowed"], &allowed["code"]), (&true.into(), &200.into()));
    assert_eq!(allowed["now"]["authorizers"][0]["evidence"][0]["kind"], "grant");

    let unknown = told("unknown-1");
    assert_eq!((&unknown["user"], &unknown["now"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(layer(&unknown, "authentication")["reason"], "bad_credential");
    assert!(!seen.contains("secret-token") && !seen.contains("tok-dev"), "{seen}");

    // Whoever does not know an ID learns nothing, and the main port tells nobody.
    assert_eq!(recall("nobody").0, 404);
    assert_eq!(admin(&world, "GET /explain HTTP/1.1").0, 400);
    let own = World::with(Upstream::that_says_yes(), |options, _| options.own_paths_on_main = true);
    let root = own.certificate("root", &["system:masters"]);
    let asked = own.connect(Some(&root)).roundtrip(request("GET /explain", &["Audit-ID: x"])).unwrap();
    assert_eq!(asked.status, 200, "the gate itself answered");
}

#[test]
fn health_and_metrics() {
    let world = World::new();
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(admin(&world, &format!("GET {path} HTTP/1.1")), (200, "ok".to_owned()));
    }
    assert_eq!(world.ask(&request("GET /version", &["Authorization: Bearer tok-dev"])).status, 200);
    assert_eq!(world.ask(&request("GET /version", &["Authorization: Bearer wrong"])).status, 401);
    assert_eq!(world.dev().roundtrip(request("GET /version", &["X_Remote_User: a"])).unwrap().status, 200);
    let (_, metrics) = admin(&world, "GET /metrics HTTP/1.1");
    let has =
        |start: &str, end: &str| metrics.lines().any(|line| line.starts_with(start) && line.ends_with(end));
    assert!(has("apiserver_request_total{code=\"200\"", " 2"), "{metrics}");
    assert!(has("authentication_attempts{result=\"success\"}", " 2"), "{metrics}");
    assert!(has("authentication_attempts{result=\"error\"}", " 1"), "{metrics}");
    assert!(has("portcullis_denials_total{layer=\"authentication\"", " 1"), "{metrics}");
    assert!(metrics.contains("apiserver_audit_event_total"), "{metrics}");
    assert_eq!(admin(&world, "GET /api/v1/pods HTTP/1.1").0, 404);
    assert_eq!(admin(&world, "POST /healthz HTTP/1.1").0, 405);
    assert_eq!(admin(&world, "GET /status HTTP/1.1\r\nOrigin: https://evil.example").0, 403);
    for (host, status) in [
        ("127.0.0.1:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("[::1]", 200),
        ("LocalHost", 200),
        ("evil.example:8080", 403),
        ("localhost.evil.example", 403),
        ("", 403),
    ] {
        assert_eq!(admin_by_name(&world, host, "GET /status HTTP/1.1").0, status, "{host}");
    }
}

#[test]
fn own_paths_of_the_main_port_only_where_told_so() {
    let rooted = |own: bool| {
        World::with(Upstream::that_says_yes(), |options, folder| {
            options.own_paths_on_main = own;
            options.token_auth_file =
                Some(folder.write("root.csv", "tok-root,root,0,\"system:masters\"\ntok-dev,dev,1\n"));
        })
    };
    let ask = |world: &World, path: &str, token: &str| {
        world.ask(&request(&format!("GET {path}"), &[&format!("Authorization: Bearer {token}")]))
    };
    let cluster = rooted(false);
    assert_eq!(ask(&cluster, "/healthz", "tok-root").text(), "{}");
    assert_eq!(ask(&cluster, "/metrics", "tok-root").text(), "{}");
    assert_eq!(cluster.upstream.take().len(), 2);
    let lab = rooted(true);
    assert_eq!(ask(&lab, "/healthz", "tok-root").text(), "ok");
    assert!(ask(&lab, "/metrics", "tok-root").text().contains("apiserver_request"));
    // Behind the layers, not beside them.
    assert_eq!(ask(&lab, "/metrics", "tok-dev").status, 403);
    assert_eq!(ask(&lab, "/metrics", "wrong").status, 401);
    assert_eq!(lab.upstream.take().len(), 0);
    assert_eq!(ask(&lab, "/status", "tok-root").text(), "{}");
}

#[test]
fn what_cannot_run_is_refused_with_flag_and_place() {
    let folder = Folder::new();
    let check = |change: &dyn Fn(&mut Options), expected: &str| {
        let mut options = Options::default();
        change(&mut options);
        let error: LoadError = options.load().unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    };
    check(&|_| {}, "--tls-cert-file is required: ");
    let missing = folder.path().join("missing.crt");
    let expected = format!("--client-ca-file: cannot read `{}`: ", missing.display());
    check(&|options| options.client_ca_file = Some(missing.clone()), &expected);

    let upstream = Upstream::that_says_yes();
    let refused = |change: &dyn Fn(&mut Options)| {
        let mut refused = None;
        let (options, _kept) = World::options(&upstream);
        let mut options = options;
        change(&mut options);
        refused.get_or_insert(options.load()).as_ref().map(|_| ()).map_err(ToString::to_string)
    };
    assert_eq!(refused(&|_| {}), Ok(()));
    let starts = |found: Result<(), String>, expected: &str| {
        let error = found.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    starts(refused(&|o| o.allow_cidr = vec!["10.0.0.0/33".into()]), "--allow-cidr: ");
    starts(
        refused(&|o| o.admin_address = Some("0.0.0.0:1".parse().unwrap())),
        "--admin-address: `0.0.0.0:1` is not a loopback address",
    );
    let tokens = folder.write("bad.csv", "tok,user,1\ntok2\n");
    starts(
        refused(&|o| o.token_auth_file = Some(tokens.clone())),
        &format!("--token-auth-file: {}: line 2: must have at least 3 columns", tokens.display()),
    );
    let kubeconfig = folder.write("bad.yaml", "kind: Config\ncurrent-context: nowhere\n");
    starts(
        refused(&|o| o.upstream_kubeconfig = Some(kubeconfig.clone())),
        &format!("--upstream-kubeconfig: {}:", kubeconfig.display()),
    );
}

#[test]
fn a_taken_port_is_said() {
    let world = World::new();
    let (mut options, _kept) = World::options(&world.upstream);
    options.secure_port = world.running().address().port();
    let error = gate::start(options.load().unwrap()).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("--secure-port: cannot listen on {}: ", world.running().address())),
        "{error}"
    );
}
