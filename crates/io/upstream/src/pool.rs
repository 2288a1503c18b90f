//! Connections that are used again.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::time::{Sleep, sleep};

use crate::{
    connection::Upstream,
    error::SendError,
    identity::{Identity, IdentityHeaders},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// HTTP/1.1 connections to one upstream, for one worker.
///
/// The connections' tasks run on the runtime that sends the requests, so each worker has a pool
/// of its own: a request never crosses threads. Cheap to clone; clones share the connections.
///
/// A pool decides nothing about time beyond connecting: a watch may be silent for hours.
pub struct Pool<B> {
    shared: Arc<Shared<B>>,
}

struct Shared<B> {
    upstream: Arc<Upstream>,
    identity_headers: IdentityHeaders,
    /// Ready for a request, the longest idle first. One worker uses it: the lock is never waited
    /// for, and it keeps the pool `Send` for the control runtime's sake.
    idle: Mutex<VecDeque<Idle<B>>>,
}

struct Idle<B> {
    sender: SendRequest<B>,
    since: Instant,
}

/// Most headers of one response.
const MAX_HEADERS: usize = 512;

/// Why a connection gave no response.
enum Failed<B> {
    /// Nothing of the request was written; here it is.
    Unsent(Box<Request<B>>, hyper::Error),
    /// Some or all of it was.
    Broken(hyper::Error),
}

impl<B> Clone for Pool<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<B> fmt::Debug for Pool<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("upstream", &self.shared.upstream.address()).finish_non_exhaustive()
    }
}

impl<B> Pool<B>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// A pool without connections. `identity_headers` are taken from whatever is forwarded.
    pub fn new(upstream: Arc<Upstream>, identity_headers: IdentityHeaders) -> Self {
        Self { shared: Arc::new(Shared { upstream, identity_headers, idle: Mutex::default() }) }
    }

    /// Sends a request of a user.
    ///
    /// Identity and hop-by-hop headers are stripped, then `identity` is set; `Host` and
    /// `Authorization` become the upstream's and the gate's. Method, target and body go on as
    /// they are. Dropping the response before its end closes the connection, so that upstream
    /// notices at once.
    pub fn forward(
        &self,
        identity: &Identity,
        mut req: Request<B>,
    ) -> impl Future<Output = Result<Response<PooledBody<B>>, SendError>> + use<'_, B> {
        identity.replace_in(&self.shared.identity_headers, req.headers_mut());
        self.send(req)
    }

    /// Sends a request of the gate's own, with nobody impersonated.
    pub async fn send(&self, mut req: Request<B>) -> Result<Response<PooledBody<B>>, SendError> {
        self.shared.upstream.address_and_authorize(req.headers_mut());
        frame(&mut req);
        if let Some(sender) = self.checkout() {
            match self.send_on(sender, req).await {
                Ok(res) => return Ok(res),
                // The server closed an idle connection at this very moment. Not a byte was
                // written and the request came back whole: any method may be sent again.
                Err(Failed::Unsent(whole, _)) => req = *whole,
                Err(Failed::Broken(error)) => return Err(SendError::Broken(error)),
            }
        }
        // Once: a server that hangs up on new connections would be asked forever. Boxed: handshakes
        // take several times the room of all the rest, and hardly any request makes one.
        let sender = Box::pin(self.connect()).await?;
        self.send_on(sender, req).await.map_err(|failed| match failed {
            Failed::Unsent(_, source) => {
                SendError::HungUp { address: self.shared.upstream.address(), source }
            }
            Failed::Broken(error) => SendError::Broken(error),
        })
    }

    async fn send_on(
        &self,
        mut sender: SendRequest<B>,
        req: Request<B>,
    ) -> Result<Response<PooledBody<B>>, Failed<B>> {
        match sender.try_send_request(req).await {
            Ok(res) => {
                let lease = Lease { sender: Some(sender), pool: Arc::clone(&self.shared) };
                Ok(res.map(|incoming| PooledBody::new(incoming, lease)))
            }
            Err(mut error) => Err(match error.take_message() {
                Some(whole) => Failed::Unsent(Box::new(whole), error.into_error()),
                None => Failed::Broken(error.into_error()),
            }),
        }
    }

    /// Sends a request of a user who wants the connection turned over to `protocol`, such as
    /// `SPDY/3.1` or `websocket`.
    ///
    /// The connection is new and for this request only. When the response is 101, the caller takes
    /// the bytes with [`hyper::upgrade::on`]; any other response is an ordinary one, and the
    /// connection ends with it.
    pub async fn upgrade(
        &self,
        identity: &Identity,
        protocol: HeaderValue,
        mut req: Request<B>,
    ) -> Result<Response<Incoming>, SendError> {
        identity.replace_in(&self.shared.identity_headers, req.headers_mut());
        self.shared.upstream.address_and_authorize(req.headers_mut());
        frame(&mut req);
        req.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        req.headers_mut().insert(header::UPGRADE, protocol);
        let mut sender = self.connect().await?;
        sender.send_request(req).await.map_err(SendError::Broken)
    }

    /// `host:port` of the upstream, for people.
    pub fn address(&self) -> String {
        self.shared.upstream.address()
    }

    /// How many connections are waiting for a request.
    pub fn idle(&self) -> usize {
        self.shared.idle.lock().len()
    }

    /// The connection that was used last, if it is still good: the others may grow too old.
    fn checkout(&self) -> Option<SendRequest<B>> {
        let mut idle = self.shared.idle.lock();
        while let Some(Idle { sender, since }) = idle.pop_back() {
            if since.elapsed() > self.shared.upstream.limits.idle_timeout {
                // All before it are older.
                idle.clear();
                return None;
            }
            if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    async fn connect(&self) -> Result<SendRequest<B>, SendError> {
        let stream = self.shared.upstream.connect().await?;
        let (sender, connection) = http1::Builder::new()
            // The library's 100 are too few: each thing that the server warns about is a header.
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(SendError::Broken)?;
        tokio::spawn(async move {
            // Whoever waits for a response learns of it there.
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "an upstream connection ended");
            }
        });
        Ok(sender)
    }
}

impl<B> Shared<B> {
    fn check_in(&self, sender: SendRequest<B>) {
        let limits = &self.upstream.limits;
        let mut idle = self.idle.lock();
        while idle
            .front()
            .is_some_and(|oldest| oldest.sender.is_closed() || oldest.since.elapsed() > limits.idle_timeout)
        {
            idle.pop_front();
        }
        if idle.len() < limits.max_idle {
            idle.push_back(Idle { sender, since: Instant::now() });
        }
    }
}

/// Says where the body ends by what is known of the body itself. What a client's headers said of it
/// was said to another reader; and without a word of ours the library would send a GET's body of
/// unknown length as none.
fn frame<B: Body>(req: &mut Request<B>) {
    let (ended, length) = (req.body().is_end_stream(), req.body().size_hint().exact());
    let headers = req.headers_mut();
    headers.remove(header::TRANSFER_ENCODING);
    let had_length = headers.remove(header::CONTENT_LENGTH).is_some();
    match length {
        _ if ended => {
            if had_length {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
            }
        }
        Some(length) => drop(headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length))),
        None => drop(headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))),
    }
}

/// A connection that is in use.
struct Lease<B> {
    /// Taken once.
    sender: Option<SendRequest<B>>,
    pool: Arc<Shared<B>>,
}

/// How long the rest of a request's body may still take after its response has ended.
const SETTLE: Duration = Duration::from_secs(1);

impl<B: Send + 'static> Lease<B> {
    /// The response has ended: the connection is free, or will be.
    fn give_back(&mut self) {
        let Some(mut sender) = self.sender.take() else { return };
        if sender.is_ready() {
            self.pool.check_in(sender);
        } else if !sender.is_closed() {
            // Its task has yet to see the end, or the server answered before it had read the
            // whole request.
            let pool = Arc::downgrade(&self.pool);
            tokio::spawn(async move {
                let settled = tokio::time::timeout(SETTLE, sender.ready()).await;
                if let (Ok(Ok(())), Some(pool)) = (settled, pool.upgrade()) {
                    pool.check_in(sender);
                }
            });
        }
    }
}

/// The body of a response. Its connection goes back to the pool when it ends, and is closed when
/// it is dropped before.
pub struct PooledBody<B: Send + 'static> {
    incoming: Incoming,
    lease: Lease<B>,
    /// When it is taken for ended, come or not.
    end: Option<Pin<Box<Sleep>>>,
}

impl<B: Send + 'static> PooledBody<B> {
    fn new(incoming: Incoming, lease: Lease<B>) -> Self {
        let mut body = Self { incoming, lease, end: None };
        body.settle();
        body
    }

    /// The same, but it ends after `longest`, in the middle if need be, and its connection with it.
    pub(crate) fn ending_after(mut self, longest: Duration) -> Self {
        self.end = Some(Box::pin(sleep(longest)));
        self
    }

    fn settle(&mut self) {
        if self.incoming.is_end_stream() {
            self.lease.give_back();
        }
    }
}

impl<B: Send + 'static> Body for PooledBody<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if this.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            this.lease.sender = None;
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut this.incoming).poll_frame(cx));
        match &frame {
            None => this.lease.give_back(),
            Some(Ok(_)) => this.settle(),
            // The connection is broken; dropping it is all there is to do.
            Some(Err(_)) => this.lease.sender = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl<B: Send + 'static> fmt::Debug for PooledBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBody").field("incoming", &self.incoming).finish_non_exhaustive()
    }
}
