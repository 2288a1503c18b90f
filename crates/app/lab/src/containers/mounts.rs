//! What a container finds when it starts: environment, configuration, and the token of its account.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::SignedDuration;
use serde_json::{Value, json};
use types::{Timestamp, User};

use super::{
    SERVICE_ADDRESS,
    files::{Files, resolve},
};
use crate::{
    object::{self, list, map, text},
    registry::Review,
    rest::Api,
    store::Key,
};

const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// UPSTREAM: what the ServiceAccount admission plugin asks for (kube-apiserver 1.36)
const TOKEN_SECONDS: i64 = 3607;
/// A token older than this is replaced, as a kubelet does at four fifths of its life.
pub(super) const TOKEN_FRESH: SignedDuration = SignedDuration::from_secs(TOKEN_SECONDS * 4 / 5);

pub(super) fn environment(api: &Api, pod: &Value, spec: &Value, host_name: &str) -> Vec<(String, String)> {
    let namespace = object::namespace(pod);
    let mut all: Vec<(String, String)> = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOSTNAME", host_name),
        ("HOME", "/root"),
        ("KUBERNETES_SERVICE_HOST", SERVICE_ADDRESS),
        ("KUBERNETES_SERVICE_PORT", "443"),
        ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for source in list(spec, "/envFrom") {
        let prefix = text(source, "/prefix");
        for (reference, resource) in [("configMapRef", "configmaps"), ("secretRef", "secrets")] {
            let name = text(source, &format!("/{reference}/name"));
            let found = values(api, resource, namespace, name);
            all.extend(found.into_iter().filter_map(|(name, value)| {
                Some((format!("{prefix}{name}"), String::from_utf8(value).ok()?))
            }));
        }
    }
    for variable in list(spec, "/env") {
        let name = text(variable, "/name").to_owned();
        let of = |reference: &str, resource: &str| {
            let source = variable.pointer(&format!("/valueFrom/{reference}"))?;
            let (object, key) = (text(source, "/name"), text(source, "/key"));
            let found = values(api, resource, namespace, object).into_iter().find(|(name, _)| name == key);
            String::from_utf8(found?.1).ok()
        };
        let field = || {
            let path = text(variable, "/valueFrom/fieldRef/fieldPath");
            (!path.is_empty()).then(|| text(pod, &format!("/{}", path.replace('.', "/"))).to_owned())
        };
        let value =
            of("secretKeyRef", "secrets").or_else(|| of("configMapKeyRef", "configmaps")).or_else(field);
        let value = value.unwrap_or_else(|| text(variable, "/value").to_owned());
        all.push((name, value));
    }
    all
}

/// What a ConfigMap or Secret holds; nothing where there is none.
fn values(api: &Api, resource: &str, namespace: &str, name: &str) -> Vec<(String, Vec<u8>)> {
    let Some(object) = api.store().get(&Key::new(resource, namespace, name)) else { return Vec::new() };
    let encoded = resource == "secrets";
    let data = map(&object, "/data").into_iter().flatten();
    data.filter_map(|(key, value)| {
        let value = value.as_str()?;
        Some((key.clone(), if encoded { BASE64_STANDARD.decode(value).ok()? } else { value.into() }))
    })
    .collect()
}

/// Puts volumes and a few files of every system in their places.
pub(super) fn mount(api: &Api, pod: &Value, spec: &Value, files: &mut Files, now: Timestamp) {
    let now = now.as_second();
    let mut put = |path: &str, content: &[u8]| {
        if let Err(wrong) = files.place(path, content, now) {
            tracing::warn!(path, %wrong, "a file of a container cannot be made");
        }
    };
    put("/etc/hostname", format!("{}\n", object::name(pod)).as_bytes());
    put(
        "/etc/hosts",
        format!("127.0.0.1\tlocalhost\n{}\t{}\n", text(pod, "/status/podIP"), object::name(pod)).as_bytes(),
    );
    put("/etc/os-release", b"NAME=\"Portcullis lab\"\n");
    let mut folders = Vec::new();
    for mounted in list(spec, "/volumeMounts") {
        let at = resolve("", text(mounted, "/mountPath"));
        let name = text(mounted, "/name");
        let Some(volume) = list(pod, "/spec/volumes").iter().find(|volume| text(volume, "/name") == name)
        else {
            continue;
        };
        folders.push(at.clone());
        for (resource, found) in
            [("secrets", text(volume, "/secret/secretName")), ("configmaps", text(volume, "/configMap/name"))]
        {
            for (key, value) in values(api, resource, object::namespace(pod), found) {
                put(&format!("{at}/{key}"), &value);
            }
        }
    }
    for folder in folders {
        let _: Result<_, _> = files.make_folders(&folder);
    }
}

/// Puts the account's token where client libraries look for it; `false` where there is none to put.
pub(super) fn mount_token(api: &Api, pod: &Value, files: &mut Files, now: Timestamp) -> bool {
    let (namespace, account) = (object::namespace(pod), text(pod, "/spec/serviceAccountName"));
    let Some(found) = api.store().get(&Key::new("serviceaccounts", namespace, account)) else { return false };
    // UPSTREAM: the pod's word goes before the account's (kube-apiserver 1.36)
    let automount =
        [pod.pointer("/spec/automountServiceAccountToken"), found.get("automountServiceAccountToken")];
    if automount.into_iter().flatten().find_map(Value::as_bool) == Some(false) {
        return false;
    }
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {
            "expirationSeconds": TOKEN_SECONDS,
            "boundObjectRef": {
                "apiVersion": "v1", "kind": "Pod", "name": object::name(pod), "uid": object::uid(pod),
            },
        },
    });
    let kubelet = format!("system:node:{}", text(pod, "/spec/nodeName"));
    let user = User::new(kubelet, ["system:nodes", types::group::AUTHENTICATED]);
    let answer = match api.review(Review::TokenRequest, &user, namespace, account, &request) {
        Ok(answer) => answer,
        Err(status) => {
            tracing::warn!(pod = object::name(pod), message = status.message, "a pod gets no token");
            return false;
        }
    };
    let token = text(&answer, "/status/token");
    let now = now.as_second();
    let parts = [("token", token), ("ca.crt", api.root_ca()), ("namespace", namespace)];
    parts
        .into_iter()
        .all(|(name, content)| files.place(&format!("{ACCOUNT}/{name}"), content.as_bytes(), now).is_ok())
}
