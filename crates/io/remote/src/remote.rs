//! Asking once, for all who want to know, and remembering the answer.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    time::{Instant, sleep_until, timeout},
};
use types::{Answer, ObjectRef, Question, Timestamp};

use crate::{
    objects::ObjectSource,
    reviews::Reviews,
    webhook::{Counts, Webhook, WebhookCounts},
};

/// For how long an answer is remembered, and with it all that rests on it.
pub const MAX_AGE: Duration = Duration::from_secs(10);

/// How long an answer may take, waiting for its turn included.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// How soon an object is looked up again, at the earliest. Somebody who is refused over and over, each
/// time against a fresh answer, costs the API server twenty look-ups of an object in a second.
const PAUSE: Duration = Duration::from_millis(50);

/// How many questions are asked of the API server at a time.
const MAX_ASKING: usize = 64;

/// How many answers are remembered.
const MAX_KEPT: u64 = 50_000;

/// Answers questions. Cheap to clone; clones share what they remember.
#[derive(Clone)]
pub struct Remote {
    lookups: Arc<Shared>,
    reviews: Reviews,
    /// How it went with every webhook that there ever was, by name: what is counted never falls.
    counts: Arc<Mutex<BTreeMap<Arc<str>, Arc<Counts>>>>,
}

struct Shared {
    source: Box<dyn ObjectSource>,
    runtime: Handle,
    turns: Semaphore,
    kept: Cache<ObjectRef, Known>,
    asking: Mutex<HashMap<ObjectRef, Asking>>,
}

/// An answer, and the time of the last who wanted it before it was looked up: it was true then or
/// later.
#[derive(Clone)]
struct Known {
    answer: Answer,
    as_of: Timestamp,
    looked_up: Instant,
}

/// A question that somebody waits for.
struct Asking {
    answer: watch::Receiver<Option<Known>>,
    as_of: Timestamp,
    /// The API server has been asked: the answer may be older than whoever joins from now on.
    under_way: bool,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("kept", &self.lookups.kept.entry_count()).finish_non_exhaustive()
    }
}

impl Remote {
    /// Asks `source`, by tasks of `runtime`, so that neither a request that is given up nor a
    /// worker that ends takes an answer away from the others who wait for it.
    pub fn new(source: impl ObjectSource, runtime: Handle) -> Self {
        let reviews = Reviews::new(Vec::new(), runtime.clone());
        let lookups = Arc::new(Shared {
            source: Box::new(source),
            runtime,
            turns: Semaphore::new(MAX_ASKING),
            // Whether an answer may still be used is decided by its own time. The library's clock
            // only frees memory: there are secrets among the answers.
            kept: Cache::builder().max_capacity(MAX_KEPT).time_to_live(2 * MAX_AGE).build(),
            asking: Mutex::default(),
        });
        Self { lookups, reviews, counts: Arc::default() }
    }

    /// The same, but these webhooks and no others answer reviews, by tasks of the same runtime. They
    /// remember nothing of those before them; whoever has asked one of these is still answered by it.
    pub fn with_webhooks(&self, mut webhooks: Vec<Webhook>) -> Self {
        let mut counts = self.counts.lock();
        for webhook in &mut webhooks {
            let name = Arc::clone(webhook.name());
            webhook.count_in(|own| Arc::clone(counts.entry(name).or_insert(own)));
        }
        drop(counts);
        Self { reviews: Reviews::new(webhooks, self.lookups.runtime.clone()), ..self.clone() }
    }

    /// How asking each webhook went, sorted by name, those that are no longer there among them.
    pub fn webhook_counts(&self) -> Vec<WebhookCounts> {
        let read = |(name, counts): (&Arc<str>, &Arc<Counts>)| WebhookCounts {
            name: Arc::clone(name),
            results: counts.read(),
        };
        self.counts.lock().iter().map(read).collect()
    }

    /// Forgets everything.
    pub fn forget(&self) {
        self.lookups.kept.invalidate_all();
        self.reviews.forget();
    }

    /// How many questions one decision can come to, at the most.
    pub(crate) fn most_questions(&self) -> usize {
        // A bound token asks for its account, its pod or node and its secret. A decision that asks
        // twice as much, and more than every webhook once, will not end.
        8 + self.reviews.len()
    }

    /// The answer to `question`, at `now` not older than `max_age`, and since when it is known. With
    /// a `max_age` of nothing it is looked up after this is called.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        now: Timestamp,
        max_age: Duration,
    ) -> (Answer, Timestamp) {
        match question {
            Question::Object(object) => self.ask_object(object, now, max_age).await,
            Question::Access(review) => (Answer::Access(self.reviews.ask(review, now).await), now),
        }
    }

    async fn ask_object(&self, object: &ObjectRef, now: Timestamp, max_age: Duration) -> (Answer, Timestamp) {
        if let Some(Known { answer, as_of, .. }) = self.lookups.kept.get(object)
            && is_young(as_of, now, max_age)
        {
            return (answer, as_of);
        }
        let (mut asked, under_way) = self.join_or_begin(object, now);
        if under_way && max_age.is_zero() {
            drop(asked.wait_for(Option::is_some).await);
            // Whatever is under way by now began after the one before it had ended.
            (asked, _) = self.join_or_begin(object, now);
        }
        match asked.wait_for(Option::is_some).await.map(|known| known.clone()) {
            Ok(Some(Known { answer, as_of, .. })) => (answer, as_of),
            // The runtime is shutting down, or the source panicked.
            _ => (Answer::Failed("the question was not asked to its end".into()), now),
        }
    }

    /// The answer that is waited for already, and whether it is under way, or a new question.
    fn join_or_begin(&self, object: &ObjectRef, now: Timestamp) -> (watch::Receiver<Option<Known>>, bool) {
        let mut asking = self.lookups.asking.lock();
        if let Some(asked) = asking.get_mut(object) {
            if !asked.under_way {
                asked.as_of = asked.as_of.max(now);
            }
            return (asked.answer.clone(), asked.under_way);
        }
        let (tell, asked) = watch::channel(None);
        asking.insert(object.clone(), Asking { answer: asked.clone(), as_of: now, under_way: false });
        drop(asking);
        let earliest = self.lookups.kept.get(object).map(|known| known.looked_up + PAUSE);
        let turn = Turn { shared: Arc::clone(&self.lookups), object: object.clone() };
        self.lookups.runtime.spawn(async move {
            if let Some(earliest) = earliest {
                sleep_until(earliest).await;
            }
            let (as_of, looked_up) = (turn.begin().unwrap_or(now), Instant::now());
            let answer = timeout(MAX_WAIT, turn.ask()).await;
            let answer = answer.unwrap_or_else(|_| Answer::Failed(format!("no answer within {MAX_WAIT:?}")));
            if let Answer::Failed(reason) = &answer {
                let ObjectRef { kind, namespace, name } = &turn.object;
                tracing::warn!(?kind, %namespace, %name, %reason, "cannot look up what a token is bound to");
            }
            let known = Known { answer, as_of, looked_up };
            turn.end(&known);
            tell.send_replace(Some(known));
        });
        (asked, false)
    }
}

/// A question that is being asked. However its task ends, the next one is asked anew.
struct Turn {
    shared: Arc<Shared>,
    object: ObjectRef,
}

impl Turn {
    /// From now on the answer is of the past; returns since when it can be relied on.
    fn begin(&self) -> Option<Timestamp> {
        let mut asking = self.shared.asking.lock();
        let asked = asking.get_mut(&self.object)?;
        asked.under_way = true;
        Some(asked.as_of)
    }

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
pub(crate) fn is_young(then: Timestamp, now: Timestamp, max_age: Duration) -> bool {
    now.duration_since(then).unsigned_abs() <= max_age
}

#[cfg(test)]
mod tests;
