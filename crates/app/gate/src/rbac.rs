//! Where the roles and bindings come from that layer 4 decides by.

use types::Timestamp;

/// The source of RBAC objects.
pub(crate) enum RbacSource {
    /// No authorizer decides by them.
    Unused,
    /// `--rbac-from`: a folder, read once.
    Folder,
    /// The upstream, watched.
    Watch(watch::Watch),
}

impl RbacSource {
    /// Why nobody can be allowed yet, if that is so.
    pub(crate) fn not_known(&self) -> Option<String> {
        let Self::Watch(watch) = self else { return None };
        let waiting: Vec<_> =
            watch.status().iter().filter(|kind| !kind.synced).map(|kind| kind.kind).collect();
        (!waiting.is_empty()).then(|| format!("RBAC objects are not known yet: {}", waiting.join(", ")))
    }

    /// When objects changed last, as far as anybody watches them. A kind that was listed anew counts.
    pub(crate) fn changed(&self) -> Option<Timestamp> {
        let Self::Watch(watch) = self else { return None };
        watch.status().iter().filter_map(|kind| kind.changed).max()
    }

    /// Since when and why the objects may be out of date, if they may.
    pub(crate) fn degraded(&self) -> Option<(Timestamp, String)> {
        let Self::Watch(watch) = self else { return None };
        watch.status().into_iter().find_map(|kind| match kind.health {
            watch::Health::On => None,
            watch::Health::Degraded { reason } => Some((kind.since, format!("{}: {reason}", kind.kind))),
        })
    }
}
