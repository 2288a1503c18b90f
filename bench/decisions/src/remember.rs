//! What it costs to remember a request for those who ask why, beside what its audit record costs anyway.

use std::{hint::black_box, time::Duration};

use audit::{Outcome, Policy, Received, Record, Stage};
use http::HeaderValue;
use types::{Decision, Layer, Reason, Timestamp, User, Verdict};

use crate::{
    clock::{once, show},
    recent::{Past, Recent, Verdicts},
    report::Report,
    worlds::{Asked, Asker},
};

/// Requests of one run.
const REQUESTS: u32 = 2_000;

/// Runs of which the fastest counts.
const RUNS: usize = 50;

/// The aim is a hundredth of a request's CPU time, of which the record is about a sixtieth.
const PART: f64 = 0.5;

pub(crate) fn measure() -> Report {
    let mut report = Report::new("Remembering a request", 1, &["", "each", "÷ record"]);
    let user = Asker::Plain.user(2);
    let recent = Recent::default();
    let mut best = [Duration::MAX; 3];
    for _ in 0..RUNS {
        let mut made = Vec::new();
        let make = once(|| made.extend((0..REQUESTS).map(|number| past(number, &user))));
        let keep = once(|| made.drain(..).for_each(|past| recent.keep(past)));
        assert!(recent.find(&HeaderValue::from(REQUESTS - 1)).is_some(), "it is not remembered");
        made.extend((0..REQUESTS).map(|number| past(number, &user)));
        let forget = once(|| made.drain(..).for_each(|past| drop(black_box(past))));
        for (best, took) in best.iter_mut().zip([make, forget, keep]) {
            *best = took.min(*best);
        }
    }
    let [record, forget, keep] = best.map(|best| best / REQUESTS);
    let more = keep.saturating_sub(forget);
    let whats = [
        ("the audit record, made and written twice", record),
        ("and thrown away", forget),
        ("or remembered, and the oldest thrown away", keep),
        ("what remembering adds", more),
    ];
    for (what, took) in whats {
        let ratio = took.as_secs_f64() / record.as_secs_f64();
        report.row([what.to_owned(), show(took), format!("{ratio:.2}")]);
    }
    report.aim_ratio("what remembering adds, ÷ record", more.as_secs_f64() / record.as_secs_f64(), PART);
    report
}

/// A request that has ended, as the gate puts it together.
fn past(number: u32, user: &User) -> Past {
    let attributes = Asked::Allow.by(user);
    let received = Received {
        audit_id: "a7d5b1c2-6c1a-4d0e-9f53-0a1b2c3d4e5f",
        request_uri: b"/apis/bench.example.com/v1/namespaces/ns1/thing1/name0x",
        attributes: &attributes,
        source_ips: &["192.0.2.7".parse().unwrap_or([0; 4].into())],
        user_agent: b"kubectl/v1.36.0 (linux/amd64) kubernetes/0000000",
        at: Timestamp::UNIX_EPOCH,
    };
    let mut record = Record::new(Policy::metadata().evaluate(&attributes), &received);
    let mut line = Vec::new();
    if let Some(record) = &mut record {
        record.write(&mut line, Stage::RequestReceived, None, Timestamp::UNIX_EPOCH);
        record.annotate("authorization.k8s.io/decision", "allow");
        record
            .annotate("authorization.k8s.io/reason", "RBAC: allowed by ClusterRoleBinding \"b\"".to_owned());
        line.clear();
        record.write(&mut line, Stage::ResponseComplete, Some(Outcome::Code(200)), Timestamp::UNIX_EPOCH);
    }
    let mut verdicts = Verdicts::default();
    for layer in Layer::ALL {
        let (decision, reason) = (Decision::Allow, Reason::Passed);
        verdicts.note(&Verdict { layer, decision, reason, detail: "".into() });
    }
    let (audit_id, at, webhooks) = (HeaderValue::from(number), Timestamp::UNIX_EPOCH, Vec::new());
    Past { audit_id, at, code: Some(200), verdicts, webhooks, record }
}
