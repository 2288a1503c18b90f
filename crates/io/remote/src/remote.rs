//! Asking once, for all who want to know, and remembering the answer.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    time::timeout,
};
use types::{AccessFailure, Answer, FailureClass, ObjectRef, Question, Timestamp};

use crate::objects::ObjectSource;

/// For how long an answer is remembered, and with it all that rests on it.
pub const MAX_AGE: Duration = Duration::from_secs(10);

/// How long an answer may take, waiting for its turn included.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// How many questions are asked of the API server at a time.
const MAX_ASKING: usize = 64;

/// How many answers are remembered.
const MAX_KEPT: u64 = 50_000;

/// Answers questions. Cheap to clone; clones share what they remember.
#[derive(Clone)]
pub struct Remote(Arc<Shared>);

struct Shared {
    source: Box<dyn ObjectSource>,
    runtime: Handle,
    turns: Semaphore,
    kept: Cache<ObjectRef, Known>,
    asking: Mutex<HashMap<ObjectRef, watch::Receiver<Option<Known>>>>,
}

/// An answer, and the time of whoever asked for it first: it was true then or later.
#[derive(Clone)]
struct Known {
    answer: Answer,
    as_of: Timestamp,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("kept", &self.0.kept.entry_count()).finish_non_exhaustive()
    }
}

impl Remote {
    /// Asks `source`, by tasks of `runtime`, so that neither a request that is given up nor a
    /// worker that ends takes an answer away from the others who wait for it.
    pub fn new(source: impl ObjectSource, runtime: Handle) -> Self {
        Self(Arc::new(Shared {
            source: Box::new(source),
            runtime,
            turns: Semaphore::new(MAX_ASKING),
            // Whether an answer may still be used is decided by its own time. The library's clock
            // only frees memory: there are secrets among the answers.
            kept: Cache::builder().max_capacity(MAX_KEPT).time_to_live(2 * MAX_AGE).build(),
            asking: Mutex::default(),
        }))
    }

    /// Forgets everything.
    pub fn forget(&self) {
        self.0.kept.invalidate_all();
    }

    /// The answer to `question`, at `now` not older than `max_age`, and since when it is known.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        now: Timestamp,
        max_age: Duration,
    ) -> (Answer, Timestamp) {
        match question {
            Question::Object(object) => self.ask_object(object, now, max_age).await,
            Question::Access(review) => {
                let message = format!("no webhook is named `{}`", review.webhook).into();
                (Answer::Access(Err(AccessFailure { class: FailureClass::Response, message })), now)
            }
        }
    }

    async fn ask_object(&self, object: &ObjectRef, now: Timestamp, max_age: Duration) -> (Answer, Timestamp) {
        if let Some(Known { answer, as_of }) = self.0.kept.get(object)
            && is_young(as_of, now, max_age)
        {
            return (answer, as_of);
        }
        let mut asked = self.join_or_begin(object, now);
        match asked.wait_for(Option::is_some).await.map(|known| known.clone()) {
            Ok(Some(Known { answer, as_of })) => (answer, as_of),
            // The runtime is shutting down, or the source panicked.
            _ => (Answer::Failed("the question was not asked to its end".into()), now),
        }
    }

    /// The answer that is on its way, if it is, or a new question.
    fn join_or_begin(&self, object: &ObjectRef, now: Timestamp) -> watch::Receiver<Option<Known>> {
        let mut asking = self.0.asking.lock();
        if let Some(asked) = asking.get(object) {
            return asked.clone();
        }
        let (tell, asked) = watch::channel(None);
        asking.insert(object.clone(), asked.clone());
        drop(asking);
        let turn = Turn { shared: Arc::clone(&self.0), object: object.clone() };
        self.0.runtime.spawn(async move {
            let answer = timeout(MAX_WAIT, turn.ask()).await;
            let answer = answer.unwrap_or_else(|_| Answer::Failed(format!("no answer within {MAX_WAIT:?}")));
            if let Answer::Failed(reason) = &answer {
                let ObjectRef { kind, namespace, name } = &turn.object;
                tracing::warn!(?kind, %namespace, %name, %reason, "cannot look up what a token is bound to");
            }
            let known = Known { answer, as_of: now };
            turn.end(&known);
            tell.send_replace(Some(known));
        });
        asked
    }
}

/// A question that is being asked. However its task ends, the next one is asked anew.
struct Turn {
    shared: Arc<Shared>,
    object: ObjectRef,
}

impl Turn {
    async fn ask(&self) -> Answer {
        match self.shared.turns.acquire().await {
            Ok(_permit) => self.shared.source.get(&self.object).await,
            Err(_) => Answer::Failed("no more questions are asked".into()),
        }
    }

    fn end(self, known: &Known) {
        if !matches!(known.answer, Answer::Failed(_)) {
            self.shared.kept.insert(self.object.clone(), known.clone());
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.asking.lock().remove(&self.object);
    }
}

/// Whether what was true `then` may still be used. A clock that was set back makes nothing young.
fn is_young(then: Timestamp, now: Timestamp, max_age: Duration) -> bool {
    now.duration_since(then).unsigned_abs() <= max_age
}

#[cfg(test)]
mod tests;
