//! Load: some connections, each with one request at a time, for some time.

use std::{
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, runtime, task::LocalSet};
use tokio_rustls::TlsConnector;

use crate::Error;

/// What to send, and where.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) request: Request<Empty<Bytes>>,
    pub(crate) connections: usize,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) requests: usize,
    pub(crate) seconds: f64,
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
}

impl Figures {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

/// Sends load for `time`. Any answer but 200 is an error: a fast refusal is not a result.
pub(crate) fn run(load: &Load, time: Duration) -> Result<Figures, Error> {
    let threads = thread::available_parallelism()?.get().min(load.connections);
    let started = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            let load = load.clone();
            let share = load.connections / threads + usize::from(thread < load.connections % threads);
            thread::spawn(move || worker(load, share, started + time))
        })
        .collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.join().map_err(|_| "a load thread panicked")??);
    }
    let seconds = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |per_cent: usize| {
        latencies.get(latencies.len() * per_cent / 100).copied().ok_or("nothing was answered in time")
    };
    Ok(Figures { requests: latencies.len(), seconds, median: at(50)?, p99: at(99)? })
}

fn worker(load: Load, connections: usize, until: Instant) -> Result<Vec<Duration>, Error> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let load = Rc::new(load);
    LocalSet::new().block_on(&runtime, async move {
        let tasks: Vec<_> =
            (0..connections).map(|_| tokio::task::spawn_local(connection(load.clone(), until))).collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        Ok(latencies)
    })
}

async fn connection(load: Rc<Load>, until: Instant) -> Result<Vec<Duration>, Error> {
    let tcp = TcpStream::connect(load.address).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    let tls = TlsConnector::from(load.tls.clone()).connect(name, tcp).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
    tokio::task::spawn_local(connection);
    let mut latencies = Vec::with_capacity(64 * 1024);
    while Instant::now() < until {
        let sent = Instant::now();
        sender.ready().await?;
        let response = sender.send_request(load.request.clone()).await?;
        if response.status() != 200 {
            return Err(format!("answered {}", response.status()).into());
        }
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}
