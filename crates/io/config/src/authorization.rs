//! AuthorizationConfiguration: the chain of authorizers as a file, `--authorization-config`.
//!
//! It is read as kube-apiserver reads it: strictly, with its defaults, and what is wrong is said at its
//! paths, in its order and words. UPSTREAM: `apiserver.config.k8s.io` v1, v1beta1 and v1alpha1 differ in
//! nothing (kube-apiserver 1.36).

mod file;
mod validate;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use authz::webhook::{FailurePolicy, MatchCondition, ReviewVersion, Webhook};

use crate::{
    files,
    yaml::{self, Document, FieldError, YamlError},
};

/// One member of `authorizers`. Equal ones decide alike, as long as their files hold the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorizer {
    /// What metrics and messages call it.
    pub name: String,
    /// What it decides by.
    pub kind: AuthorizerKind,
}

/// `type`, and what belongs to it.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are those of kube-apiserver's types")]
pub enum AuthorizerKind {
    Node,
    Rbac,
    AlwaysAllow,
    AlwaysDeny,
    Abac,
    Webhook(Box<WebhookConfiguration>),
}

impl AuthorizerKind {
    /// As `type` spells it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Rbac => "RBAC",
            Self::AlwaysAllow => "AlwaysAllow",
            Self::AlwaysDeny => "AlwaysDeny",
            Self::Abac => "ABAC",
            Self::Webhook(_) => "Webhook",
        }
    }
}

/// `webhook`, checked and with its defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookConfiguration {
    /// For one try; at most 30 s.
    pub timeout: Duration,
    /// For how long an Allow is remembered.
    pub authorized_ttl: Duration,
    /// Whether it is remembered at all.
    pub cache_authorized_requests: bool,
    /// For how long any other answer is remembered.
    pub unauthorized_ttl: Duration,
    /// Whether it is remembered at all.
    pub cache_unauthorized_requests: bool,
    /// What the webhook speaks.
    pub subject_access_review_version: ReviewVersion,
    /// `v1`, or empty without conditions.
    pub match_condition_subject_access_review_version: String,
    /// What holds without an answer.
    pub failure_policy: FailurePolicy,
    /// How to reach it.
    pub connection_info: ConnectionInfo,
    /// All of these must hold for the webhook to be asked.
    pub match_conditions: Vec<MatchCondition>,
}

/// `connectionInfo`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionInfo {
    /// By the service account of the pod that kube-apiserver runs in.
    InClusterConfig,
    /// By this file, which was there when the configuration was read.
    KubeConfigFile(PathBuf),
}

impl WebhookConfiguration {
    /// The times for which an Allow and any other answer are remembered; zero for not at all.
    pub fn ttls(&self) -> (Duration, Duration) {
        let unless = |off: bool, ttl| if off { Duration::ZERO } else { ttl };
        (
            unless(!self.cache_authorized_requests, self.authorized_ttl),
            unless(!self.cache_unauthorized_requests, self.unauthorized_ttl),
        )
    }

    /// The authorizer that decides by it.
    pub fn into_authorizer(self, name: &str) -> Webhook {
        Webhook::new(name, self.subject_access_review_version, self.failure_policy, self.match_conditions)
    }
}

/// Why an AuthorizationConfiguration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizationConfigError {
    /// It cannot be read, or is no YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// It is YAML, and no AuthorizationConfiguration.
    #[error(transparent)]
    Decode(#[from] FieldError),
    /// Values in it are wrong: all of them, in kube-apiserver's order. A line each.
    #[error("{}", Lines(.0))]
    Invalid(Vec<FieldError>),
}

struct Lines<'a>(&'a [FieldError]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// The bytes of the file, for [`parse`].
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, AuthorizationConfigError> {
    Ok(files::read(path).map_err(YamlError::from)?)
}

/// Reads `text`; `file` is what errors name.
///
/// # Errors
/// Whatever kube-apiserver refuses. What it takes and the gate cannot honour is for the caller.
pub fn parse(file: &str, text: &[u8]) -> Result<Vec<Authorizer>, AuthorizationConfigError> {
    let documents = yaml::parse(file, text)?;
    match documents.first() {
        // UPSTREAM: of several documents the first one counts (kube-apiserver 1.36)
        Some(document) => {
            let configuration = file::decode(document)?;
            validate::validate(configuration, document).map_err(AuthorizationConfigError::Invalid)
        }
        // UPSTREAM: a file without a byte in it is a configuration without authorizers, which is no
        // valid one; one with nothing but comments is none at all (kube-apiserver 1.36)
        None => {
            let error = |path: &str, message: &str| FieldError {
                file: file.to_owned(),
                line: 0,
                path: path.to_owned(),
                message: message.to_owned(),
            };
            if text.is_empty() {
                return Err(AuthorizationConfigError::Invalid(vec![error(
                    "authorizers",
                    validate::NO_AUTHORIZERS,
                )]));
            }
            Err(error("kind", "is missing: expected `AuthorizationConfiguration`").into())
        }
    }
}

#[cfg(test)]
mod tests;
