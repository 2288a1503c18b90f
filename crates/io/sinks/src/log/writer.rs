//! Writing: by whoever holds the [`Writer`], and by the sink's own thread.

use std::{
    io,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant, SystemTime},
};

use super::{BATCH_BYTES, Batch, Degraded, LINGER, Rest, Shared, output::Output};

/// A buffer that grew beyond this in a burst is given back.
const KEEP_BYTES: usize = 1 << 20;

/// What lines are written with.
pub(super) struct Writer {
    output: Box<dyn Output>,
    /// A buffer to leave in the queue for the one that is taken.
    spare: Vec<u8>,
    /// The last write stopped within a line.
    torn: bool,
    /// The file is to be opened anew.
    reopen: bool,
}

impl Writer {
    pub(super) fn new(output: Box<dyn Output>) -> Self {
        Self { output, spare: Vec::new(), torn: false, reopen: false }
    }

    /// Whether a write ends soon, whatever other processes do.
    pub(super) fn is_prompt(&self) -> bool {
        self.output.is_prompt()
    }

    /// Writes all that waits, and tells everybody who waits for it.
    pub(super) fn write_waiting(&mut self, shared: &Shared) {
        let batch = {
            let mut queue = shared.queue.lock();
            queue.urgent = false;
            self.reopen |= std::mem::take(&mut queue.reopen);
            let empty = Batch { bytes: std::mem::take(&mut self.spare), ..Batch::default() };
            std::mem::replace(&mut queue.batch, empty)
        };
        let mut taken = Taken { shared, batch, lines: 0, whole: 0 };
        if self.reopen {
            match self.output.reopen() {
                Ok(()) => self.reopen = false,
                Err(error) => degrade(shared, &format!("cannot be opened anew: {error}")),
            }
        }
        if taken.batch.lines > 0 {
            self.write(&mut taken);
        }
        self.spare = std::mem::take(&mut taken.batch.bytes);
        self.spare.clear();
        self.spare.shrink_to(KEEP_BYTES);
    }

    fn write(&mut self, taken: &mut Taken<'_>) {
        let bytes = &taken.batch.bytes;
        let (count, error) = write_all(self.output.as_mut(), bytes, &mut self.torn);
        if error.is_none() {
            (taken.whole, taken.lines) = (bytes.len(), taken.batch.lines);
        } else {
            // Whole lines only: what is left of a torn one is no record.
            let end = bytes.iter().take(count).rposition(|byte| *byte == b'\n');
            taken.whole = end.map_or(0, |at| at + 1);
            taken.lines = bytes.iter().take(taken.whole).filter(|byte| **byte == b'\n').count();
        }
        self.torn |= taken.whole < count;
        match &error {
            Some(error) => degrade(taken.shared, &error.to_string()),
            None if !self.reopen => recover(taken.shared),
            None => {}
        }
    }
}

/// A batch on its way. However that ends, nobody waits for it any longer, and it is counted before
/// anybody is told.
struct Taken<'a> {
    shared: &'a Shared,
    batch: Batch,
    /// How many lines are on record, and how many bytes they have.
    lines: usize,
    whole: usize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.shared.written.fetch_add(self.lines as u64, Relaxed);
        self.shared.failed.fetch_add(self.batch.lines.saturating_sub(self.lines) as u64, Relaxed);
        if let Some(fate) = self.batch.fate.take() {
            fate.seal(self.whole);
        }
    }
}

/// The sink's thread: writes what nobody else does, until the sink is closed and nothing waits.
pub(super) fn run(shared: &Shared) {
    let _end = End(shared);
    while wait_for_work(shared) {
        shared.writer.lock().write_waiting(shared);
    }
    // A worker may still be writing the last lines.
    drop(shared.writer.lock());
}

/// However the thread ends, nothing waits for it any longer.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.closed = true;
        queue.ended = true;
        let left = std::mem::take(&mut queue.batch);
        drop(queue);
        drop(Taken { shared: self.0, batch: left, lines: 0, whole: 0 });
        self.0.ended.notify_all();
        if std::thread::panicking() {
            tracing::error!(target = %self.0.options.target, "the audit log's writer panicked");
        }
    }
}

/// Rests until there is something to write; `false` at the end.
fn wait_for_work(shared: &Shared) -> bool {
    let mut queue = shared.queue.lock();
    let mut until = Instant::now() + LINGER;
    while !queue.urgent && !queue.reopen && !queue.closed && queue.batch.bytes.len() < BATCH_BYTES {
        // Dozing first, and asleep only after a quiet spell: waking costs the worker a system call.
        queue.thread = Rest::Dozing;
        if shared.wake.wait_until(&mut queue, until).timed_out() {
            if queue.batch.lines > 0 {
                break;
            }
            queue.thread = Rest::Asleep;
            shared.wake.wait(&mut queue);
            until = Instant::now() + LINGER;
        }
    }
    queue.thread = Rest::Busy;
    queue.batch.lines > 0 || queue.reopen || !queue.closed
}

/// How many of `bytes` were taken, and what stopped the rest. After a torn line the next one begins
/// on a line of its own.
fn write_all(output: &mut dyn Output, bytes: &[u8], torn: &mut bool) -> (usize, Option<io::Error>) {
    while *torn {
        match output.write(b"\n") {
            Ok(0) => return (0, Some(io::ErrorKind::WriteZero.into())),
            Ok(_) => *torn = false,
            Err(error) if passing(&error) => {}
            Err(error) => return (0, Some(error)),
        }
    }
    let mut taken = 0;
    while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
        match output.write(rest) {
            Ok(0) => return (taken, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => taken += count,
            Err(error) if passing(&error) => {}
            Err(error) => return (taken, Some(error)),
        }
    }
    (taken, None)
}

/// Whether trying again is all there is to do. A pipe that another process made non-blocking is
/// given a moment to drain.
fn passing(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::Interrupted => true,
        io::ErrorKind::WouldBlock => {
            std::thread::sleep(Duration::from_millis(1));
            true
        }
        _ => false,
    }
}

fn degrade(shared: &Shared, reason: &str) {
    let mut degraded = shared.degraded.lock();
    if degraded.is_none() {
        tracing::error!(target = %shared.options.target, reason, "audit events cannot be written");
    }
    let since = degraded.as_ref().map_or_else(SystemTime::now, |degraded| degraded.since);
    *degraded = Some(Degraded { since, reason: reason.to_owned() });
}

fn recover(shared: &Shared) {
    if shared.degraded.lock().take().is_some() {
        tracing::warn!(target = %shared.options.target, "audit events are written again; those in between are lost");
    }
}
