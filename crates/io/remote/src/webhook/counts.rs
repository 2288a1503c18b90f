//! How asking a webhook went, for metrics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What a try came to.
// UPSTREAM: these words; a connection that failed is an error too (kube-apiserver 1.36)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryResult {
    /// A well-formed answer.
    Success,
    /// None in time.
    Timeout,
    /// None, or something else.
    Error,
    /// Nobody waited for it any more.
    Canceled,
}

impl TryResult {
    /// In the order in which they are counted.
    pub const ALL: [Self; 4] = [Self::Success, Self::Timeout, Self::Error, Self::Canceled];

    /// As a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Canceled => "canceled",
        }
    }

    /// Whether a request can go on to the next authorizer after it.
    pub const fn can_fail_open(self) -> bool {
        matches!(self, Self::Timeout | Self::Error)
    }
}

/// Upper bounds of the buckets of [`TryCounts::below`], in seconds.
// UPSTREAM: the Prometheus library's own (kube-apiserver 1.36)
pub const BOUNDS: [&str; 11] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"];

const MILLIS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/// The tries of one result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TryCounts {
    /// How many there were.
    pub count: u64,
    /// How long all of them took, in seconds.
    pub seconds: f64,
    /// How many took no longer than each bound, and longer than the one before it.
    pub below: [u64; BOUNDS.len()],
    /// How many requests this result left to the next authorizer.
    pub fail_open: u64,
}

/// One webhook's tries.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookCounts {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// What they came to; every result is there.
    pub results: Vec<(TryResult, TryCounts)>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts([Counted; TryResult::ALL.len()]);

#[derive(Debug, Default)]
struct Counted {
    count: AtomicU64,
    nanos: AtomicU64,
    below: [AtomicU64; BOUNDS.len()],
    fail_open: AtomicU64,
}

impl Counts {
    /// A try took so long. A duration at a bound counts below it.
    pub(super) fn tried(&self, result: TryResult, took: Duration) {
        let Some(counted) = self.0.get(result as usize) else { return };
        counted.count.fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        counted.nanos.fetch_add(nanos, Ordering::Relaxed);
        let bounds = MILLIS.iter().zip(&counted.below);
        if let Some((_, below)) = bounds.into_iter().find(|(bound, _)| took <= Duration::from_millis(**bound))
        {
            below.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request goes on without this webhook.
    pub(super) fn failed_open(&self, result: TryResult) {
        if let Some(counted) = self.0.get(result as usize) {
            counted.fail_open.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Vec<(TryResult, TryCounts)> {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let read = |counted: &Counted| TryCounts {
            count: get(&counted.count),
            seconds: Duration::from_nanos(get(&counted.nanos)).as_secs_f64(),
            below: std::array::from_fn(|at| counted.below.get(at).map_or(0, get)),
            fail_open: get(&counted.fail_open),
        };
        TryResult::ALL.into_iter().zip(self.0.iter().map(read)).collect()
    }
}
