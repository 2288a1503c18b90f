//! What the programs here share.

use std::time::{Duration, Instant};

use allocation_counter::AllocationInfo;

/// What running something took: time, and memory that was asked for meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Wall-clock time.
    pub time: Duration,
    /// How often memory was asked for, and the most bytes held at a time.
    pub memory: AllocationInfo,
}

/// Runs it and says what it took.
pub fn taken(run: impl FnOnce()) -> Taken {
    let mut time = Duration::ZERO;
    let memory = allocation_counter::measure(|| {
        let started = Instant::now();
        run();
        time = started.elapsed();
    });
    Taken { time, memory }
}
