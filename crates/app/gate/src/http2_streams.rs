//! The open streams of an HTTP/2 connection: one that has had none for a while is closed.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// Counts the open streams of one connection.
#[derive(Default)]
pub(crate) struct Http2Streams(Mutex<Count>);

struct Count {
    open: usize,
    idle_since: Instant,
}

impl Default for Count {
    fn default() -> Self {
        Self { open: 0, idle_since: Instant::now() }
    }
}

/// One stream, counted until it is dropped: with the body of its answer, or with the request that
/// never got one.
pub(crate) struct StreamGuard(Arc<Http2Streams>);

impl Http2Streams {
    /// A stream begins.
    pub(crate) fn open(this: &Arc<Self>) -> StreamGuard {
        this.0.lock().open += 1;
        StreamGuard(Arc::clone(this))
    }

    /// Ends when there has been no open stream for `idle_time`.
    pub(crate) async fn idle_for(&self, idle_time: Duration) {
        loop {
            let until = {
                let count = self.0.lock();
                let since = if count.open > 0 { Instant::now() } else { count.idle_since };
                since + idle_time
            };
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        let mut count = self.0.0.lock();
        count.open -= 1;
        count.idle_since = Instant::now();
    }
}
