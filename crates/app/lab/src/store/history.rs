//! The window of recent events that watches replay and exact lists undo.

use std::{collections::VecDeque, sync::Arc};

use serde_json::Value;

use super::Key;

/// One change.
#[derive(Clone, Debug)]
pub struct Event {
    /// The revision it made.
    pub revision: u64,
    /// Of which object.
    pub key: Key,
    /// Whether the object is gone.
    pub deleted: bool,
    /// The object after the change; after a deletion, as it last was.
    pub object: Arc<Value>,
    /// The object before the change; `None` when it was created.
    pub previous: Option<Arc<Value>>,
}

/// The revision asked for lies before the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOld {
    /// The oldest revision that can still be asked for.
    pub oldest: u64,
}

pub(super) struct History {
    events: VecDeque<Arc<Event>>,
    /// All events after this revision are here.
    complete_after: u64,
    capacity: usize,
}

impl History {
    pub(super) fn new(capacity: usize, revision: u64) -> Self {
        Self { events: VecDeque::new(), complete_after: revision, capacity }
    }

    pub(super) fn push(&mut self, event: Event) {
        self.events.push_back(Arc::new(event));
        while self.events.len() > self.capacity {
            if let Some(oldest) = self.events.pop_front() {
                self.complete_after = oldest.revision;
            }
        }
    }

    pub(super) fn forget(&mut self, up_to: u64) {
        self.events.retain(|event| event.revision > up_to);
        self.complete_after = self.complete_after.max(up_to);
    }

    /// Events after `revision`, oldest first.
    pub(super) fn after(
        &self,
        revision: u64,
    ) -> Result<impl DoubleEndedIterator<Item = &Arc<Event>>, TooOld> {
        if revision < self.complete_after {
            return Err(TooOld { oldest: self.complete_after });
        }
        let from = self.events.partition_point(|event| event.revision <= revision);
        Ok(self.events.range(from..))
    }
}
