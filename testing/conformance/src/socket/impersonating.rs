//! impersonation.jsonl and constrained_impersonation.jsonl, sent as requests through a running gate:
//! refusals as recorded, nothing of them reaching the upstream; and to whatever goes on, the upstream
//! and the audit event are told the recorded user.

use std::path::Path;

use gate::FeatureGates;
use serde_json::{Value, json};
use testkit::{Reply, Upstream};
use types::User;

use super::{Fixture, head, told};
use crate::{Case, Flip, Ledger, Mode, Outcome, given::GivenUser, read_cases};

pub(super) fn constrained(folder: &Path, _: &Ledger, mode: Mode) -> (bool, Vec<String>) {
    run(&folder.join("constrained_impersonation.jsonl"), true, mode)
}

pub(super) fn legacy(folder: &Path, _: &Ledger, mode: Mode) -> (bool, Vec<String>) {
    run(&folder.join("impersonation.jsonl"), false, mode)
}

fn run(path: &Path, constrained: bool, mode: Mode) -> (bool, Vec<String>) {
    let label = format!("{} (socket)", path.file_name().unwrap_or_default().to_string_lossy());
    let cases = match read_cases(path) {
        Ok(cases) => cases,
        Err(error) => return (false, vec![format!("{label}: {error}")]),
    };
    let mut flip = if mode == Mode::Mutate { Flip::armed() } else { Flip::off() };
    let (mut met, mut sent, mut wrong) = (0, 0, Vec::new());
    for case in cases.iter().filter(|case| can_be_sent(case)) {
        sent += 1;
        match check(case, constrained, &mut flip) {
            Ok(()) => met += 1,
            Err(difference) => wrong.push(format!("  {} ({}): {difference}", case.id, case.about)),
        }
        if mode == Mode::Mutate && flip.used() {
            let verdict = if wrong.is_empty() { "goes UNNOTICED" } else { "is noticed" };
            return (!wrong.is_empty(), vec![format!("{label}: a flipped decision {verdict}")]);
        }
    }
    let others = cases.len() - sent;
    let mut lines = vec![format!("{label}: {met}/{sent}, {others} cannot be sent")];
    lines.extend(wrong.iter().take(20).cloned());
    (wrong.is_empty() && sent > others && mode == Mode::Compare, lines)
}

/// Whether requesters can be told by static tokens, which know no extras and make everybody
/// authenticated, and whether the order of extras is one that the gate can have.
fn can_be_sent(case: &Case) -> bool {
    let world = case.given.get("objects").map(Value::to_string).unwrap_or_default();
    let requests = case.given.get("requests").and_then(Value::as_array);
    let mut users = requests.into_iter().flatten().filter_map(|request| request.get("user"));
    let group_counts = world.contains("system:authenticated");
    case.expect.get("results").is_some()
        && super::sampled::can_be_stored(&world)
        && users.all(|user| {
            let groups = user.get("groups").map(Value::to_string).unwrap_or_default();
            user.get("extra").is_none()
                && user.get("name").and_then(Value::as_str) != Some("system:anonymous")
                && (!group_counts || groups.contains("system:authenticated"))
        })
}

fn check(case: &Case, constrained: bool, flip: &mut Flip) -> Outcome {
    let list = |value: &Value, member: &str| value.get(member).and_then(Value::as_array).cloned();
    let requests = list(&case.given, "requests").ok_or("no requests")?;
    let results = list(&case.expect, "results").ok_or("no results")?;
    let mut objects = list(&case.given, "objects").ok_or("no objects")?;
    objects.extend(everybody_may_do_everything_else());
    let tokens: Result<String, String> = requests.iter().enumerate().map(token_line).collect();
    let tokens = tokens?;
    let upstream = Upstream::start(|_| Reply::json(200, "{}"));
    let world = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    let mut fixture = Fixture::start(upstream, &world, |options, folder| {
        options.token_auth_file = Some(folder.write("tokens.csv", tokens));
        options.feature_gates =
            FeatureGates { constrained_impersonation: constrained, ..FeatureGates::default() };
    })?;
    for (number, (request, expected)) in requests.iter().zip(&results).enumerate() {
        send(&mut fixture, number, request, expected, flip)
            .map_err(|why| format!("request {number}: {why}"))?;
    }
    Ok(())
}

fn send(fixture: &mut Fixture, number: usize, request: &Value, expected: &Value, flip: &mut Flip) -> Outcome {
    let text = |member: &str| request.get(member).and_then(Value::as_str).ok_or(format!("no {member}"));
    let given = request.get("headers").cloned().unwrap_or_default();
    let given: Vec<(String, String)> = serde_json::from_value(given).map_err(|e| e.to_string())?;
    let audit_id = format!("request-{number}");
    let mut headers = vec![
        ("Host".to_owned(), "gateway.example".to_owned()),
        ("Authorization".to_owned(), format!("Bearer token-{number}")),
        ("Audit-ID".to_owned(), audit_id.clone()),
        ("Content-Length".to_owned(), "0".to_owned()),
    ];
    headers.extend(given);
    let response = fixture.send(None, &head(text("method")?, text("uri")?, &headers))?;
    let seen = fixture.upstream.take();
    let status = flip.decision(response.status, |status| if status == 200 { 403 } else { 200 });
    let event = fixture.event(&audit_id, "ResponseComplete").ok_or("no audit event")?;
    let impersonated = event.get("impersonatedUser");
    let Some(effective) = expected.get("effective") else {
        let body: Value = serde_json::from_slice(&response.message.body).map_err(|e| e.to_string())?;
        let same = ["message", "reason", "details"].iter().all(|part| body.get(part) == expected.get(part));
        let code = expected.get("status").and_then(Value::as_u64);
        return match same && code == Some(status.into()) && seen.is_empty() && impersonated.is_none() {
            true => Ok(()),
            false => Err(format!("answered {status} {body}, {} reached upstream", seen.len())),
        };
    };
    let user: GivenUser = serde_json::from_value(effective.get("user").cloned().unwrap_or_default())
        .map_err(|error| error.to_string())?;
    let user = User::from(user);
    let found = match seen.as_slice() {
        [message] if status == 200 => told(message),
        _ => return Err(format!("answered {status} {}, {} reached upstream", response.text(), seen.len())),
    };
    if effective.get("impersonated").is_none() {
        let is_requester = found.get("username").and_then(Value::as_str) == Some(&user.name);
        return if is_requester && impersonated.is_none() {
            Ok(())
        } else {
            Err(format!("went on as {found}"))
        };
    }
    let constraint = event.pointer("/authenticationMetadata/impersonationConstraint");
    if found != json!(user) || impersonated != Some(&found) || constraint != effective.get("constraint") {
        return Err(format!("went on as {found}, on record {event}, expected {effective}"));
    }
    Ok(())
}

fn token_line((number, request): (usize, &Value)) -> Result<String, String> {
    let user: GivenUser = serde_json::from_value(request.get("user").cloned().unwrap_or_default())
        .map_err(|error| error.to_string())?;
    let User { name, uid, groups, .. } = user.into();
    Ok(format!("token-{number},{name},{uid},\"{}\"\n", groups.join(",")))
}

/// So that only impersonation refuses. None of its verbs are among these.
fn everybody_may_do_everything_else() -> [Value; 2] {
    let api_group = "rbac.authorization.k8s.io";
    let verbs = [
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "post",
        "put",
        "head",
    ];
    let subjects = ["system:authenticated", "system:unauthenticated"]
        .map(|name| json!({ "apiGroup": api_group, "kind": "Group", "name": name }));
    let api_version = format!("{api_group}/v1");
    let role = json!({
        "apiVersion": api_version, "kind": "ClusterRole", "metadata": { "name": "everything-else" },
        "rules": [
            { "apiGroups": ["*"], "resources": ["*"], "verbs": verbs },
            { "nonResourceURLs": ["*"], "verbs": verbs },
        ],
    });
    let binding = json!({
        "apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": { "name": "everything-else" },
        "roleRef": { "apiGroup": api_group, "kind": "ClusterRole", "name": "everything-else" },
        "subjects": subjects,
    });
    [role, binding]
}
