//! Audit logs, read back: what was asked, by whom, and what other rules would have said.
//!
//! [`Event`] reads one line; [`Replay`] takes line after line and counts what would change under the
//! authorizers of a [`Setting`], which each [`Case`] is put before. Nothing is dropped in silence:
//! whatever cannot be judged is counted under why.

mod event;
mod replay;

pub use event::{BadEvent, Event, Recorded, RequestId};
pub use replay::{Case, Group, Judged, Replay, Report, Setting, WebhookReport};
