use std::{collections::BTreeMap, sync::OnceLock};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_STANDARD};

use types::{Answer, ObjectFacts, ObjectKind, ObjectRef, extra};

use super::*;
use crate::{bearer::BASE64_URL, x509::der};

const NOW: i64 = 1_700_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn key() -> &'static EcdsaKeyPair {
    static KEY: OnceLock<EcdsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

fn ids(pem: &str) -> Result<Vec<String>, NoKeys> {
    let mut keys = ServiceAccountKeys::default();
    keys.add_pem(pem.as_bytes())?;
    Ok(keys.ids().map(ToOwned::to_owned).collect())
}

fn accounts() -> ServiceAccounts {
    let mut keys = ServiceAccountKeys::default();
    keys.add_pem(pem("PUBLIC KEY", key().public_key().as_der().unwrap().as_ref()).as_bytes()).unwrap();
    ServiceAccounts {
        keys,
        issuers: vec!["https://api".into()],
        api_audiences: vec!["https://api".into()],
        lookup: true,
    }
}

fn sign(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", BASE64_URL.encode(header), BASE64_URL.encode(claims));
    let signature = key().sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", BASE64_URL.encode(signature))
}

fn bound(more: &str) -> String {
    let claims = format!(
        r#"{{"iss":"https://api","aud":"https://api","exp":{},"kubernetes.io":{{"namespace":"ns",
            "serviceaccount":{{"name":"sa","uid":"1"}}{more}}}}}"#,
        NOW + 30
    );
    sign(r#"{"alg":"ES256"}"#, &claims)
}

/// Judges, answering every question with `answer`. Gives what was asked, too.
fn judge(token: &str, now: Timestamp, answer: impl Fn(&ObjectRef) -> Answer) -> (TokenAnswer, Vec<String>) {
    let mut answers = Answers::none();
    let mut asked = Vec::new();
    loop {
        match accounts().judge(token, None, now, &answers) {
            Step::Done(answer) => return (answer, asked),
            Step::Ask(Question::Access(review)) => panic!("asks {review:?}"),
            Step::Ask(Question::Object(object)) => {
                asked.push(format!("{:?} {}/{}", object.kind, object.namespace, object.name));
                answers.give(Question::Object(object.clone()), answer(&object));
            }
        }
    }
}

fn there(_: &ObjectRef) -> Answer {
    Answer::Object(ObjectFacts { uid: "1".into(), ..ObjectFacts::default() })
}

#[test]
fn asks_for_what_a_token_is_bound_to_and_nothing_else() {
    let check = |more: &str, expected: &[&str], good: bool| {
        let (answer, asked) = judge(&bound(more), at(NOW), there);
        assert_eq!(asked, expected, "{more}");
        assert_eq!(matches!(answer, TokenAnswer::Accepted(_)), good, "{more}: {answer:?}");
    };
    let account = "ServiceAccount ns/sa";
    let node = r#","node":{"name":"n","uid":"1"}"#;
    check("", &[account], true);
    check(node, &[account, "Node /n"], true);
    check(&format!(r#"{node},"pod":{{"name":"p","uid":"1"}}"#), &[account, "Pod ns/p"], true);
    check(r#","secret":{"name":"s","uid":"1"}"#, &[account, "Secret ns/s"], true);
    check(r#","pod":{"name":"p","uid":"2"}"#, &[account, "Pod ns/p"], false);
    // What is no name of an object must not become a path.
    for name in ["", ".", "..", "a/b", "%2e"] {
        check(&format!(r#","pod":{{"name":"{name}","uid":"1"}}"#), &[account], false);
    }
    // Nothing is asked for a token that is no good by itself.
    let (_, asked) = judge(&bound("").replace('.', ".A"), at(NOW), there);
    assert_eq!(asked, [""; 0]);
    let (_, asked) = judge(&bound(""), at(NOW + 91), there);
    assert_eq!(asked, [""; 0]);
}

#[test]
fn is_good_until_its_end_or_that_of_what_it_is_bound_to() {
    let check = |deleted: Option<i64>, expected: i64| {
        let answer = |_: &ObjectRef| {
            let deletion_timestamp = deleted.map(at);
            Answer::Object(ObjectFacts { uid: "1".into(), deletion_timestamp, ..ObjectFacts::default() })
        };
        let (TokenAnswer::Accepted(token), _) = judge(&bound(""), at(NOW), answer) else {
            panic!("{deleted:?} is not accepted");
        };
        assert_eq!(token.identity.valid_until, Some(at(expected)), "{deleted:?}");
        assert!(matches!(judge(&bound(""), at(expected), answer).0, TokenAnswer::Accepted(_)));
        assert!(matches!(judge(&bound(""), at(expected + 1), answer).0, TokenAnswer::Refused(..)));
    };
    check(None, NOW + 90);
    check(Some(NOW + 20), NOW + 80);
    check(Some(NOW + 40), NOW + 90);
    check(Some(NOW - 50), NOW + 10);
}

#[test]
fn a_pod_is_told_whole_or_not() {
    let told = |uid: &'static str| {
        let token = bound(&format!(r#","pod":{{"name":"p","uid":"{uid}"}}"#));
        let answer = |object: &ObjectRef| {
            let uid = if object.kind == ObjectKind::Pod { uid } else { "1" };
            Answer::Object(ObjectFacts { uid: uid.into(), ..ObjectFacts::default() })
        };
        match judge(&token, at(NOW), answer).0 {
            TokenAnswer::Accepted(token) => token.identity.user.extra.clone(),
            other => panic!("{other:?}"),
        }
    };
    let whole = [(extra::POD_NAME, "p"), (extra::POD_UID, "2")];
    assert_eq!(told("2"), whole.map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).into());
    assert_eq!(told(""), BTreeMap::new());
}

#[test]
fn what_cannot_be_found_out_is_no_yes() {
    let refused = |answer: Answer| match judge(&bound(""), at(NOW), |_| answer.clone()).0 {
        TokenAnswer::Refused(failures, _) => (failures[0].message.to_string(), failures[0].unanswered),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Answer::NotFound), (r#"serviceaccounts "sa" not found"#.into(), false));
    assert_eq!(refused(Answer::Failed("timeout".into())), ("timeout".into(), true));
}

#[test]
fn headers_decide_as_in_go_jose() {
    let claims = r#"{"iss":"https://api","kubernetes.io":{"namespace":"ns","serviceaccount":{"name":"sa","uid":"1"}}}"#;
    let check = |header: &str, expected: &str| {
        let found = match judge(&sign(header, claims), at(NOW), there).0 {
            TokenAnswer::Accepted(_) => "accepted",
            TokenAnswer::NoOpinion => "none",
            TokenAnswer::Refused(..) => "refused",
        };
        assert_eq!(found, expected, "{header}");
    };
    check(r#"{"alg":"ES256"}"#, "accepted");
    check(r#"{"alg":"ES256","kid":null,"x":{"y":[1]}}"#, "accepted");
    check(r#"{"alg":"ES256","crit":["b64"],"b64":true}"#, "accepted");
    check(r#"{"alg":"ES256","crit":["b64"],"b64":false}"#, "refused");
    check(r#"{"alg":"ES256","crit":["b64",null]}"#, "refused");
    check(r#"{"alg":"ES256","crit":[]}"#, "accepted");
    check(r#"{"alg":"ES256","crit":"b64"}"#, "refused");
    check(r#"{"alg":"ES256","jwk":{}}"#, "refused");
    check(r#"{"alg":"ES256","jwk":null}"#, "accepted");
    check(r#"{"alg":"ES384"}"#, "refused");
    check("null", "refused");
    check("", "refused");
    check("[]", "none");
    check(r#"{"alg":"ES256","x":{"y":1,"y":2}}"#, "none");
}

#[test]
fn one_key_has_one_identifier_in_every_form() {
    let public = key().public_key().as_der().unwrap();
    let expected = BASE64_URL.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public.as_ref()));
    let sec1 = key().private_key().as_der().unwrap();
    let pkcs8 = key().to_pkcs8v1().unwrap();
    let signer = rcgen::KeyPair::try_from(pkcs8.as_ref()).unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&signer).unwrap();
    assert_eq!(ids(&pem("PUBLIC KEY", public.as_ref())), Ok(vec![expected.clone()]));
    // The label plays no part, and what is no key is passed over.
    let several = [pem("X", sec1.as_ref()), pem("EC PARAMETERS", &[5, 0]), certificate.pem()].concat();
    assert_eq!(ids(&several), Ok(vec![expected.clone(), expected]));
    assert_eq!(ids(&pem("PRIVATE KEY", pkcs8.as_ref())), Err(NoKeys));
    assert_eq!(ids(""), Err(NoKeys));

    let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let public = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(rsa.public_key()).unwrap();
    let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).unwrap();
    let mut fields = der::Reader::new(pkcs8.as_ref()).nested(der::tag::SEQUENCE).unwrap();
    fields.integer().unwrap();
    fields.any().unwrap();
    let pkcs1 = fields.body(der::tag::OCTET_STRING).unwrap();
    let expected = ids(&pem("PUBLIC KEY", public.as_ref())).unwrap();
    assert_eq!(
        expected,
        [BASE64_URL.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public.as_ref()))]
    );
    assert_eq!(ids(&pem("PRIVATE KEY", pkcs8.as_ref())), Ok(expected.clone()));
    assert_eq!(ids(&pem("RSA PRIVATE KEY", pkcs1)), Ok(expected));
}
