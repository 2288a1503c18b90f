//! Files that people write, and the only crate that names a YAML library.
//!
//! Every error says where: file, line where one is known, and the path of the field.

mod cluster_access;

pub use cluster_access::{ClusterAccess, PemText, Token};
