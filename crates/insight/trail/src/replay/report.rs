//! What came of a replay.

use std::collections::BTreeMap;

use serde::Serialize;

/// Requests alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// For whom.
    pub user: String,
    /// The verb.
    pub verb: String,
    /// `pods`, `deployments.apps/scale`, or a path.
    pub resource: String,
    /// Empty for all namespaces, what lies in none, and paths.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The smallest rule that would allow any name.
    pub rule: String,
    /// The webhook that it hangs on, if it does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub webhook: String,
    /// How many requests.
    pub count: u64,
}

/// What came of a replay.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Requests that were judged: the sum of the next eight.
    pub judged: u64,
    /// Allowed then and now.
    pub still_allowed: u64,
    /// Refused then and now.
    pub still_refused: u64,
    /// Allowed then, refused now; most frequent first.
    pub newly_refused: Vec<Group>,
    /// Refused then, allowed now; most frequent first.
    pub newly_allowed: Vec<Group>,
    /// It hangs on a webhook that was not asked; most frequent first.
    pub undecided: Vec<Group>,
    /// Of kinds beyond those that are told apart: allowed then, refused now.
    pub more_refused: u64,
    /// Refused then, allowed now.
    pub more_allowed: u64,
    /// Undecided.
    pub more_undecided: u64,
    /// What webhooks were asked, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub webhooks: BTreeMap<String, WebhookReport>,
    /// Requests that ended before an authorizer answered then, by status code; 0 where there was none.
    pub not_asked: BTreeMap<u16, u64>,
    /// Events of another stage of a request that is counted by its last.
    pub other_stages: u64,
    /// Lines that cannot be read.
    pub bad: u64,
    /// The first of them: line number, and why.
    pub bad_lines: Vec<(u64, String)>,
    /// Lines in all, empty ones included.
    pub lines: u64,
}

/// What came of asking a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookReport {
    /// Answers that were needed, remembered ones included.
    pub asked: u64,
    /// How many there were none of: its failure policy held.
    pub failed: u64,
    /// Why, the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
}

impl Report {
    /// Whether anybody would be refused who was allowed.
    pub fn refuses(&self) -> bool {
        !self.newly_refused.is_empty() || self.more_refused > 0
    }

    /// Whether anything hangs on a webhook that was not asked.
    pub fn is_undecided(&self) -> bool {
        !self.undecided.is_empty() || self.more_undecided > 0
    }
}
