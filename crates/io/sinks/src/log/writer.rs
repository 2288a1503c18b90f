//! The one thread that writes.

use std::{
    io,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant, SystemTime},
};

use super::{BATCH_BYTES, Batch, Degraded, LINGER, Rest, Shared, output::Output};

/// A buffer that grew beyond this in a burst is given back.
const KEEP_BYTES: usize = 1 << 20;

/// Writes batch after batch until the sink is closed and nothing waits.
pub(super) fn run(shared: &Shared, mut output: impl Output) {
    let _end = End(shared);
    let mut spare = Batch::default();
    let mut torn = false;
    let mut reopen = false;
    while let Some((mut batch, asked)) = next_batch(shared, spare) {
        reopen |= asked;
        if reopen {
            match output.reopen() {
                Ok(()) => reopen = false,
                Err(error) => degrade(shared, &format!("cannot be opened anew: {error}")),
            }
        }
        if batch.lines > 0 {
            write_batch(shared, &mut output, &mut batch, &mut torn, !reopen);
        }
        batch.bytes.clear();
        batch.bytes.shrink_to(KEEP_BYTES);
        batch.lines = 0;
        spare = batch;
    }
}

/// However the writer ends, nobody waits for it any longer.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.closed = true;
        queue.writer_ended = true;
        let left = std::mem::take(&mut queue.batch);
        self.0.failed.fetch_add(left.lines as u64, Relaxed);
        self.0.ended.notify_all();
        if std::thread::panicking() {
            tracing::error!(target = %self.0.options.target, "the audit log's writer panicked");
        }
    }
}

/// Waits for lines, leaving the empty `spare` in their place; `None` at the end.
fn next_batch(shared: &Shared, spare: Batch) -> Option<(Batch, bool)> {
    let mut queue = shared.queue.lock();
    let mut until = Instant::now() + LINGER;
    while !queue.urgent && !queue.reopen && !queue.closed && queue.batch.bytes.len() < BATCH_BYTES {
        // Dozing first, and asleep only after a quiet spell: waking costs the worker a system call.
        queue.writer = Rest::Dozing;
        if shared.wake.wait_until(&mut queue, until).timed_out() {
            if queue.batch.lines > 0 {
                break;
            }
            queue.writer = Rest::Asleep;
            shared.wake.wait(&mut queue);
            until = Instant::now() + LINGER;
        }
    }
    queue.writer = Rest::Busy;
    queue.urgent = false;
    let reopen = std::mem::take(&mut queue.reopen);
    if queue.batch.lines == 0 && !reopen && queue.closed {
        return None;
    }
    Some((std::mem::replace(&mut queue.batch, spare), reopen))
}

/// Writes one batch and tells everybody who waits; `healthy` says that nothing else is wrong.
fn write_batch(shared: &Shared, output: &mut impl Output, batch: &mut Batch, torn: &mut bool, healthy: bool) {
    let (taken, error) = write_all(output, &batch.bytes, torn);
    // Whole lines only: what is left of a torn one is no record.
    let whole = match &error {
        None => batch.bytes.len(),
        Some(_) => batch.bytes.iter().take(taken).rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1),
    };
    *torn |= whole < taken;
    let written = match &error {
        None => batch.lines,
        Some(_) => batch.bytes.iter().take(whole).filter(|byte| **byte == b'\n').count(),
    };
    shared.written.fetch_add(written as u64, Relaxed);
    shared.failed.fetch_add(batch.lines.saturating_sub(written) as u64, Relaxed);
    // Before anybody is told, so that whoever has been told sees it.
    match &error {
        Some(error) => degrade(shared, &error.to_string()),
        None if healthy => recover(shared),
        None => {}
    }
    for (end, waiter) in batch.waiters.drain(..) {
        let _gone = waiter.send(if end <= whole { Ok(()) } else { shared.refusal() });
    }
}

/// How many of `bytes` were taken, and what stopped the rest. After a torn line the next one begins
/// on a line of its own.
fn write_all(output: &mut impl Output, bytes: &[u8], torn: &mut bool) -> (usize, Option<io::Error>) {
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
