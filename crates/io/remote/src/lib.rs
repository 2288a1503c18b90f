//! Facts from outside for decisions that need them: objects of the API server, and what
//! authorization webhooks say.
//!
//! The layers decide without I/O: they ask a [`types::Question`] and are run again with the answer.
//! [`drive`] is the loop that does so. A question is asked at most once at a time, however many
//! requests wait for the answer, and an answer is remembered for [`MAX_AGE`].
//!
//! Invariant: only an API server's own `NotFound` is [`types::Answer::NotFound`]. Whatever else
//! goes wrong is [`types::Answer::Failed`], which no layer reads as a yes, and is not remembered.
//! Likewise, only a SubjectAccessReview is an answer of a webhook.

mod drive;
mod facts;
mod objects;
mod remote;
mod reviews;
mod webhook;

pub use drive::{TooManyQuestions, drive, drive_confirmed, drive_on};
pub use facts::{BadObject, read_facts};
pub use objects::{ObjectSource, UpstreamObjects};
pub use remote::{MAX_AGE, Remote};
pub use webhook::{BOUNDS, RETRY_AFTER, TryCounts, TryResult, Webhook, WebhookCounts, WebhookSettings};
