//! `SubjectAccessReview` and its two kin: may they?

use std::collections::BTreeMap;

use authz::Authz;
use serde::Deserialize;
use serde_json::{Value, json};
use types::{
    Answers, Attributes, Decision, NoTrace, Status, Step, User,
    selector::{SelectorError, Selectors},
};

use super::{internal, question_again};
use crate::{
    object::{list, map, set, text},
    registry::{FieldError, Review},
    rest::{ReviewCall, invalid},
};

pub(super) fn answer(authz: &Authz, call: &ReviewCall<'_>) -> Result<Value, Status> {
    let mut answer = question_again(call);
    let wrong = check(call.review, &answer);
    if !wrong.is_empty() {
        // UPSTREAM: the kind stands empty in these refusals (kube-apiserver 1.36)
        return Err(invalid("authorization.k8s.io", "", "", wrong));
    }
    let spec = call.object.get("spec").unwrap_or(&Value::Null);
    let subject = match call.review {
        Review::SelfSubjectAccessReview => call.user.clone(),
        _ => subject(spec)?,
    };
    let selectors = selectors(spec);
    let attributes = attributes(spec, &subject, &selectors);
    // RBAC asks nothing; a question would mean an authorizer that the lab does not have.
    let Step::Done(opinion) = authz.decide(&attributes, call.now, &Answers::none(), &mut NoTrace) else {
        return Err(internal(&"the authorizer cannot decide"));
    };
    let mut status = json!({"allowed": opinion.decision == Decision::Allow});
    if opinion.decision == Decision::Deny {
        set(&mut status, &["denied"], true);
    }
    if !opinion.reason.is_empty() {
        set(&mut status, &["reason"], &*opinion.reason);
    }
    let errors = [
        opinion.error.map(|error| error.to_string()),
        unparsed("fieldSelector", selectors.field.as_ref().err()),
        unparsed("labelSelector", selectors.label.as_ref().err()),
    ];
    let errors: Vec<String> = errors.into_iter().flatten().collect();
    if !errors.is_empty() {
        set(&mut status, &["evaluationError"], errors.join("; "));
    }
    set(&mut answer, &["status"], status);
    Ok(answer)
}

fn check(review: Review, question: &Value) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let at = |member: &str| question.pointer(&format!("/spec/{member}")).filter(|value| !value.is_null());
    let (resource, path) = (at("resourceAttributes"), at("nonResourceAttributes"));
    if resource.is_some()
        && let Some(path) = path
    {
        let detail = "cannot be specified in combination with resourceAttributes";
        wrong.push(FieldError::invalid("spec.nonResourceAttributes", path, detail));
    }
    if resource.is_none() && path.is_none() {
        let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        wrong.push(FieldError::invalid("spec.resourceAttributes", &Value::Null, detail));
    }
    if review != Review::SelfSubjectAccessReview
        && text(question, "/spec/user").is_empty()
        && list(question, "/spec/groups").is_empty()
    {
        wrong.push(FieldError::invalid(
            "spec.user",
            &"".into(),
            "at least one of user or group must be specified",
        ));
    }
    wrong.extend(check_metadata(review, question));
    if review == Review::LocalSubjectAccessReview {
        let asked = text(question, "/spec/resourceAttributes/namespace");
        if resource.is_some() && asked != text(question, "/metadata/namespace") {
            let detail = "must match metadata.namespace";
            wrong.push(FieldError::invalid("spec.resourceAttributes.namespace", &asked.into(), detail));
        }
        if let Some(path) = path {
            let detail = "disallowed on this kind of request";
            wrong.push(FieldError::invalid("spec.nonResourceAttributes", path, detail));
        }
    }
    wrong
}

fn check_metadata(review: Review, question: &Value) -> Option<FieldError> {
    let local = review == Review::LocalSubjectAccessReview;
    let metadata = map(question, "/metadata")?;
    let is_known = |name: &str| name == "managedFields" || (local && name == "namespace");
    if metadata.iter().all(|(name, value)| is_known(name) || value.is_null()) {
        return None;
    }
    let detail = if local { "must be empty except for namespace" } else { "must be empty" };
    Some(FieldError::invalid("metadata", &Value::Object(metadata.clone()), detail))
}

/// The user that the question is about.
fn subject(spec: &Value) -> Result<User, Status> {
    let read = |member: &str| spec.get(member).filter(|value| !value.is_null());
    let groups: Vec<String> = match read("groups") {
        Some(groups) => Deserialize::deserialize(groups).map_err(|error| internal(&error))?,
        None => Vec::new(),
    };
    let extra: BTreeMap<String, Vec<String>> = match read("extra") {
        Some(extra) => Deserialize::deserialize(extra).map_err(|error| internal(&error))?,
        None => BTreeMap::new(),
    };
    Ok(User { uid: text(spec, "/uid").to_owned(), extra, ..User::new(text(spec, "/user"), groups) })
}

fn attributes<'a>(spec: &'a Value, user: &'a User, selectors: &'a Selectors) -> Attributes<'a> {
    let resource = spec.get("resourceAttributes").filter(|attributes| !attributes.is_null());
    let of = |member: &str| resource.map_or("", |resource| text(resource, member));
    Attributes {
        user,
        verb: if resource.is_some() { of("/verb") } else { text(spec, "/nonResourceAttributes/verb") },
        resource_request: resource.is_some(),
        namespace: of("/namespace"),
        api_group: of("/group"),
        api_version: Some(of("/version")).filter(|version| !version.is_empty()).unwrap_or("*"),
        resource: of("/resource"),
        subresource: of("/subresource"),
        name: of("/name"),
        path: text(spec, "/nonResourceAttributes/path"),
        selectors,
    }
}

/// Selectors as text. Requirements listed one by one are left out: RBAC reads neither.
fn selectors(spec: &Value) -> Selectors {
    Selectors::parse(
        text(spec, "/resourceAttributes/fieldSelector/rawSelector"),
        text(spec, "/resourceAttributes/labelSelector/rawSelector"),
    )
}

fn unparsed(selector: &str, error: Option<&SelectorError>) -> Option<String> {
    error.map(|_| format!("spec.resourceAttributes.{selector} ignored due to parse error"))
}
