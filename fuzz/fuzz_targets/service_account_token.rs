//! Text that may be a token, or changes to a good one: nobody is let in unless the payload is the one
//! that was signed.
#![no_main]

use std::sync::LazyLock;

use authn::{ServiceAccountKeys, ServiceAccounts, TokenAnswer};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use types::{Answer, Answers, ObjectFacts, Step, Timestamp};

/// Signed with a key that nobody has any more.
const GOOD: &str = include_str!("../data/token.txt");

static ACCOUNTS: LazyLock<ServiceAccounts> = LazyLock::new(|| {
    let mut keys = ServiceAccountKeys::default();
    keys.add_pem(include_bytes!("../data/service-account-key.pem")).expect("a good key");
    let issuers = vec!["https://issuer".to_owned()];
    ServiceAccounts { keys, issuers, api_audiences: vec!["api".to_owned()], lookup: true }
});

fuzz_target!(|text: &str| {
    judge(text);
    // Else what is given is laid over header and payload of the good token, or put in its places.
    let good: Vec<&str> = GOOD.trim().split('.').collect();
    let [header, payload, signature] = good.as_slice() else { panic!("the good token is damaged") };
    if let Ok(Value::Object(changes)) = serde_json::from_str(text) {
        judge(&[&*overlay(header, &changes), payload, signature].join("."));
        judge(&[header, &*overlay(payload, &changes), signature].join("."));
        judge(&[&*overlay(header, &changes), &overlay(payload, &changes), signature].join("."));
    } else {
        let encoded = BASE64.encode(text);
        for parts in
            [[&*encoded, payload, signature], [header, &*encoded, signature], [header, payload, &*encoded]]
        {
            judge(&parts.join("."));
        }
    }
    assert!(judge(GOOD.trim()), "the good token is good");
});

fn overlay(part: &str, changes: &Map<String, Value>) -> String {
    let decoded = BASE64.decode(part).expect("the good token is good");
    let mut members: Map<String, Value> = serde_json::from_slice(&decoded).expect("JSON");
    members.extend(changes.clone());
    BASE64.encode(serde_json::to_vec(&members).expect("JSON"))
}

/// Whether somebody is let in, where every object exists with the UID `u`.
fn judge(token: &str) -> bool {
    let now = Timestamp::from_second(1_800_000_000).expect("a moment");
    let mut answers = Answers::none();
    let user = loop {
        match ACCOUNTS.judge(token, None, now, &answers) {
            Step::Ask(question) => {
                assert!(answers.len() < 8, "it asks for ever");
                answers.give(
                    question,
                    Answer::Object(ObjectFacts { uid: "u".into(), ..ObjectFacts::default() }),
                );
            }
            Step::Done(TokenAnswer::Accepted(user)) => break user,
            Step::Done(_) => return false,
        }
    };
    let payload = |token: &str| {
        let part: String = token.split('.').nth(1)?.chars().filter(|c| !c.is_whitespace()).collect();
        BASE64.decode(part).ok()
    };
    assert_eq!(payload(token), payload(GOOD), "{token}");
    assert_eq!(user.identity.user.name, "system:serviceaccount:ns:sa");
    true
}
