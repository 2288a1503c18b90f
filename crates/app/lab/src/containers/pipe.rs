//! What programs read from and write to.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};

use super::{Container, terminal};

/// How many pieces wait in a pipe before its writer does.
const DEPTH: usize = 16;
/// No piece is larger.
pub(crate) const PIECE: usize = 32 * 1024;

/// Nobody reads any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// A piece of what a program has written to its client.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Which of the client's streams it is for.
    pub(crate) stream: u32,
    pub(crate) bytes: Bytes,
    /// Nothing follows on this stream.
    pub(crate) last: bool,
}

/// Where bytes come from. All programs of a pipeline's stage share one.
#[derive(Clone, Debug)]
pub(crate) struct Input(Arc<Mutex<Source>>);

#[derive(Debug)]
struct Source {
    pipe: Option<mpsc::Receiver<Bytes>>,
    /// Read, and given back.
    rest: Bytes,
}

/// Where bytes go. Dropping all clones closes a pipe.
#[derive(Clone)]
pub(crate) enum Output {
    Nowhere,
    Pipe(mpsc::Sender<Bytes>),
    /// To a stream of the client's.
    Client {
        stream: u32,
        to: mpsc::Sender<Chunk>,
    },
    /// To the end of a file.
    File {
        container: Arc<Container>,
        path: Arc<str>,
    },
    /// To the container's log.
    Log {
        container: Arc<Container>,
        error: bool,
    },
    /// To something that a person looks at.
    Screen(Arc<Output>),
}

/// What is written to the one can be read from the other.
pub(crate) fn pipe() -> (Output, Input) {
    let (writer, reader) = mpsc::channel(DEPTH);
    (Output::Pipe(writer), Input::from(reader))
}

impl From<mpsc::Receiver<Bytes>> for Input {
    fn from(pipe: mpsc::Receiver<Bytes>) -> Self {
        Self(Arc::new(Mutex::new(Source { pipe: Some(pipe), rest: Bytes::new() })))
    }
}

impl Input {
    /// Nothing.
    pub(crate) fn empty() -> Self {
        Self::of(Bytes::new())
    }

    /// These bytes.
    pub(crate) fn of(rest: Bytes) -> Self {
        Self(Arc::new(Mutex::new(Source { pipe: None, rest })))
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&self) -> Option<Bytes> {
        let mut source = self.0.lock().await;
        if !source.rest.is_empty() {
            return Some(std::mem::take(&mut source.rest));
        }
        match &mut source.pipe {
            Some(pipe) => loop {
                let bytes = pipe.recv().await?;
                if !bytes.is_empty() {
                    return Some(bytes);
                }
            },
            None => None,
        }
    }

    /// Gives back what was read too far.
    pub(crate) async fn unread(&self, bytes: Bytes) {
        self.0.lock().await.rest = bytes;
    }

    /// The next line with its end; at the end of input the rest, then `None`.
    pub(crate) async fn line(&self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        while let Some(mut bytes) = self.next().await {
            if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(&bytes.split_to(end + 1));
                self.unread(bytes).await;
                return Some(line);
            }
            line.extend_from_slice(&bytes);
        }
        Some(line).filter(|line| !line.is_empty())
    }

    /// All there is, up to `limit` bytes; `None` if there is more.
    pub(crate) async fn all(&self, limit: usize) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await {
            all.extend_from_slice(&bytes);
            if all.len() > limit {
                return None;
            }
        }
        Some(all)
    }
}

impl Output {
    /// Writes everything, in pieces, as fast as it is read.
    pub(crate) async fn write(&self, bytes: impl Into<Bytes>) -> Result<(), Closed> {
        let mut bytes: Bytes = bytes.into();
        let to = match self {
            Self::Screen(to) => {
                bytes = terminal::shown(&bytes);
                to
            }
            to => to,
        };
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            match to {
                // A program that only writes must not keep the others from running.
                Self::Nowhere | Self::Screen(_) => tokio::task::yield_now().await,
                Self::Pipe(to) => to.send(piece).await.map_err(|_| Closed)?,
                Self::Client { stream, to } => {
                    let chunk = Chunk { stream: *stream, bytes: piece, last: false };
                    to.send(chunk).await.map_err(|_| Closed)?;
                }
                Self::File { container, path } => {
                    let now = container.now().as_second();
                    container.files().append(path, &piece, now).map_err(|_| Closed)?;
                    tokio::task::yield_now().await;
                }
                Self::Log { container, error } => {
                    container.log().write(container.now(), piece, *error);
                    tokio::task::yield_now().await;
                }
            }
        }
        Ok(())
    }
}
