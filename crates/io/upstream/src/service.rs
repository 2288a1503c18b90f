//! The pool as a `tower` service, for what the gate asks for itself.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use tower::Service;

use crate::{
    error::SendError,
    pool::{Pool, PooledBody},
};

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")));

/// Sends requests with the gate's own credential and nobody impersonated: lists and watches of
/// its own, look-ups, reviews. Never a client's request.
///
/// The head of a response has to come within a minute, or the connection is given up: a server
/// that hangs would otherwise look like a watch on which nothing happens. For the same reason a body
/// is taken for ended when a server that is well would have ended it: watches ask for 290 s.
#[derive(Debug)]
pub struct OwnService<B> {
    pool: Pool<B>,
    pub(crate) answer_within: Duration,
    pub(crate) body_within: Duration,
}

impl<B> OwnService<B> {
    /// A service over `pool`, which should be one of the control runtime.
    pub fn new(pool: Pool<B>) -> Self {
        Self { pool, answer_within: Duration::from_secs(60), body_within: Duration::from_secs(330) }
    }
}

impl<B> Clone for OwnService<B> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), answer_within: self.answer_within, body_within: self.body_within }
    }
}

impl<B> Service<Request<B>> for OwnService<B>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<PooledBody<B>>;
    type Error = SendError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut req: Request<B>) -> Self::Future {
        // So that the API server's audit log tells the gate's own requests from those it forwards.
        req.headers_mut().entry(header::USER_AGENT).or_insert(USER_AGENT);
        let (pool, after, longest) = (self.pool.clone(), self.answer_within, self.body_within);
        Box::pin(async move {
            match tokio::time::timeout(after, pool.send(req)).await {
                Ok(answer) => answer.map(|res| res.map(|body| body.ending_after(longest))),
                Err(_) => Err(SendError::NoAnswer { address: pool.address(), after }),
            }
        })
    }
}
