//! Files that are taken as they are.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// PEM text and the place it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct PemText {
    /// What an error names: a file, or file and field.
    pub origin: String,
    /// The text, unparsed.
    pub text: Vec<u8>,
}

impl PemText {
    /// Reads a PEM file; what is in it is for others to find out.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Ok(Self { origin: path.display().to_string(), text: read(path)? })
    }
}

impl fmt::Debug for PemText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may be a private key.
        f.debug_struct("PemText").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// The bytes of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    std::fs::read(path).map_err(|source| ReadError { path: path.to_owned(), source })
}
