//! A decision of the running gate, by its audit ID.

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use trail::Event;
use types::{
    AccessFailure, AccessReview, AccessStatus, Answer as Fact, Decision, Layer, ObjectRef, Reason, Timestamp,
    User,
};

use super::{Consulted, Facts, Finding, Says, authorization};
use crate::{
    answer::{AUDIT_ID, Answer},
    recent::Past,
    worker::Gate,
};

/// What was decided then, and what would be decided now.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recalled {
    /// The audit ID, as the client was told it.
    #[serde(rename = "auditID")]
    pub audit_id: String,
    /// When the request was received.
    pub received_at: Timestamp,
    /// The status code of the answer; none if the client left before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// What was asked; none where the gate keeps no audit record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// For whom the request was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// Who made it, where that was somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<User>,
    /// Whether every layer let it pass.
    pub allowed: bool,
    /// What each layer said then.
    pub layers: Vec<Finding>,
    /// When what authorizers decide by changed last, or they themselves, if that was after the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_since: Option<Timestamp>,
    /// What the authorizers say to the same question now, and what they go by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Finding>,
}

/// The decision whose ID the header `Audit-ID` names.
pub(crate) fn answer(gate: &Gate, headers: &HeaderMap) -> Answer {
    const TEXT: &str = "text/plain; charset=utf-8";
    let Some(audit_id) = headers.get(AUDIT_ID) else {
        return Answer::Own(StatusCode::BAD_REQUEST, TEXT, "name a request in the header Audit-ID\n".into());
    };
    let workers = gate.recent.lock().clone();
    let found = workers.iter().filter_map(|recent| recent.find(audit_id)).max_by_key(|past| past.at);
    let Some(past) = found else {
        return Answer::Own(
            StatusCode::NOT_FOUND,
            TEXT,
            "no request of this audit ID is remembered\n".into(),
        );
    };
    // Names, numbers and times always serialise.
    let mut json = serde_json::to_vec_pretty(&recall(gate, &past)).unwrap_or_default();
    json.push(b'\n');
    Answer::Own(StatusCode::OK, "application/json", json.into())
}

fn recall(gate: &Gate, past: &Past) -> Recalled {
    let event = past.record.as_ref().and_then(|record| {
        let mut line = Vec::new();
        // A stage that the policy omits is written for nobody.
        let stages =
            [audit::Stage::ResponseComplete, audit::Stage::ResponseStarted, audit::Stage::RequestReceived];
        stages.into_iter().find(|stage| record.write(&mut line, *stage, None, past.at))?;
        Event::parse(&line).ok()
    });
    let said = past.verdicts.iter();
    let layers = [Layer::Network, Layer::Tls]
        .map(|layer| Finding::new(layer, Says::Allow, "the connection was let in"))
        .into_iter()
        .chain(said.map(|(layer, decision, reason, words)| {
            let words = match (layer, &event) {
                (Layer::Authorization, Some(event)) if words.is_empty() => event.reason.as_str(),
                _ => words,
            };
            let answer = match (decision, reason) {
                (_, Reason::NotConfigured) => Says::NotConfigured,
                (Decision::Allow, _) => Says::Allow,
                _ => Says::Deny,
            };
            let webhooks_asked = past.webhooks.iter().filter(|said| said.layer == layer).map(|said| {
                Consulted::new(&gate.authorizers.load().chain, &said.webhook, &said.answer, None)
            });
            Finding {
                reason: Some(reason.as_str().into()),
                webhooks_asked: webhooks_asked.collect(),
                ..Finding::new(layer, answer, words)
            }
        }))
        .collect();
    let reached = past.verdicts.iter().any(|(layer, ..)| layer == Layer::Authorization);
    let now = event.as_ref().filter(|_| reached).map(|event| {
        authorization(&gate.authorizers.load().chain, &event.attributes(), Timestamp::now(), &mut Nobody)
    });
    Recalled {
        audit_id: String::from_utf8_lossy(past.audit_id.as_bytes()).into_owned(),
        received_at: past.at,
        code: past.code,
        question: event.as_ref().map(|event| reach::Question::of(&event.attributes()).to_string()),
        user: event.as_ref().map(|event| event.effective().clone()).filter(|user| !user.name.is_empty()),
        requester: event.as_ref().filter(|event| event.impersonated.is_some()).map(|e| e.requester.clone()),
        allowed: !past.verdicts.refused(),
        layers,
        changed_since: gate
            .watches
            .changed()
            .max(gate.authorizers.changed())
            .filter(|changed| *changed > past.at),
        now,
    }
}

/// Whoever looks back asks nobody else.
struct Nobody;

impl Facts for Nobody {
    fn object(&mut self, _: &ObjectRef) -> Fact {
        Fact::Failed("nobody is asked for an explanation".to_owned())
    }

    fn access(&mut self, _: &AccessReview) -> Option<Result<AccessStatus, AccessFailure>> {
        None
    }
}
