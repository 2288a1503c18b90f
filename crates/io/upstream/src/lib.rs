//! The way to the API server: connections, the gate's own credential, and identity headers.
//!
//! Whatever goes upstream for a user goes through [`Pool::forward`] or [`Pool::upgrade`], which
//! take an [`Identity`]: a request without one does not compile. What the gate asks for itself
//! goes through [`Pool::send`] or [`OwnService`].

mod connection;
mod credential;
mod error;
pub mod identity;
mod pool;
mod service;

pub use connection::{Limits, Upstream};
pub use error::{SendError, UpstreamError};
pub use identity::{CannotExpress, Identity, IdentityHeaders, Stripped};
pub use pool::{Pool, PooledBody};
pub use service::OwnService;

#[cfg(test)]
mod tests;
