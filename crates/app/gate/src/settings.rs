//! Options, read and checked: everything a gate needs to run.

use std::{io, path::PathBuf};

use crate::Options;

/// A configuration that can run. Only [`Options::load`] makes one.
#[derive(Debug)]
pub struct Settings {
    pub(crate) options: Options,
    warnings: Vec<Warning>,
}

impl Settings {
    /// Combinations that work but are unsafe, each with the way out.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// A combination of flags that works but is unsafe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The flag it is about: `--allow-cidr`.
    pub flag: &'static str,
    /// What is unsafe.
    pub message: String,
    /// How to make it safe.
    pub way_out: String,
}

/// Why the options cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A flag that must be given is missing.
    #[error("{flag} is required: {why}")]
    Missing {
        /// The flag.
        flag: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// A flag's value cannot be used.
    #[error("{flag}: {message}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// What is wrong with the value.
        message: String,
    },
    /// A file cannot be read.
    #[error("{flag}: cannot read `{}`: {source}", path.display())]
    Read {
        /// The flag that names the file.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file's content cannot be used. The message names line and field where there are any.
    #[error("{flag}: {message}")]
    Content {
        /// The flag that names the file.
        flag: &'static str,
        /// File, line, field and what is wrong there.
        message: String,
    },
}

impl Options {
    /// Reads every file that the options name and checks that all of it makes sense together.
    ///
    /// # Errors
    /// The first thing that is wrong, with flag, file, line and field.
    pub fn load(&self) -> Result<Settings, LoadError> {
        for (file, flag, why) in [
            (&self.tls_cert_file, "--tls-cert-file", "the gate serves TLS only"),
            (&self.tls_private_key_file, "--tls-private-key-file", "the gate serves TLS only"),
            (&self.upstream_kubeconfig, "--upstream-kubeconfig", "it names the API server behind the gate"),
        ] {
            if file.is_none() {
                return Err(LoadError::Missing { flag, why });
            }
        }
        Ok(Settings { options: self.clone(), warnings: Vec::new() })
    }
}
