//! request_info.jsonl through the socket: what is decided on, audited and forwarded is one target.

use std::path::Path;

use serde_json::{Value, json};
use testkit::{Certified, Upstream};

use super::{Fixture, head};
use crate::{Case, Flip, Ledger, Mode, Outcome, report};

const LABEL: &str = "request_info.jsonl (socket)";

pub(super) fn run(folder: &Path, ledger: &Ledger, mode: Mode) -> (bool, Vec<String>) {
    // `system:masters` may do everything; the role is there because an empty folder is a mistake.
    let rbac = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": "none" }, "rules": [],
    });
    let mut fixture = match Fixture::start(Upstream::that_says_yes(), &rbac, |_, _| {}) {
        Ok(fixture) => fixture,
        Err(error) => return (false, vec![format!("{LABEL}: {error}")]),
    };
    let admin = fixture.certificate("admin", &["system:masters"]);
    report::run_cases(folder, "request_info.jsonl", LABEL, ledger, mode, |case, flip| {
        check(&mut fixture, &admin, case, flip)
    })
}

fn check(fixture: &mut Fixture, admin: &Certified, case: &Case, flip: &mut Flip) -> Outcome {
    let text = |name: &str| case.given.get(name).and_then(Value::as_str).unwrap_or_default();
    let (method, target) = (text("method"), text("uri"));
    let headers = [("Host", "gateway.example"), ("Audit-ID", case.id.as_str()), ("Content-Length", "0")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    fixture.upstream.take();
    let response = fixture.send(Some(admin), &head(method, target, &headers))?;
    let mut reached: Vec<String> = fixture.upstream.take().into_iter().map(|message| message.line).collect();

    if case.expect.get("rejected").is_some() || is_refused_by_rule_3(method, target) {
        return must_end_with(400, response.status, &reached);
    }
    if case.expect.get("error").is_some() {
        return must_end_with(500, response.status, &reached);
    }
    reached = flip.decision(reached, |mut lines| {
        lines.push("another line".to_owned());
        lines
    });
    let forwarded = format!("{method} {} HTTP/1.1", without_authority(target));
    if reached != [forwarded.as_str()] {
        return Err(format!(
            "upstream received {reached:?} (answer {}), expected {forwarded:?}",
            response.status
        ));
    }
    let event = fixture.event(&case.id, "RequestReceived").ok_or("no audit event")?;
    let expected = expected_event(case.expect.get("info").unwrap_or(&Value::Null), without_authority(target));
    let found = json!({
        "verb": event.get("verb").unwrap_or(&json!("")),
        "requestURI": event.get("requestURI").unwrap_or(&Value::Null),
        "objectRef": event.get("objectRef").unwrap_or(&Value::Null),
    });
    if found == expected { Ok(()) } else { Err(format!("audited {found}, expected {expected}")) }
}

fn must_end_with(expected: u16, status: u16, reached: &[String]) -> Outcome {
    match reached {
        [] if status == expected => Ok(()),
        [] => Err(format!("answered {status}, expected {expected}")),
        _ => Err(format!("answered {status}, and upstream received {reached:?}")),
    }
}

/// The closed list of the request target rule: these are 400 at the gate although kube-apiserver
/// reads them. `docs/differences.md` tells users.
fn is_refused_by_rule_3(method: &str, target: &str) -> bool {
    let path_and_query = without_authority(target);
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    // What the HTTP library does not take as it stands.
    let unwritable = path.contains(['<', '>', '`']) || query.contains(['"', '<', '>']);
    method == "CONNECT"
        || target.contains('#')
        || unwritable
        || !(path_and_query.starts_with('/') || path_and_query == "*")
}

/// Of an absolute target, path and query as they stood.
fn without_authority(target: &str) -> &str {
    match target.split_once("://") {
        Some(("http" | "https", rest)) => rest.find(['/', '?']).map_or("", |at| rest.split_at(at).1),
        _ => target,
    }
}

fn expected_event(info: &Value, target: &str) -> Value {
    let text = |name: &str| info.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut reference = serde_json::Map::new();
    let is_resource = info.get("isResourceRequest") == Some(&Value::Bool(true));
    for name in ["resource", "namespace", "name", "apiGroup", "apiVersion", "subresource"] {
        if is_resource && !text(name).is_empty() {
            reference.insert(name.to_owned(), text(name).into());
        }
    }
    let reference = if is_resource { Value::Object(reference) } else { Value::Null };
    json!({ "verb": text("verb"), "requestURI": target, "objectRef": reference })
}
