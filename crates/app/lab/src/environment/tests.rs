use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::object::text;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("portcullis-lab-{name}-{}", std::process::id()));
    drop(fs::remove_dir_all(&folder));
    folder
}

fn command(flag: &str) -> Vec<String> {
    ["portcullis", "serve", flag].map(str::to_owned).to_vec()
}

#[test]
fn a_folder_has_one_lab_and_fresh_forgets_only_its_own() {
    let folder = folder("folder");
    let now = Timestamp::now();
    let first = Environment::open(&folder, false, now).unwrap();
    let taken = Environment::open(&folder, true, now).unwrap_err();
    assert!(matches!(&taken, EnvironmentError::Taken { .. }), "{taken}");
    let ca = first.pki().read("ca.crt").unwrap();
    fs::write(first.path("notes.txt"), "mine").unwrap();
    fs::write(first.path("audit.log"), "{}").unwrap();
    drop(first);

    let again = Environment::open(&folder, false, now).unwrap();
    assert_eq!(again.pki().read("ca.crt").unwrap(), ca);
    assert!(again.path("audit.log").exists());
    drop(again);

    let fresh = Environment::open(&folder, true, now).unwrap();
    assert_ne!(fresh.pki().read("ca.crt").unwrap(), ca);
    assert!(!fresh.path("audit.log").exists());
    assert_eq!(fs::read_to_string(fresh.path("notes.txt")).unwrap(), "mine");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn every_start_tells_where_the_gate_is() {
    let folder = folder("announce");
    let environment = Environment::open(&folder, false, Timestamp::now()).unwrap();
    let object = |lab: &Running, resource: &str, namespace: &str, name: &str| -> Value {
        lab.store().get(&Key::new(resource, namespace, name)).as_deref().cloned().unwrap()
    };
    let mut uids = Vec::new();
    for (port, flag) in [(1001, "--a"), (1002, "--b"), (1002, "--b")] {
        let lab = environment.start(Timestamp::now).unwrap();
        let front = Front { address: ([127, 0, 0, 1], port).into(), command: command(flag) };
        environment.announce(&lab, &front, Timestamp::now()).unwrap();

        let endpoints = object(&lab, "endpoints", "default", "kubernetes");
        assert_eq!(
            endpoints["subsets"],
            json!([{
                "addresses": [{"ip": "127.0.0.1"}],
                "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            }])
        );
        assert_eq!(object(&lab, "endpointslices", "default", "kubernetes")["ports"][0]["port"], port);
        let service = object(&lab, "services", "default", "kubernetes");
        assert_eq!(service["spec"]["ports"][0]["targetPort"], port);
        let pod = object(&lab, "pods", "kube-system", "kube-apiserver-node1");
        assert_eq!(pod["spec"]["containers"][0]["command"], json!(command(flag)));
        uids.push(text(&pod, "/metadata/uid").to_owned());

        let upstream = fs::read_to_string(environment.path("upstream.yaml")).unwrap();
        assert!(upstream.contains(&format!("https://{}", lab.address())), "{upstream}");
        for user in users::WITH_CERTIFICATE.iter().map(|user| user.file).chain(["batch-runner"]) {
            let path = environment.path("kubeconfigs").join(format!("{user}.yaml"));
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(&format!("server: https://127.0.0.1:{port}\n")), "{user}");
            let access = config::kubeconfig::load(&path, None).unwrap();
            assert_eq!((access.port, access.token.is_some()), (port, user == "batch-runner"));
        }
        lab.stop();
    }
    assert!(uids[0] != uids[1] && uids[1] == uids[2], "a pod is made anew when its command has changed");
    fs::remove_dir_all(&folder).unwrap();
}
