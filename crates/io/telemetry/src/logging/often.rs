//! The same trouble at every request, as with a webhook that is down, must not fill the disk.

use std::{
    collections::HashMap,
    io::{self, Write},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tracing::{Level, Metadata, callsite::Identifier};
use tracing_subscriber::fmt::MakeWriter;

/// How many lines of one place in the code are told in [`WHILE`].
pub(super) const MOST: u32 = 10;

const WHILE: Duration = Duration::from_secs(10);

/// Passes on what may be written, and says how much was left out before it. Details are never left out.
pub(super) struct NotTooOften<W> {
    inner: W,
    told: Mutex<HashMap<Identifier, Told>>,
}

/// What one place in the code has told.
struct Told {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl<W> NotTooOften<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, told: Mutex::default() }
    }

    /// Whether a line of this place may be written now, and how many were left out before it.
    fn admits(&self, place: Identifier, now: Instant) -> Option<u64> {
        let mut told = self.told.lock();
        let told = told.entry(place).or_insert(Told { since: now, lines: 0, left_out: 0 });
        let mut left_out = 0;
        if now.saturating_duration_since(told.since) >= WHILE {
            left_out = told.left_out;
            *told = Told { since: now, lines: 0, left_out: 0 };
        }
        if told.lines == MOST {
            told.left_out += 1;
            return None;
        }
        told.lines += 1;
        Some(left_out)
    }
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for NotTooOften<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(Some(self.inner.make_writer()))
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Self::Writer {
        let admitted = match *about.level() {
            Level::DEBUG | Level::TRACE => Some(0),
            _ => self.admits(about.callsite(), Instant::now()),
        };
        let Some(left_out) = admitted else { return Line(None) };
        let mut writer = self.inner.make_writer_for(about);
        if left_out > 0 {
            // Nobody is left to be told that standard error is closed.
            drop(writeln!(writer, "{left_out} lines like the next one were left out before it"));
        }
        Line(Some(writer))
    }
}

/// A line, or nothing.
pub(super) struct Line<W>(Option<W>);

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(bytes.len()), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use tracing::{Callsite, callsite::DefaultCallsite};

    use super::*;

    #[test]
    fn what_was_left_out_is_counted() {
        static METADATA: Metadata<'static> = tracing::metadata! {
            name: "here",
            target: "here",
            level: Level::WARN,
            fields: &[],
            callsite: &CALLSITE,
            kind: tracing::metadata::Kind::EVENT,
        };
        static CALLSITE: DefaultCallsite = DefaultCallsite::new(&METADATA);
        let place = || CALLSITE.metadata().callsite();
        let (limited, start) = (NotTooOften::new(io::sink), Instant::now());
        for _ in 0..MOST {
            assert_eq!(limited.admits(place(), start), Some(0));
        }
        for _ in 0..3 {
            assert_eq!(limited.admits(place(), start + WHILE / 2), None);
        }
        assert_eq!(limited.admits(place(), start + WHILE), Some(3));
        assert_eq!(limited.admits(place(), start + WHILE), Some(0));
    }
}
