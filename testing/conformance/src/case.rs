//! One recorded case.

use std::{fs, io, path::Path};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// A line of a vector file.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Unique in its file; what the ledger refers to.
    pub id: String,
    /// Which edge it shows, for a person.
    #[serde(default)]
    pub about: String,
    /// What went in.
    pub given: Value,
    /// What came out.
    pub expect: Value,
}

impl Case {
    /// `given` in the runner's own shape. A case that does not fit is a difference, not a skip.
    pub fn given<T: DeserializeOwned>(&self) -> Result<T, String> {
        T::deserialize(&self.given).map_err(|e| format!("`given` is not understood: {e}"))
    }

    /// `expect` in the runner's own shape.
    pub fn expect<T: DeserializeOwned>(&self) -> Result<T, String> {
        T::deserialize(&self.expect).map_err(|e| format!("`expect` is not understood: {e}"))
    }
}

/// Reads a vector file; every line must be a case.
pub fn read_cases(path: &Path) -> io::Result<Vec<Case>> {
    let text = fs::read_to_string(path)?;
    text.lines()
        .enumerate()
        .map(|(line, text)| {
            serde_json::from_str(text).map_err(|e| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}:{}: {e}", path.display(), line + 1))
            })
        })
        .collect()
}
