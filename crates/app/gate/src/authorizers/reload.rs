//! `--authorization-config` is followed while the gate runs, with the kubeconfigs of its webhooks and the
//! files that these name.
//!
//! What cannot be used changes nothing: the gate goes on deciding as before, says so in its log, its status
//! and its metrics, and looks again.

use std::{
    collections::BTreeSet,
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use authz::{Authz, DenyList, node::Node, rbac::Rbac};
use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;
use telemetry::{
    Metrics,
    metrics::{Exposition, Kind},
};
use types::Timestamp;

use super::Authorizers;
use crate::{
    settings::{Configured, ModeSetting, authorization_state},
    status::State,
    worker::Gate,
};

/// How often the files are looked at. What is found has to stand for so long, too: a file that is being
/// written is not taken by half.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Follows the file for as long as the gate runs. Files may hang, and expressions take their time to
/// compile: both happen where nobody else waits.
pub(crate) async fn follow(gate: Arc<Gate>, mut reload: Reload) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let gate = Arc::clone(&gate);
        let looked = tokio::task::spawn_blocking(move || {
            let found = reload.look();
            reload.take(found, &gate);
            reload
        });
        match looked.await {
            Ok(back) => reload = back,
            Err(error) => {
                tracing::error!(%error, "--authorization-config is not followed any more");
                return;
            }
        }
    }
}

/// What a newer chain is made with, and what the files said so far.
pub(crate) struct Reload {
    parts: Parts,
    built_in_at_start: BTreeSet<&'static str>,
    in_force: Configured,
    settling: Settling<Result<Configured, String>>,
    counts: Arc<Counts>,
}

/// What every chain of the gate is made with.
pub(crate) struct Parts {
    pub(crate) deny: DenyList,
    pub(crate) node: Node,
    pub(crate) rbac: Rbac,
    /// How many objects `--rbac-from` has.
    pub(crate) rbac_from: Option<usize>,
    pub(crate) constrained_impersonation: bool,
}

impl Parts {
    /// The chain of these authorizers.
    pub(crate) fn authorizers(
        &self,
        modes: Vec<ModeSetting>,
        remote: &remote::Remote,
        metrics: &Metrics,
    ) -> Authorizers {
        let state = authorization_state(&modes, self.rbac_from);
        let mut webhooks = Vec::new();
        let modes = modes.into_iter().map(|mode| mode.into_mode(&self.node, &self.rbac, &mut webhooks));
        let chain = Authz::new(self.deny.clone(), modes.collect());
        let (remote, now) = (remote.with_webhooks(webhooks), Timestamp::now());
        Authorizers::new(chain, self.constrained_impersonation, remote, metrics, state, now)
    }
}

impl Reload {
    /// Follows what the gate started with.
    pub(crate) fn new(parts: Parts, started_with: Configured, metrics: &Metrics) -> Self {
        let counts = Arc::new(Counts::default());
        counts.in_force(&started_with);
        metrics.add_source({
            let counts = Arc::clone(&counts);
            move |page| counts.expose(page)
        });
        Self {
            parts,
            built_in_at_start: started_with.built_in(),
            settling: Settling::new(Ok(started_with.clone())),
            in_force: started_with,
            counts,
        }
    }

    fn look(&self) -> Result<Configured, String> {
        let known = self.settling.seen.as_ref().unwrap_or(&self.in_force);
        known.read_again().map_err(|error| error.to_string())
    }

    fn take(&mut self, found: Result<Configured, String>, gate: &Gate) {
        let stands = |one: &Result<Configured, String>, other: &Result<Configured, String>| match (one, other)
        {
            (Ok(one), Ok(other)) => one.stands_as(other),
            (Err(one), Err(other)) => one == other,
            _ => false,
        };
        let Some(found) = self.settling.look(found, stands).cloned() else { return };
        if let Err(error) = found.and_then(|newer| self.apply(newer, gate)) {
            self.counts.failed();
            tracing::warn!(%error, "the newer --authorization-config cannot be used: the one before goes on");
            let why = format!("a newer --authorization-config cannot be used: {error}");
            *gate.authorizers.trouble.lock() = Some((Timestamp::now(), why));
        }
    }

    fn apply(&mut self, newer: Configured, gate: &Gate) -> Result<(), String> {
        if self.in_force.decides_as(&newer) {
            // It means what is in force, so whatever was wrong is mended.
            *gate.authorizers.trouble.lock() = None;
            return Ok(());
        }
        newer.may_follow(&self.built_in_at_start).map_err(|error| error.to_string())?;
        let modes = newer.modes().map_err(|error| error.to_string())?;
        let authorizers = self.parts.authorizers(modes, &gate.remote, &gate.metrics);
        let changes = self.in_force.changes(&newer);
        if authorizers.state.0 == State::Off {
            tracing::warn!(
                "AlwaysAllow: whoever gets in may do everything that no authorizer before it denies"
            );
        }
        gate.authorizers.replace(authorizers);
        self.counts.succeeded(&newer);
        self.in_force = newer;
        tracing::info!(%changes, "--authorization-config was read anew");
        Ok(())
    }
}

/// Waits until something has been seen twice in a row.
struct Settling<T> {
    seen: T,
    /// Nothing is to be done about what was seen last.
    done: bool,
}

impl<T> Settling<T> {
    /// `first` has been dealt with.
    fn new(first: T) -> Self {
        Self { seen: first, done: true }
    }

    /// What to deal with now: what is `found`, if it is new and stands as it did at the look before.
    fn look(&mut self, found: T, stands_as: impl Fn(&T, &T) -> bool) -> Option<&T> {
        if !stands_as(&self.seen, &found) {
            (self.seen, self.done) = (found, false);
            return None;
        }
        (!std::mem::replace(&mut self.done, true)).then_some(&self.seen)
    }
}

/// kube-apiserver's metrics of the same.
#[derive(Default)]
struct Counts {
    successes: Event,
    failures: Event,
    /// Of the file's bytes.
    hash: Mutex<String>,
}

#[derive(Default)]
struct Event {
    count: AtomicU64,
    /// When it was last, in seconds; 0: never.
    last: AtomicI64,
}

impl Event {
    fn happened(&self) {
        self.last.store(Timestamp::now().as_second(), Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// UPSTREAM: the hash of the API server's identity, or nothing where it has none (kube-apiserver 1.36). The
/// gate is no API server.
const NOBODY: (&str, &str) = ("apiserver_id_hash", "");

impl Counts {
    fn succeeded(&self, newer: &Configured) {
        self.in_force(newer);
        self.successes.happened();
    }

    fn failed(&self) {
        self.failures.happened();
    }

    fn in_force(&self, configured: &Configured) {
        let mut hash = "sha256:".to_owned();
        for byte in digest(&SHA256, configured.text()).as_ref() {
            // A String takes everything.
            let _infallible = write!(hash, "{byte:02x}");
        }
        *self.hash.lock() = hash;
    }

    fn expose(&self, page: &mut Exposition) {
        let happened = || {
            let events = [("failure", &self.failures), ("success", &self.successes)];
            events.into_iter().filter_map(|(status, event)| {
                let count = event.count.load(Ordering::Relaxed);
                let last = u64::try_from(event.last.load(Ordering::Relaxed)).unwrap_or_default();
                (count > 0).then_some(([NOBODY, ("status", status)], count, last))
            })
        };
        let name = "apiserver_authorization_config_controller_automatic_reloads_total";
        let mut family = page.family(name, Kind::Counter, "How often --authorization-config was read anew.");
        for (labels, count, _) in happened() {
            family.sample(&labels, count);
        }
        let name = "apiserver_authorization_config_controller_automatic_reload_last_timestamp_seconds";
        let mut family = page.family(name, Kind::Gauge, "When it was last, in seconds since 1970.");
        for (labels, _, last) in happened() {
            family.sample(&labels, last);
        }
        let name = "apiserver_authorization_config_controller_last_config_info";
        page.family(name, Kind::Gauge, "Always 1; the label tells the hash of the file that is in force.")
            .sample(&[NOBODY, ("hash", &self.hash.lock())], 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_at_each_look_is_left_alone() {
        let mut settling = Settling::new(1);
        let mut look = |found: i32| settling.look(found, |one, other| one == other).copied();
        assert_eq!([look(1), look(1)], [None, None], "nothing new");
        assert_eq!([look(2), look(3), look(4)], [None, None, None], "it is being written");
        assert_eq!([look(4), look(4), look(4)], [Some(4), None, None], "it stands, and is dealt with once");
        assert_eq!([look(5), look(4), look(4)], [None, None, Some(4)], "and again, whatever it was");
    }
}
