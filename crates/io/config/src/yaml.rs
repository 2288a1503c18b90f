//! YAML (and JSON) that remembers where everything stood.
//!
//! A file becomes a tree of nodes with lines; types are decoded from the tree strictly, so that an
//! unknown field, a wrong type and whatever is found out later about a value are all told with
//! file, line and field path.

mod decode;
mod node;

use std::{fmt, path::Path};

use serde::de::DeserializeOwned;
use serde_saphyr::{Budget, Options, Spanned};

use self::node::Raw;
pub use self::node::{Key, Kind, Node};
use crate::files::{self, ReadError};

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not YAML, or a key stands twice.
    #[error(transparent)]
    Syntax(FieldError),
}

/// A value that cannot be used, and its place: `admin.conf:12: users[0].user.token: must not be empty`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FieldError {
    /// The file.
    pub file: String,
    /// Counted from 1; 0 when unknown.
    pub line: u64,
    /// `limits[0].qps`; empty for the document as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    file: String,
    root: Node,
}

/// The documents of a file, without the empty ones.
pub fn read(path: &Path) -> Result<Vec<Document>, YamlError> {
    parse(&path.display().to_string(), &files::read(path)?)
}

/// The documents in `text`, without the empty ones; `file` is what errors name.
pub fn parse(file: &str, text: &[u8]) -> Result<Vec<Document>, YamlError> {
    let syntax = |error: serde_saphyr::Error| {
        YamlError::Syntax(FieldError {
            file: file.to_owned(),
            line: error.location().map_or(0, |location| location.line()),
            path: String::new(),
            message: error.without_snippet().render(),
        })
    };
    let documents: Vec<Spanned<Raw>> =
        serde_saphyr::from_slice_multiple_with_options(text, options()).map_err(syntax)?;
    Ok(documents.into_iter().map(|raw| Document { file: file.to_owned(), root: raw.into() }).collect())
}

/// Writes a value as one document; `None` if it is not made of what YAML has.
pub fn write(value: &impl serde::Serialize) -> Option<String> {
    serde_saphyr::to_string(value).ok()
}

/// Strict about duplicate keys; `yes`, `on`, `n` and their like are booleans and `010` is 8, as
/// sigs.k8s.io/yaml reads them (YAML 1.1). Dumps of whole clusters are legitimate: only nesting
/// and aliases, which cost more than their text, stay limited.
fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_events = usize::MAX;
    budget.max_nodes = usize::MAX;
    budget.max_documents = usize::MAX;
    budget.max_total_scalar_bytes = usize::MAX;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.legacy_octal_numbers = true;
    options.with_snippet = false;
    options
}

impl Document {
    /// The file it stands in.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The whole of it.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// A part of it as a document of its own, as an item of a `List` is.
    pub(crate) fn part(&self, root: &Node) -> Self {
        Self { file: self.file.clone(), root: root.clone() }
    }

    /// Reads it as a `T`; fields that `T` does not know are errors.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, FieldError> {
        decode::strict(&self.root).map_err(|error| FieldError {
            file: self.file.clone(),
            line: error.line,
            path: error.path(),
            message: error.message,
        })
    }

    /// An error about the value at `path`, such as `limits[0].qps`, with the line at which it
    /// stands, or the nearest one above it that stands anywhere.
    pub fn error(&self, path: &str, message: impl Into<String>) -> FieldError {
        FieldError {
            file: self.file.clone(),
            line: self.root.nearest(path).line,
            path: path.to_owned(),
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests;
