//! What kube-apiserver demands of an AuthorizationConfiguration, in its order and words.

use std::{collections::HashSet, io, path::Path, time::Duration};

use authz::webhook::{FailurePolicy, MatchCondition, ReviewVersion};
use types::{dns_name, duration, quote};

use super::{
    Authorizer, AuthorizerKind, ConnectionInfo, Document, FieldError, WebhookConfiguration,
    file::{self, Configuration, GoDuration},
};

pub(super) const NO_AUTHORIZERS: &str = "Required value: at least one authorization mode must be defined";

const TYPES: [&str; 6] = ["ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"];
const MOST_CONDITIONS: usize = 64;
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
// UPSTREAM: what is not given, or zero, takes these (kube-apiserver 1.36)
const AUTHORIZED_TTL: Duration = Duration::from_secs(300);
const UNAUTHORIZED_TTL: Duration = Duration::from_secs(30);

/// The chain, or everything that is wrong with it.
pub(super) fn validate(
    configuration: Configuration,
    document: &Document,
) -> Result<Vec<Authorizer>, Vec<FieldError>> {
    let mut errors = Errors { document, found: Vec::new() };
    if configuration.authorizers.is_empty() {
        errors.add("authorizers", NO_AUTHORIZERS);
    }
    let (mut kinds, mut names) = (HashSet::new(), HashSet::new());
    let mut authorizers = Vec::with_capacity(configuration.authorizers.len());
    for (index, authorizer) in configuration.authorizers.into_iter().enumerate() {
        let path = format!("authorizers[{index}]");
        if errors.kind(&authorizer.kind, &path, &mut kinds) {
            errors.name(&authorizer.name, &path, &names);
            names.insert(authorizer.name.clone());
            authorizers.extend(errors.authorizer(authorizer, &path));
        }
    }
    // Nothing has been left out of the chain where nothing was found, so that places agree.
    if errors.found.is_empty() {
        authorizers
            .iter()
            .enumerate()
            .for_each(|(index, authorizer)| errors.built_in_name(authorizer, index));
    }
    if errors.found.is_empty() { Ok(authorizers) } else { Err(errors.found) }
}

struct Errors<'a> {
    document: &'a Document,
    found: Vec<FieldError>,
}

impl Errors<'_> {
    fn add(&mut self, path: &str, message: impl Into<String>) {
        self.found.push(self.document.error(path, message));
    }

    /// At a field of `webhook`.
    // UPSTREAM: `webhook` is missing in the paths of its fields (kube-apiserver 1.36)
    fn add_webhook(&mut self, path: &str, field: &str, message: impl Into<String>) {
        let place = self.document.error(&format!("{path}.webhook.{field}"), message);
        self.found.push(FieldError { path: format!("{path}.{field}"), ..place });
    }

    /// Whether the rest is worth looking at.
    fn kind(&mut self, kind: &str, path: &str, seen: &mut HashSet<String>) -> bool {
        let path = format!("{path}.type");
        if kind.is_empty() {
            self.add(&path, "Required value");
        } else if !TYPES.contains(&kind) {
            self.add(&path, unsupported(&quote(kind), &TYPES));
        } else if !seen.insert(kind.to_owned()) && kind != "Webhook" {
            self.add(&path, duplicate(kind));
        } else {
            return true;
        }
        false
    }

    fn name(&mut self, name: &str, path: &str, seen: &HashSet<String>) {
        let path = format!("{path}.name");
        if name.is_empty() {
            self.add(&path, "Required value");
        } else if seen.contains(name) {
            self.add(&path, duplicate(name));
        } else if let Some(wrong) = not_a_subdomain(name) {
            self.add(&path, invalid(name, &format!("authorizer name is invalid: {wrong}")));
        }
    }

    // UPSTREAM: every type but Webhook has one name, its own in lower case; this is looked at when all
    // else is in order, and told without a path (kube-apiserver 1.36)
    fn built_in_name(&mut self, authorizer: &Authorizer, index: usize) {
        let (kind, name) = (authorizer.kind.name(), &authorizer.name);
        let expected = kind.to_lowercase();
        if !matches!(authorizer.kind, AuthorizerKind::Webhook(_)) && *name != expected {
            let message = format!("expected name {expected} for authorizer {kind} instead of {name}");
            let place = self.document.error(&format!("authorizers[{index}].name"), message);
            self.found.push(FieldError { path: String::new(), ..place });
        }
    }

    fn authorizer(&mut self, given: file::Authorizer, path: &str) -> Option<Authorizer> {
        let kind = match (given.kind.as_str(), given.webhook) {
            ("Webhook", Some(webhook)) => AuthorizerKind::Webhook(Box::new(self.webhook(webhook, path)?)),
            ("Webhook", None) => {
                self.add(&format!("{path}.webhook"), "Required value: required when type=Webhook");
                return None;
            }
            (_, Some(_)) => {
                let message = invalid("non-null", "may only be specified when type=Webhook");
                self.add(&format!("{path}.webhook"), message);
                return None;
            }
            ("Node", None) => AuthorizerKind::Node,
            ("RBAC", None) => AuthorizerKind::Rbac,
            ("AlwaysAllow", None) => AuthorizerKind::AlwaysAllow,
            ("AlwaysDeny", None) => AuthorizerKind::AlwaysDeny,
            ("ABAC", None) => AuthorizerKind::Abac,
            _ => return None,
        };
        Some(Authorizer { name: given.name, kind })
    }

    /// Every check is made, whatever the ones before it found.
    fn webhook(&mut self, given: file::Webhook, path: &str) -> Option<WebhookConfiguration> {
        let too_long = |given: GoDuration| given.get() > LONGEST_TIMEOUT;
        if given.timeout.0 == 0 {
            self.add_webhook(path, "timeout", "Required value");
        } else if given.timeout.0 < 0 || too_long(given.timeout) {
            let text = duration::format(given.timeout.0);
            self.add_webhook(path, "timeout", invalid(&text, "must be > 0s and <= 30s"));
        }
        for (field, ttl) in
            [("authorizedTTL", given.authorized_ttl), ("unauthorizedTTL", given.unauthorized_ttl)]
        {
            if ttl.0 < 0 {
                self.add_webhook(path, field, invalid(&duration::format(ttl.0), "must be > 0s"));
            }
        }
        let version = self.choice(
            path,
            "subjectAccessReviewVersion",
            &given.subject_access_review_version,
            &[("v1", ReviewVersion::V1), ("v1beta1", ReviewVersion::V1Beta1)],
        );
        let field = "matchConditionSubjectAccessReviewVersion";
        match given.match_condition_subject_access_review_version.as_str() {
            "" if given.match_conditions.is_empty() => {}
            "" => {
                let message = "Required value: required if match conditions are specified";
                self.add_webhook(path, field, message);
            }
            "v1" => {}
            other => self.add_webhook(path, field, unsupported(&quote(other), &["v1"])),
        }
        let failure_policy = self.choice(
            path,
            "failurePolicy",
            &given.failure_policy,
            &[("NoOpinion", FailurePolicy::NoOpinion), ("Deny", FailurePolicy::Deny)],
        );
        let connection_info = self.connection_info(&given.connection_info, path);
        let match_conditions = self.match_conditions(&given.match_conditions, path);
        let or = |ttl: GoDuration, default| if ttl.0 == 0 { default } else { ttl.get() };
        Some(WebhookConfiguration {
            timeout: given.timeout.get(),
            authorized_ttl: or(given.authorized_ttl, AUTHORIZED_TTL),
            cache_authorized_requests: given.cache_authorized_requests.unwrap_or(true),
            unauthorized_ttl: or(given.unauthorized_ttl, UNAUTHORIZED_TTL),
            cache_unauthorized_requests: given.cache_unauthorized_requests.unwrap_or(true),
            subject_access_review_version: version?,
            match_condition_subject_access_review_version: given
                .match_condition_subject_access_review_version,
            failure_policy: failure_policy?,
            connection_info: connection_info?,
            match_conditions,
        })
    }

    fn choice<T: Copy>(&mut self, path: &str, field: &str, given: &str, choices: &[(&str, T)]) -> Option<T> {
        let chosen = choices.iter().find(|(name, _)| *name == given).map(|(_, value)| *value);
        if given.is_empty() {
            self.add_webhook(path, field, "Required value");
        } else if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.add_webhook(path, field, unsupported(&quote(given), &names));
        }
        chosen
    }

    fn connection_info(&mut self, given: &file::ConnectionInfo, path: &str) -> Option<ConnectionInfo> {
        let (kind, file) = ("connectionInfo.type", "connectionInfo.kubeConfigFile");
        match (given.kind.as_str(), given.kube_config_file.as_deref()) {
            ("", _) => self.add_webhook(path, kind, "Required value"),
            ("InClusterConfig", None) => return Some(ConnectionInfo::InClusterConfig),
            ("InClusterConfig", Some(name)) => {
                self.add_webhook(path, file, invalid(name, "can only be set when type=KubeConfigFile"));
            }
            ("KubeConfigFile", None | Some("")) => self.add_webhook(path, file, "Required value"),
            ("KubeConfigFile", Some(name)) => match not_a_file(name) {
                None => return Some(ConnectionInfo::KubeConfigFile(name.into())),
                Some(wrong) => self.add_webhook(path, file, invalid(name, &wrong)),
            },
            (other, name) => {
                // UPSTREAM: the whole of connectionInfo is shown, as Go's fields (kube-apiserver 1.36)
                let json = |text: Option<&str>| serde_json::to_string(&text).unwrap_or_default();
                let shown = format!("{{\"Type\":{},\"KubeConfigFile\":{}}}", json(Some(other)), json(name));
                self.add_webhook(path, kind, unsupported(&shown, &["InClusterConfig", "KubeConfigFile"]));
            }
        }
        None
    }

    fn match_conditions(&mut self, given: &[file::Condition], path: &str) -> Vec<MatchCondition> {
        if given.len() > MOST_CONDITIONS {
            let message = format!("Too many: {}: must have at most {MOST_CONDITIONS} items", given.len());
            self.add_webhook(path, "matchConditions", message);
            return Vec::new();
        }
        let mut seen = HashSet::new();
        let mut compiled = Vec::with_capacity(given.len());
        for (index, file::Condition { expression }) in given.iter().enumerate() {
            let field = format!("matchConditions[{index}].expression");
            if expression.trim().is_empty() {
                self.add_webhook(path, &field, "Required value");
            } else if !seen.insert(expression) {
                self.add_webhook(path, &field, duplicate(expression));
            } else {
                match MatchCondition::compile(expression) {
                    Ok(condition) => compiled.push(condition),
                    Err(error) => self.add_webhook(path, &field, invalid(expression, &error.to_string())),
                }
            }
        }
        compiled
    }
}

fn invalid(value: &str, detail: &str) -> String {
    format!("Invalid value: {}: {detail}", quote(value))
}

fn duplicate(value: &str) -> String {
    format!("Duplicate value: {}", quote(value))
}

fn unsupported(shown: &str, choices: &[&str]) -> String {
    let choices: Vec<String> = choices.iter().map(|choice| quote(choice)).collect();
    format!("Unsupported value: {shown}: supported values: {}", choices.join(", "))
}

fn not_a_file(name: &str) -> Option<String> {
    let path = Path::new(name);
    if !path.is_absolute() {
        return Some("must be an absolute path".to_owned());
    }
    match std::fs::metadata(path) {
        Ok(info) if info.is_file() => None,
        Ok(_) => Some("must be a regular file".to_owned()),
        Err(error) => Some(format!("error loading file: stat {name}: {}", as_go_says(&error))),
    }
}

/// The system's words, as Go spells them: `no such file or directory`.
fn as_go_says(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Why a name is no `dns1123Subdomain`.
fn not_a_subdomain(name: &str) -> Option<String> {
    const LONGEST: usize = 253;
    let mut wrong = Vec::new();
    if name.len() > LONGEST {
        wrong.push(format!("must be no more than {LONGEST} bytes"));
    }
    if !dns_name::is_subdomain_of_any_length(name) {
        wrong.push(dns_name::SUBDOMAIN_RULE.to_owned());
    }
    (!wrong.is_empty()).then(|| wrong.join(", "))
}
