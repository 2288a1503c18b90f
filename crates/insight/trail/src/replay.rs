//! Recorded requests before other authorizers.

mod case;
mod report;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

pub use self::{
    case::{Case, Judged, Setting},
    report::{Group, Report, WebhookReport},
};
use crate::{Event, Recorded, RequestId};

/// How many lines that cannot be read are kept with their error.
const BAD_LINES: usize = 20;

/// How many long-running requests are kept in mind until they end. Of more at a time each counts twice:
/// none is forgotten.
const MOST_BEGUN: usize = 1 << 20;

/// How many kinds of requests are told apart. Paths make as many as a client likes.
const MOST_GROUPS: usize = 100_000;

/// What became of a request that is not as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Refused,
    Allowed,
    /// It depends on a webhook that is not asked.
    Undecided,
}

/// A replay under way: counts what would change. Memory is bounded, whatever the log is.
#[derive(Default)]
pub struct Replay {
    report: Report,
    changes: BTreeMap<(Change, Group), u64>,
    /// Long-running requests that were counted at their beginning.
    begun: HashSet<RequestId>,
}

impl Replay {
    /// Nothing is counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next line of the log, and returns the request in it that has to be judged, if there is one.
    pub fn take(&mut self, line: &[u8]) -> Option<Case> {
        self.report.lines += 1;
        if line.trim_ascii().is_empty() {
            return None;
        }
        match Event::parse(line) {
            Ok(event) => self.event(event),
            Err(error) => {
                self.bad(error.to_string());
                None
            }
        }
    }

    /// Takes a line that could not even be read whole.
    pub fn take_unread(&mut self, why: &str) {
        self.report.lines += 1;
        self.bad(why.to_owned());
    }

    fn bad(&mut self, why: String) {
        self.report.bad += 1;
        if self.report.bad_lines.len() < BAD_LINES {
            self.report.bad_lines.push((self.report.lines, why));
        }
    }

    fn event(&mut self, event: Event) -> Option<Case> {
        // UPSTREAM: ResponseStarted comes for long-running requests, and alone for a 401
        // (kube-apiserver 1.36)
        let counts = match event.stage.as_str() {
            "RequestReceived" => false,
            "ResponseStarted" => {
                if !matches!(event.recorded, Recorded::NotAsked(_)) && self.begun.len() < MOST_BEGUN {
                    self.begun.insert(event.request);
                }
                true
            }
            _ => !self.begun.remove(&event.request),
        };
        if !counts {
            self.report.other_stages += 1;
            return None;
        }
        let was_allowed = match event.recorded {
            Recorded::Allowed => true,
            Recorded::Forbidden => false,
            Recorded::NotAsked(code) => {
                *self.report.not_asked.entry(code).or_default() += 1;
                return None;
            }
        };
        Some(Case { event, was_allowed })
    }

    /// Counts what the other authorizers say to a request.
    pub fn count(&mut self, case: &Case, judged: Judged) {
        self.report.judged += 1;
        match (case.was_allowed, judged) {
            (true, Judged::Allowed) => self.report.still_allowed += 1,
            (false, Judged::Refused(_)) => self.report.still_refused += 1,
            (true, Judged::Refused(group)) => self.change(Change::Refused, group),
            (false, Judged::Allowed) => self.change(Change::Allowed, case.group()),
            (_, Judged::Undecided(group)) => self.change(Change::Undecided, group),
        }
    }

    fn change(&mut self, change: Change, group: Group) {
        let known = self.changes.len();
        let key = (change, group);
        match self.changes.get_mut(&key) {
            Some(count) => *count += 1,
            None if known < MOST_GROUPS => drop(self.changes.insert(key, 1)),
            None => match change {
                Change::Refused => self.report.more_refused += 1,
                Change::Allowed => self.report.more_allowed += 1,
                Change::Undecided => self.report.more_undecided += 1,
            },
        }
    }

    /// Takes down what a webhook said to a request: nothing, or why it gave no answer.
    pub fn consulted(&mut self, webhook: &str, failure: Option<&str>) {
        // As many as the chain has.
        let counts = self.report.webhooks.entry(webhook.to_owned()).or_default();
        counts.asked += 1;
        if let Some(failure) = failure {
            counts.failed += 1;
            counts.first_failure.get_or_insert_with(|| failure.to_owned());
        }
    }

    /// What came of it.
    pub fn finish(self) -> Report {
        let mut report = self.report;
        for ((change, group), count) in self.changes {
            let group = Group { count, ..group };
            match change {
                Change::Refused => report.newly_refused.push(group),
                Change::Allowed => report.newly_allowed.push(group),
                Change::Undecided => report.undecided.push(group),
            }
        }
        for groups in [&mut report.newly_refused, &mut report.newly_allowed, &mut report.undecided] {
            groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cmp(b)));
        }
        report
    }

    /// Lines so far.
    pub fn lines(&self) -> u64 {
        self.report.lines
    }
}
