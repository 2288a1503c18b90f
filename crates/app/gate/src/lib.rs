//! The gate: six layers in front of a Kubernetes API server, in one process.
//!
//! [`Options`] mirrors the flags of `portcullis serve`, [`Options::load`] reads every file they
//! name and says precisely what is wrong with it, [`start`] opens the door. Tests, the lab and the
//! conformance runners start gates through these three and nothing else.
//!
//! Invariant: nothing is forwarded but by `pipeline.rs`, and it cannot skip a layer: each stage
//! consumes a permit that only the stage before it can make.

mod admin;
mod answer;
mod audit_id;
mod authorizers;
mod body;
mod certificate;
mod connection;
mod exchange;
pub mod explain;
mod http1;
mod http2_streams;
mod listen;
mod options;
mod own_paths;
mod pipeline;
mod recent;
mod running;
mod seats;
mod settings;
mod stages;
mod status;
mod tokens;
mod watches;
mod webhook_metrics;
mod worker;

pub use options::{AuditLogMode, FeatureGates, Options};
pub use running::{Running, StartError, start};
pub use settings::{LoadError, Settings, Warning};
