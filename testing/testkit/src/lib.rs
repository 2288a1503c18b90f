//! What tests need around a gate: keys ([`Authority`]), an upstream that remembers what reached it
//! ([`Upstream`]), a client that sends bytes as they are ([`Client`]), and one for HTTP/2 ([`http2()`]).
//!
//! Everything blocks, and all but HTTP/2 runs on plain threads, so that it shares no code with what it
//! tests.
//! It is for tests only: a failure panics, with the place.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on must stop at the place"
)]

mod authority;
mod client;
mod folder;
mod http2;
mod message;
mod upstream;

pub use authority::{Authority, Certified, Spec};
pub use client::{Client, Response};
pub use folder::Folder;
pub use http2::{Http2Request, Http2Response, http2};
pub use message::Message;
pub use upstream::{Reply, Upstream};
