//! Over real sockets and TLS: who is let in, what is kept, how it ends.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tls::{ClientCertificates, ClientSettings, ClientTls, KeyPair, Pem, ServerSettings};

use super::*;
use crate::{
    environment::pki::{Issue, Pki, Subject},
    registry,
    rest::ReviewCall,
};

struct Nobody;

impl Reviewer for Nobody {
    fn review(&self, call: &ReviewCall<'_>) -> Result<Value, Status> {
        Ok(call.object.clone())
    }

    fn grants(&self, _: &Store) -> Option<crate::Grants> {
        None
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("portcullis-lab-server-{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    folder
}

fn lab(folder: &Path) -> (Pki, Running) {
    let pki = Pki::open(&folder.join("pki"), Timestamp::now()).unwrap();
    let read = |name: &str| pki.read(name).unwrap();
    let (chain, key, ca, gate) =
        (read("upstream.crt"), read("upstream.key"), read("upstream-ca.crt"), read("gate-client.crt"));
    let pem = |text: &'static str| Pem::new("test", text.as_bytes());
    let [chain, key, ca, gate] = [chain, key, ca, gate].map(|text| pem(text.leak()));
    let config = LabConfig {
        port: 0,
        transport: Transport::Tls {
            tls: ServerTls::new(&ServerSettings {
                key_pair: KeyPair::from_pem(chain, key).unwrap(),
                client_certificates: ClientCertificates::Asked { ca: Some(ca) },
            })
            .unwrap(),
            trusted: tls::certificates(gate).unwrap(),
        },
        store: StoreConfig { path: Some(folder.join("store.log")), ..StoreConfig::default() },
        reviewer: Box::new(Nobody),
        clock: Timestamp::now,
        root_ca: String::new(),
        seed: Box::new(|api| {
            let namespaces = registry::by_kind("", "Namespace").unwrap();
            api.create(namespaces, json!({"metadata": {"name": "default"}})).unwrap();
            Ok(())
        }),
    };
    (pki, start(config).unwrap())
}

async fn get(lab: &Running, pki: &Pki, credential: Option<(&str, &str)>, path: &str) -> Response<Incoming> {
    let ca = pki.read("upstream-ca.crt").unwrap();
    let key_pair = credential.map(|(chain, key)| {
        KeyPair::from_pem(Pem::new("c", chain.as_bytes()), Pem::new("k", key.as_bytes())).unwrap()
    });
    let settings = ClientSettings { ca: Pem::new("ca", ca.as_bytes()), key_pair, server_name: "127.0.0.1" };
    let tcp = TcpStream::connect(lab.address()).await.unwrap();
    let stream = ClientTls::new(&settings).unwrap().connect(tcp).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(path).header("impersonate-user", "admin").body(Empty::<Bytes>::new()).unwrap();
    sender.send_request(request).await.unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn only_the_gate_is_believed() {
    let (pki, lab) = lab(&folder("trust"));
    let (chain, key) = (pki.read("gate-client.crt").unwrap(), pki.read("gate-client.key").unwrap());
    let subject = Subject { common_name: "admin", organizations: &["system:masters"] };
    let user = pki.user(&subject, Issue::Valid, Timestamp::now()).unwrap();
    block_on(async {
        let path = "/api/v1/namespaces/default";
        assert_eq!(get(&lab, &pki, Some((&chain, &key)), path).await.status(), 200);
        let stranger = get(&lab, &pki, Some((&user.certificate, user.key.expose())), path).await;
        assert_eq!(stranger.status(), 401, "a user's own certificate is for the gate, not for the lab");
        let nobody = get(&lab, &pki, None, path).await;
        assert_eq!(nobody.status(), 401);
        let body = nobody.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, Status::unauthorized().to_json());
    });
    lab.stop();
}

#[test]
fn stopping_ends_watches_and_keeps_objects() {
    let folder = folder("stop");
    let (pki, running) = lab(&folder);
    let gate = (pki.read("gate-client.crt").unwrap(), pki.read("gate-client.key").unwrap());
    block_on(async {
        let watch = get(&running, &pki, Some((&gate.0, &gate.1)), "/api/v1/namespaces?watch=1").await;
        let mut body = watch.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&first).unwrap()["object"]["metadata"]["name"], "default");
        let stop = std::thread::spawn(move || running.stop());
        while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
        stop.join().unwrap();
    });
    let (_, again) = lab(&folder);
    let list = block_on(async {
        let found =
            get(&again, &pki, Some((&gate.0, &gate.1)), "/api/v1/namespaces/default/serviceaccounts").await;
        found.into_body().collect().await.unwrap().to_bytes()
    });
    let list: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(
        list["items"][0]["metadata"]["name"], "default",
        "made by a controller before the stop, kept after it"
    );
}

#[test]
fn a_taken_port_is_told() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let folder = folder("port");
    let (pki, other) = lab(&folder);
    drop(other);
    let read = |name: &str| pki.read(name).unwrap();
    let (chain, key) = (read("upstream.crt"), read("upstream.key"));
    let key_pair = KeyPair::from_pem(Pem::new("c", chain.as_bytes()), Pem::new("k", key.as_bytes())).unwrap();
    let tls = ServerTls::new(&ServerSettings { key_pair, client_certificates: ClientCertificates::NotAsked })
        .unwrap();
    let refused = start(LabConfig {
        port: address.port(),
        transport: Transport::Tls { tls, trusted: Vec::new() },
        store: StoreConfig::default(),
        reviewer: Box::new(Nobody),
        clock: Timestamp::now,
        root_ca: String::new(),
        seed: Box::new(|_| Ok(())),
    });
    let message = refused.err().unwrap().to_string();
    assert!(message.starts_with(&format!("cannot listen on {address}: ")), "{message}");
}
