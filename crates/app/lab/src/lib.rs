//! Not written yet.

pub mod environment;
