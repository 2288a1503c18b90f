//! Audit events as lines of a file or of standard output: `--audit-log-path`.
//!
//! Whoever commits a line writes it, together with all that wait (group commit): the worker's other
//! requests run first, so that their lines join the batch, and then one call writes it all. No
//! other thread has to be woken, which would cost more than the rest of a request's audit. A thread
//! of the sink's own writes what nobody waits for, and writes for the workers where a call could
//! take long or another one is at it. Lines come out whole, and in the order in which they were
//! handed over.
//!
//! # What a call costs
//!
//! A line appended to a file goes to the page cache: microseconds, which the worker's other
//! connections wait for. Where the file system itself stops (a disk that hangs, memory that is all
//! dirty), they wait for it too; kube-apiserver stops the request alone. `batch` never waits.
//! Standard output may be a pipe that nobody empties, so it is left to the sink's own thread.
//!
//! # What each mode promises
//!
//! "With the operating system" means that `write(2)` has taken the line, as for kube-apiserver:
//! it survives the death of the gate, not that of the machine.
//!
//! | mode | a committed line | an appended line | when it cannot be written |
//! |---|---|---|---|
//! | `blocking` | with the operating system before [`LogSink::commit`] ends | follows in order | counted as failed, the request goes on |
//! | `blocking-strict` | as above | as above | counted as failed, `commit` says so and the request must be refused |
//! | `batch` | in memory | in memory | counted as failed |
//!
//! Lines that nobody waits for go out with the next committed one, after [`LINGER`], or with 64 KiB.
//! In `batch`, every line beyond [`LogOptions::buffer`] waiting ones is dropped and counted. The
//! blocking modes never drop: whoever commits waits, and since lines go out in order, no more can be
//! waiting than there are requests in flight.
//! An orderly end ([`LogSink::close`]) writes everything; if the gate is killed, appended lines that
//! nobody waited for, and in `batch` all waiting ones, can be lost.

mod commit;
mod options;
mod output;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use parking_lot::{Condvar, Mutex};

pub use commit::Commit;
pub use options::{LogMode, LogOptions, OpenError, Target};

use commit::Fate;
use output::Output;
use writer::Writer;

/// The longest time that a line which nobody waits for stays unwritten, so that others may join it.
pub const LINGER: Duration = Duration::from_millis(10);

/// How long the last handle waits for the writer when it goes away without [`LogSink::close`].
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// So many waiting bytes are written without waiting for more.
const BATCH_BYTES: usize = 64 * 1024;

/// The line is not on record: it could not be written, or the sink was closed. Only
/// [`LogMode::BlockingStrict`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to store audit event")]
pub struct NotRecorded;

/// What has become of the lines so far, and how the sink fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStatus {
    /// Where lines go.
    pub target: Target,
    /// What is promised.
    pub mode: LogMode,
    /// Lines handed over, whatever became of them.
    pub received: u64,
    /// Lines with the operating system.
    pub written: u64,
    /// Lines that the operating system did not take.
    pub failed: u64,
    /// Lines that found the buffer full, or the sink closed.
    pub dropped: u64,
    /// Lines still waiting.
    pub waiting: u64,
    /// Since when and why lines cannot be written; `None` while they can.
    pub degraded: Option<Degraded>,
}

/// Why lines cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// The first failure since the last success.
    pub since: SystemTime,
    /// What the operating system said last.
    pub reason: String,
}

/// A log that lines can be handed to from any thread. Cloning it gives another handle; the log is
/// closed by [`LogSink::close`] or with the last handle.
#[derive(Clone)]
pub struct LogSink(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    options: LogOptions,
    queue: Mutex<Queue>,
    /// Held while a batch is taken from the queue and written: batches go out in order.
    writer: Mutex<Writer>,
    /// To the sink's thread: there is something to do.
    wake: Condvar,
    /// From the sink's thread: it has ended.
    ended: Condvar,
    received: AtomicU64,
    written: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    degraded: Mutex<Option<Degraded>>,
}

#[derive(Default)]
struct Queue {
    batch: Batch,
    thread: Rest,
    /// Somebody waits for the thread to write the batch.
    urgent: bool,
    reopen: bool,
    closed: bool,
    ended: bool,
}

/// How the sink's thread rests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    /// Not at all: it looks at the queue before it rests.
    #[default]
    Busy,
    /// For [`LINGER`] at most.
    Dozing,
    /// Until it is woken.
    Asleep,
}

/// Lines that wait together.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    lines: usize,
    /// What those who committed a line look at.
    fate: Option<Arc<Fate>>,
}

impl LogSink {
    /// Opens the log and starts the sink's thread.
    pub fn open(options: LogOptions) -> Result<Self, OpenError> {
        let output = output::open(&options.target)?;
        let target = options.target.clone();
        Self::start(options, Box::new(output)).map_err(|error| OpenError::Io { target, error })
    }

    fn start(options: LogOptions, output: Box<dyn Output>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            options,
            queue: Mutex::default(),
            writer: Mutex::new(Writer::new(output)),
            wake: Condvar::new(),
            ended: Condvar::new(),
            received: AtomicU64::new(0),
            written: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            degraded: Mutex::new(None),
        });
        let for_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("audit-log".into()).spawn(move || writer::run(&for_thread))?;
        Ok(Self(Arc::new(Handle { shared })))
    }

    /// Hands over one line, line feed included, that nobody waits for.
    pub fn append(&self, line: &[u8]) {
        drop(self.0.shared.hand_over(line, false));
    }

    /// Hands over one line, line feed included, and ends when the mode's promise is kept.
    ///
    /// The line is handed over at once, before the answer is first polled: other work may be done
    /// in between. Dropping the answer does not take the line back.
    pub fn commit(&self, line: &[u8]) -> Commit {
        let shared = &self.0.shared;
        if shared.options.mode == LogMode::Batch {
            self.append(line);
            return Commit::settled(Ok(()));
        }
        match shared.hand_over(line, true) {
            Some((fate, end)) => Commit::waiting(shared, fate, end),
            None => Commit::settled(shared.refusal()),
        }
    }

    /// Opens the file anew before the next line, so that a rotated file can be taken away. If that
    /// fails, lines go on to the old file, and the status says so.
    pub fn reopen(&self) {
        let shared = &self.0.shared;
        let mut queue = shared.queue.lock();
        queue.reopen = true;
        shared.wake_thread(&mut queue);
    }

    /// How the sink fares.
    pub fn status(&self) -> LogStatus {
        let shared = &self.0.shared;
        let received = shared.received.load(Relaxed);
        let (written, failed, dropped) =
            (shared.written.load(Relaxed), shared.failed.load(Relaxed), shared.dropped.load(Relaxed));
        LogStatus {
            target: shared.options.target.clone(),
            mode: shared.options.mode,
            received,
            written,
            failed,
            dropped,
            // The four are read one after the other while lines move on.
            waiting: received.saturating_sub(written + failed + dropped),
            degraded: shared.degraded.lock().clone(),
        }
    }

    /// Writes everything that has been handed over, then ends the thread. It blocks the calling
    /// thread until then, but not for longer than `within`; the answer tells how many lines are
    /// still waiting. Lines that come later are counted as dropped.
    pub fn close(&self, within: Duration) -> LogStatus {
        self.0.close(within);
        self.status()
    }
}

impl Handle {
    fn close(&self, within: Duration) {
        let until = Instant::now() + within;
        let mut queue = self.shared.queue.lock();
        queue.closed = true;
        self.shared.wake_thread(&mut queue);
        while !queue.ended && !self.shared.ended.wait_until(&mut queue, until).timed_out() {}
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close(CLOSE_WITHIN);
    }
}

impl Shared {
    /// Puts a line into the batch. Of a line that somebody waits for: what they look at, and where
    /// in the batch it ends; `None` if it was dropped.
    fn hand_over(&self, line: &[u8], waited_for: bool) -> Option<(Arc<Fate>, usize)> {
        self.received.fetch_add(1, Relaxed);
        let batching = self.options.mode == LogMode::Batch;
        let mut queue = self.queue.lock();
        if queue.closed || batching && queue.batch.lines >= self.options.buffer {
            self.dropped.fetch_add(1, Relaxed);
            return None;
        }
        let before = queue.batch.bytes.len();
        queue.batch.bytes.extend_from_slice(line);
        queue.batch.lines += 1;
        let end = queue.batch.bytes.len();
        // Even if somebody waits: they may give up before they write.
        if queue.thread == Rest::Asleep || before < BATCH_BYTES && end >= BATCH_BYTES {
            self.wake_thread(&mut queue);
        }
        waited_for.then(|| (Arc::clone(queue.batch.fate.get_or_insert_default()), end))
    }

    /// Writes what waits, if that can be done at once.
    fn write_now(&self) {
        match self.writer.try_lock() {
            Some(mut writer) if writer.is_prompt() => writer.write_waiting(self),
            _ => self.urge(),
        }
    }

    /// Has the thread write what waits.
    fn urge(&self) {
        let mut queue = self.queue.lock();
        if !queue.urgent && queue.batch.fate.is_some() {
            queue.urgent = true;
            self.wake_thread(&mut queue);
        }
    }

    fn wake_thread(&self, queue: &mut Queue) {
        if std::mem::take(&mut queue.thread) != Rest::Busy {
            self.wake.notify_one();
        }
    }

    /// What a request hears whose line could not be written.
    fn refusal(&self) -> Result<(), NotRecorded> {
        if self.options.mode == LogMode::BlockingStrict { Err(NotRecorded) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
