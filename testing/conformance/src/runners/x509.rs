//! `x509.jsonl`: whom a client certificate stands for.

use authn::{
    pem,
    x509::{ClientCa, Options, Presented},
};
use jiff::Timestamp;
use serde::Deserialize;
use types::User;

use crate::{Case, Flip, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Given {
    #[serde(rename = "clientCertificatesPEM")]
    client_certificates: String,
    #[serde(rename = "caBundlePEM")]
    ca_bundle: String,
    now: Timestamp,
    #[serde(rename = "allowParsingUserUIDFromCertAuth")]
    uid_from_subject: bool,
}

/// What is compared; error texts are not.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    result: String,
    user: Option<User>,
    error_category: Option<String>,
}

pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let expected: Verdict = case.expect()?;
    let found = flip.decision(decide(&case.given()?), |verdict| match verdict.user {
        Some(_) => Verdict::of("none"),
        None => Verdict { user: Some(User::default()), ..Verdict::of("authenticated") },
    });
    if found == expected { Ok(()) } else { Err(format!("found {found:?}, expected {expected:?}")) }
}

fn decide(given: &Given) -> Verdict {
    let blocks = pem::blocks(given.client_certificates.as_bytes());
    let Ok(presented) = Presented::parse(blocks.iter().map(|block| block.data.as_slice())) else {
        return Verdict {
            error_category: Some("unparseable_certificate".to_owned()),
            ..Verdict::of("handshake_failure")
        };
    };
    // An empty bundle is how a case says that there is no client CA, and so no authenticator.
    if given.ca_bundle.is_empty() {
        return Verdict::of("none");
    }
    let Ok(ca) = ClientCa::from_pem(given.ca_bundle.as_bytes()) else {
        return Verdict::of("ca_load_error");
    };
    let options = Options { uid_from_subject: given.uid_from_subject };
    match ca.authenticate(&presented, given.now, options) {
        Ok(Some(identity)) => {
            Verdict { user: Some((*identity.user).clone()), ..Verdict::of("authenticated") }
        }
        Ok(None) => Verdict::of("none"),
        Err(refusal) => {
            Verdict { error_category: Some(refusal.category().to_owned()), ..Verdict::of("error") }
        }
    }
}

impl Verdict {
    fn of(result: &str) -> Self {
        Self { result: result.to_owned(), user: None, error_category: None }
    }
}
