//! `TokenReview`: is this token good, and whose is it?

use authn::{Authn, TokenAnswer};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use types::{
    Answer, Answers, ObjectFacts, ObjectKind, ObjectRef, Question, Secret, Status, Step, User, group,
};

use super::{bad_request, question_again};
use crate::{
    environment::token::AUDIENCE,
    object::{list, set, text},
    rest::ReviewCall,
    store::{Key, Store},
};

/// No token is bound to more objects than this; more questions would be a loop.
const MOST_QUESTIONS: usize = 8;

pub(super) fn answer(authn: &Authn, call: &ReviewCall<'_>) -> Result<Value, Status> {
    let token = text(call.object, "/spec/token");
    if token.is_empty() {
        return Err(bad_request("token is required for TokenReview in authentication"));
    }
    let asked: Vec<String> =
        list(call.object, "/spec/audiences").iter().filter_map(|a| a.as_str().map(Into::into)).collect();
    let audiences = if asked.is_empty() { vec![AUDIENCE.to_owned()] } else { asked };
    let mut answer = question_again(call);
    let status = match judge(authn, token, &audiences, call) {
        TokenAnswer::Accepted(user) => {
            // UPSTREAM: every good token makes a member of system:authenticated (kube-apiserver 1.36)
            let mut of: User = User::clone(&user.identity.user);
            if !of.in_group(group::AUTHENTICATED) {
                of.groups.push(group::AUTHENTICATED.into());
            }
            json!({"authenticated": true, "user": of, "audiences": user.audiences})
        }
        TokenAnswer::NoOpinion => json!({"user": {}, "error": "invalid bearer token"}),
        TokenAnswer::Refused(failures, _) => json!({"user": {}, "error": told(&failures)}),
    };
    set(&mut answer, &["status"], status);
    Ok(answer)
}

/// UPSTREAM: the errors of all token authenticators in one, behind their own (kube-apiserver 1.36)
fn told(failures: &[authn::AuthnFailure]) -> String {
    let mut errors = vec!["invalid bearer token"];
    for failure in failures {
        if !errors.contains(&&*failure.message) {
            errors.push(&failure.message);
        }
    }
    match errors.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("[{}]", several.join(", ")),
    }
}

fn judge(authn: &Authn, token: &str, audiences: &[String], call: &ReviewCall<'_>) -> TokenAnswer {
    let mut answers = Answers::none();
    for _ in 0..MOST_QUESTIONS {
        match authn.judge_token(token, Some(audiences), call.now, &answers) {
            Step::Done(answer) => return answer,
            Step::Ask(question) => {
                let fact = match &question {
                    Question::Object(object) => look_up(call.store, object),
                    Question::Access(_) => Answer::Failed("no token depends on it".to_owned()),
                };
                answers.give(question, fact);
            }
        }
    }
    TokenAnswer::Refused(vec![authn::AuthnFailure::unanswered("too many questions")], Default::default())
}

fn look_up(store: &Store, object: &ObjectRef) -> Answer {
    let resource = match object.kind {
        ObjectKind::ServiceAccount => "serviceaccounts",
        ObjectKind::Pod => "pods",
        ObjectKind::Node => "nodes",
        ObjectKind::Secret => "secrets",
    };
    match store.get(&Key::new(resource, &object.namespace, &object.name)) {
        Some(found) => Answer::Object(facts(&found)),
        None => Answer::NotFound,
    }
}

fn facts(object: &Value) -> ObjectFacts {
    let token = BASE64_STANDARD.decode(text(object, "/data/token")).ok();
    ObjectFacts {
        uid: crate::object::uid(object).to_owned(),
        deletion_timestamp: text(object, "/metadata/deletionTimestamp").parse().ok(),
        token: token.and_then(|t| String::from_utf8(t).ok()).filter(|t| !t.is_empty()).map(Secret::new),
        invalid_since: object
            .pointer("/metadata/labels/kubernetes.io~1legacy-token-invalid-since")
            .and_then(Value::as_str)
            .map(Into::into),
        secrets: list(object, "/secrets").iter().map(|secret| text(secret, "/name").to_owned()).collect(),
    }
}
