//! The gate's own bearer token.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use config::Token;
use http::HeaderValue;
use types::Secret;

use crate::error::TokenFileError;

/// UPSTREAM: client-go reads a token file again after a minute (client-go 1.36).
const REREAD: Duration = Duration::from_secs(60);

/// What goes into `Authorization`; a client certificate, if there is one, is the connection's.
#[derive(Debug)]
pub(crate) enum Credential {
    /// The connection's certificate is all there is.
    Certificate,
    Fixed(HeaderValue),
    File {
        path: PathBuf,
        current: ArcSwap<Current>,
    },
}

#[derive(Debug)]
pub(crate) struct Current {
    header: HeaderValue,
    read: Instant,
}

impl Credential {
    /// `None` when a token cannot stand in a header.
    pub(crate) fn new(token: Option<&Token>) -> Option<Self> {
        Some(match token {
            None => Self::Certificate,
            Some(Token::Fixed(token)) => Self::Fixed(bearer(token)?),
            Some(Token::File { path, first }) => Self::File {
                path: path.clone(),
                current: ArcSwap::from_pointee(Current { header: bearer(first)?, read: Instant::now() }),
            },
        })
    }

    /// The header of a request that is sent at `now`.
    pub(crate) fn authorization(&self, now: Instant) -> Option<HeaderValue> {
        match self {
            Self::Certificate => None,
            Self::Fixed(header) => Some(header.clone()),
            Self::File { path, current } => {
                let known = current.load();
                if now.saturating_duration_since(known.read) < REREAD {
                    return Some(known.header.clone());
                }
                // Blocks a worker for one small read a minute. Two workers may both read; the
                // outcome is the same.
                let header = match read(path) {
                    Ok(header) => header,
                    Err(error) => {
                        tracing::warn!(%error, "the upstream token file cannot be read again");
                        known.header.clone()
                    }
                };
                current.store(Arc::new(Current { header: header.clone(), read: now }));
                Some(header)
            }
        }
    }
}

fn read(path: &PathBuf) -> Result<HeaderValue, TokenFileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| TokenFileError::Read { path: path.clone(), source })?;
    bearer(&Secret::new(text.trim())).ok_or_else(|| TokenFileError::Content { path: path.clone() })
}

fn bearer(token: &Secret) -> Option<HeaderValue> {
    if token.expose().is_empty() {
        return None;
    }
    let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
    header.set_sensitive(true);
    Some(header)
}
