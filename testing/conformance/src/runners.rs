//! One runner a file of vectors.

use crate::Run;

/// Which file is run by what. Files that no issue has reached yet are in `runners.toml`.
pub const ALL: &[(&str, Run)] = &[];
