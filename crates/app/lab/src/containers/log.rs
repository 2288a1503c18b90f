//! What a container has written, and who reads along.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;
use types::Timestamp;

/// What is kept; the oldest goes first.
const KEPT: usize = 1 << 20;

/// A piece that was written at once.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) at: Timestamp,
    pub(crate) bytes: Bytes,
    /// Written to standard error.
    pub(crate) error: bool,
}

#[derive(Debug, Default)]
struct Pieces {
    kept: VecDeque<Piece>,
    /// How many went before the first that is kept.
    forgotten: u64,
    bytes: usize,
}

/// A container's output.
#[derive(Debug)]
pub(crate) struct Log {
    pieces: Mutex<Pieces>,
    /// How many pieces there are, and whether there will be more.
    told: watch::Sender<(u64, bool)>,
}

impl Default for Log {
    fn default() -> Self {
        Self { pieces: Mutex::default(), told: watch::Sender::new((0, true)) }
    }
}

impl Log {
    pub(crate) fn write(&self, at: Timestamp, bytes: Bytes, error: bool) {
        let mut pieces = self.pieces.lock();
        pieces.bytes += bytes.len();
        pieces.kept.push_back(Piece { at, bytes, error });
        while pieces.bytes > KEPT
            && let Some(oldest) = pieces.kept.pop_front()
        {
            pieces.bytes -= oldest.bytes.len();
            pieces.forgotten += 1;
        }
        let count = pieces.forgotten + pieces.kept.len() as u64;
        drop(pieces);
        self.told.send_modify(|told| told.0 = count);
    }

    /// Nothing more will be written.
    pub(crate) fn end(&self) {
        self.told.send_modify(|told| told.1 = false);
    }

    /// Everything from piece number `position` on, and the number of the next.
    pub(crate) fn after(&self, position: u64) -> (Vec<Piece>, u64) {
        let pieces = self.pieces.lock();
        let skipped = usize::try_from(position.saturating_sub(pieces.forgotten)).unwrap_or(usize::MAX);
        let found = pieces.kept.iter().skip(skipped).cloned().collect();
        (found, pieces.forgotten + pieces.kept.len() as u64)
    }

    /// Waits until there is something after `position`; `false` if there never will be.
    pub(crate) async fn more(&self, position: u64) -> bool {
        let mut told = self.told.subscribe();
        let news = told.wait_for(|(count, goes_on)| *count > position || !goes_on).await;
        news.is_ok_and(|told| told.0 > position)
    }
}
