//! The gate from outside: real sockets in front of an upstream that remembers what reached it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop at the place")]

#[path = "gate/world.rs"]
mod world;

#[path = "gate/admin.rs"]
mod admin;
#[path = "gate/answers.rs"]
mod answers;
#[path = "gate/attacks.rs"]
mod attacks;
#[path = "gate/drain.rs"]
mod drain;
#[path = "gate/impersonation.rs"]
mod impersonation;
#[path = "gate/museum.rs"]
mod museum;
#[path = "gate/raw.rs"]
mod raw;
#[path = "gate/refusals.rs"]
mod refusals;
#[path = "gate/reload.rs"]
mod reload;
#[path = "gate/streams.rs"]
mod streams;
#[path = "gate/webhooks.rs"]
mod webhooks;
