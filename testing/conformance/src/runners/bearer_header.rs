//! `bearer_header.jsonl`: where a token may stand in a request, and what is left of its headers.

use authn::{AuthnFailure, Identity, Remarks, TokenAnswer, TokenUser, Unauthorized, bearer};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use types::{Step, User};

use crate::{Case, Flip, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Given {
    headers: Option<Vec<(String, String)>>,
    accepted_tokens: Vec<String>,
    broken_tokens: Vec<String>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Expect {
    result: String,
    tokens_tried: Vec<String>,
    warnings: Vec<String>,
    headers_after: Vec<(String, String)>,
}

pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let mut expected: Expect = case.expect()?;
    for (name, _) in &mut expected.headers_after {
        name.make_ascii_lowercase();
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given.headers.iter().flatten() {
        // The white space around a value is no part of it; whoever reads the request drops it.
        let value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes());
        let name = HeaderName::try_from(name).map_err(|e| e.to_string())?;
        headers.append(name, value.map_err(|e| e.to_string())?);
    }

    let mut tokens_tried = Vec::new();
    let judge = |token: &str| {
        tokens_tried.push(token.to_owned());
        let listed = |list: &[String]| list.iter().any(|listed| listed == token);
        Step::Done(if listed(&given.accepted_tokens) {
            TokenAnswer::Accepted(
                TokenUser {
                    identity: Identity { user: User::new("u", [""; 0]).into(), valid_until: None },
                    audiences: Vec::new(),
                    remarks: Remarks::default(),
                }
                .into(),
            )
        } else if listed(&given.broken_tokens) {
            let failure = AuthnFailure::bad("token authenticator failed");
            TokenAnswer::Refused(vec![failure], Remarks::default())
        } else {
            TokenAnswer::NoOpinion
        })
    };
    let mut refused = Unauthorized::default();
    let Step::Done(outcome) = bearer::authenticate(&headers, &mut refused, judge) else {
        return Err("it asks a question".to_owned());
    };
    let result = match (&outcome, refused.failures.is_empty()) {
        (Some(_), _) => "authenticated",
        (None, false) => "error",
        (None, true) => "none",
    };
    let result = flip.decision(result, |result| if result == "none" { "authenticated" } else { "none" });
    if let Some((_, consumed)) = &outcome {
        consumed.strip(&mut headers);
    }
    let found = Expect {
        result: result.to_owned(),
        tokens_tried,
        warnings: refused.remarks.warnings.iter().map(ToString::to_string).collect(),
        headers_after: sorted(&headers),
    };
    if found == expected { Ok(()) } else { Err(format!("found {found:?}, expected {expected:?}")) }
}

/// By name; values of one name stay in order.
fn sorted(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut sorted: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    sorted
}
