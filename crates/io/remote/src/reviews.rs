//! What authorization webhooks say, asked for or remembered.

use std::{collections::HashMap, sync::Arc};

use tokio::{runtime::Handle, task::JoinHandle, time::Instant};
use types::{AccessFailure, AccessReview, AccessStatus, FailureClass, Timestamp};

use crate::webhook::Webhook;

/// The webhooks of the chain, by name.
///
/// Equal questions that are asked at the same time are not made one: what is not remembered is asked
/// for each request anew.
// UPSTREAM: no two requests share an answer that is still on its way (kube-apiserver 1.36)
#[derive(Clone)]
pub(crate) struct Reviews {
    webhooks: Arc<HashMap<Arc<str>, Arc<Webhook>>>,
    runtime: Handle,
}

impl Reviews {
    pub(crate) fn new(webhooks: Vec<Webhook>, runtime: Handle) -> Self {
        let webhooks = webhooks.into_iter().map(|webhook| (Arc::clone(webhook.name()), Arc::new(webhook)));
        Self { webhooks: Arc::new(webhooks.collect()), runtime }
    }

    pub(crate) fn len(&self) -> usize {
        self.webhooks.len()
    }

    pub(crate) fn forget(&self) {
        self.webhooks.values().for_each(|webhook| webhook.forget());
    }

    /// The answer to `review`. Whoever stops waiting takes the question back.
    pub(crate) async fn ask(
        &self,
        review: &AccessReview,
        now: Timestamp,
    ) -> Result<AccessStatus, AccessFailure> {
        let failed =
            |message: String| AccessFailure { class: FailureClass::Response, message: message.into() };
        let Some(webhook) = self.webhooks.get(&review.webhook) else {
            return Err(failed(format!("no webhook is named `{}`", review.webhook)));
        };
        if let Some(status) = webhook.remembered(&review.review, now) {
            return Ok(status);
        }
        let asked_at = Instant::now();
        let mut task = Task(self.runtime.spawn({
            let (webhook, review) = (Arc::clone(webhook), Arc::clone(&review.review));
            async move { webhook.ask(&review).await }
        }));
        let answer = (&mut task.0).await.unwrap_or_else(|_| {
            // The runtime is shutting down, or the task panicked.
            Err(failed("the webhook was not asked to the end".to_owned()))
        });
        match &answer {
            Ok(status) if review.cacheable => {
                // The time of the answer, by the clock that the decision goes by.
                let answered = now.checked_add(asked_at.elapsed()).unwrap_or(now);
                webhook.remember(&review.review, status, answered);
            }
            Ok(_) => {}
            Err(failure) => {
                let (webhook, class, error) = (&review.webhook, failure.class, &failure.message);
                tracing::warn!(%webhook, ?class, %error, "an authorization webhook gave no answer");
            }
        }
        answer
    }
}

/// Ends with whoever waits for it.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
