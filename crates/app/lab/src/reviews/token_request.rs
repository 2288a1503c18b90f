//! `TokenRequest`: a service account's token, signed.

use serde_json::{Value, json};
use types::{Status, StatusDetails, StatusReason, Timestamp};

use super::{bad_request, internal};
use crate::{
    environment::{
        SigningKey, TokenClaims,
        token::{AUDIENCE, BoundTo, ISSUER, Named},
    },
    object::{self, default, list, number, set, text},
    registry::FieldError,
    rest::{ReviewCall, invalid, seconds},
    store::Key,
};

const GROUP: &str = "authentication.k8s.io";
/// UPSTREAM: asked for or not, no token is valid for less (kube-apiserver 1.36)
const SHORTEST: i64 = 10 * 60;
const LONGEST: i64 = 1 << 32;
const DEFAULT: i64 = 60 * 60;

pub(super) fn answer(key: &SigningKey, call: &ReviewCall<'_>) -> Result<Value, Status> {
    let mut request = call.object.clone();
    for (member, of_path, of) in [
        ("name", call.name, "service account name"),
        ("namespace", call.namespace, "service account namespace"),
    ] {
        let given = text(&request, &format!("/metadata/{member}")).to_owned();
        if !given.is_empty() && given != of_path {
            let detail = format!("must match the {of} if specified");
            let wrong = FieldError::invalid(format!("metadata.{member}"), &given.into(), &detail);
            return Err(invalid(GROUP, "TokenRequest", call.name, vec![wrong]));
        }
        set(&mut request, &["metadata", member], of_path);
    }
    if request.pointer("/spec/expirationSeconds").is_none_or(Value::is_null) {
        set(&mut request, &["spec", "expirationSeconds"], DEFAULT);
    }
    if list(&request, "/spec/audiences").is_empty() {
        set(&mut request, &["spec", "audiences"], json!([AUDIENCE]));
    }
    set(&mut request, &["metadata", "creationTimestamp"], seconds(call.now));
    let lifetime = lifetime(&request)?;
    let bound = bound(call, &request)?;
    let audiences =
        list(&request, "/spec/audiences").iter().filter_map(|a| a.as_str().map(Into::into)).collect();
    let claims = TokenClaims::new(ISSUER, audiences, bound, call.now, lifetime);
    let token = key.sign(&claims).map_err(|error| internal(&error))?;
    let expires = Timestamp::from_second(claims.expires).map_err(|error| internal(&error))?;
    set(&mut request, &["status"], json!({"token": token.expose(), "expirationTimestamp": seconds(expires)}));
    default(&mut request, &["kind"], "TokenRequest");
    Ok(request)
}

fn lifetime(request: &Value) -> Result<i64, Status> {
    let asked = number(request, "/spec/expirationSeconds");
    let detail = match asked {
        ..SHORTEST => "may not specify a duration less than 10 minutes",
        SHORTEST..=LONGEST => return Ok(asked),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let wrong = FieldError::invalid("spec.expirationSeconds", &asked.into(), detail);
    Err(invalid(GROUP, "TokenRequest", "", vec![wrong]))
}

/// The objects that the token will live and die with.
fn bound(call: &ReviewCall<'_>, request: &Value) -> Result<BoundTo, Status> {
    let account = get(call, "serviceaccounts", call.namespace, call.name)?;
    let mut bound = BoundTo {
        namespace: call.namespace.to_owned(),
        node: None,
        pod: None,
        secret: None,
        service_account: named(&account),
    };
    let Some(reference) = request.pointer("/spec/boundObjectRef").filter(|reference| !reference.is_null())
    else {
        return Ok(bound);
    };
    let (api_version, kind) = (text(reference, "/apiVersion"), text(reference, "/kind"));
    let name = text(reference, "/name");
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let uid = match (group, kind) {
        ("", "Pod") => {
            let pod = get(call, "pods", call.namespace, name)?;
            let account = text(&pod, "/spec/serviceAccountName");
            if account != call.name {
                return Err(bad_request(format!(
                    "cannot bind token for serviceaccount {:?} to pod running with serviceaccount {account:?}",
                    call.name
                )));
            }
            let node = text(&pod, "/spec/nodeName");
            if !node.is_empty() {
                // A node that is gone is still where the pod ran; it has no UID to check.
                let found = call.store.get(&Key::new("nodes", "", node));
                bound.node = Some(found.map_or_else(
                    || Named { name: node.to_owned(), uid: String::new() },
                    |node| named(&node),
                ));
            }
            &bound.pod.insert(named(&pod)).uid
        }
        ("", "Secret") => {
            let secret = get(call, "secrets", call.namespace, name)?;
            &bound.secret.insert(named(&secret)).uid
        }
        ("", "Node") => {
            let node = get(call, "nodes", "", name)?;
            &bound.node.insert(named(&node)).uid
        }
        _ => {
            let kind = format!("{api_version}, Kind={kind}");
            // A core type prints with an empty group in front.
            let kind = if group.is_empty() { format!("/{kind}") } else { kind };
            return Err(bad_request(format!("cannot bind token to object of type {kind}")));
        }
    };
    let wanted = text(reference, "/uid");
    if !wanted.is_empty() && wanted != uid {
        let message = format!(
            "Operation cannot be fulfilled on {kind} {name:?}: the UID in the bound object reference ({wanted}) does \
             not match the UID in record. The object might have been deleted and then recreated"
        );
        let details = StatusDetails { name: name.into(), kind: kind.into(), ..StatusDetails::default() };
        return Err(Status::failure(409, StatusReason::Conflict, message).with_details(details));
    }
    Ok(bound)
}

fn get(
    call: &ReviewCall<'_>,
    resource: &str,
    namespace: &str,
    name: &str,
) -> Result<std::sync::Arc<Value>, Status> {
    call.store.get(&Key::new(resource, namespace, name)).ok_or_else(|| {
        let details = StatusDetails { name: name.into(), kind: resource.into(), ..StatusDetails::default() };
        Status::failure(404, StatusReason::NotFound, format!("{resource} {name:?} not found"))
            .with_details(details)
    })
}

fn named(object: &Value) -> Named {
    Named { name: object::name(object).to_owned(), uid: object::uid(object).to_owned() }
}
