//! What the gate says about itself.

use bytes::Bytes;
use telemetry::metrics;

use crate::{answer::Answer, own_paths::OwnPath, worker::Gate};

/// The answer that stands at one of the gate's own paths.
pub(crate) fn say(gate: &Gate, what: OwnPath) -> Answer {
    const TEXT: &str = "text/plain; charset=utf-8";
    match what {
        OwnPath::Metrics => Answer::Text(metrics::CONTENT_TYPE, gate.metrics.expose().into()),
        OwnPath::Health | OwnPath::Live => Answer::Text(TEXT, Bytes::from_static(b"ok")),
        OwnPath::Ready => match gate.not_ready() {
            None => Answer::Text(TEXT, Bytes::from_static(b"ok")),
            Some(why) => Answer::NotReady(why),
        },
        OwnPath::Status => Answer::Text("application/json", gate.layers.report(gate).to_json().into()),
    }
}
