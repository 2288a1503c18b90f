//! Layer 4: may they do this?
//!
//! [`Authz`] asks its authorizers one after another, as kube-apiserver's chain does; [`rbac`] is the
//! one that most clusters rely on, [`node`] keeps a kubelet to its own pods. [`Impersonation`] asks
//! the same chain who may act as whom. A refusal becomes a [`forbidden`] status in kube-apiserver's
//! words.
//!
//! Invariant: only [`Decision::Allow`](types::Decision::Allow) lets a request through. An error, a
//! missing role, an empty chain or an unknown kind of subject never does.

mod bounded;
mod chain;
mod deny;
mod forbidden;
pub mod impersonation;
pub mod node;
mod opinion;
pub mod rbac;
mod review;
mod shards;
mod texts;
mod users;
pub mod webhook;

pub use chain::{Authz, Mode};
pub use deny::DenyList;
pub use forbidden::forbidden;
pub use impersonation::{Impersonated, Impersonation};
pub use opinion::{Error, Opinion, Outcome, annotation};
pub use review::{Resolver, RulesReview, rules_review};
