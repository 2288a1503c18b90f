//! The gate's own paths: one closed list.
//!
//! On the admin address all of them are served. On the main port, behind layers 1 to 6, those that
//! a cluster has too are served only where told so (the lab); otherwise they are the cluster's.

use bytes::Bytes;
use http::HeaderMap;
use telemetry::metrics;

use crate::{answer::Answer, explain::recall, worker::Gate};

/// What the gate can say about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnPath {
    Metrics,
    Health,
    Live,
    Ready,
    Status,
    Explain,
}

impl OwnPath {
    /// Every path, and what stands there.
    const ALL: [(&str, Self); 6] = [
        ("/metrics", Self::Metrics),
        ("/healthz", Self::Health),
        ("/livez", Self::Live),
        ("/readyz", Self::Ready),
        ("/status", Self::Status),
        ("/explain", Self::Explain),
    ];

    /// What stands at this path of the admin address.
    pub(crate) fn on_admin(path: &str) -> Option<Self> {
        Self::ALL.iter().find(|(own, _)| *own == path).map(|(_, what)| *what)
    }

    /// What stands there now.
    pub(crate) fn answer(self, gate: &Gate, headers: &HeaderMap) -> Answer {
        const TEXT: &str = "text/plain; charset=utf-8";
        match self {
            Self::Metrics => Answer::Text(metrics::CONTENT_TYPE, gate.metrics.expose().into()),
            Self::Health | Self::Live => Answer::Text(TEXT, Bytes::from_static(b"ok")),
            Self::Ready => match gate.not_ready() {
                None => Answer::Text(TEXT, Bytes::from_static(b"ok")),
                Some(why) => Answer::NotReady(why),
            },
            Self::Explain => recall::answer(gate, headers),
            Self::Status => Answer::Text("application/json", gate.layers.report(gate).to_json().into()),
        }
    }
}

/// Which of them the main port serves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnPaths {
    /// `/metrics` and health are the gate's.
    pub(crate) on_main: bool,
}

impl OwnPaths {
    /// What the gate itself has to say at this decoded path of the main port.
    pub(crate) fn on_main(self, path: &str) -> Option<OwnPath> {
        let own = OwnPath::on_admin(path).filter(|_| self.on_main)?;
        matches!(own, OwnPath::Metrics | OwnPath::Health | OwnPath::Live | OwnPath::Ready).then_some(own)
    }
}
