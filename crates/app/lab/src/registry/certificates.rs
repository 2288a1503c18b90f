//! Certificate signing requests.

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use serde_json::Value;

use super::{
    Behaviour, Cell, Column, Kind, STATUS, Subresource,
    cells::{human, none_if_empty},
    define,
    rules::require,
};
use crate::object::{list, text};

pub(super) const KINDS: &[Kind] = &[Kind {
    short_names: &["csr"],
    namespaced: false,
    subresources: &[Subresource::own("approval", Behaviour::Approval), STATUS],
    columns: &[
        super::cells::AGE,
        Column::new("SignerName", Cell::Text("/spec/signerName")),
        Column::new("Requestor", Cell::Text("/spec/username")),
        Column::new("RequestedDuration", Cell::With(requested)),
        Column::new("Condition", Cell::With(condition)),
    ],
    fields: &[("spec.signerName", "/spec/signerName")],
    schema: define::<CertificateSigningRequest>(),
    prepare,
    validate: |request, _| require(request, &["spec.request", "spec.signerName", "spec.usages"]),
    ..Kind::new(
        "certificates.k8s.io",
        "certificatesigningrequests",
        "certificatesigningrequest",
        "CertificateSigningRequest",
    )
}];

fn prepare(request: &mut Value, old: Option<&Value>) {
    // UPSTREAM: nobody changes what was asked for (kube-apiserver 1.36).
    if let Some(spec) = old.and_then(|old| old.get("spec")) {
        crate::object::set(request, &["spec"], spec.clone());
    }
}

fn requested(request: &Value) -> String {
    match request.pointer("/spec/expirationSeconds").and_then(Value::as_i64) {
        Some(seconds) => human(seconds),
        None => "<none>".into(),
    }
}

fn condition(request: &Value) -> String {
    let conditions = list(request, "/status/conditions");
    let has = |kind: &str| conditions.iter().any(|condition| text(condition, "/type") == kind);
    let mut shown = if has("Denied") {
        "Denied"
    } else if has("Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if has("Failed") {
        shown.push_str(",Failed");
    }
    if !text(request, "/status/certificate").is_empty() {
        shown.push_str(",Issued");
    }
    none_if_empty(shown)
}
