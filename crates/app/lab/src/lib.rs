//! The lab: an API server that needs nothing, for the gate to stand in front of.
//!
//! It speaks Kubernetes' REST over generic JSON objects, so that kubectl, kube-rs, the Python
//! client and the gate's own watches meet what they meet in a cluster. A kind is a table entry
//! ([`registry`]); what all kinds share is written once ([`rest`]); keys, users and seeds are what
//! surrounds it ([`environment`]).
//!
//! Invariant: the lab decides nothing about access. It believes one client, the gate, and takes the
//! user from the impersonation headers that the gate sets; anybody else is refused.

mod access;
mod controllers;
pub mod environment;
mod object;
mod patch;
pub mod registry;
pub mod rest;
mod reviews;
mod schema;
mod server;
pub mod store;

pub use access::Grants;
pub use reviews::Reviews;
pub use server::{LabConfig, Running, Seed, StartError, Transport, start};
