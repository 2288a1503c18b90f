//! From an HTTP request line to what it asks of Kubernetes, read exactly as kube-apiserver reads it.
//!
//! Nothing is cleaned, resolved or redirected on the way: `//`, `..` and `%2f` reach the decision
//! as kube-apiserver would see them, and the gate forwards the very target that was decided on.
//!
//! ```text
//! GET /api/v1/namespaces/default/pods/web-0/log ─► get pods/log "web-0" in namespace "default"
//! ```

mod info;
pub mod query;
mod target;

pub use info::{RequestInfo, RequestInfoError};
pub use target::{Rejected, Target};
