use std::sync::LazyLock;

use types::{FailureClass, User, selector::Selectors};

use super::*;

fn ask<T>(
    user: &User,
    change: impl FnOnce(&mut Attributes<'_>),
    then: impl FnOnce(&Attributes<'_>) -> T,
) -> T {
    let mut at = Attributes {
        user,
        verb: "get",
        resource_request: true,
        namespace: "ns",
        api_group: "",
        api_version: "v1",
        resource: "pods",
        subresource: "",
        name: "p",
        path: "/api/v1/namespaces/ns/pods/p",
        selectors: &Selectors::NONE,
    };
    change(&mut at);
    then(&at)
}

fn hook(policy: FailurePolicy, conditions: &[&str]) -> Webhook {
    let conditions = conditions.iter().map(|one| MatchCondition::compile(one).unwrap()).collect();
    Webhook::new("hook", ReviewVersion::V1, policy, conditions)
}

fn question(step: Step<Said>) -> AccessReview {
    match step {
        Step::Ask(Question::Access(review)) => review,
        other => panic!("{other:?}"),
    }
}

/// What comes of one answer.
fn said(policy: FailurePolicy, answer: Answer) -> Said {
    ask(
        &User::new("alice", [""; 0]),
        |_| (),
        |at| {
            let hook = hook(policy, &[]);
            let mut answers = Answers::none();
            answers.give(Question::Access(question(hook.decide(at, &answers))), answer);
            match hook.decide(at, &answers) {
                Step::Done(said) => said,
                Step::Ask(question) => panic!("asks again: {question:?}"),
            }
        },
    )
}

#[test]
fn verdicts() {
    let check = |allowed, denied, decision, error| {
        let status = AccessStatus { allowed, denied, reason: "why".into(), evaluation_error: "x".into() };
        let expected = Said { decision, reason: "why".into(), error };
        assert_eq!(said(FailurePolicy::Deny, Answer::Access(Ok(status))), expected);
    };
    check(true, false, Decision::Allow, None);
    check(false, true, Decision::Deny, None);
    check(false, false, Decision::NoOpinion, None);
    check(true, true, Decision::Deny, Some(WebhookError::AllowAndDeny));
}

#[test]
fn no_answer_is_never_a_yes() {
    let failure = AccessFailure { class: FailureClass::Timeout, message: "slow".into() };
    for answer in [Answer::Access(Err(failure)), Answer::NotFound, Answer::Failed("x".into())] {
        for (policy, decision) in
            [(FailurePolicy::Deny, Decision::Deny), (FailurePolicy::NoOpinion, Decision::NoOpinion)]
        {
            let said = said(policy, answer.clone());
            assert_eq!((said.decision, said.error.is_some()), (decision, true), "{answer:?}");
        }
    }
}

#[test]
fn conditions() {
    let check = |conditions: &[&str], expected: &str| {
        let found = ask(
            &User::new("alice", ["dev"]),
            |_| (),
            |at| match hook(FailurePolicy::Deny, conditions).decide(at, &Answers::none()) {
                Step::Ask(_) => "asked".to_owned(),
                Step::Done(said) => {
                    format!("{:?} {}", said.decision, said.error.map_or(String::new(), |e| e.to_string()))
                }
            },
        );
        assert!(found.starts_with(expected), "{conditions:?}: {found}");
    };
    let (no_value, holds, fails) =
        ("request.nonResourceAttributes.path == '/'", "'dev' in request.groups", "request.user == 'bob'");
    check(&[holds], "asked");
    check(&[holds, fails], "NoOpinion ");
    check(&[no_value], "Deny cel evaluation error: expression 'request.nonResource");
    check(&[no_value, fails], "NoOpinion ");
    check(&[fails, no_value], "NoOpinion ");
    check(&[no_value, "request.resourceAttributes.fieldSelector.rawSelector == ''"], "Deny [cel evaluation");
}

/// Two requests that a webhook could tell apart never share an answer.
#[test]
fn questions_differ_where_requests_differ() {
    let user = |change: fn(&mut User)| {
        let mut user = User::new("alice", ["a", "b"]);
        user.extra.insert("k".into(), vec!["1".into(), "2".into()]);
        change(&mut user);
        user
    };
    let mut seen: Vec<String> = Vec::new();
    let mut add = |user: &User, change: &dyn Fn(&mut Attributes<'_>)| {
        let decide = |at: &Attributes<'_>| hook(FailurePolicy::Deny, &[]).decide(at, &Answers::none());
        let review = ask(user, |at| change(at), |at| question(decide(at))).review.to_string();
        assert!(!seen.contains(&review), "{review}");
        seen.push(review);
    };
    for user in [
        user(|_| ()),
        user(|user| user.name.push('x')),
        user(|user| user.uid.push('x')),
        user(|user| user.groups.reverse()),
        user(|user| user.groups = vec!["a,b".into()]),
        user(|user| user.groups = vec!["a".into(), "b\",\"c".into()]),
        user(|user| drop(user.extra.insert("k".into(), vec!["2".into(), "1".into()]))),
        user(|user| drop(user.extra.insert("k".into(), vec!["1,2".into()]))),
        user(|user| drop(user.extra.insert("l".into(), vec![]))),
    ] {
        add(&user, &|_| ());
    }
    let user = user(|_| ());
    add(&user, &|at| at.namespace = "");
    add(&user, &|at| (at.namespace, at.name) = ("p", "ns"));
    add(&user, &|at| at.api_group = "apps");
    add(&user, &|at| at.subresource = "log");
    add(&user, &|at| at.verb = "");
    add(&user, &|at| at.resource_request = false);
    add(&user, &|at| (at.resource_request, at.path) = (false, "/"));
    static SELECTORS: LazyLock<[Selectors; 3]> = LazyLock::new(|| {
        [Selectors::parse("a=b", ""), Selectors::parse("", "a=b"), Selectors::parse("a!=b", "")]
    });
    for selectors in &*SELECTORS {
        add(&user, &move |at| at.selectors = selectors);
    }
}

#[test]
fn large_requests_are_not_remembered() {
    for (length, cacheable) in [(9_900, true), (10_000, false)] {
        let name = "n".repeat(length);
        let name: &'static str = name.leak();
        let review = ask(
            &User::default(),
            |at| at.name = name,
            |at| question(hook(FailurePolicy::Deny, &[]).decide(at, &Answers::none())),
        );
        assert_eq!(review.cacheable, cacheable, "{length}");
    }
}

#[test]
fn answers() {
    let check = |body: &str, expected: Result<(bool, bool, &str), &str>| {
        let found = read_answer(ReviewVersion::V1, body.as_bytes());
        match expected {
            Ok((allowed, denied, reason)) => {
                let found = found.unwrap_or_else(|error| panic!("{body}: {error}"));
                assert_eq!(
                    (found.allowed, found.denied, &*found.reason),
                    (allowed, denied, reason),
                    "{body}"
                );
            }
            Err(error) => assert!(found.as_ref().is_err_and(|e| e.contains(error)), "{body}: {found:?}"),
        }
    };
    let of = |version: &str, status: &str| {
        format!(r#"{{"kind":"SubjectAccessReview","apiVersion":"{version}","status":{status}}}"#)
    };
    let v1 = "authorization.k8s.io/v1";
    check(&of(v1, r#"{"allowed":true,"reason":"fine"}"#), Ok((true, false, "fine")));
    check(&of(v1, r#"{"allowed":null,"denied":true,"more":1}"#), Ok((false, true, "")));
    check(&of(v1, r#"{"allowed":true,"allowed":false}"#), Ok((false, false, "")));
    check(&of(v1, "{}"), Ok((false, false, "")));
    check(&of(v1, "null"), Ok((false, false, "")));
    check(r#"{"status":{"allowed":true}}"#, Ok((true, false, "")));
    check("{}", Ok((false, false, "")));
    check(&of("authorization.k8s.io/v1beta1", r#"{"allowed":true}"#), Err("not a `SubjectAccessReview` of"));
    check(&of("v1", r#"{"allowed":true}"#), Err("not a `SubjectAccessReview` of"));
    check(r#"{"kind":"Status","apiVersion":"v1","status":"Success"}"#, Err("a `Status` of `v1`"));
    check(r#"{"kind":"SelfSubjectAccessReview","status":{"allowed":true}}"#, Err("SelfSubject"));
    check(&of(v1, r#"{"allowed":"true"}"#), Err("`allowed` is neither"));
    check(&of(v1, r#"{"allowed":1}"#), Err("`allowed` is neither"));
    check(&of(v1, r#"{"reason":[]}"#), Err("`reason` is no string"));
    check(&of(v1, r#"[true,false,"",""]"#), Err("status is no object"));
    check(r#"["SubjectAccessReview","authorization.k8s.io/v1",{"allowed":true}]"#, Err("no object"));
    check(r#"{"spec":[],"status":{"allowed":true}}"#, Err("spec is no object"));
    check(r#"{"metadata":"x","status":{"allowed":true}}"#, Err("metadata is no object"));
    for body in ["", "null", "{", "ok", "true", "<html>", "{} {}", "status: {allowed: true}"] {
        check(body, Err("answer"));
    }
}

#[test]
fn refusals() {
    let check = |code, retry_after, body: &str, transient| {
        assert_eq!(read_refusal(code, retry_after, body.as_bytes()).transient, transient, "{code} {body}");
    };
    for code in [400, 401, 403, 404, 409, 422, 503, 302] {
        check(code, None, "", false);
        check(code, Some(0), "", false);
        check(code, Some(1), "", true);
    }
    for code in [429, 500, 501, 502, 504] {
        check(code, None, "<html>", true);
    }
    let status = |more: &str| format!(r#"{{"kind":"Status","apiVersion":"v1","status":"Failure"{more}}}"#);
    check(500, None, &status(r#","reason":"Forbidden","code":500"#), false);
    check(500, None, &status(""), false);
    check(400, None, &status(r#","code":500"#), true);
    check(403, None, &status(r#","reason":"TooManyRequests""#), true);
    check(503, Some(1), &status(r#","reason":"ServiceUnavailable","code":503"#), false);
    check(503, None, &status(r#","reason":"x","details":{"retryAfterSeconds":2}"#), true);
    check(500, None, r#"{"kind":"Status","status":"Success"}"#, true);
}
