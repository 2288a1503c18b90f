//! Who can reach what: access read from the side of the object, or of the person, rather than of one
//! request.
//!
//! A [`Cluster`] is a set of RBAC objects. [`Cluster::who_can`] turns a request around and answers
//! with everybody who could make it; [`Cluster::can_list`] lists all that one person may do. Both read
//! rules with the authorizer's own functions, and a test compares them with asking the authorizer
//! about everybody.
//!
//! Invariant: nothing here decides; what is allowed is [`authz`]'s to say.

mod can;
mod cluster;
mod detours;
mod kubelets;
mod question;
mod resources;
#[cfg(test)]
mod tests;
mod who_can;

pub use can::Held;
pub use cluster::Cluster;
pub use kubelets::{Kubelet, kubelets};
pub use question::{About, KNOWN_VERBS, Question, subject_user};
pub use resources::{Resource, UnknownResource};
pub use who_can::{Detour, Holder, Limited, WhoCan};
