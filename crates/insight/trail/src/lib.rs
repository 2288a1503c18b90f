//! Audit logs, read back: what was asked, by whom, and what other rules would have said.
//!
//! [`Event`] reads one line; [`Replay`] takes line after line through a chain of authorizers and
//! counts what would change. Nothing is dropped in silence: whatever cannot be judged is counted under
//! why.

mod event;
mod replay;

pub use event::{BadEvent, Event, Recorded};
pub use replay::{Change, Group, Replay, Report};
