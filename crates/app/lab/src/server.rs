//! The lab's API server as a listener on loopback with a runtime of its own.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use http::Response;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tls::{Alpn, CertificateDer, ServerTls};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use types::{Status, Timestamp};

use crate::{
    containers, controllers,
    environment::{self, Front, SeedError},
    rest::{Api, Body, Reviewer, refuse},
    store::{OpenError, Store, StoreConfig},
};

/// How connections reach the lab.
pub enum Transport {
    /// TLS, and one client: the holder of one of these certificates. Whoever shows another, or none,
    /// is answered 401.
    Tls {
        /// What the lab shows.
        tls: ServerTls,
        /// The leaf certificates of the gate.
        trusted: Vec<CertificateDer<'static>>,
    },
}

/// Puts first objects into a store.
pub type Seed = Box<dyn FnOnce(&Api) -> Result<(), SeedError> + Send>;

/// What a lab is started with.
pub struct LabConfig {
    /// 0 picks one. The address is always 127.0.0.1.
    pub port: u16,
    /// How connections reach it.
    pub transport: Transport,
    /// Where objects are kept.
    pub store: StoreConfig,
    /// Who answers reviews and token requests.
    pub reviewer: Box<dyn Reviewer>,
    /// The time.
    pub clock: fn() -> Timestamp,
    /// The certificate that clients inside the cluster trust, for `kube-root-ca.crt` in every
    /// namespace; empty for none.
    pub root_ca: String,
    /// Puts the first objects into an empty store, before anybody is answered.
    pub seed: Seed,
}

/// Why a lab does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A seed is refused.
    #[error("the lab's first objects cannot be made: {0}")]
    Seed(#[from] SeedError),
    /// No thread or runtime.
    #[error("cannot start the lab's runtime: {0}")]
    Runtime(io::Error),
}

/// A lab that runs until it is stopped or dropped.
pub struct Running {
    api: Arc<Api>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The objects.
    pub fn store(&self) -> &Store {
        self.api.store()
    }

    /// Makes the cluster's objects say where its API server is and with which flags it runs.
    pub fn show(&self, front: &Front) -> Result<(), Status> {
        self.api.containers().found_front(environment::reachable(front.address));
        environment::show(&self.api, front)
    }

    /// Ends watches, waits for requests that run, syncs the store.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the lab's thread has panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.join();
    }
}

/// Opens the store, seeds it where it is empty, listens, and answers from a thread of its own.
pub fn start(config: LabConfig) -> Result<Running, StartError> {
    let store = Store::open(&config.store)?;
    let (stop, stopping) = watch::channel(false);
    let api = Api::new(store, config.reviewer, config.clock, stopping.clone()).with_root_ca(config.root_ca);
    let api = Arc::new(api);
    if api.store().list("namespaces", None).0.is_empty() {
        (config.seed)(&api)?;
        controllers::settle(&api);
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, config.port));
    let listener =
        std::net::TcpListener::bind(address).map_err(|source| StartError::Listen { address, source })?;
    let address = listener.local_addr().map_err(StartError::Runtime)?;
    listener.set_nonblocking(true).map_err(StartError::Runtime)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    let transport = Arc::new(config.transport);
    let served = Arc::clone(&api);
    let thread = std::thread::Builder::new()
        .name("lab".into())
        .spawn(move || {
            runtime.block_on(run(listener, &served, &transport, stopping));
            served.store().sync();
        })
        .map_err(StartError::Runtime)?;
    Ok(Running { api, address, stop, thread: Some(thread) })
}

/// How long requests that run may take to end when the lab stops.
const GRACE: Duration = Duration::from_secs(3);
/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

async fn run(
    listener: std::net::TcpListener,
    api: &Arc<Api>,
    transport: &Arc<Transport>,
    mut stopping: watch::Receiver<bool>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the lab cannot listen"),
    };
    let controllers = tokio::spawn(controllers::run(Arc::clone(api), stopping.clone()));
    let containers = tokio::spawn(containers::run(Arc::clone(api), stopping.clone()));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (api, transport, stopping) = (Arc::clone(api), Arc::clone(transport), stopping.clone());
                    connections.spawn(async move { connection(stream, &api, &transport, stopping).await });
                }
                // Out of descriptors, most likely: the next one will be better.
                Err(error) => tracing::warn!(%error, "the lab could not accept a connection"),
            },
            Some(_) = connections.join_next() => {}
            () = stopped(&mut stopping) => break,
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, drained).await.is_err() {
        tracing::warn!("connections to the lab are cut");
    }
    controllers.abort();
    containers.abort();
}

async fn connection(
    stream: TcpStream,
    api: &Arc<Api>,
    transport: &Transport,
    stopping: watch::Receiver<bool>,
) {
    drop(stream.set_nodelay(true));
    let Transport::Tls { tls, trusted } = transport;
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else { return };
    // Equality with a certificate that we hold ourselves needs no chain, name or time: the handshake
    // has proven that the peer has its key.
    let is_gate = stream.peer_certificates().first().is_some_and(|leaf| trusted.contains(leaf));
    let alpn = stream.alpn();
    speak(stream, api, alpn, is_gate, stopping).await;
}

async fn speak<IO>(io: IO, api: &Arc<Api>, alpn: Alpn, is_gate: bool, mut stopping: watch::Receiver<bool>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let api = Arc::clone(api);
    let service = service_fn(move |request| {
        let api = Arc::clone(&api);
        async move {
            let response: Response<Body> =
                if is_gate { api.serve(request).await } else { refuse(request.headers()) };
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let io = TokioIo::new(io);
    // A connection that ends badly is the client's affair, and the client here is the gate.
    let ended = match alpn {
        Alpn::Http2 => {
            let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            builder.timer(TokioTimer::new()).max_header_list_size(1 << 20);
            let mut connection = std::pin::pin!(builder.serve_connection(io, service));
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped(&mut stopping) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
        Alpn::Http1 => {
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).max_buf_size(1 << 20).max_headers(1024);
            let mut connection = std::pin::pin!(builder.serve_connection(io, service).with_upgrades());
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped(&mut stopping) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the lab broke off");
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    drop(stopping.wait_for(|stop| *stop).await);
}

#[cfg(test)]
mod tests;
