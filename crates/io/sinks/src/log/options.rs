//! How a log is opened: where lines go, and what is promised about them.

use std::path::PathBuf;

/// `--audit-log-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogMode {
    /// A request waits until its line is with the operating system; errors do not stop it.
    // UPSTREAM: the default of --audit-log-mode (kube-apiserver 1.36)
    #[default]
    Blocking,
    /// As `Blocking`, but a request whose `RequestReceived` line cannot be written is refused.
    BlockingStrict,
    /// Nothing waits; lines are dropped when the buffer is full.
    Batch,
}

impl LogMode {
    /// As the flag spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::BlockingStrict => "blocking-strict",
            Self::Batch => "batch",
        }
    }
}

impl std::str::FromStr for LogMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Blocking, Self::BlockingStrict, Self::Batch]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| format!("`{text}` is none of `batch`, `blocking`, `blocking-strict`"))
    }
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `-`
    Stdout,
    /// A file, opened to append and created with mode 0600.
    File(PathBuf),
}

impl Target {
    /// What a value of `--audit-log-path` means.
    pub fn new(path: PathBuf) -> Self {
        if path.as_os_str() == "-" { Self::Stdout } else { Self::File(path) }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// How to open a [`LogSink`](super::LogSink).
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Where lines go.
    pub target: Target,
    /// What is promised.
    pub mode: LogMode,
    /// How many lines may wait in [`LogMode::Batch`]: `--audit-log-batch-buffer-size`.
    pub buffer: usize,
}

impl LogOptions {
    /// kube-apiserver's defaults.
    pub const fn new(target: Target) -> Self {
        Self { target, mode: LogMode::Blocking, buffer: 10_000 }
    }
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file would lie in a directory that is not there.
    #[error("audit log `{path}`: there is no directory `{parent}`; create it, readable by the gate alone")]
    NoDirectory {
        /// The file.
        path: PathBuf,
        /// The directory.
        parent: PathBuf,
    },
    /// Anything else.
    #[error("audit log `{target}`: {error}")]
    Io {
        /// Where lines were to go.
        target: Target,
        /// What the operating system says.
        #[source]
        error: std::io::Error,
    },
}
