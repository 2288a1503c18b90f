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
use telemetry::{OpenStream, Series, UpstreamFailure};
use types::{Decision, Status, Timestamp, Verdict};

use crate::{
    answer::AUDIT_ID,
    http1::Line,
    recent::{Past, Said, Verdicts},
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
    verdicts: Verdicts,
    webhooks: Vec<Said>,
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
            verdicts: Verdicts::default(),
            webhooks: Vec::new(),
            record: None,
            commit: None,
            ending: Ending::Early,
            series: None,
            seat: None,
            stream: None,
        }
    }

    /// Takes down what a layer said.
    pub(crate) fn note(&mut self, verdict: &Verdict) {
        self.verdicts.note(verdict);
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

    /// Takes down what webhooks said.
    pub(crate) fn consulted(&mut self, said: Vec<Said>) {
        self.webhooks.extend(said);
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
    pub(crate) fn record_unauthorized(&mut self, record: Record, outcome: Outcome<'_>) {
        self.ending = Ending::OnRecord;
        if let Some(audit) = &self.worker.gate.audit {
            let commit = |line: &[u8]| audit.sink.commit(line);
            self.commit = event(&record, Stage::ResponseStarted, Some(outcome), Timestamp::now(), commit);
        }
        self.record = Some(record);
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

    /// The upstream broke off within its answer.
    pub(crate) fn cut(&self, error: &hyper::Error) {
        self.worker.metrics.upstream_failed(UpstreamFailure::Cut);
        tracing::warn!(%error, audit_id = ?self.audit_id, "the API server broke an answer off");
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
            Ending::OnRecord => return,
            _ if stage == Stage::Panic => Outcome::Panicked,
            Ending::Early => Outcome::ClosedEarly,
            Ending::Code(code) => Outcome::Code(*code),
            Ending::Status(status) => Outcome::Status(status),
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
        // UPSTREAM: a panic has an event of its own, in place of the last one (kube-apiserver 1.36)
        let stage = if std::thread::panicking() { Stage::Panic } else { Stage::ResponseComplete };
        self.append(stage, Timestamp::now());
        self.worker.recent.keep(Past {
            audit_id: self.audit_id.clone(),
            at: self.at,
            code: match &self.ending {
                Ending::Early => None,
                Ending::Code(code) => Some(*code),
                Ending::Status(status) => Some(status.code),
                Ending::OnRecord => Some(401),
            },
            verdicts: std::mem::take(&mut self.verdicts),
            webhooks: std::mem::take(&mut self.webhooks),
            record: self.record.take(),
        });
        if let Some(series) = self.series.take() {
            self.worker.metrics.finished(series, self.started.elapsed());
        }
        if let Some(line) = &self.line {
            line.request_done();
        }
    }
}

#[cfg(test)]
mod tests {
    use audit::Received;
    use request::RequestInfo;
    use testkit::{Authority, Folder, Upstream};
    use types::User;

    use super::*;
    use crate::{Options, running::assemble};

    #[test]
    fn a_panic_is_on_record_as_one() {
        let (server, folder, upstream) =
            (Authority::new("server").server(), Folder::new(), Upstream::that_says_yes());
        folder.write(
            "rbac/none.yaml",
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a}}",
        );
        let log = folder.path().join("audit.log");
        let options = Options {
            tls_cert_file: Some(folder.write("server.crt", &server.certificate_pem)),
            tls_private_key_file: Some(folder.write("server.key", &server.key_pem)),
            rbac_from: Some(folder.path().join("rbac")),
            audit_log_path: Some(log.clone()),
            upstream_kubeconfig: Some(folder.write("upstream.yaml", upstream.kubeconfig())),
            ..Options::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let gate = Arc::new(assemble(options.load().unwrap(), &runtime).unwrap().0);
        let worker = Arc::new(Worker::new(Arc::clone(&gate)).0);

        let user = User::new("dev", ["system:authenticated"]);
        let info = RequestInfo::parse("GET", "/version").unwrap();
        let attributes = info.attributes(&user);
        let audit = gate.audit.as_ref().unwrap();
        let received = Received {
            audit_id: "id",
            request_uri: b"/version",
            attributes: &attributes,
            source_ips: &[],
            user_agent: b"",
            at: Timestamp::UNIX_EPOCH,
        };
        let begin = || {
            let id = HeaderValue::from_static("id");
            let mut exchange = Exchange::new(&worker, None, Timestamp::UNIX_EPOCH, id);
            exchange.begin(Record::new(audit.policy.evaluate(&attributes), &received).unwrap());
            exchange
        };
        drop(begin());
        let handled = || {
            let _exchange = begin();
            panic!("as this test wants it")
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(handled)).is_err());
        assert_eq!(audit.sink.close(Duration::from_secs(10)).waiting, 0);

        let log = std::fs::read_to_string(log).unwrap();
        let events: Vec<serde_json::Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let found: Vec<_> = events
            .iter()
            .map(|event| (event["stage"].as_str().unwrap(), event["responseStatus"]["code"].as_u64()))
            .collect();
        let received = ("RequestReceived", None);
        assert_eq!(found, [received, ("ResponseComplete", Some(200)), received, ("Panic", Some(500))]);
    }
}
