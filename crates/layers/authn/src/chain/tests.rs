use http::HeaderName;
use single_threaded::Memory;
use types::{Answer, NoTrace, ObjectKind, ObjectRef, Question, User};

use super::*;
use crate::{NoMemory, ServiceAccountKeys};

const HOLDER: &str = "holder-of-certificate";

/// A memory for one thread.
mod single_threaded {
    use std::{cell::RefCell, collections::HashMap};

    use super::*;

    #[derive(Default)]
    pub(super) struct Memory(pub(super) RefCell<HashMap<String, (Arc<TokenUser>, Timestamp)>>);

    impl TokenMemory for Memory {
        fn recall(&self, token: &str, _: Timestamp) -> Option<Arc<TokenUser>> {
            self.0.borrow().get(token).map(|(user, _)| Arc::clone(user))
        }

        fn keep(&self, token: &str, user: &Arc<TokenUser>, then: Timestamp) {
            self.0.borrow_mut().insert(token.to_owned(), (Arc::clone(user), then));
        }
    }
}

fn authn(anonymous: Anonymous) -> Authn {
    let (tokens, _) = StaticTokens::parse("good,alice,1,dev\nroot,bob,2,system:authenticated").unwrap();
    Authn { static_tokens: Some(tokens), anonymous, ..Authn::default() }
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn certificate() -> Attempt {
    let user = Arc::new(User::new(HOLDER, ["ops"]));
    Attempt::User(Identity { user, valid_until: Some(at(100)) })
}

/// Name and groups, or the reason and all that was wrong.
fn decide(
    authn: &Authn,
    certificate: Option<&Attempt>,
    lines: &[(&str, &str)],
    now: Timestamp,
) -> Result<String, String> {
    let headers = headers(lines);
    let credentials = Credentials { certificate, headers: &headers, path: "/healthz", memory: &NoMemory };
    let mut trace: Vec<Verdict> = Vec::new();
    let Step::Done(result) = authn.authenticate(&credentials, now, &Answers::none(), &mut trace) else {
        panic!("it asks");
    };
    let last = if result.is_ok() { Decision::Allow } else { Decision::Deny };
    let decided = trace.iter().filter(|verdict| verdict.decision != Decision::NoOpinion);
    assert!(decided.clone().all(|verdict| verdict.decision == last), "{trace:?}");
    assert_eq!(trace.last().map(|verdict| verdict.decision), Some(last), "{trace:?}");
    match result {
        Ok(Authenticated { identity: Identity { user, .. }, .. }) => {
            Ok(format!("{} {}", user.name, user.groups.join(",")))
        }
        Err(refused) => Err(format!("{} {refused}", refused.reason().as_str())),
    }
}

#[test]
fn the_first_good_credential_wins_and_a_bad_one_is_never_anonymous() {
    let good = ("authorization", "Bearer good");
    let bad = ("authorization", "Bearer bad");
    let ok = |text: &str| Ok(text.to_owned());
    let err = |text: &str| Err(text.to_owned());
    let failed = Attempt::Failed(AuthnFailure::bad("unknown authority"));
    let unanswered = Attempt::Failed(AuthnFailure::unanswered("no CRL"));
    let holder = certificate();
    type Case<'a> = (Option<&'a Attempt>, &'a [(&'a str, &'a str)], i64, Result<String, String>);
    let cases: &[Case<'_>] = &[
        (None, &[], 0, ok("system:anonymous system:unauthenticated")),
        (Some(&Attempt::NoOpinion), &[], 0, ok("system:anonymous system:unauthenticated")),
        (Some(&holder), &[], 100, ok("holder-of-certificate ops,system:authenticated")),
        (Some(&holder), &[good], 0, ok("holder-of-certificate ops,system:authenticated")),
        (Some(&holder), &[bad], 0, ok("holder-of-certificate ops,system:authenticated")),
        (None, &[good], 0, ok("alice dev,system:authenticated")),
        (None, &[("authorization", "Bearer root")], 0, ok("bob system:authenticated")),
        (Some(&failed), &[good], 0, ok("alice dev,system:authenticated")),
        (Some(&holder), &[good], 101, ok("alice dev,system:authenticated")),
        (Some(&failed), &[], 0, err("bad_credential unknown authority")),
        (Some(&unanswered), &[], 0, err("cannot_judge_credential no CRL")),
        (Some(&holder), &[], 101, err("bad_credential x509: certificate has expired or is not yet valid")),
        (None, &[bad], 0, err("bad_credential invalid bearer token")),
        (Some(&failed), &[bad], 0, err("bad_credential [unknown authority, invalid bearer token]")),
    ];
    let authn = authn(Anonymous::Everywhere);
    for (certificate, lines, second, expected) in cases {
        let found = decide(&authn, *certificate, lines, at(*second));
        assert_eq!(found, *expected, "{certificate:?} {lines:?} at {second}");
    }
    assert_eq!(decide(&Authn::default(), None, &[], at(0)), err("no_credential []"));
    // kube-apiserver would not look at the token where no token authenticator is configured.
    let only_anonymous = Authn { anonymous: Anonymous::Everywhere, ..Authn::default() };
    assert_eq!(decide(&only_anonymous, None, &[bad], at(0)), err("bad_credential invalid bearer token"));
}

#[test]
fn a_remembered_token_is_not_judged_again_and_not_taken_beyond_its_end() {
    let memory = Memory::default();
    let headers = headers(&[("authorization", "Bearer good")]);
    let ask = |authn: &Authn, now| {
        let credentials = Credentials { certificate: None, headers: &headers, path: "/", memory: &memory };
        match authn.authenticate(&credentials, now, &Answers::none(), &mut NoTrace) {
            Step::Done(result) => result.map(|authenticated| authenticated.identity.user),
            Step::Ask(question) => panic!("it asks {question:?}"),
        }
    };
    let first = ask(&authn(Anonymous::Refused), at(7)).unwrap();
    let (remembered, then) = memory.0.borrow().get("good").cloned().unwrap();
    assert_eq!(then, at(7));

    // What rests on an older answer is not remembered for longer than that answer.
    let mut answers = Answers::none();
    let object = ObjectRef { kind: ObjectKind::Node, namespace: String::new(), name: "n".into() };
    answers.give_as_of(Question::Object(object), Answer::NotFound, at(3));
    let older = Memory::default();
    let credentials = Credentials { certificate: None, headers: &headers, path: "/", memory: &older };
    let step = authn(Anonymous::Refused).authenticate(&credentials, at(7), &answers, &mut NoTrace);
    assert!(matches!(step, Step::Done(Ok(_))));
    assert_eq!(older.0.borrow().get("good").map(|(_, then)| *then), Some(at(3)));

    let nobody = Authn::default();
    assert!(Arc::ptr_eq(&first, &ask(&nobody, at(8)).unwrap()));

    let identity = Identity { valid_until: Some(at(9)), ..remembered.identity.clone() };
    let ending = TokenUser { identity, ..TokenUser::clone(&remembered) };
    memory.keep("good", &Arc::new(ending), at(7));
    assert!(ask(&nobody, at(9)).is_ok());
    assert!(ask(&nobody, at(10)).is_err());
}

#[test]
fn reviews_as_the_api_server_does() {
    let own = vec!["https://api".to_owned()];
    let accounts = ServiceAccounts {
        keys: ServiceAccountKeys::default(),
        issuers: own.clone(),
        api_audiences: own.clone(),
        lookup: true,
    };
    let authn = Authn { service_accounts: Some(accounts), ..authn(Anonymous::Everywhere) };
    let review = |token: &str, audiences: Option<&[String]>| match authn.review_token(
        token,
        audiences,
        at(0),
        &Answers::none(),
    ) {
        Step::Done(Ok(Authenticated { identity, audiences, .. })) => {
            Ok((identity.user.groups.clone(), audiences))
        }
        Step::Done(Err(refused)) => Err(refused.to_string()),
        Step::Ask(question) => panic!("it asks {question:?}"),
    };
    let alice = Ok((vec!["dev".to_owned(), "system:authenticated".to_owned()], own.clone()));
    assert_eq!(review("good", None), alice);
    assert_eq!(review("good", Some(&own)), alice);
    assert_eq!(review("good", Some(&["vault".to_owned()])), Err("invalid bearer token".to_owned()));
    assert_eq!(review("wrong", None), Err("invalid bearer token".to_owned()));
    assert_eq!(review("a\nb", None), Err("invalid bearer token".to_owned()));
    // {"iss":"https://api"}, signed by nobody.
    let unknown = "e30.eyJpc3MiOiJodHRwczovL2FwaSJ9.AAAA";
    let expected = "[invalid bearer token, invalid signature, no keys found]";
    assert_eq!(review(unknown, None), Err(expected.to_owned()));
}
