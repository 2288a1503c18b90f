//! What follows the cluster for layer 4.

use types::Timestamp;
use watch::{Health, Watch};

/// The watches that authorizers decide by; none for objects that were read once.
#[derive(Default)]
pub(crate) struct Watches(pub(crate) Vec<Watch>);

impl Watches {
    /// Which objects are not known yet, so that they allow nobody, if there are any.
    pub(crate) fn not_known(&self) -> Option<String> {
        let waiting = self.0.iter().filter_map(|watch| {
            let kinds = watch.status();
            let kinds: Vec<_> = kinds.iter().filter(|kind| !kind.synced).map(|kind| kind.kind).collect();
            (!kinds.is_empty()).then(|| format!("{} are not known yet: {}", watch.of(), kinds.join(", ")))
        });
        let waiting: Vec<_> = waiting.collect();
        (!waiting.is_empty()).then(|| waiting.join("; "))
    }

    /// When objects changed last, as far as anybody watches them. A kind that was listed anew counts.
    pub(crate) fn changed(&self) -> Option<Timestamp> {
        self.0.iter().flat_map(Watch::status).filter_map(|kind| kind.changed).max()
    }

    /// Since when and why objects may be out of date, if they may.
    pub(crate) fn degraded(&self) -> Option<(Timestamp, String)> {
        self.0.iter().flat_map(Watch::status).find_map(|kind| match kind.health {
            Health::On => None,
            Health::Degraded { reason } => Some((kind.since, format!("{}: {reason}", kind.kind))),
        })
    }
}
