//! A gate that runs, and how it stops.

use std::{io, net::SocketAddr};

use crate::Settings;

/// A running gate. Dropping it shuts it down and waits.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
}

impl Running {
    /// Where the gate listens for clients, with the port that was really taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where health, metrics and status are served, if anywhere.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Begins to drain: no new connection is accepted, running requests may end within the grace
    /// period, then everything is closed. Returns at once; [`Running::wait`] waits for the end.
    pub fn shutdown(&self) {}

    /// Blocks until the gate has stopped.
    pub fn wait(self) {}
}

/// Why a gate could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on; most often somebody else does already.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The operating system refused a thread or a runtime.
    #[error("cannot start a worker: {0}")]
    Worker(#[from] io::Error),
}

/// Starts a gate on threads of its own and returns once it accepts connections.
///
/// # Errors
/// When an address is taken or a thread cannot be had. The upstream need not be reachable: the
/// gate then answers, and says in its status that the layers which need it are degraded.
pub fn start(settings: Settings) -> Result<Running, StartError> {
    let address = SocketAddr::new(settings.options.bind_address, settings.options.secure_port);
    Err(StartError::Listen { address, source: io::ErrorKind::Unsupported.into() })
}
