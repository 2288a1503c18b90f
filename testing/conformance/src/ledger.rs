//! Cases that are not met, each with its reason.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

/// Files in which every case must be met: a wrong answer there lets somebody in.
pub const NEVER_LEDGERED: &[&str] =
    &["rbac.jsonl", "node.jsonl", "authz_", "anonymous.jsonl", "bearer_header.jsonl"];

/// Reasons by file and case.
#[derive(Debug, Default)]
pub struct Ledger(BTreeMap<(String, String), String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default)]
    case: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    id: String,
    reason: String,
}

impl Ledger {
    /// Reads `ledger.toml`; an entry without a real reason, or for a file that must be met whole, is
    /// an error.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wire: Wire = toml::from_str(text).map_err(|e| e.to_string())?;
        let mut entries = BTreeMap::new();
        for Entry { file, id, reason } in wire.case {
            if NEVER_LEDGERED.iter().any(|never| file.starts_with(never)) {
                return Err(format!("`{id}`: every case of {file} must be met"));
            }
            if reason.split_whitespace().count() < 5 || reason.to_lowercase().contains("not yet") {
                return Err(format!("`{id}`: say why a user would accept this"));
            }
            if entries.insert((file, id.clone()), reason).is_some() {
                return Err(format!("`{id}` stands here twice"));
            }
        }
        Ok(Self(entries))
    }

    /// Why a case need not be met.
    pub fn reason(&self, file: &str, id: &str) -> Option<&str> {
        self.0.get(&(file.to_owned(), id.to_owned())).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::Ledger;

    #[test]
    fn wants_a_reason() {
        let entry = |file: &str, reason: &str| {
            Ledger::parse(&format!("[[case]]\nfile = '{file}'\nid = 'a'\nreason = '{reason}'\n"))
        };
        assert!(entry("x509.jsonl", "the upstream refuses this certificate first").is_ok());
        assert!(entry("x509.jsonl", "not yet").is_err());
        assert!(entry("x509.jsonl", "this one is simply not yet done").is_err());
        assert!(entry("authz_chain.jsonl", "the upstream refuses this certificate first").is_err());
        assert!(entry("rbac.jsonl", "the upstream refuses this certificate first").is_err());
    }
}
