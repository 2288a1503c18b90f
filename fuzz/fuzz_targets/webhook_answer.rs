//! What an authorization webhook answers: it allows nothing but by `status.allowed: true` in a
//! SubjectAccessReview, read here naively, and everything that is one is read.
#![no_main]

use authz::webhook::{FailurePolicy, ReviewVersion, Webhook, read_answer, read_content_type, read_refusal};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use types::{AccessFailure, Answer, Answers, Attributes, Decision, FailureClass, Step, User};

fuzz_target!(|bytes: &[u8]| {
    let (number, rest) = bytes.split_first().map_or((0, bytes), |(number, body)| (*number, body));
    // Bytes that are no JSON get nowhere, so half of the bodies are put together by them.
    let body = if number < 128 { rest.to_vec() } else { review(&mut rest.iter().copied()).into_bytes() };
    let body = body.as_slice();
    let version = if number % 2 == 0 { ReviewVersion::V1 } else { ReviewVersion::V1Beta1 };
    let policy = if number % 4 < 2 { FailurePolicy::Deny } else { FailurePolicy::NoOpinion };

    let read = read_answer(version, body);
    let verdict = read.as_ref().ok().map(|status| (status.allowed, status.denied));
    assert_eq!(verdict, naive(version, body), "{read:?}");

    let decision = decide(
        version,
        policy,
        read.map_err(|why| AccessFailure { class: FailureClass::Response, message: why.into() }),
    );
    let expected = match (verdict, policy) {
        (Some((_, true)), _) | (None, FailurePolicy::Deny) => Decision::Deny,
        (Some((true, false)), _) => Decision::Allow,
        (Some((false, false)), _) | (None, FailurePolicy::NoOpinion) => Decision::NoOpinion,
    };
    assert_eq!(decision, expected);

    // A refusal is none of the codes of a success, and whatever names a time to wait may be asked again.
    let code = [100, 301, 400, 403, 429, 500, 503, 504][usize::from(number / 4 % 8)];
    let refusal = read_refusal(code, Some(1), body);
    if serde_json::from_slice::<Value>(body).is_err() {
        assert!(refusal.transient, "{refusal:?}");
    }
    // Neither does any type panic, and whoever has none is not asked for one.
    let _ = read_content_type(body);
    assert_eq!(read_content_type(b""), None);
});

/// What can stand at a member: what belongs there, and what others might take for it.
const VALUES: [&str; 16] = [
    "true",
    "false",
    "null",
    "1",
    "0",
    "\"true\"",
    "\"\"",
    "\"why\"",
    "[]",
    "[true]",
    "{}",
    "{\"allowed\":true}",
    "\"SubjectAccessReview\"",
    "\"authorization.k8s.io/v1\"",
    "\"authorization.k8s.io/v1beta1\"",
    "1e0",
];

/// An object with some of these members, one of them twice now and then.
fn object(
    names: &[&str],
    bytes: &mut impl Iterator<Item = u8>,
    value: impl Fn(&str, u8) -> Option<String>,
) -> String {
    let mut members = Vec::new();
    for name in names.iter().chain(names.first()) {
        let byte = bytes.next().unwrap_or_default();
        if byte >= 64 {
            let value = value(name, byte).unwrap_or_else(|| VALUES[usize::from(byte % 16)].to_owned());
            members.push(format!("\"{name}\":{value}"));
        }
    }
    format!("{{{}}}", members.join(","))
}

/// A SubjectAccessReview, or nearly one.
fn review(bytes: &mut impl Iterator<Item = u8>) -> String {
    let status = object(&["allowed", "denied", "reason", "evaluationError", "Allowed"], bytes, |_, _| None);
    object(&["status", "kind", "apiVersion", "metadata", "spec"], bytes, |name, byte| match (name, byte) {
        ("status", 80..) => Some(status.clone()),
        ("kind", 160..) => Some("\"SubjectAccessReview\"".to_owned()),
        ("apiVersion", 160..) => Some(VALUES[13 + usize::from(byte % 2)].to_owned()),
        _ => None,
    })
}

/// `allowed` and `denied` of what kube-apiserver takes for an answer.
fn naive(version: ReviewVersion, body: &[u8]) -> Option<(bool, bool)> {
    let review: Value = serde_json::from_slice(body).ok()?;
    let review = review.as_object()?;
    let text = |value: Option<&Value>, any_of: &[&str]| match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => any_of.contains(&text.as_str()),
        Some(_) => false,
    };
    let is_object = |name: &str| matches!(review.get(name), None | Some(Value::Null | Value::Object(_)));
    let is_review = text(review.get("kind"), &["", "SubjectAccessReview"])
        && text(review.get("apiVersion"), &["", version.api_version()])
        && ["metadata", "spec", "status"].iter().all(|name| is_object(name));
    if !is_review {
        return None;
    }
    let nothing = serde_json::Map::new();
    let status = review.get("status").and_then(Value::as_object).unwrap_or(&nothing);
    let is_text = |name: &str| matches!(status.get(name), None | Some(Value::Null | Value::String(_)));
    let flag = |name: &str| match status.get(name) {
        None | Some(Value::Null) => Some(false),
        Some(Value::Bool(flag)) => Some(*flag),
        Some(_) => None,
    };
    (is_text("reason") && is_text("evaluationError")).then(|| Some((flag("allowed")?, flag("denied")?)))?
}

/// What the authorizer makes of it.
fn decide(
    version: ReviewVersion,
    policy: FailurePolicy,
    answer: Result<types::AccessStatus, AccessFailure>,
) -> Decision {
    let hook = Webhook::new("hook", version, policy, Vec::new());
    let user = User::new("alice", ["dev"]);
    let at = Attributes::of_path(&user, "get", "/version");
    let mut answers = Answers::none();
    let Step::Ask(question) = hook.decide(&at, &answers) else { panic!("nothing is asked") };
    answers.give(question, Answer::Access(answer));
    match hook.decide(&at, &answers) {
        Step::Done(said) => said.decision,
        Step::Ask(question) => panic!("asks again: {question:?}"),
    }
}
