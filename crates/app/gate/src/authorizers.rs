//! Layer 4 as it is configured now: one value that is replaced as a whole.
//!
//! A decision is made by one such value from its first question to its last: by its chain, with answers of
//! its own webhooks and nobody else's. One that had to wait for an answer and finds that there is a newer
//! value is made anew by that, so nothing is allowed by what held no longer.

pub(crate) mod reload;

use std::{
    ops::Deref,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::{ArcSwap, Guard};
use authz::{Authz, Impersonation};
use parking_lot::Mutex;
use remote::{Remote, TooManyQuestions};
use telemetry::{AuthorizerSeries, Conditions, Metrics};
use types::{Answers, Decision, Question, Step, Timestamp, Trace, Verdict};

use crate::status::State;

/// How often a decision is begun anew because the authorizers changed while a webhook was asked. Whoever
/// changes them faster than their webhooks answer gets a 500 in the end.
const MOST_CHANGES: usize = 4;

/// How long all of a decision may take, however many questions it asks. The request ends after this time
/// in kube-apiserver, too.
const LONGEST: Duration = Duration::from_secs(60);

/// The chain, and whoever answers its questions.
pub(crate) struct Authorizers {
    pub(crate) chain: Authz,
    /// What it remembers was decided by this chain.
    pub(crate) impersonation: Impersonation,
    remote: Remote,
    may_ask: bool,
    /// Where each authorizer of the chain counts.
    series: Vec<AuthorizerSeries>,
    /// For `portcullis status`.
    pub(crate) state: (State, String),
    /// Since when the gate decides by them.
    pub(crate) since: Timestamp,
}

impl Authorizers {
    pub(crate) fn new(
        chain: Authz,
        constrained_impersonation: bool,
        remote: Remote,
        metrics: &Metrics,
        state: (State, String),
        since: Timestamp,
    ) -> Self {
        Self {
            impersonation: Impersonation::new(constrained_impersonation),
            may_ask: chain.may_ask(),
            series: chain.authorizers().map(|(kind, name)| metrics.authorizer(kind, &name)).collect(),
            chain,
            remote,
            state,
            since,
        }
    }

    /// Whether a decision may have to wait for an answer.
    pub(crate) fn may_ask(&self) -> bool {
        self.may_ask
    }

    /// Measures a decision of the chain.
    pub(crate) fn meter<'a>(&'a self, metrics: &'a telemetry::Worker) -> Meter<'a> {
        Meter { series: &self.series, metrics, began: None, decided: None }
    }
}

/// Whoever holds on to it sees the newest authorizers.
pub(crate) struct Newest {
    newest: ArcSwap<Authorizers>,
    at_start: Timestamp,
    /// Since when and why a newer configuration is not in force.
    trouble: Mutex<Option<(Timestamp, String)>>,
}

/// A decision that cannot be made.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum NoEnd {
    #[error(transparent)]
    Questions(#[from] TooManyQuestions),
    #[error("the authorizers changed {MOST_CHANGES} times while their webhooks were asked")]
    Changes,
    #[error("no decision within {LONGEST:?}, all questions together")]
    Time,
}

impl Newest {
    pub(crate) fn new(first: Authorizers) -> Self {
        let at_start = first.since;
        Self { newest: ArcSwap::from_pointee(first), at_start, trouble: Mutex::default() }
    }

    /// The newest, for a moment: nobody holds on to it while waiting.
    pub(crate) fn load(&self) -> Guard<Arc<Authorizers>> {
        self.newest.load()
    }

    /// Decides by `newer` from now on.
    fn replace(&self, newer: Authorizers) {
        self.newest.store(Arc::new(newer));
        *self.trouble.lock() = None;
    }

    /// Since when the chain is another one than at the start, if it is.
    pub(crate) fn changed(&self) -> Option<Timestamp> {
        let since = self.load().since;
        (since != self.at_start).then_some(since)
    }

    /// Since when and why a newer configuration is not in force, if there is one.
    pub(crate) fn degraded(&self) -> Option<(Timestamp, String)> {
        self.trouble.lock().clone()
    }

    /// Runs a decision to its end, asking webhooks for what it asks, up to `most` questions or as many as the
    /// chain needs. `begin` begins one; it is called again if the authorizers change in the meantime. One
    /// that has been run already goes on where it `asked`.
    pub(crate) async fn drive<T, F>(
        &self,
        asked: Option<(Arc<Authorizers>, Question)>,
        most: Option<usize>,
        now: Timestamp,
        begin: impl FnMut() -> F,
    ) -> Result<T, NoEnd>
    where
        F: FnMut(&Authorizers, &Answers) -> Step<T>,
    {
        tokio::time::timeout(LONGEST, self.drive_on(asked, most, now, begin))
            .await
            .unwrap_or(Err(NoEnd::Time))
    }

    async fn drive_on<T, F>(
        &self,
        mut asked: Option<(Arc<Authorizers>, Question)>,
        most: Option<usize>,
        now: Timestamp,
        mut begin: impl FnMut() -> F,
    ) -> Result<T, NoEnd>
    where
        F: FnMut(&Authorizers, &Answers) -> Step<T>,
    {
        for _ in 0..=MOST_CHANGES {
            let (authorizers, question) = match asked.take() {
                Some((authorizers, question)) => (authorizers, Some(question)),
                None => (self.newest.load_full(), None),
            };
            let mut decision = begin();
            let decide = |answers: &Answers| decision(&authorizers, answers);
            let decided = remote::drive_on(question, most, &authorizers.remote, now, decide).await?;
            if Arc::ptr_eq(&authorizers, self.newest.load().deref()) {
                return Ok(decided);
            }
        }
        Err(NoEnd::Changes)
    }
}

/// Takes down who decided, and times match conditions.
pub(crate) struct Meter<'a> {
    series: &'a [AuthorizerSeries],
    metrics: &'a telemetry::Worker,
    began: Option<Instant>,
    decided: Option<(AuthorizerSeries, Decision)>,
}

impl Meter<'_> {
    /// Which authorizer decided, if one did.
    pub(crate) fn decided(&self) -> Option<(AuthorizerSeries, Decision)> {
        self.decided
    }
}

impl Trace for Meter<'_> {
    fn listens(&self) -> bool {
        false
    }

    fn note(&mut self, _: &Verdict) {}

    fn decided(&mut self, authorizer: usize, decision: Decision) {
        self.decided = self.series.get(authorizer).map(|series| (*series, decision));
    }

    fn conditions_begin(&mut self) {
        self.began = Some(Instant::now());
    }

    fn conditions_end(&mut self, authorizer: usize, excluded: bool, failed: bool) {
        if let (Some(began), Some(series)) = (self.began.take(), self.series.get(authorizer)) {
            self.metrics.conditions(*series, Conditions { excluded, failed }, began.elapsed());
        }
    }
}
