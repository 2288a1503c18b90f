//! Files that people write, and the only crate that names a YAML library.
//!
//! Every error says where: file, line where one is known, and the path of the field.

pub mod authorization;
mod cluster_access;
pub mod files;
pub mod kubeconfig;
pub mod manifests;
pub mod yaml;

pub use cluster_access::{ClusterAccess, Token};
pub use files::{PemText, ReadError};
