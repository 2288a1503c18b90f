//! Times, and what is said of many of them.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Runs of a loop of which the fastest counts: others were disturbed.
const RUNS: usize = 25;

/// What one turn takes when it is made over and over.
pub(crate) fn over_and_over<T>(turns: usize, mut turn: impl FnMut() -> T) -> Duration {
    let each = turns.div_ceil(RUNS).max(1);
    let runs = (0..RUNS).map(|_| {
        let started = Instant::now();
        for _ in 0..each {
            black_box(turn());
        }
        started.elapsed() / u32::try_from(each).unwrap_or(u32::MAX)
    });
    runs.min().unwrap_or_default()
}

/// What something takes that can be done only once.
pub(crate) fn once<T>(turn: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    black_box(turn());
    started.elapsed()
}

/// Many times of one thing.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

impl Times {
    pub(crate) fn median(&self) -> Duration {
        self.at(1, 2)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.at(99, 100)
    }

    pub(crate) fn max(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    fn at(&self, part: usize, of: usize) -> Duration {
        self.0.get(self.0.len() * part / of).copied().unwrap_or_default()
    }
}

/// In the unit that suits it.
pub(crate) fn show(time: Duration) -> String {
    match time.as_nanos() {
        nanos @ 0..10_000 => format!("{nanos} ns"),
        nanos @ 10_000..10_000_000 => format!("{:.1} µs", nanos as f64 / 1e3),
        nanos => format!("{:.1} ms", nanos as f64 / 1e6),
    }
}
