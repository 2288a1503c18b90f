//! A gate that runs, and how it stops.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ::upstream::{IdentityHeaders, Pool};
use ::watch::Watch;
use admission::MaxInFlight;
use audit::Policy;
use authz::{
    node::Node,
    rbac::{Rbac, World},
};
use bytes::Bytes;
use http_body_util::Empty;
use parking_lot::Mutex;
use remote::{Remote, UpstreamObjects};
use sinks::log::{LogSink, OpenError};
use telemetry::{AuditCounts, Metrics, metrics::Kind};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
};
use types::Timestamp;

use crate::{
    Settings, admin,
    authorizers::{
        Newest,
        reload::{self, Parts, Reload},
    },
    listen,
    settings::ModeSetting,
    status::Layers,
    watches::Watches,
    webhook_metrics,
    worker::{Auditor, Bounds, Gate, Phase, Worker},
};

/// How long the objects of the upstream that authorizers decide by are waited for before the gate opens.
/// It opens without them too: it then allows nothing that they would, and says why.
const SYNC_WITHIN: Duration = Duration::from_secs(5);

/// How long the audit log may take to write what it has when the gate ends.
const CLOSE_LOG_WITHIN: Duration = Duration::from_secs(5);

/// How long the end of what lasts may take to reach its clients.
const FAREWELL: Duration = Duration::from_millis(500);

/// How often seats that were kept for too long are looked for.
const CLEAR_SEATS: Duration = Duration::from_secs(5);

/// A running gate. Dropping it shuts it down and waits.
pub struct Running {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    gate: Arc<Gate>,
    workers: Vec<JoinHandle<()>>,
    control: Option<Control>,
}

/// The thread for watches, questions and the admin address.
struct Control {
    thread: JoinHandle<()>,
    /// Dropped to end it.
    stop: tokio::sync::oneshot::Sender<()>,
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
    pub fn shutdown(&self) {
        self.gate.phase.send_if_modified(|phase| {
            let begins = *phase == Phase::Open;
            if begins {
                *phase = Phase::Draining;
            }
            begins
        });
    }

    /// Opens the audit log anew, so that a file that was moved away can be taken away.
    pub fn reopen_logs(&self) {
        if let Some(audit) = &self.gate.audit {
            audit.sink.reopen();
        }
    }

    /// Blocks until the gate has stopped.
    pub fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a worker ended in a panic");
            }
        }
        if let Some(Control { thread, stop }) = self.control.take() {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!("the control thread ended in a panic");
            }
        }
        if let Some(audit) = &self.gate.audit {
            let left = audit.sink.close(CLOSE_LOG_WITHIN).waiting;
            if left > 0 {
                tracing::error!(left, "audit events could not be written before the end");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown();
        self.join();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Why a gate could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on; most often somebody else does already.
    #[error("{flag}: cannot listen on {address}: {source}")]
    Listen {
        /// The flag that chooses another.
        flag: &'static str,
        /// Which address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The audit log cannot be written.
    #[error(transparent)]
    Audit(#[from] OpenError),
    /// The operating system refused a thread or a runtime.
    #[error("cannot start a worker: {0}")]
    Worker(#[from] io::Error),
}

/// Starts a gate on threads of its own and returns once it accepts connections.
///
/// # Errors
/// When an address is taken, the audit log cannot be opened or a thread cannot be had. The upstream
/// need not be reachable: the gate then answers, and says in its status that the layers which need
/// it are degraded.
pub fn start(settings: Settings) -> Result<Running, StartError> {
    let (address, listeners) = listen::shared(settings.listen, settings.workers)
        .map_err(|source| StartError::Listen { flag: "--secure-port", address: settings.listen, source })?;
    let admin = settings
        .admin
        .map(|address| {
            listen::alone(address).map_err(|source| StartError::Listen {
                flag: "--admin-address",
                address,
                source,
            })
        })
        .transpose()?;
    let admin_address = admin.as_ref().map(TcpListener::local_addr).transpose()?;
    let grace = settings.shutdown_grace;

    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (gate, reload) = assemble(settings, &runtime)?;
    let gate = Arc::new(gate);
    if let Some(reload) = reload {
        runtime.spawn(reload::follow(Arc::clone(&gate), reload));
    }
    let mut runtimes = vec![runtime.handle().clone()];
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let control = std::thread::Builder::new().name("gate-control".into()).spawn({
        let gate = Arc::clone(&gate);
        move || {
            runtime.block_on(admin::serve(gate, admin, stopped));
            // A file that hangs is not waited for.
            runtime.shutdown_background();
        }
    })?;
    let mut running = Running {
        address,
        admin_address,
        gate: Arc::clone(&gate),
        workers: Vec::with_capacity(listeners.len()),
        control: Some(Control { thread: control, stop }),
    };
    for (number, listener) in listeners.into_iter().enumerate() {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtimes.push(runtime.handle().clone());
        let gate = Arc::clone(&gate);
        let thread = std::thread::Builder::new().name(format!("gate-{number}")).spawn(move || {
            if let Err(error) = runtime.block_on(work(gate, listener, grace)) {
                tracing::error!(%error, "a worker cannot accept connections");
            }
            // Whatever still runs ends here, and its books are closed. A name that is being resolved
            // on a thread of its own is not waited for.
            runtime.shutdown_background();
        })?;
        running.workers.push(thread);
    }
    gate.metrics.add_source(move |page| {
        let tasks: usize = runtimes.iter().map(|runtime| runtime.metrics().num_alive_tasks()).sum();
        page.family(
            "portcullis_tasks",
            Kind::Gauge,
            "Tasks of all threads: some for each open connection and stream, a few of the gate's own.",
        )
        .sample(&[], tasks as u64);
    });
    Ok(running)
}

/// Puts the layers together, and what follows the file of layer 4, if there is one. The control runtime
/// carries their watches and questions.
pub(crate) fn assemble(settings: Settings, runtime: &Runtime) -> Result<(Gate, Option<Reload>), StartError> {
    let upstream = Arc::new(settings.upstream);
    let identity_headers = IdentityHeaders::default();
    let is_used = |mode: fn(&ModeSetting) -> bool| settings.modes.iter().any(mode);
    let mut watches = Watches::default();
    let rbac_from = settings.rbac.as_ref().map(Vec::len);
    let rbac = match settings.rbac {
        Some(objects) => {
            let mut world = World::default();
            objects.into_iter().for_each(|object| world.apply(object));
            Rbac::new(world)
        }
        None => {
            let rbac = Rbac::default();
            if is_used(|mode| matches!(mode, ModeSetting::Rbac)) {
                let _within = runtime.enter();
                watches.0.push(Watch::rbac(Arc::clone(&upstream), rbac.clone()));
            }
            rbac
        }
    };
    let node = Node::new(settings.feature_gates.pod_certificate_request);
    if is_used(|mode| matches!(mode, ModeSetting::Node)) {
        let _within = runtime.enter();
        watches.0.push(Watch::node(Arc::clone(&upstream), node.clone()));
    }
    let opens_by = Instant::now() + SYNC_WITHIN;
    for watch in &watches.0 {
        let left = opens_by.saturating_duration_since(Instant::now());
        if let Err(error) = runtime.block_on(watch.synced(left)) {
            tracing::warn!(%error, "the gate opens without them, and allows nothing that they would");
        }
    }
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    let audit = match settings.audit {
        None => None,
        Some(options) => {
            let sink = LogSink::open(options)?;
            let counted = sink.clone();
            metrics.add_audit(move || {
                let status = counted.status();
                AuditCounts { events: status.received, failed: status.failed, dropped: status.dropped }
            });
            Some(Auditor { policy: Policy::metadata(), sink })
        }
    };
    let own_pool: Pool<Empty<Bytes>> = Pool::new(Arc::clone(&upstream), IdentityHeaders::default());
    let remote = Remote::new(UpstreamObjects::new(own_pool), runtime.handle().clone());
    let constrained_impersonation = settings.feature_gates.constrained_impersonation;
    let parts = Parts { deny: settings.deny, node, rbac, rbac_from, constrained_impersonation };
    let authorizers = parts.authorizers(settings.modes, &remote, &metrics);
    let reload = settings.configured.map(|configured| Reload::new(parts, configured, &metrics));
    metrics.add_source({
        let remote = remote.clone();
        move |page| webhook_metrics::expose(&remote, page)
    });
    let gate = Gate {
        network: settings.network,
        tls: settings.tls,
        certificates: settings.certificates,
        authn: settings.authn,
        remote,
        authorizers: Newest::new(authorizers),
        watches,
        in_flight: MaxInFlight::new(settings.limits),
        audit,
        metrics,
        upstream,
        identity_headers,
        own_paths: settings.own_paths,
        bounds: Bounds::default(),
        layers: Layers { started: Timestamp::now(), states: settings.layers },
        phase: watch::Sender::new(Phase::Open),
        recent: Mutex::default(),
    };
    Ok((gate, reload))
}

/// One worker's life: accepts until the gate drains, then waits for what it serves.
async fn work(gate: Arc<Gate>, listener: TcpListener, grace: Duration) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut phase = gate.phase.subscribe();
    let (worker, mut ended) = Worker::new(Arc::clone(&gate));
    let worker = Arc::new(worker);
    let mut clearing = tokio::time::interval(CLEAR_SEATS);
    loop {
        let accepted = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase != Phase::Open) => break,
            accepted = listener.accept() => accepted,
            _ = clearing.tick() => {
                let cleared = worker.seats.clear(worker.gate.bounds.seat);
                if cleared > 0 {
                    tracing::info!(cleared, "clients that read too slowly have lost their seats");
                }
                continue;
            }
        };
        match accepted {
            Ok((tcp, peer)) => {
                tokio::spawn(crate::connection::serve(Arc::clone(&worker), tcp, peer));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Most likely there are no file descriptors left; trying at once would spin.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop((listener, worker));
    if tokio::time::timeout(grace, ended.recv()).await.is_err() {
        // Watches and shells end in good order, if their clients take it; the rest is cut off.
        gate.phase.send_replace(Phase::Ending);
        let _cut_off = tokio::time::timeout(FAREWELL, ended.recv()).await;
    }
    Ok(())
}
