//! `sa_token.jsonl`: whom a service-account token stands for.

use std::collections::BTreeMap;

use authn::{Authn, ServiceAccountKeys, ServiceAccounts, TokenAnswer};
use serde::Deserialize;
use serde_json::Value;
use types::{Answer, Answers, ObjectKind, ObjectRef, Question, Step, Timestamp, User};

use crate::{Case, Flip, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Given {
    #[serde(rename = "publicKeysPEM")]
    public_keys: String,
    issuers: Option<Vec<String>>,
    api_audiences: Option<Vec<String>>,
    request_audiences: Option<Vec<String>>,
    lookup: bool,
    objects: Objects,
    token: String,
    now: Timestamp,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[derive(Default)]
struct Objects {
    service_accounts: Vec<Value>,
    secrets: Vec<Value>,
    pods: Vec<Value>,
    nodes: Vec<Value>,
}

/// Texts of errors are not compared.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
struct Expect {
    result: String,
    user: Option<User>,
    audiences: Vec<String>,
    audit_annotations: BTreeMap<String, String>,
    warnings: Vec<String>,
}

pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let expected: Expect = case.expect()?;
    let found = flip.decision(decide(case.given()?)?, |found| match found.user {
        Some(_) => Expect { result: "none".to_owned(), ..Expect::default() },
        None => {
            Expect { result: "authenticated".to_owned(), user: Some(User::default()), ..Expect::default() }
        }
    });
    if found == expected { Ok(()) } else { Err(format!("found {found:?}, expected {expected:?}")) }
}

fn decide(given: Given) -> Result<Expect, String> {
    let result = |result: &str| Expect { result: result.to_owned(), ..Expect::default() };
    let mut keys = ServiceAccountKeys::default();
    if keys.add_pem(given.public_keys.as_bytes()).is_err() {
        return Ok(result("config_error"));
    }
    let accounts = ServiceAccounts {
        keys,
        issuers: given.issuers.unwrap_or_default(),
        api_audiences: given.api_audiences.unwrap_or_default(),
        lookup: given.lookup,
    };
    let authn = Authn { service_accounts: Some(accounts), ..Authn::default() };
    let mut answers = Answers::none();
    let answer = loop {
        match authn.judge_token(&given.token, given.request_audiences.as_deref(), given.now, &answers) {
            Step::Done(answer) => break answer,
            Step::Ask(question) if answers.get(&question).is_none() => {
                let answer = given.objects.answer(&question);
                answers.give(question, answer);
            }
            Step::Ask(question) => return Err(format!("it asks {question:?} again")),
        }
    };
    let (mut found, remarks) = match answer {
        TokenAnswer::NoOpinion => return Ok(result("none")),
        TokenAnswer::Refused(_, remarks) => (result("error"), remarks),
        TokenAnswer::Accepted(token) => {
            let mut found = result("authenticated");
            found.user = Some(User::clone(&token.identity.user));
            found.audiences.clone_from(&token.audiences);
            (found, token.remarks.clone())
        }
    };
    found.warnings = remarks.warnings.iter().map(ToString::to_string).collect();
    found.audit_annotations =
        remarks.annotations.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(found)
}

impl Objects {
    /// As an API server with these objects answers.
    fn answer(&self, question: &Question) -> Answer {
        let Question::Object(asked) = question else {
            return Answer::Failed("no token depends on it".to_owned());
        };
        let ObjectRef { kind, namespace, name } = asked;
        let objects = match kind {
            ObjectKind::ServiceAccount => &self.service_accounts,
            ObjectKind::Pod => &self.pods,
            ObjectKind::Node => &self.nodes,
            ObjectKind::Secret => &self.secrets,
        };
        let is_asked = |object: &&Value| {
            let of = |field: &str| object.pointer(field).and_then(Value::as_str).unwrap_or_default();
            of("/metadata/name") == name && of("/metadata/namespace") == namespace
        };
        let Some(object) = objects.iter().find(is_asked) else {
            return Answer::NotFound;
        };
        match remote::read_facts(asked, object.to_string().as_bytes()) {
            Ok(facts) => Answer::Object(facts),
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}
