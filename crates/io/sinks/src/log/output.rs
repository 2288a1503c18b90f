//! What lines are written to.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{OpenError, Target};

pub(super) trait Output: Send + 'static {
    /// As `io::Write::write`, without a buffer of its own.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Turns to whatever is at the target's path now.
    fn reopen(&mut self) -> io::Result<()>;
    /// Whether a write ends soon, whatever other processes do.
    fn is_prompt(&self) -> bool;
}

struct Plain {
    file: File,
    /// `None` for standard output, which cannot be opened anew.
    path: Option<PathBuf>,
    /// A file takes all that there is room for; a pipe waits for its reader.
    is_file: bool,
}

impl Plain {
    fn new(file: File, path: Option<PathBuf>) -> io::Result<Self> {
        let is_file = file.metadata()?.is_file();
        Ok(Self { file, path, is_file })
    }
}

pub(super) fn open(target: &Target) -> Result<impl Output + use<>, OpenError> {
    let path = match target {
        Target::Stdout => None,
        Target::File(path) => Some(path.clone()),
    };
    let file = match &path {
        // Not `io::stdout()`: its buffer would hide which bytes have been taken.
        None => io::stdout().as_fd().try_clone_to_owned().map(File::from),
        Some(path) => append_to(path),
    };
    file.and_then(|file| Plain::new(file, path.clone())).map_err(|error| {
        match path.as_deref().and_then(missing_parent) {
            Some(parent) => OpenError::NoDirectory { parent, path: path.unwrap_or_default() },
            None => OpenError::Io { target: target.clone(), error },
        }
    })
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn missing_parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty())?;
    (!parent.exists()).then(|| parent.to_owned())
}

impl Output for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            *self = Self::new(append_to(path)?, Some(path.clone()))?;
        }
        Ok(())
    }

    fn is_prompt(&self) -> bool {
        self.is_file
    }
}
