//! One runner a file of vectors.

mod request_info;
mod x509;

use crate::Run;

/// Which file is run by what. Files that no issue has reached yet are in `runners.toml`.
pub const ALL: &[(&str, Run)] = &[("request_info.jsonl", request_info::run), ("x509.jsonl", x509::run)];
