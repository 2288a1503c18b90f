//! Query parameters and the options they make.

use serde_json::Value;
use types::Status;

use super::{
    Call,
    body::PROTOBUF,
    failure::{bad_request, invalid_options},
};
use crate::{registry::FieldError, schema};

/// The decoded query.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(raw: &str) -> Self {
        Self(request::query::pairs(raw).map(|(k, v)| (k.into_owned(), v.into_owned())).collect())
    }

    /// The first value of a parameter; empty where it is absent.
    pub(super) fn first(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// UPSTREAM: present and neither false nor 0 is true, also without a value (kube-apiserver 1.36).
    pub(super) fn flag(&self, name: &str) -> bool {
        self.has(name) && !matches!(self.first(name).to_lowercase().as_str(), "false" | "0")
    }

    fn number(&self, name: &str) -> Result<Option<i64>, Status> {
        let text = self.first(name);
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |_| bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
        text.parse().map(Some).map_err(wrong)
    }
}

/// What happens to members that a type does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// Options of create, update and patch.
pub(super) struct WriteOptions {
    pub(super) dry_run: bool,
    pub(super) fields: FieldValidation,
}

impl WriteOptions {
    /// `kind` is what the options are called in a refusal: `CreateOptions`.
    pub(super) fn read(query: &Query, kind: &str) -> Result<Self, Status> {
        let dry_run = dry_run(&query.all("dryRun"), kind)?;
        let fields = match query.first("fieldValidation") {
            // UPSTREAM: Warn is the default (kube-apiserver 1.36).
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                let known = ["", "Ignore", "Strict", "Warn"];
                let wrong = FieldError::unsupported("fieldValidation", &format!("{other:?}"), &known);
                return Err(invalid_options(kind, wrong));
            }
        };
        Ok(Self { dry_run, fields })
    }
}

fn dry_run(given: &[&str], kind: &str) -> Result<bool, Status> {
    let given: Vec<&str> = given.iter().copied().filter(|value| !value.is_empty()).collect();
    if given.iter().all(|value| *value == "All") {
        return Ok(!given.is_empty());
    }
    let shown = format!("{given:?}").replace(", ", " ");
    Err(invalid_options(kind, FieldError::unsupported("dryRun", &shown, &["All"])))
}

/// Which dependents go with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// Options of delete and deletecollection: the body's, else the query's.
pub(super) struct DeleteOptions {
    pub(super) dry_run: bool,
    pub(super) grace_period: Option<i64>,
    pub(super) propagation: Propagation,
    pub(super) uid: Option<String>,
    pub(super) resource_version: Option<String>,
}

impl DeleteOptions {
    pub(super) fn read(call: &Call<'_>) -> Result<Self, Status> {
        let (query, body) = (&call.query, &call.body);
        let body: Value = if body.is_empty() {
            Value::Null
        } else if call.content_type.starts_with(PROTOBUF) {
            schema::decode_protobuf(schema::DELETE_OPTIONS, "DeleteOptions", body)
                .map_err(|error| bad_request(error.to_string()))?
        } else {
            serde_json::from_slice(body).map_err(|error| {
                bad_request(format!("couldn't get version/kind; json parse error: {error}"))
            })?
        };
        Self::of(query, &body)
    }

    /// The options of a decoded body.
    pub(super) fn of(query: &Query, body: &Value) -> Result<Self, Status> {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let from_body = body.get("dryRun").and_then(Value::as_array);
        let given: Vec<&str> = match from_body {
            Some(values) => values.iter().filter_map(Value::as_str).collect(),
            None => query.all("dryRun"),
        };
        let named = text("/propagationPolicy").or_else(|| {
            Some(query.first("propagationPolicy").to_owned()).filter(|policy| !policy.is_empty())
        });
        let orphan = body
            .get("orphanDependents")
            .and_then(Value::as_bool)
            .or_else(|| query.has("orphanDependents").then(|| query.flag("orphanDependents")));
        let propagation = match (named.as_deref(), orphan) {
            (Some("Background"), _) | (None, None | Some(false)) => Propagation::Background,
            (Some("Foreground"), _) => Propagation::Foreground,
            (Some("Orphan"), _) | (None, Some(true)) => Propagation::Orphan,
            (Some(other), _) => {
                let known = ["Foreground", "Background", "Orphan", "nil"];
                let wrong = FieldError::unsupported("propagationPolicy", &format!("{other:?}"), &known);
                return Err(invalid_options("DeleteOptions", wrong));
            }
        };
        let grace = match body.get("gracePeriodSeconds").and_then(Value::as_i64) {
            Some(seconds) => Some(seconds),
            None => query.number("gracePeriodSeconds")?,
        };
        Ok(Self {
            dry_run: dry_run(&given, "DeleteOptions")?,
            grace_period: grace,
            propagation,
            uid: text("/preconditions/uid"),
            resource_version: text("/preconditions/resourceVersion"),
        })
    }
}

/// Which state of the world a list or get is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VersionMatch {
    Unset,
    Exact,
    NotOlderThan,
}

/// Options of list and watch.
pub(super) struct ListOptions {
    pub(super) limit: Option<usize>,
    pub(super) continue_token: String,
    pub(super) resource_version: Option<u64>,
    pub(super) version_match: VersionMatch,
    pub(super) watch: bool,
    pub(super) bookmarks: bool,
    pub(super) initial_events: Option<bool>,
    pub(super) timeout_seconds: Option<u64>,
}

impl ListOptions {
    pub(super) fn read(query: &Query) -> Result<Self, Status> {
        let timeout = query.number("timeoutSeconds")?;
        let limit = query.number("limit")?;
        let options = Self {
            limit: limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0),
            continue_token: query.first("continue").to_owned(),
            resource_version: resource_version(query)?,
            version_match: match query.first("resourceVersionMatch") {
                "" => VersionMatch::Unset,
                "Exact" => VersionMatch::Exact,
                "NotOlderThan" => VersionMatch::NotOlderThan,
                other => {
                    let known = ["Exact", "NotOlderThan", ""];
                    let wrong =
                        FieldError::unsupported("resourceVersionMatch", &format!("{other:?}"), &known);
                    return Err(invalid_options("ListOptions", wrong));
                }
            },
            watch: query.flag("watch"),
            bookmarks: query.flag("allowWatchBookmarks"),
            initial_events: query.has("sendInitialEvents").then(|| query.flag("sendInitialEvents")),
            timeout_seconds: timeout.and_then(|seconds| u64::try_from(seconds).ok()).filter(|s| *s > 0),
        };
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<(), Status> {
        let forbid = |detail: &str| {
            Err(invalid_options("ListOptions", FieldError::forbidden("resourceVersionMatch", detail)))
        };
        let matched = self.version_match != VersionMatch::Unset;
        if self.watch {
            return match self.initial_events {
                Some(_) if self.version_match != VersionMatch::NotOlderThan => {
                    forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
                }
                None if matched => {
                    forbid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
                }
                _ => Ok(()),
            };
        }
        if self.initial_events.is_some() {
            let wrong = FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
            return Err(invalid_options("ListOptions", wrong));
        }
        if matched && !self.continue_token.is_empty() {
            return forbid("resourceVersionMatch is forbidden when continue is provided");
        }
        if matched && self.resource_version.is_none() {
            return forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if self.version_match == VersionMatch::Exact && self.resource_version == Some(0) {
            return forbid("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
        Ok(())
    }
}

/// The `resourceVersion` of a get or list; `None` for the newest.
pub(super) fn resource_version(query: &Query) -> Result<Option<u64>, Status> {
    let text = query.first("resourceVersion");
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        bad_request(format!(
            "invalid resource version: resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: \
             invalid syntax"
        ))
    })
}
