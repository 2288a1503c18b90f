//! A line on the terminal of somebody who waits.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Progress {
    since: Instant,
    told: Option<Instant>,
    terminal: bool,
    size: Option<u64>,
}

impl Progress {
    /// Of a file of `size` bytes, if that is known.
    pub(super) fn new(size: Option<u64>) -> Self {
        Self { since: Instant::now(), told: None, terminal: io::stderr().is_terminal(), size }
    }

    /// So many lines, and bytes of the file.
    pub(super) fn at(&mut self, lines: u64, bytes: u64) {
        if !self.terminal || self.told.unwrap_or(self.since).elapsed() < PATIENCE {
            return;
        }
        self.told = Some(Instant::now());
        drop(write!(io::stderr(), "\r\x1b[K{}", text(lines, bytes, self.size, self.since.elapsed())));
    }

    pub(super) fn end(&self) {
        if self.told.is_some() {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}

/// `1234567 lines, 41 %, 85 MB/s`
fn text(lines: u64, bytes: u64, size: Option<u64>, since: Duration) -> String {
    let share = size.and_then(|size| bytes.saturating_mul(100).checked_div(size));
    let share = share.map(|share| format!(", {share} %")).unwrap_or_default();
    let speed = bytes as f64 / 1e6 / since.as_secs_f64().max(1e-3);
    format!("{lines} lines{share}, {speed:.0} MB/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_and_how_fast() {
        let told = text(1000, 250_000_000, Some(1_000_000_000), Duration::from_secs(2));
        assert_eq!(told, "1000 lines, 25 %, 125 MB/s");
        assert_eq!(text(1, 0, None, Duration::ZERO), "1 lines, 0 MB/s");
    }
}
