//! What one worker thread has of its own, and what all of them share.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use admission::MaxInFlight;
use audit::Policy;
use authn::Authn;
use hyper::body::Incoming;
use network::AllowList;
use parking_lot::Mutex;
use sinks::log::LogSink;
use tls::ServerTls;
use tokio::sync::{mpsc, watch};
use types::User;
use upstream::{CannotExpress, Identity, IdentityHeaders, Pool, Upstream};

use crate::{
    authorizers::Newest, certificate::ClientCertificates, http1, own_paths::OwnPaths, recent::Recent,
    seats::Seats, status::Layers, tokens::RecentTokens, watches::Watches,
};

/// Bounds on what a client may use up before anybody knows who it is, and on waiting for upstream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) handshake: Duration,
    pub(crate) http1: http1::Limits,
    /// Decoded bytes of one HTTP/2 header list.
    pub(crate) http2_header_bytes: u32,
    // UPSTREAM: 100 streams a connection for clients that are not known yet (kube-apiserver 1.36)
    pub(crate) http2_streams: u32,
    /// Streams that a client may open and reset before they are even looked at.
    pub(crate) http2_pending_resets: usize,
    /// How long the head of a response may take, of requests that are not long-running.
    // UPSTREAM: such a request ends after 60 s there (kube-apiserver 1.36); the gate leaves it the
    // time to say so itself
    pub(crate) response_head: Duration,
    /// How long one of these may hold a seat, however slowly its client reads the answer.
    pub(crate) seat: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            http1: http1::Limits {
                head_bytes: 64 * 1024,
                // UPSTREAM: 32 s for a head, 90 s between requests (kube-apiserver 1.36)
                head_time: Duration::from_secs(32),
                idle_time: Duration::from_secs(90),
            },
            http2_header_bytes: 64 * 1024,
            http2_streams: 100,
            http2_pending_resets: 20,
            response_head: Duration::from_secs(70),
            seat: Duration::from_secs(75),
        }
    }
}

/// How far the gate is on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Serving.
    Open,
    /// No new connections; what runs may end.
    Draining,
    /// What lasts has to end now.
    Ending,
}

/// What all workers share. Nothing in it changes but behind its own handle.
pub(crate) struct Gate {
    pub(crate) network: AllowList,
    pub(crate) tls: ServerTls,
    pub(crate) certificates: ClientCertificates,
    pub(crate) authn: Authn,
    /// Looks objects up.
    pub(crate) remote: remote::Remote,
    pub(crate) authorizers: Newest,
    pub(crate) watches: Watches,
    pub(crate) in_flight: MaxInFlight,
    pub(crate) audit: Option<Auditor>,
    pub(crate) metrics: telemetry::Metrics,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) identity_headers: IdentityHeaders,
    pub(crate) own_paths: OwnPaths,
    pub(crate) bounds: Bounds,
    pub(crate) layers: Layers,
    pub(crate) phase: watch::Sender<Phase>,
    /// What each worker decided a moment ago.
    pub(crate) recent: Mutex<Vec<Arc<Recent>>>,
}

impl Gate {
    /// Why the gate should not be sent requests now, if it should not.
    pub(crate) fn not_ready(&self) -> Option<String> {
        if *self.phase.borrow() != Phase::Open {
            return Some("the gate is shutting down".to_owned());
        }
        self.watches.not_known()
    }
}

/// Layer 6: what goes on record, and where.
pub(crate) struct Auditor {
    pub(crate) policy: Policy,
    pub(crate) sink: LogSink,
}

/// One worker: a thread, a runtime, a pool of upstream connections, a shard of the metrics.
pub(crate) struct Worker {
    pub(crate) gate: Arc<Gate>,
    pub(crate) pool: Pool<Incoming>,
    pub(crate) metrics: telemetry::Worker,
    /// Tokens that were good a moment ago; belongs to the gate's `authn`.
    pub(crate) tokens: RecentTokens,
    pub(crate) seats: Seats,
    pub(crate) recent: Arc<Recent>,
    identities: Mutex<Identities>,
    /// Closed when the last connection, request and tunnel of the worker is gone.
    _alive: mpsc::Sender<Infallible>,
}

impl Worker {
    /// A worker, and what ends when everything that it serves has ended.
    pub(crate) fn new(gate: Arc<Gate>) -> (Self, mpsc::Receiver<Infallible>) {
        let (alive, ended) = mpsc::channel(1);
        let recent = Arc::new(Recent::default());
        gate.recent.lock().push(Arc::clone(&recent));
        let worker = Self {
            pool: Pool::new(Arc::clone(&gate.upstream), gate.identity_headers.clone()),
            metrics: gate.metrics.worker(),
            tokens: RecentTokens::new(),
            seats: Seats::default(),
            recent,
            identities: Mutex::default(),
            gate,
            _alive: alive,
        };
        (worker, ended)
    }

    /// How `user` is told to the upstream. Worked out once for a certificate's connection, a remembered
    /// token or an effective user, not for each of their requests.
    pub(crate) fn identity(&self, user: &Arc<User>) -> Result<Arc<Identity>, CannotExpress> {
        let mut identities = self.identities.lock();
        let key = Arc::as_ptr(user) as usize;
        if let Some((_, identity)) = identities.known.get(&key) {
            return Ok(Arc::clone(identity));
        }
        let identity = Arc::new(Identity::new(user)?);
        // Nobody else holds on to it, so nobody will come with it again.
        if Arc::strong_count(user) == 1 {
            return Ok(identity);
        }
        let parts = 2 + user.groups.len() + user.extra.values().map(Vec::len).sum::<usize>();
        if identities.parts + parts > Identities::MOST_PARTS {
            *identities = Identities::default();
        }
        identities.parts += parts;
        identities.known.insert(key, (Arc::clone(user), Arc::clone(&identity)));
        self.gate.authorizers.load().chain.introduce(user);
        Ok(identity)
    }
}

/// By the address of the user, which cannot be used again as long as the entry holds on to it.
#[derive(Default)]
struct Identities {
    known: HashMap<usize, (Arc<User>, Arc<Identity>)>,
    parts: usize,
}

impl Identities {
    /// Headers that tell the upstream about all of them, at some hundred bytes each. Whoever may
    /// impersonate chooses how many there are.
    const MOST_PARTS: usize = 32 * 1024;
}
