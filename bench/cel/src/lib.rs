//! What the programs here share.

use std::time::{Duration, Instant};

use allocation_counter::AllocationInfo;

/// What running something took: time, and memory that was asked for meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Wall-clock time, or what the CPU spent on it if that is known and less: beside other programs most of
    /// the wall-clock time may be theirs.
    pub time: Duration,
    /// How often memory was asked for, and the most bytes held at a time.
    pub memory: AllocationInfo,
}

/// Runs it and says what it took.
pub fn taken(run: impl FnOnce()) -> Taken {
    let mut time = Duration::ZERO;
    let before = cpu_time();
    let memory = allocation_counter::measure(|| {
        let started = Instant::now();
        run();
        time = started.elapsed();
    });
    if let (Some(before), Some(after)) = (before, cpu_time()) {
        time = time.min(after.saturating_sub(before) + TICK);
    }
    Taken { time, memory }
}

/// How far behind the scheduler's accounts may be: they are brought up to date at its ticks.
const TICK: Duration = Duration::from_millis(4);

/// What the CPU has spent on this thread, where Linux says so.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
