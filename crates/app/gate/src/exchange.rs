//! One request from its arrival to the last byte of its answer: what is on record about it, and
//! what it holds on to in the meantime.

use std::{
    cell::RefCell,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use audit::{Outcome, Record, Stage};
use authn::{Identity, Remarks};
use http::{HeaderMap, HeaderValue, header};
use sinks::log::{Commit, NotRecorded};
use telemetry::{OpenStream, Series};
use types::{Decision, Status, Timestamp, Verdict};

use crate::{
    answer::AUDIT_ID,
    http1::Line,
    seats,
    worker::{Phase, Worker},
};

/// A request that is being dealt with. It moves into the body of the answer; when it is dropped the
/// request is over, however that came about, and the books are closed.
pub(crate) struct Exchange {
    worker: Arc<Worker>,
    /// HTTP/1.1: where the next request waits for this one to end.
    line: Option<Arc<Line>>,
    /// When the head was complete.
    pub(crate) at: Timestamp,
    started: Instant,
    /// The last moment at which the requester's credential is good.
    valid_until: Option<Timestamp>,
    /// The client's `Audit-ID`, or ours.
    pub(crate) audit_id: HeaderValue,
    /// `Warning` headers of the answer.
    warnings: Vec<HeaderValue>,
    annotations: Vec<(&'static str, String)>,
    record: Option<Record>,
    commit: Option<Commit>,
    ending: Ending,
    series: Option<Series>,
    seat: Option<seats::Number>,
    stream: Option<OpenStream>,
}

/// How the last event will tell the end.
enum Ending {
    /// The client left before there was an answer.
    Early,
    /// With this status code.
    Code(u16),
    /// With a refusal.
    Status(Box<Status>),
    /// All has been said already.
    OnRecord,
}

impl Exchange {
    pub(crate) fn new(
        worker: &Arc<Worker>,
        line: Option<Arc<Line>>,
        at: Timestamp,
        audit_id: HeaderValue,
    ) -> Self {
        Self {
            worker: Arc::clone(worker),
            line,
            at,
            started: Instant::now(),
            valid_until: None,
            audit_id,
            warnings: Vec::new(),
            annotations: Vec::new(),
            record: None,
            commit: None,
            ending: Ending::Early,
            series: None,
            seat: None,
            stream: None,
        }
    }

    /// Takes down what a layer said.
    pub(crate) fn note(&self, verdict: &Verdict) {
        if verdict.decision == Decision::Deny {
            self.worker.metrics.denied(verdict.layer, verdict.reason);
            tracing::debug!(
                layer = verdict.layer.as_str(),
                reason = verdict.reason.as_str(),
                detail = %verdict.detail,
                audit_id = ?self.audit_id,
                "refused"
            );
        }
    }

    /// Whatever lasts of this request ends with the credential that it was let in by.
    pub(crate) fn ends_with(&mut self, identity: &Identity) {
        self.valid_until = identity.valid_until;
    }

    /// When whatever lasts of this request has to end: with the requester's credential, or with the
    /// gate.
    pub(crate) fn end(&self) -> impl Future<Output = ()> + Send + use<> {
        let left = self.valid_until.map(|until| until.duration_since(Timestamp::now()));
        let left = left.map(|left| Duration::try_from(left).unwrap_or_default());
        // One that ends beyond what a clock can hold does not end.
        let credential = left.and_then(|left| tokio::time::Instant::now().checked_add(left));
        let mut phase = self.worker.gate.phase.subscribe();
        async move {
            let gate = phase.wait_for(|phase| *phase == Phase::Ending);
            match credential {
                None => drop(gate.await),
                Some(credential) => drop(tokio::time::timeout_at(credential, gate).await),
            }
        }
    }

    /// Keeps what authenticators left behind, for the answer and for the record.
    pub(crate) fn remark(&mut self, remarks: &Remarks) {
        for warning in &remarks.warnings {
            // UPSTREAM: `299 - "text"`, quotes and backslashes escaped (kube-apiserver 1.36)
            let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"");
            self.warnings.extend(HeaderValue::try_from(format!("299 - \"{escaped}\"")));
        }
        self.annotations.extend(remarks.annotations.iter().cloned());
    }

    /// Sets the headers that every answer of the upstream's to this request has.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(AUDIT_ID, self.audit_id.clone());
        self.warn(headers);
    }

    /// Adds what the client should be warned about.
    pub(crate) fn warn(&self, headers: &mut HeaderMap) {
        for warning in &self.warnings {
            headers.append(header::WARNING, warning.clone());
        }
    }

    /// The HTTP/1.1 connection that the request came on.
    pub(crate) fn line(&self) -> Option<&Arc<Line>> {
        self.line.as_ref()
    }

    /// Puts the request on record and hands the first event over.
    pub(crate) fn begin(&mut self, mut record: Record) {
        for (key, value) in self.annotations.drain(..) {
            record.annotate(key, value);
        }
        if let Some(audit) = &self.worker.gate.audit {
            let commit = |line: &[u8]| audit.sink.commit(line);
            self.commit = event(&record, Stage::RequestReceived, None, self.at, commit);
        }
        self.record = Some(record);
    }

    /// Waits until the first event is as safe as the log's mode promises.
    pub(crate) async fn recorded(&mut self) -> Result<(), NotRecorded> {
        match self.commit.take() {
            Some(commit) => commit.await,
            None => Ok(()),
        }
    }

    /// The record, to annotate.
    pub(crate) fn record(&mut self) -> Option<&mut Record> {
        self.record.as_mut()
    }

    /// A request that failed authentication has this one event.
    pub(crate) fn record_unauthorized(&mut self, record: &Record, outcome: Outcome<'_>) {
        self.ending = Ending::OnRecord;
        if let Some(audit) = &self.worker.gate.audit {
            let commit = |line: &[u8]| audit.sink.commit(line);
            self.commit = event(record, Stage::ResponseStarted, Some(outcome), Timestamp::now(), commit);
        }
    }

    /// Leaves this seat at the end.
    pub(crate) fn sit(&mut self, seat: seats::Number) {
        self.seat = Some(seat);
    }

    /// The upstream answered; a long-running request begins to stream.
    pub(crate) fn answered(&mut self, code: u16, series: Series, long_running: Option<OpenStream>) {
        self.ending = Ending::Code(code);
        self.series = Some(series);
        self.stream = long_running;
        if self.stream.is_some() {
            self.append(Stage::ResponseStarted, Timestamp::now());
        }
    }

    /// The gate itself answers.
    pub(crate) fn refused(&mut self, code: u16, status: Option<&Status>, long_running: bool) {
        if matches!(self.ending, Ending::OnRecord) {
            return;
        }
        self.ending = status.map_or(Ending::Code(code), |status| Ending::Status(Box::new(status.clone())));
        if long_running {
            self.append(Stage::ResponseStarted, Timestamp::now());
        }
    }

    /// What counts this request once it has ended.
    pub(crate) fn count_as(&mut self, series: Series) {
        self.series = Some(series);
    }

    fn append(&self, stage: Stage, now: Timestamp) {
        let (Some(record), Some(audit)) = (&self.record, &self.worker.gate.audit) else { return };
        let outcome = match &self.ending {
            Ending::Early => Outcome::ClosedEarly,
            Ending::Code(code) => Outcome::Code(*code),
            Ending::Status(status) => Outcome::Status(status),
            Ending::OnRecord => return,
        };
        event(record, stage, Some(outcome), now, |line| audit.sink.append(line));
    }
}

thread_local! {
    /// Where events are written before they are handed over.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Hands the event of `stage` over, if the policy does not omit it.
fn event<T>(
    record: &Record,
    stage: Stage,
    outcome: Option<Outcome<'_>>,
    now: Timestamp,
    hand_over: impl FnOnce(&[u8]) -> T,
) -> Option<T> {
    LINE.with_borrow_mut(|line| {
        line.clear();
        line.shrink_to(KEEP_BYTES);
        record.write(line, stage, outcome, now).then(|| hand_over(line))
    })
}

/// No event of an ordinary request is longer.
const KEEP_BYTES: usize = 16 * 1024;

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.worker.seats.leave(seat);
        }
        self.append(Stage::ResponseComplete, Timestamp::now());
        if let Some(series) = self.series.take() {
            self.worker.metrics.finished(series, self.started.elapsed());
        }
        if let Some(line) = &self.line {
            line.request_done();
        }
    }
}
