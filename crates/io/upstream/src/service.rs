//! The pool as a `tower` service, for what the gate asks for itself.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
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
#[derive(Debug)]
pub struct OwnService<B>(Pool<B>);

impl<B> OwnService<B> {
    /// A service over `pool`, which should be one of the control runtime.
    pub fn new(pool: Pool<B>) -> Self {
        Self(pool)
    }
}

impl<B> Clone for OwnService<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
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
        let pool = self.0.clone();
        Box::pin(async move { pool.send(req).await })
    }
}
