//! HTTP/1.1 in front of hyper: one head at a time, its target kept exactly as the client sent it.
//!
//! `http::Uri` cuts `#…` and refuses targets that kube-apiserver takes, so hyper never sees the
//! target at all: the reader keeps it and hands hyper a head with `/` in its place. hyper parses
//! headers and frames bodies; the reader frames only well enough to know where the next head
//! begins, refuses every head on whose framing two readers could differ, and the request stage
//! compares hyper's framing with the reader's (`Framing`), so that they cannot drift apart.
//!
//! Invariant: at most one request of a connection is inside hyper at a time, and no byte behind an
//! upgrade request reaches anybody before the upstream agreed to the upgrade.

mod head;
mod reader;

pub(crate) use head::{BadHead, Framing, Head, MAX_HEADERS};
pub(crate) use reader::{HeadReader, Limits, Line};
