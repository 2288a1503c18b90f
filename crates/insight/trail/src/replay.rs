//! Recorded requests before other authorizers.

use std::collections::{BTreeMap, HashSet};

use authz::{Authz, Impersonation, Opinion, Outcome, rbac::explain};
use serde::Serialize;
use types::{Answer, Answers, Attributes, NoTrace, Step, Timestamp};

use crate::{Event, Recorded};

/// The world that is replayed against does not change, so one moment is as good as another.
const NO_TIME: Timestamp = Timestamp::UNIX_EPOCH;

/// How many lines that cannot be read are kept with their error.
const BAD_LINES: usize = 20;

/// What other authorizers would have said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It was allowed and would be refused.
    Refused,
    /// It was refused and would be allowed.
    Allowed,
}

/// Requests alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    /// How many requests.
    #[serde(default)]
    pub count: u64,
}

/// What came of a replay.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Requests that were judged: the sum of the next four.
    pub judged: u64,
    /// Allowed then and now.
    pub still_allowed: u64,
    /// Refused then and now.
    pub still_refused: u64,
    /// Allowed then, refused now; most frequent first.
    pub newly_refused: Vec<Group>,
    /// Refused then, allowed now; most frequent first.
    pub newly_allowed: Vec<Group>,
    /// Requests that ended before an authorizer answered then, by status code.
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

/// A replay under way.
pub struct Replay<'a> {
    authz: &'a Authz,
    impersonation: Impersonation,
    report: Report,
    changes: BTreeMap<(Change, Group), u64>,
    /// Long-running requests that were counted at their beginning.
    begun: HashSet<String>,
}

impl<'a> Replay<'a> {
    /// Requests are put before `authz`.
    pub fn new(authz: &'a Authz) -> Self {
        Self {
            authz,
            impersonation: Impersonation::new(true),
            report: Report::default(),
            changes: BTreeMap::new(),
            begun: HashSet::new(),
        }
    }

    /// Takes the next line of the log.
    pub fn line(&mut self, line: &[u8]) {
        self.report.lines += 1;
        if line.trim_ascii().is_empty() {
            return;
        }
        match Event::parse(line) {
            Ok(event) => self.event(&event),
            Err(error) => {
                self.report.bad += 1;
                if self.report.bad_lines.len() < BAD_LINES {
                    self.report.bad_lines.push((self.report.lines, error.to_string()));
                }
            }
        }
    }

    fn event(&mut self, event: &Event) {
        // UPSTREAM: ResponseStarted comes for long-running requests, and alone for a 401
        // (kube-apiserver 1.36)
        let counts = match event.stage.as_str() {
            "RequestReceived" => false,
            "ResponseStarted" => {
                self.begun.insert(event.audit_id.clone());
                true
            }
            _ => !self.begun.remove(&event.audit_id),
        };
        if !counts {
            self.report.other_stages += 1;
            return;
        }
        let was_allowed = match event.recorded {
            Recorded::Allowed => true,
            Recorded::Forbidden => false,
            Recorded::NotAsked(code) => {
                *self.report.not_asked.entry(code).or_default() += 1;
                return;
            }
        };
        self.report.judged += 1;
        let refused = self.refused(event);
        match (was_allowed, refused) {
            (true, None) => self.report.still_allowed += 1,
            (false, Some(_)) => self.report.still_refused += 1,
            (true, Some(group)) => *self.changes.entry((Change::Refused, group)).or_default() += 1,
            (false, None) => {
                *self.changes.entry((Change::Allowed, group_of(&event.attributes()))).or_default() += 1;
            }
        }
    }

    /// What is refused, if anything is: acting as somebody else, or else the request itself.
    fn refused(&self, event: &Event) -> Option<Group> {
        if let Some(wanted) = event.wanted() {
            let mut lacks = None;
            let mut authorize = |at: &Attributes<'_>| {
                let opinion = self.decide(at);
                // Of all modes of impersonation the plain verb is what people grant.
                if opinion.outcome() != Outcome::Allowed && (lacks.is_none() || at.verb == "impersonate") {
                    lacks = Some(group_of(at));
                }
                Step::Done(opinion)
            };
            let at = event.attributes_of(&event.requester);
            let may = self.impersonation.decide(&wanted, &at, NO_TIME, &mut authorize);
            if !matches!(may, Step::Done(Ok(_))) {
                return Some(lacks.unwrap_or_else(|| group_of(&at)));
            }
        }
        let at = event.attributes();
        (self.decide(&at).outcome() != Outcome::Allowed).then(|| group_of(&at))
    }

    fn decide(&self, at: &Attributes<'_>) -> Opinion {
        let mut answers = Answers::none();
        loop {
            match self.authz.decide(at, NO_TIME, &answers, &mut NoTrace) {
                Step::Done(opinion) => return opinion,
                Step::Ask(question) if answers.get(&question).is_none() => {
                    answers.give(question, Answer::Failed("a replay asks nobody".to_owned()));
                }
                Step::Ask(_) => return Opinion::no_opinion("it does not come to an end"),
            }
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
            }
        }
        for groups in [&mut report.newly_refused, &mut report.newly_allowed] {
            groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cmp(b)));
        }
        report
    }

    /// Lines so far.
    pub fn lines(&self) -> u64 {
        self.report.lines
    }
}

fn group_of(at: &Attributes<'_>) -> Group {
    let resource = match (at.resource_request, at.api_group, at.subresource) {
        (false, ..) => at.path.to_owned(),
        (true, "", _) => at.combined_resource().into_owned(),
        (true, group, "") => format!("{}.{group}", at.resource),
        (true, group, subresource) => format!("{}.{group}/{subresource}", at.resource),
    };
    Group {
        user: at.user.name.clone(),
        verb: at.verb.to_owned(),
        resource,
        namespace: if at.resource_request { at.namespace.to_owned() } else { String::new() },
        rule: explain::describe(&explain::smallest(&Attributes { name: "", ..*at })),
        count: 0,
    }
}

#[cfg(test)]
mod tests {
    use authz::{
        DenyList, Mode,
        rbac::{Rbac, RbacObject, World},
    };
    use serde_json::json;

    use super::*;

    fn rbac() -> Authz {
        let objects: Vec<RbacObject> = serde_json::from_value(json!([
            {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
                {"apiGroups": [""], "resources": ["users"], "resourceNames": ["bob"], "verbs": ["impersonate"]}]},
            {"kind": "ClusterRoleBinding", "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "r"},
             "subjects": [{"kind": "User", "name": "alice"}, {"kind": "User", "name": "bob"}]},
        ]))
        .unwrap();
        let mut world = World::default();
        objects.into_iter().for_each(|object| world.apply(object));
        Authz::new(DenyList::default(), vec![Mode::Rbac(Rbac::new(world))])
    }

    #[test]
    fn counts_each_request_once_and_drops_nothing() {
        let event = |id: &str, stage: &str, user: &str, verb: &str, uri: &str, more: serde_json::Value| {
            let mut event = json!({
                "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": id, "stage": stage,
                "requestURI": uri, "verb": verb, "user": {"username": user},
                "annotations": {"authorization.k8s.io/decision": "allow"}, "responseStatus": {"code": 200},
            });
            if uri.starts_with("/api/") {
                event["objectRef"] = json!({"resource": "?"});
            }
            for (key, value) in more.as_object().unwrap() {
                event[key] = value.clone();
            }
            event.to_string()
        };
        let none = || json!({});
        let (pods, secret) = ("/api/v1/namespaces/ns/pods", "/api/v1/namespaces/ns/secrets/a");
        let done = "ResponseComplete";
        let forbidden = || json!({"annotations": {"authorization.k8s.io/decision": "forbid"}});
        let lines = [
            event("1", "RequestReceived", "alice", "list", pods, none()),
            event("1", done, "alice", "list", pods, none()),
            event("2", "ResponseStarted", "alice", "watch", "/api/v1/namespaces/ns/pods?watch=1", none()),
            event("2", done, "alice", "watch", "/api/v1/namespaces/ns/pods?watch=1", none()),
            event("3", done, "alice", "get", secret, none()),
            event("4", done, "alice", "get", secret, none()),
            event("5", done, "carol", "list", pods, none()),
            event("6", done, "alice", "list", pods, forbidden()),
            event("7", done, "carol", "list", pods, forbidden()),
            event(
                "8",
                "ResponseStarted",
                "",
                "list",
                pods,
                json!({"annotations": {}, "responseStatus": {"code": 401}}),
            ),
            event(
                "9",
                done,
                "alice",
                "list",
                pods,
                json!({"annotations": {}, "responseStatus": {"code": 429}}),
            ),
            event(
                "10",
                done,
                "alice",
                "list",
                pods,
                json!({"impersonatedUser": {"username": "bob", "groups": ["system:authenticated"]}}),
            ),
            event(
                "11",
                done,
                "alice",
                "list",
                pods,
                json!({"impersonatedUser": {"username": "bob", "groups": ["ops"]}}),
            ),
            event("12", done, "alice", "get", "/metrics", none()),
            "oops".to_owned(),
            String::new(),
        ];
        let authz = rbac();
        let mut replay = Replay::new(&authz);
        lines.iter().for_each(|line| replay.line(line.as_bytes()));
        let report = replay.finish();
        let shown = |groups: &[Group]| -> Vec<String> {
            groups
                .iter()
                .map(|g| format!("{} {} {} {} {}", g.count, g.user, g.verb, g.resource, g.namespace))
                .collect()
        };
        assert_eq!(
            shown(&report.newly_refused),
            [
                "2 alice get secrets ns",
                "1 alice get /metrics ",
                "1 alice impersonate groups ",
                "1 carol list pods ns"
            ]
        );
        assert_eq!(shown(&report.newly_allowed), ["1 alice list pods ns"]);
        assert_eq!((report.still_allowed, report.still_refused), (3, 1));
        assert_eq!(report.judged, 3 + 1 + 5 + 1);
        assert_eq!(report.not_asked, BTreeMap::from([(401, 1), (429, 1)]));
        assert_eq!((report.other_stages, report.bad, report.lines), (2, 1, 16));
        assert_eq!(report.bad_lines[0].0, 15);
        // Every line is somewhere.
        let empty = 1;
        assert_eq!(report.judged + 2 + report.other_stages + report.bad + empty, report.lines);
        assert_eq!(
            report.newly_refused[0].rule,
            r#"{apiGroups: [""], resources: ["secrets"], verbs: ["get"]}"#
        );
    }

    #[test]
    fn every_authorizer_counts() {
        let line = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","stage":"ResponseComplete",
            "requestURI":"/metrics","verb":"get","user":{"username":"a"},"responseStatus":{"code":200}}"#;
        for (mode, refused) in [(Mode::AlwaysAllow, 0), (Mode::AlwaysDeny, 1)] {
            let authz = Authz::new(DenyList::default(), vec![mode]);
            let mut replay = Replay::new(&authz);
            replay.line(line.replace('\n', "").as_bytes());
            assert_eq!(replay.finish().newly_refused.len(), refused);
        }
    }
}
