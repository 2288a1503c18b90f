//! `node.jsonl`, `node_podcertificaterequest.jsonl`: what the informers see, then many questions.

use authz::node::{Node, NodeObject};
use serde::Deserialize;

use crate::{Case, Flip, Outcome, given::GivenAttributes};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Given {
    #[serde(default)]
    feature_gates: FeatureGates,
    events: Option<Vec<Event>>,
    requests: Vec<GivenAttributes>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FeatureGates {
    pod_certificate_request: bool,
}

/// An event of an informer. What the object was before is what the last event made of it, so `old` is
/// not needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Event {
    op: Op,
    object: NodeObject,
    #[serde(rename = "old", default)]
    _old: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Add,
    Update,
    Delete,
}

impl Event {
    pub(super) fn happen(self, node: &Node) {
        match self.op {
            Op::Add | Op::Update => node.apply(self.object),
            Op::Delete => node.remove(self.object.kind(), self.object.namespace(), self.object.name()),
        }
    }
}

#[derive(Deserialize)]
struct Expect {
    results: Vec<Expected>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    decision: String,
    #[serde(default)]
    reason: String,
}

pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let expect: Expect = case.expect()?;
    if given.requests.len() != expect.results.len() {
        return Err("as many results as requests are needed".to_owned());
    }
    let node = Node::new(given.feature_gates.pod_certificate_request);
    for event in given.events.into_iter().flatten() {
        event.happen(&node);
    }
    for (number, (request, expected)) in given.requests.iter().zip(&expect.results).enumerate() {
        let mut found = request.ask(|at| node.decide(at));
        found.decision = flip.authorization(found.decision);
        let meets = format!("{:?}", found.decision) == expected.decision
            && *found.reason == *expected.reason
            && found.error.is_none();
        if !meets {
            return Err(format!(
                "request {number}: found {found:?}, expected {expected:?}, asked {request:?}"
            ));
        }
    }
    Ok(())
}
