//! `authz_webhook.jsonl`: one webhook, called again and again, through the client and a TLS server.

use std::{collections::BTreeMap, time::Duration};

use authz::webhook::{Said, WebhookError};
use serde::Deserialize;
use serde_json::Value;
use testkit::Message;
use types::{AccessFailure, FailureClass, Timestamp};

use crate::{
    Case, Flip, Outcome,
    given::GivenAttributes,
    webhook_server::{self, Driver, GivenResponse},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    webhook: Value,
    calls: Vec<Call>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Call {
    #[serde(default)]
    sleep_ms: u64,
    request: GivenAttributes,
    responses: Vec<GivenResponse>,
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
    error_class: Option<String>,
    http_calls: usize,
    posted: Option<Value>,
}

const NAME: &str = "hook";

pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let expect: Expect = case.expect()?;
    if given.calls.len() != expect.results.len() {
        return Err("as many results as calls are needed".to_owned());
    }
    let (webhook, client) = webhook_server::webhook(NAME, &given.webhook)?;
    let driver = Driver::new(vec![client])?;
    // Nobody waits: what passes is the time that decisions are told.
    let mut now = Timestamp::UNIX_EPOCH;
    for (number, (call, expected)) in given.calls.into_iter().zip(&expect.results).enumerate() {
        now = now.checked_add(Duration::from_millis(call.sleep_ms)).map_err(|e| e.to_string())?;
        webhook_server::answers(NAME, call.responses);
        let mut said = call.request.ask(|at| driver.drive(now, |answers| webhook.decide(at, answers)))?;
        said.decision = flip.authorization(said.decision);
        let asked = webhook_server::asked(NAME);
        meets(&said, &asked, expected)
            .map_err(|what| format!("call {number}: {what}: found {said:?}, expected {expected:?}"))?;
    }
    Ok(())
}

fn meets(said: &Said, asked: &[Message], expected: &Expected) -> Outcome {
    if format!("{:?}", said.decision) != expected.decision || *said.reason != *expected.reason {
        return Err("another decision".to_owned());
    }
    if said.error.is_some() != expected.error.is_some()
        || said.error.as_ref().map(class) != expected.error_class.as_deref()
    {
        return Err("another error".to_owned());
    }
    if asked.len() != expected.http_calls {
        return Err(format!("{} attempts", asked.len()));
    }
    let bodies: Vec<Value> = asked.iter().filter_map(|message| posted(&message.body)).collect();
    match (&expected.posted, bodies.first()) {
        (None, None) => Ok(()),
        (Some(expected), Some(found)) if found == expected && bodies.iter().all(|body| body == found) => {
            Ok(())
        }
        (_, found) => Err(format!("posted {found:?}")),
    }
}

/// A review as it was sent, without `metadata`.
fn posted(body: &[u8]) -> Option<Value> {
    let mut review: BTreeMap<String, Value> = serde_json::from_slice(body).ok()?;
    review.remove("metadata");
    serde_json::to_value(review).ok()
}

fn class(error: &WebhookError) -> &'static str {
    match error {
        WebhookError::MatchCondition(_) => "matchCondition",
        WebhookError::AllowAndDeny => "allowAndDeny",
        WebhookError::Unanswered(AccessFailure { class, .. }) => match class {
            FailureClass::Timeout => "timeout",
            FailureClass::Connection => "connection",
            FailureClass::Response => "response",
        },
    }
}
