//! Waiting for a line: what whoever commits one holds until its batch has been written.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use super::{NotRecorded, Shared};

/// What became of a batch.
#[derive(Default)]
pub(super) struct Fate {
    /// How many of its bytes are on record, in whole lines. Set once, when it has been written.
    recorded: OnceLock<usize>,
    /// Who is to be woken then.
    wakers: Mutex<Vec<Waker>>,
}

impl Fate {
    /// The batch has been written, or will never be: wakes everybody who waits for it.
    pub(super) fn seal(&self, recorded: usize) {
        let _set_once = self.recorded.set(recorded);
        std::mem::take(&mut *self.wakers.lock()).into_iter().for_each(Waker::wake);
    }

    /// Wakes `waker` once the batch has been written; `false` if it has been by now.
    fn wake_later(&self, waker: &Waker) -> bool {
        let mut wakers = self.wakers.lock();
        // Whoever seals takes the wakers afterwards: under the lock nobody is missed.
        let waits = self.recorded.get().is_none();
        if waits && !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
        waits
    }
}

/// Ends when the promise about a committed line has been kept, or cannot be.
#[must_use = "a committed line is waited for"]
pub struct Commit(State);

enum State {
    Settled(Result<(), NotRecorded>),
    Waiting(Waiting),
}

struct Waiting {
    shared: Arc<Shared>,
    fate: Arc<Fate>,
    /// Where in the batch the line ends.
    end: usize,
    polls: u8,
}

impl Commit {
    /// Nothing is waited for.
    pub(super) fn settled(outcome: Result<(), NotRecorded>) -> Self {
        Self(State::Settled(outcome))
    }

    /// Waits for the line that ends at `end` of the batch with this fate.
    pub(super) fn waiting(shared: &Arc<Shared>, fate: Arc<Fate>, end: usize) -> Self {
        Self(State::Waiting(Waiting { shared: Arc::clone(shared), fate, end, polls: 0 }))
    }
}

impl Waiting {
    fn outcome(&self) -> Poll<Result<(), NotRecorded>> {
        match self.fate.recorded.get() {
            Some(recorded) if self.end <= *recorded => Poll::Ready(Ok(())),
            Some(_) => Poll::Ready(self.shared.refusal()),
            None => Poll::Pending,
        }
    }
}

impl Future for Commit {
    type Output = Result<(), NotRecorded>;

    fn poll(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Self::Output> {
        let waiting = match &mut self.0 {
            State::Settled(outcome) => return Poll::Ready(*outcome),
            State::Waiting(waiting) => waiting,
        };
        if waiting.outcome().is_ready() {
            return waiting.outcome();
        }
        waiting.polls = waiting.polls.saturating_add(1);
        match waiting.polls {
            1 => {
                // To the end of the worker's queue: others may have lines to add.
                ctx.waker().wake_by_ref();
                return Poll::Pending;
            }
            2 => waiting.shared.write_now(),
            _ => {}
        }
        if waiting.fate.wake_later(ctx.waker()) { Poll::Pending } else { waiting.outcome() }
    }
}
