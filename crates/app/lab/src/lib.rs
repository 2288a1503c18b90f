//! The lab: an API server that needs nothing, for the gate to stand in front of.
//!
//! It speaks Kubernetes' REST over generic JSON objects, so that kubectl, kube-rs, the Python
//! client and the gate's own watches meet what they meet in a cluster. A kind is a table entry
//! ([`registry`]); what all kinds share is written once ([`rest`]); keys, users and seeds are what
//! surrounds it ([`environment`]).
//!
//! Invariant: whether a request may pass is the gate's to decide, and is not decided again. The lab
//! believes one client, the gate, and takes the user from the impersonation headers that the gate
//! sets; anybody else is refused, and in its own name the gate may only read what it needs.
//!
//! What it does not do, beside all that its registry does not list: answers in protobuf, `/openapi/v2`
//! with definitions (`kubectl explain` of kubectl before 1.27 finds none), owners of fields for whoever
//! writes them otherwise than by server-side apply.
//!
//! What kube-apiserver asks its authorizer beside the request itself is answered here, by the crates
//! that the gate decides with and from the lab's own objects: [`Reviews`], and who may grant what
//! ([`Grants`]).

mod access;
mod containers;
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
mod streams;

pub use access::Grants;
pub use reviews::Reviews;
pub use server::{LabConfig, Running, Seed, StartError, Transport, start};
