//! `authz_config_invalid.jsonl`: a file in, the chain or the errors out.

use std::path::Path;

use authz::webhook::{FailurePolicy, ReviewVersion};
use config::authorization::{
    self, AuthorizationConfigError, Authorizer, AuthorizerKind, ConnectionInfo, WebhookConfiguration,
};
use serde::Deserialize;
use serde_json::{Value, json};
use types::duration;

use crate::{Case, Flip, HOME, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    yaml: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    ok: bool,
    loaded: Option<Value>,
    #[serde(default)]
    errors: Vec<String>,
}

/// Stands in front of errors that are compared by presence.
const DECODING: &str = "failed to load AuthorizationConfiguration from file: ";

pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let expect: Expect = case.expect()?;
    // Any regular file that surely is there.
    let file = Path::new(HOME).join("Cargo.toml").display().to_string();
    let yaml = given.yaml.replace("${KUBECONFIG}", &file);
    let parsed = authorization::parse("authz.yaml", yaml.as_bytes());
    if flip.decision(parsed.is_ok(), |ok| !ok) != expect.ok {
        return Err(format!("found {parsed:?}, expected {}", case.expect));
    }
    match parsed {
        Ok(authorizers) => {
            let mut found = json!({"authorizers": authorizers.iter().map(shown).collect::<Vec<_>>()});
            let text = serde_json::to_string(&found).unwrap_or_default();
            found = serde_json::from_str(&text.replace(&file, "${KUBECONFIG}")).unwrap_or_default();
            if Some(&found) != expect.loaded.as_ref() {
                return Err(format!("found {found}, expected {}", case.expect));
            }
        }
        Err(AuthorizationConfigError::Invalid(found)) => {
            // What no field is to blame for has no path.
            let told = |error: &config::yaml::FieldError| match error.path.as_str() {
                "" => error.message.clone(),
                path => format!("{path}: {}", error.message),
            };
            let found: Vec<String> = found.iter().map(told).collect();
            let same = found.len() == expect.errors.len()
                && found.iter().zip(&expect.errors).all(|(found, expected)| is_same(found, expected));
            if !same {
                return Err(format!("found {found:#?}, expected {:#?}", expect.errors));
            }
        }
        Err(AuthorizationConfigError::Yaml(error)) => decoding(&error.to_string(), &expect)?,
        Err(AuthorizationConfigError::Decode(error)) => decoding(&error.to_string(), &expect)?,
    }
    Ok(())
}

fn decoding(found: &str, expect: &Expect) -> Outcome {
    match expect.errors.as_slice() {
        [one] if one.starts_with(DECODING) => Ok(()),
        _ => Err(format!("found {found}, expected {:#?}", expect.errors)),
    }
}

/// Of what an expression's compiler says, the place and that the value is invalid.
fn is_same(found: &str, expected: &str) -> bool {
    const INVALID: &str = ".expression: Invalid value: ";
    match (found.split_once(INVALID), expected.split_once(INVALID)) {
        (Some((found, _)), Some((expected, _))) => found == expected,
        _ => found == expected,
    }
}

fn shown(authorizer: &Authorizer) -> Value {
    let (name, kind) = (&authorizer.name, authorizer.kind.name());
    match &authorizer.kind {
        AuthorizerKind::Webhook(webhook) => {
            json!({"name": name, "type": kind, "webhook": shown_webhook(webhook)})
        }
        _ => json!({"name": name, "type": kind}),
    }
}

fn shown_webhook(webhook: &WebhookConfiguration) -> Value {
    let duration = |duration: std::time::Duration| duration::format(duration.as_nanos() as i64);
    let (kind, file) = match &webhook.connection_info {
        ConnectionInfo::InClusterConfig => ("InClusterConfig", None),
        ConnectionInfo::KubeConfigFile(file) => ("KubeConfigFile", Some(file.display().to_string())),
    };
    let conditions: Vec<Value> = webhook
        .match_conditions
        .iter()
        .map(|condition| json!({"expression": condition.expression()}))
        .collect();
    json!({
        "authorizedTTL": duration(webhook.authorized_ttl),
        "cacheAuthorizedRequests": webhook.cache_authorized_requests,
        "cacheUnauthorizedRequests": webhook.cache_unauthorized_requests,
        "connectionInfo": {"kubeConfigFile": file, "type": kind},
        "failurePolicy": match webhook.failure_policy {
            FailurePolicy::NoOpinion => "NoOpinion",
            FailurePolicy::Deny => "Deny",
        },
        "matchConditionSubjectAccessReviewVersion": webhook.match_condition_subject_access_review_version,
        "matchConditions": if conditions.is_empty() { Value::Null } else { conditions.into() },
        "subjectAccessReviewVersion": match webhook.subject_access_review_version {
            ReviewVersion::V1 => "v1",
            ReviewVersion::V1Beta1 => "v1beta1",
        },
        "timeout": duration(webhook.timeout),
        "unauthorizedTTL": duration(webhook.unauthorized_ttl),
    })
}
