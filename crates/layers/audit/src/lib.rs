//! Layer 6, audit: what is put on record about a request, and in which words.
//!
//! Events are `audit.k8s.io/v1` as kube-apiserver writes them: the same members in the same order,
//! escaped alike, one line an event. Nothing here writes a file; `sinks` does.
//!
//! Invariant: what [`Record`] holds of a request was serialised once, when the request arrived.
//! Later stages cannot tell a different story about who asked for what.

mod policy;
mod record;

pub use policy::{Evaluation, Level, Policy, Stages};
pub use record::{Outcome, Received, Record, Stage};
