//! Layer 1: may this address reach the API at all?

use std::net::SocketAddr;

use crate::worker::Worker;

/// The peer's address may connect.
pub(crate) struct Allowed {
    peer: SocketAddr,
}

impl Allowed {
    /// Who connected.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }
}

/// Judges the peer before a byte of TLS is read. A refused one is not answered: `None`.
pub(crate) fn allow(worker: &Worker, peer: SocketAddr) -> Option<Allowed> {
    let judgement = worker.gate.network.judge(peer.ip());
    if judgement.is_allowed() {
        return Some(Allowed { peer });
    }
    let verdict = judgement.verdict(peer.ip());
    worker.metrics.denied(verdict.layer, verdict.reason);
    tracing::info!(%peer, "a connection from outside the allowed networks was closed");
    None
}
