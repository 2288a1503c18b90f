//! `authz_chain.jsonl`: a chain of authorizers, webhooks among them, and what a request gets.

use std::collections::BTreeMap;

use authz::{
    Authz, DenyList, Mode, Opinion, Outcome as Verdict, forbidden,
    node::Node,
    rbac::{Rbac, RbacObject},
};
use request::RequestInfo;
use serde::Deserialize;
use serde_json::Value;
use types::{Attributes, NoTrace, Timestamp, User};

use super::node::Event;
use crate::{
    Case, Flip, Outcome,
    given::{GivenUser, world},
    webhook_server::{self, Driver, GivenResponse},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Given {
    authorizers: Vec<Authorizer>,
    objects: Option<Vec<RbacObject>>,
    node_events: Option<Vec<Event>>,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorizer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    webhook: Value,
    #[serde(default)]
    response: GivenResponse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    user: GivenUser,
    method: String,
    uri: String,
}

#[derive(Deserialize)]
struct Expect {
    results: Vec<Expected>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    decision: String,
    reason: String,
    error: Option<String>,
    webhook_calls: Vec<usize>,
    http: Http,
    audit_annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Http {
    status: u16,
    body: Option<Value>,
    content_type: String,
}

pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let expect: Expect = case.expect()?;
    if given.requests.len() != expect.results.len() {
        return Err("as many results as requests are needed".to_owned());
    }
    let rbac = Rbac::new(world(given.objects.unwrap_or_default(), "")?);
    let node = Node::new(false);
    given.node_events.into_iter().flatten().for_each(|event| event.happen(&node));
    let (mut modes, mut clients, mut hooks) = (Vec::new(), Vec::new(), Vec::new());
    for Authorizer { kind, name, webhook, response } in given.authorizers {
        modes.push(match kind.as_str() {
            "Node" => Mode::Node(node.clone()),
            "RBAC" => Mode::Rbac(rbac.clone()),
            "AlwaysAllow" => Mode::AlwaysAllow,
            "AlwaysDeny" => Mode::AlwaysDeny,
            "Webhook" => {
                let (authorizer, client) = webhook_server::webhook(&name, &webhook)?;
                clients.push(client);
                hooks.push((name, response));
                Mode::Webhook(authorizer)
            }
            other => return Err(format!("an authorizer of type {other}")),
        });
    }
    let authz = Authz::new(DenyList::default(), modes);
    let driver = Driver::new(clients)?;
    for (number, (request, expected)) in given.requests.into_iter().zip(&expect.results).enumerate() {
        for (name, response) in &hooks {
            webhook_server::answers(name, vec![response.clone()]);
        }
        let info = RequestInfo::parse(&request.method, &request.uri).map_err(|e| format!("{e:?}"))?;
        let user: User = request.user.into();
        let attributes = info.attributes(&user);
        let now = Timestamp::UNIX_EPOCH;
        let mut found = driver.drive(now, |answers| authz.decide(&attributes, now, answers, &mut NoTrace))?;
        found.decision = flip.authorization(found.decision);
        let calls: Vec<usize> = hooks.iter().map(|(name, _)| webhook_server::asked(name).len()).collect();
        meets(&found, &attributes, expected, &calls)
            .map_err(|what| format!("request {number}: {what}: found {found:?}, expected {expected:?}"))?;
    }
    Ok(())
}

fn meets(found: &Opinion, at: &Attributes<'_>, expected: &Expected, calls: &[usize]) -> Outcome {
    if format!("{:?}", found.decision) != expected.decision || *found.reason != *expected.reason {
        return Err("another decision".to_owned());
    }
    if found.error.is_some() != expected.error.is_some() {
        return Err("another error".to_owned());
    }
    // Nothing is recorded where nobody was asked.
    let mut expected_calls = expected.webhook_calls.clone();
    expected_calls.resize(calls.len(), 0);
    if calls != expected_calls {
        return Err(format!("asked {calls:?} times"));
    }
    let annotations: BTreeMap<String, String> =
        found.annotations().map(|(key, value)| (key.to_owned(), value.into_owned())).collect();
    if annotations != expected.audit_annotations {
        return Err(format!("annotated {annotations:?}"));
    }
    let Http { status, body, content_type } = &expected.http;
    match found.outcome() {
        Verdict::Allowed if *status == 200 => Ok(()),
        Verdict::Failed(_) if *status == 500 && content_type.starts_with("text/plain") => Ok(()),
        Verdict::Forbidden if *status == 403 => {
            let found: Value = serde_json::from_slice(&forbidden(at, &found.reason).to_json())
                .map_err(|error| error.to_string())?;
            if Some(&found) == body.as_ref() { Ok(()) } else { Err(format!("answered {found}")) }
        }
        _ => Err("another status".to_owned()),
    }
}
