//! Layer 4 in numbers: what authorizers decided, how long it took, and who asked to act as whom.

use std::time::Duration;

use types::Decision;

use super::{
    LabelValue,
    exposition::{Exposition, Kind, Label},
    label_values,
};

/// Upper bounds of durations, in milliseconds and as Go prints them.
// UPSTREAM: 15 of them, each twice the one before it (kube-apiserver 1.36)
const BOUNDS: [(u64, &str); 15] = [
    (1, "0.001"),
    (2, "0.002"),
    (4, "0.004"),
    (8, "0.008"),
    (16, "0.016"),
    (32, "0.032"),
    (64, "0.064"),
    (128, "0.128"),
    (256, "0.256"),
    (512, "0.512"),
    (1_024, "1.024"),
    (2_048, "2.048"),
    (4_096, "4.096"),
    (8_192, "8.192"),
    (16_384, "16.384"),
];

/// The same, of match conditions.
// UPSTREAM: kube-apiserver 1.36
const CONDITION_BOUNDS: [(u64, &str); 7] =
    [(1, "0.001"), (5, "0.005"), (10, "0.01"), (25, "0.025"), (100, "0.1"), (200, "0.2"), (250, "0.25")];

label_values! {
    /// What the chain of authorizers said to a request.
    // UPSTREAM: an error counts unless somebody allowed the request (kube-apiserver 1.36)
    pub enum Authorization {
        /// Yes.
        Allowed = "allowed",
        /// No.
        Denied = "denied",
        /// Nobody said anything, which is a no.
        NoOpinion = "no-opinion",
        /// Nobody allowed it, and somebody could not decide.
        Error = "error",
    }
}

/// Where the decisions of one authorizer count: [`Metrics::authorizer`](super::Metrics::authorizer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorizerSeries(pub(super) usize);

/// What became of a webhook's match conditions.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// One was false: the webhook was not asked.
    pub excluded: bool,
    /// One had no value.
    pub failed: bool,
}

/// Durations by upper bounds.
#[derive(Clone, Debug)]
struct Durations<const N: usize> {
    below: [u64; N],
    count: u64,
    sum: Duration,
}

impl<const N: usize> Default for Durations<N> {
    fn default() -> Self {
        Self { below: [0; N], count: 0, sum: Duration::ZERO }
    }
}

impl<const N: usize> Durations<N> {
    fn observe(&mut self, elapsed: Duration, bounds: &[(u64, &str); N]) {
        self.count += 1;
        self.sum = self.sum.saturating_add(elapsed);
        let within = |(bound, _): &(u64, &str)| elapsed <= Duration::from_millis(*bound);
        if let Some(below) = bounds.iter().position(within).and_then(|at| self.below.get_mut(at)) {
            *below += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.below.iter_mut().zip(other.below).for_each(|(ours, theirs)| *ours += theirs);
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// Durations of what has few kinds, and most of them never happen.
#[derive(Clone, Debug)]
struct Timed<L>(Vec<(L, Durations<{ BOUNDS.len() }>)>);

impl<L> Default for Timed<L> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<L: Copy + Ord> Timed<L> {
    fn of(&mut self, label: L) -> &mut Durations<{ BOUNDS.len() }> {
        let at = self.0.binary_search_by_key(&label, |(known, _)| *known);
        let at = at.unwrap_or_else(|at| {
            self.0.insert(at, (label, Durations::default()));
            at
        });
        #[expect(clippy::indexing_slicing, reason = "found or inserted there")]
        &mut self.0[at].1
    }

    fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(label, theirs)| self.of(*label).merge(theirs));
    }

    /// A counter and a histogram of the same, as kube-apiserver has them.
    fn expose<'a, const N: usize>(
        &self,
        page: &mut Exposition,
        [total, seconds]: [(&'static str, &str); 2],
        labels: impl Fn(L) -> [Label<'a>; N],
    ) {
        let mut family = page.family(total.0, Kind::Counter, total.1);
        for (label, durations) in &self.0 {
            family.sample(&labels(*label), durations.count);
        }
        let mut family = page.family(seconds.0, Kind::Histogram, seconds.1);
        for (label, Durations { below, count, sum }) in &self.0 {
            let bounds = BOUNDS.iter().map(|(_, bound)| *bound).zip(*below);
            family.histogram(&labels(*label), bounds, *count, sum.as_secs_f64());
        }
    }
}

/// Allowed or not, and the mode.
type Impersonation = (bool, &'static str);

fn impersonation_labels((allowed, mode): Impersonation) -> [Label<'static>; 2] {
    [("decision", if allowed { "allowed" } else { "denied" }), ("mode", mode)]
}

/// One authorizer of the chain.
#[derive(Clone, Debug, Default)]
struct Authorizer {
    allowed: u64,
    denied: u64,
    conditions: Durations<{ CONDITION_BOUNDS.len() }>,
    excluded: u64,
    failed: u64,
}

/// What one worker counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    attempts: [Durations<{ BOUNDS.len() }>; Authorization::ALL.len()],
    /// By [`AuthorizerSeries`].
    authorizers: Vec<Authorizer>,
    /// Those refused have no mode.
    // UPSTREAM: refusals count under an empty mode (kube-apiserver 1.36)
    impersonations: Timed<Impersonation>,
    checks: Timed<Impersonation>,
}

impl Counts {
    pub(super) fn attempt(&mut self, result: Authorization, elapsed: Duration) {
        if let Some(attempts) = self.attempts.get_mut(result as usize) {
            attempts.observe(elapsed, &BOUNDS);
        }
    }

    fn authorizer(&mut self, AuthorizerSeries(at): AuthorizerSeries) -> Option<&mut Authorizer> {
        if self.authorizers.len() <= at {
            self.authorizers.resize_with(at + 1, Authorizer::default);
        }
        self.authorizers.get_mut(at)
    }

    // UPSTREAM: no opinion is not counted: it is not the end (kube-apiserver 1.36)
    pub(super) fn decided(&mut self, by: AuthorizerSeries, decision: Decision) {
        let Some(authorizer) = self.authorizer(by) else { return };
        match decision {
            Decision::Allow => authorizer.allowed += 1,
            Decision::Deny => authorizer.denied += 1,
            Decision::NoOpinion => {}
        }
    }

    pub(super) fn conditions(&mut self, of: AuthorizerSeries, judged: Conditions, elapsed: Duration) {
        let Some(authorizer) = self.authorizer(of) else { return };
        authorizer.conditions.observe(elapsed, &CONDITION_BOUNDS);
        authorizer.excluded += u64::from(judged.excluded);
        authorizer.failed += u64::from(judged.failed);
    }

    pub(super) fn impersonated(&mut self, mode: Option<&'static str>, elapsed: Duration) {
        self.impersonations.of((mode.is_some(), mode.unwrap_or_default())).observe(elapsed, &BOUNDS);
    }

    pub(super) fn checked(&mut self, mode: &'static str, allowed: bool, elapsed: Duration) {
        self.checks.of((allowed, mode)).observe(elapsed, &BOUNDS);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.attempts.iter_mut().zip(&other.attempts).for_each(|(ours, theirs)| ours.merge(theirs));
        for (at, theirs) in other.authorizers.iter().enumerate() {
            let Some(ours) = self.authorizer(AuthorizerSeries(at)) else { continue };
            ours.allowed += theirs.allowed;
            ours.denied += theirs.denied;
            ours.conditions.merge(&theirs.conditions);
            ours.excluded += theirs.excluded;
            ours.failed += theirs.failed;
        }
        self.impersonations.merge(&other.impersonations);
        self.checks.merge(&other.checks);
    }

    /// `names` are the types and names of authorizers, by their series.
    pub(super) fn expose(&self, page: &mut Exposition, names: &[(&'static str, Box<str>)]) {
        let mut attempts = Timed::default();
        for (result, durations) in Authorization::ALL.iter().zip(&self.attempts) {
            if durations.count > 0 {
                attempts.of(result.as_str()).merge(durations);
            }
        }
        attempts.expose(
            page,
            [
                ("authorization_attempts_total", "Authorizations of requests, by how they ended."),
                ("authorization_duration_seconds", "How long authorizing a request took."),
            ],
            |result| [("result", result)],
        );
        self.expose_authorizers(page, names);
        self.impersonations.expose(
            page,
            [
                (
                    "apiserver_impersonation_attempts_total",
                    "Requests to act as somebody else, by decision and mode.",
                ),
                ("apiserver_impersonation_attempts_duration_seconds", "How long deciding on them took."),
            ],
            impersonation_labels,
        );
        self.checks.expose(
            page,
            [
                (
                    "apiserver_impersonation_authorization_attempts_total",
                    "Questions to the authorizers about whether somebody may act as somebody else.",
                ),
                (
                    "apiserver_impersonation_authorization_attempts_duration_seconds",
                    "How long answering them took.",
                ),
            ],
            impersonation_labels,
        );
    }

    fn expose_authorizers(&self, page: &mut Exposition, names: &[(&'static str, Box<str>)]) {
        let named =
            || self.authorizers.iter().zip(names).map(|(counts, (kind, name))| (counts, *kind, &**name));
        let mut family = page.family(
            "apiserver_authorization_decisions_total",
            Kind::Counter,
            "Decisions that an authorizer made for the whole chain.",
        );
        for (counts, kind, name) in named() {
            for (decision, count) in [("allowed", counts.allowed), ("denied", counts.denied)] {
                if count > 0 {
                    family.sample(&[("decision", decision), ("name", name), ("type", kind)], count);
                }
            }
        }
        let with_conditions = || named().filter(|(counts, ..)| counts.conditions.count > 0);
        let mut counter = |name, help, count: fn(&Authorizer) -> u64| {
            let mut family = page.family(name, Kind::Counter, help);
            for (counts, kind, name) in with_conditions() {
                family.sample(&[("name", name), ("type", kind)], count(counts));
            }
        };
        counter(
            "apiserver_authorization_match_condition_evaluation_errors_total",
            "Requests for which a match condition of a webhook had no value.",
            |counts| counts.failed,
        );
        counter(
            "apiserver_authorization_match_condition_exclusions_total",
            "Requests that a webhook was not asked about because a match condition was false.",
            |counts| counts.excluded,
        );
        let mut family = page.family(
            "apiserver_authorization_match_condition_evaluation_seconds",
            Kind::Histogram,
            "How long the match conditions of a webhook took.",
        );
        for (counts, kind, name) in with_conditions() {
            let Durations { below, count, sum } = &counts.conditions;
            let bounds = CONDITION_BOUNDS.iter().map(|(_, bound)| *bound).zip(*below);
            family.histogram(&[("name", name), ("type", kind)], bounds, *count, sum.as_secs_f64());
        }
    }
}
