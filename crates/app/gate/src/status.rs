//! All six layers on one page: on, off or degraded, since when, and why.

use serde::Serialize;
use types::Timestamp;

use crate::worker::{Gate, Phase};

/// How a layer fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It does what it should.
    On,
    /// It lets everything pass, because nothing is configured.
    Off,
    /// It is configured and does less than it should.
    Degraded,
}

/// One layer on the page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LayerStatus {
    /// 1 to 6.
    number: u8,
    name: &'static str,
    state: State,
    since: Timestamp,
    why: String,
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    version: &'static str,
    started: Timestamp,
    draining: bool,
    upstream: String,
    layers: Vec<LayerStatus>,
}

impl Report {
    /// As `/status` serves it.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Strings and times always serialise.
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

/// What the configuration says of each layer but authorization, which changes while the gate runs.
#[derive(Clone, Debug)]
pub(crate) struct LayerStates {
    pub(crate) network: (State, String),
    pub(crate) tls: (State, String),
    pub(crate) authentication: (State, String),
    pub(crate) admission: (State, String),
    pub(crate) audit: (State, String),
}

/// The same, and since when it holds.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    pub(crate) started: Timestamp,
    pub(crate) states: LayerStates,
}

impl Layers {
    /// The page as it stands now.
    pub(crate) fn report(&self, gate: &Gate) -> Report {
        let fixed = |number, name, (state, why): &(State, String)| LayerStatus {
            number,
            name,
            state: *state,
            since: self.started,
            why: why.clone(),
        };
        let authorizers = gate.authorizers.load();
        let mut layers = vec![
            fixed(1, "network", &self.states.network),
            fixed(2, "tls", &self.states.tls),
            fixed(3, "authentication", &self.states.authentication),
            LayerStatus { since: authorizers.since, ..fixed(4, "authorization", &authorizers.state) },
            fixed(5, "admission", &self.states.admission),
            fixed(6, "audit", &self.states.audit),
        ];
        for layer in &mut layers {
            let degraded = match layer.number {
                4 => gate.watches.degraded().or_else(|| gate.authorizers.degraded()),
                6 => gate.audit.as_ref().and_then(|audit| {
                    let degraded = audit.sink.status().degraded?;
                    Some((Timestamp::try_from(degraded.since).unwrap_or(self.started), degraded.reason))
                }),
                _ => None,
            };
            if let Some((since, why)) = degraded {
                (layer.state, layer.since, layer.why) = (State::Degraded, since, why);
            }
        }
        Report {
            version: env!("CARGO_PKG_VERSION"),
            started: self.started,
            draining: *gate.phase.borrow() != Phase::Open,
            upstream: gate.upstream.address(),
            layers,
        }
    }
}
