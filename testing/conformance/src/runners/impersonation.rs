//! `impersonation.jsonl` and `constrained_impersonation.jsonl`: requests with `Impersonate-*` headers,
//! one after another through one filter.

use authz::{
    Authz, DenyList, Impersonation, Mode,
    rbac::{Rbac, RbacObject},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use request::RequestInfo;
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Answers, Attributes, Decision, NoTrace, Step, Timestamp, User};

use super::request_info::{show_fields, show_labels, show_selector};
use crate::{
    Case, Flip, Outcome,
    given::{GivenUser, world},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    objects: Vec<RbacObject>,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    user: GivenUser,
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expect {
    results: Option<Vec<Value>>,
    #[serde(default)]
    results_any_of: Vec<Vec<Value>>,
}

/// The filter that 1.36 runs by default.
pub(super) fn constrained(case: &Case, flip: &mut Flip) -> Outcome {
    run(case, &Impersonation::new(true), flip)
}

/// The filter that runs with the feature gate off.
pub(super) fn legacy(case: &Case, flip: &mut Flip) -> Outcome {
    run(case, &Impersonation::new(false), flip)
}

fn run(case: &Case, impersonation: &Impersonation, flip: &mut Flip) -> Outcome {
    let Given { objects, requests } = case.given()?;
    let Expect { results, results_any_of } = case.expect()?;
    let authz = Authz::new(DenyList::default(), vec![Mode::Rbac(Rbac::new(world(objects, "")?))]);
    let found: Result<Vec<Value>, String> =
        requests.into_iter().map(|request| filter(impersonation, &authz, request, flip)).collect();
    let found: Vec<Value> = found?.iter().map(without_empty).collect();
    let accepted: Vec<Vec<Value>> =
        results.into_iter().chain(results_any_of).map(|r| r.iter().map(without_empty).collect()).collect();
    if accepted.contains(&found) {
        return Ok(());
    }
    Err(format!("found {}, expected {}", Value::from(found), json!(accepted)))
}

/// One request, as the vectors write what becomes of it.
fn filter(
    impersonation: &Impersonation,
    authz: &Authz,
    request: Request,
    flip: &mut Flip,
) -> Result<Value, String> {
    let requester: User = request.user.into();
    let info = RequestInfo::parse(&request.method, &request.uri).map_err(|error| error.to_string())?;
    let mut headers = received(&request.headers)?;
    let mut authorized = Vec::new();
    let mut authorize = |at: &Attributes<'_>| {
        let step = authz.decide(at, Timestamp::UNIX_EPOCH, &Answers::none(), &mut NoTrace);
        let Step::Done(mut opinion) = step else { return step };
        opinion.decision = flip.authorization(opinion.decision);
        authorized.push(check(at, &requester, opinion.decision));
        Step::Done(opinion)
    };
    let decided = match impersonation.requested(&mut headers) {
        Err(status) => Err(status),
        Ok(None) => Ok(None),
        Ok(Some(wanted)) => {
            let at = info.attributes(&requester);
            match impersonation.decide(&wanted, &at, Timestamp::UNIX_EPOCH, &mut authorize) {
                Step::Done(decided) => decided.map(Some),
                Step::Ask(question) => return Err(format!("asks {question:?}")),
            }
        }
    };
    let mut found = match decided {
        Err(status) => serde_json::to_value(&*status).map_err(|error| error.to_string())?,
        Ok(impersonated) => {
            let constraint = impersonated.as_ref().and_then(|i| i.constraint());
            let user = impersonated.as_ref().map_or(&requester, |i| &i.user);
            json!({ "effective": {
                "user": shown(user),
                "impersonated": impersonated.is_some(),
                "constraint": constraint,
                "remainingHeaders": remaining(&headers),
            }})
        }
    };
    if let Some(status) = found.as_object_mut()
        && let Some(code) = status.remove("code")
    {
        status.retain(|member, _| matches!(member.as_str(), "reason" | "message" | "details"));
        status.insert("status".to_owned(), code);
    }
    found.as_object_mut().ok_or("no object")?.insert("authorized".to_owned(), authorized.into());
    Ok(found)
}

/// The headers as the HTTP layer hands them over: without blanks around values.
fn received(given: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        let value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes())
            .map_err(|error| error.to_string())?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// What is left of the headers, spelt as Go spells them.
fn remaining(headers: &HeaderMap) -> Vec<String> {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    };
    let spelt = |name: &HeaderName| name.as_str().split('-').map(capital).collect::<Vec<_>>().join("-");
    let mut names: Vec<String> = headers.keys().map(spelt).collect();
    names.sort_unstable();
    names
}

fn shown(User { name, uid, groups, extra }: &User) -> Value {
    json!({ "name": name, "uid": uid, "groups": groups, "extra": extra })
}

fn check(at: &Attributes<'_>, requester: &User, decision: Decision) -> Value {
    json!({
        "user": (at.user != requester).then(|| shown(at.user)),
        "decision": format!("{decision:?}"),
        "verb": at.verb,
        "resourceRequest": at.resource_request,
        "namespace": at.namespace,
        "apiGroup": at.api_group,
        "apiVersion": at.api_version,
        "resource": at.resource,
        "subresource": at.subresource,
        "name": at.name,
        "path": at.path,
        "fieldSelector": show_selector(&at.selectors.field, show_fields),
        "labelSelector": show_selector(&at.selectors.label, show_labels),
    })
}

/// In these files an absent member is an empty one.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| {
                let is_error = name == "error" && member.is_string();
                (name.clone(), if is_error { true.into() } else { without_empty(member) })
            });
            let empty = |member: &Value| {
                matches!(member, Value::Null | Value::Bool(false))
                    || member.as_str().is_some_and(str::is_empty)
                    || member.as_array().is_some_and(Vec::is_empty)
                    || member.as_object().is_some_and(serde_json::Map::is_empty)
            };
            Value::Object(members.filter(|(_, member)| !empty(member)).collect())
        }
        Value::Array(members) => members.iter().map(without_empty).collect(),
        other => other.clone(),
    }
}
