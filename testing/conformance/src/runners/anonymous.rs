//! `anonymous.jsonl`: on which paths a request without a credential is served.

use authn::{Anonymous, Authn, Credentials, NoMemory, StaticTokens};
use http::{HeaderMap, HeaderValue, header};
use request::{RequestInfo, RequestInfoError};
use serde::Deserialize;
use types::{Answers, NoTrace, Step, Timestamp, User, group};

use crate::{Case, Flip, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Given {
    anonymous: AnonymousConfig,
    request_target: String,
    bearer_token: String,
    accepted_tokens: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnonymousConfig {
    enabled: bool,
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    path: String,
}

/// Texts of errors are not compared.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Expect {
    result: String,
    user: Option<User>,
}

pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let expected: Expect = case.expect()?;
    let found = decide(case.given()?)?;
    let found = flip.decision(found, |found| match found.user {
        Some(_) => Expect { result: "none".to_owned(), user: None },
        None => Expect { result: "authenticated".to_owned(), user: Some(User::default()) },
    });
    if found == expected { Ok(()) } else { Err(format!("found {found:?}, expected {expected:?}")) }
}

fn decide(given: Given) -> Result<Expect, String> {
    let info = match RequestInfo::parse("GET", &given.request_target) {
        Ok(info) => info,
        Err(RequestInfoError::NoKind { info, .. }) => *info,
        Err(RequestInfoError::Rejected(_)) => {
            return Ok(Expect { result: "http_400".to_owned(), user: None });
        }
    };
    let file: String = given.accepted_tokens.iter().map(|token| format!("{token},u,\n")).collect();
    let (tokens, _) = StaticTokens::parse(&file).map_err(|e| e.to_string())?;
    let paths = given.anonymous.conditions.into_iter().map(|condition| condition.path);
    let authn = Authn {
        static_tokens: Some(tokens),
        anonymous: Anonymous::new(given.anonymous.enabled, paths),
        ..Authn::default()
    };
    let mut headers = HeaderMap::new();
    if !given.bearer_token.is_empty() {
        let value = HeaderValue::try_from(format!("Bearer {}", given.bearer_token));
        headers.insert(header::AUTHORIZATION, value.map_err(|e| e.to_string())?);
    }
    let credentials =
        Credentials { certificate: None, headers: &headers, path: info.path(), memory: &NoMemory };
    let step = authn.authenticate(&credentials, Timestamp::UNIX_EPOCH, &Answers::none(), &mut NoTrace);
    Ok(match step {
        Step::Ask(question) => return Err(format!("it asks {question:?}")),
        Step::Done(Ok(authenticated)) => {
            // The record was made in front of the group adder.
            let mut user = User::clone(&authenticated.identity.user);
            user.groups.retain(|group| group != group::AUTHENTICATED);
            Expect { result: "authenticated".to_owned(), user: Some(user) }
        }
        Step::Done(Err(refused)) => {
            let result = if refused.failures.is_empty() { "none" } else { "error" };
            Expect { result: result.to_owned(), user: None }
        }
    })
}
