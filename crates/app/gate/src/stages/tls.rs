//! Layer 2: is the channel private, and who holds the key?

use std::net::SocketAddr;

use ::tls::{Alpn, ServerStream};
use authn::Attempt;
use http::HeaderValue;
use tokio::net::TcpStream;
use types::{Layer, Reason, Timestamp};

use super::network::Allowed;
use crate::worker::Worker;

/// The handshake is done, and what the client's certificate stands for is known.
pub(crate) struct Secured {
    peer: SocketAddr,
    address: Option<HeaderValue>,
    certificate: Option<Attempt>,
    shown: bool,
    protocol: Alpn,
}

impl Secured {
    /// Who connected.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The same address as a header, for upstream.
    pub(crate) fn address(&self) -> Option<&HeaderValue> {
        self.address.as_ref()
    }

    /// What the client's certificate came to, if it showed one and anybody cares for it.
    pub(crate) fn certificate(&self) -> Option<&Attempt> {
        self.certificate.as_ref()
    }

    /// Whether the client showed a certificate.
    pub(crate) fn showed_certificate(&self) -> bool {
        self.shown
    }

    /// HTTP/1.1 or HTTP/2.
    pub(crate) fn protocol(&self) -> Alpn {
        self.protocol
    }
}

/// Shakes hands and judges the certificate, once for all requests of the connection. `None`: there
/// is no connection, and nobody to answer.
pub(crate) async fn secure(
    worker: &Worker,
    allowed: Allowed,
    tcp: TcpStream,
) -> Option<(Secured, ServerStream<TcpStream>)> {
    let peer = allowed.peer();
    let gate = &worker.gate;
    let failed = |why: &dyn std::fmt::Display| {
        worker.metrics.handshake_failed();
        tracing::debug!(%peer, %why, "no TLS connection");
    };
    let stream = match tokio::time::timeout(gate.bounds.handshake, gate.tls.accept(tcp)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            failed(&error);
            return None;
        }
        Err(_) => {
            failed(&"the handshake took too long");
            return None;
        }
    };
    let chain = stream.peer_certificates();
    match gate.certificates.judge(chain.iter().map(|der| der.as_ref()), Timestamp::now()) {
        Ok(certificate) => {
            let address = HeaderValue::try_from(peer.ip().to_canonical().to_string()).ok();
            let (shown, protocol) = (!chain.is_empty(), stream.alpn());
            Some((Secured { peer, address, certificate, shown, protocol }, stream))
        }
        // UPSTREAM: a certificate that does not parse fails the handshake (kube-apiserver 1.36)
        Err(malformed) => {
            worker.metrics.denied(Layer::Tls, Reason::BadCredential);
            failed(&malformed);
            None
        }
    }
}
