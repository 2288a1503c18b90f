//! Where audit events go. Each sink states a promise about what reaches it, keeps it, and counts
//! every event that it could not keep it for.

pub mod log;
