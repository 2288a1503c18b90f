//! The body of an answer, which keeps its request's books open until its last byte.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use upstream::PooledBody;

use crate::{exchange::Exchange, http2_streams::StreamGuard};

/// What is sent to a client. Nothing is gathered: a frame goes on as it comes.
pub(crate) struct Body {
    content: Content,
    exchange: Option<Box<Exchange>>,
    /// HTTP/2: the stream that it is sent on.
    stream: Option<StreamGuard>,
    /// When it is cut off, if it may last.
    end: Option<End>,
}

type End = Pin<Box<dyn Future<Output = ()> + Send>>;

enum Content {
    Nothing,
    Own(Bytes),
    Pooled(PooledBody<Incoming>),
    Direct(Incoming),
}

impl Body {
    /// The gate's own words.
    pub(crate) fn own(text: Bytes, exchange: Option<Box<Exchange>>) -> Self {
        let content = if text.is_empty() { Content::Nothing } else { Content::Own(text) };
        Self { content, exchange, stream: None, end: None }
    }

    /// The upstream's, on a connection that is used again.
    pub(crate) fn pooled(body: PooledBody<Incoming>, exchange: Box<Exchange>, lasts: bool) -> Self {
        Self::upstream(Content::Pooled(body), exchange, lasts)
    }

    /// The upstream's, on a connection that ends with it.
    pub(crate) fn direct(body: Incoming, exchange: Box<Exchange>, lasts: bool) -> Self {
        Self::upstream(Content::Direct(body), exchange, lasts)
    }

    fn upstream(content: Content, exchange: Box<Exchange>, lasts: bool) -> Self {
        let end = lasts.then(|| Box::pin(exchange.end()) as End);
        Self { content, exchange: Some(exchange), stream: None, end }
    }

    /// The same, on this stream.
    pub(crate) fn on_stream(mut self, stream: StreamGuard) -> Self {
        self.stream = Some(stream);
        self
    }

    /// None; whoever holds the exchange closes its books.
    pub(crate) fn none() -> Self {
        Self { content: Content::Nothing, exchange: None, stream: None, end: None }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            // A clean end: a client watches anew, with a credential that is good or elsewhere.
            self.content = Content::Nothing;
            self.end = None;
        }
        let frame = match &mut self.content {
            Content::Nothing => Poll::Ready(None),
            Content::Own(text) => {
                let text = std::mem::take(text);
                self.content = Content::Nothing;
                Poll::Ready(Some(Ok(Frame::data(text))))
            }
            Content::Pooled(body) => Pin::new(body).poll_frame(cx),
            Content::Direct(body) => Pin::new(body).poll_frame(cx),
        };
        if let (Poll::Ready(Some(Err(error))), Some(exchange)) = (&frame, &self.exchange) {
            exchange.cut(error);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Nothing => true,
            Content::Own(_) => false,
            Content::Pooled(body) => body.is_end_stream(),
            Content::Direct(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Nothing => SizeHint::with_exact(0),
            Content::Own(text) => SizeHint::with_exact(text.len() as u64),
            Content::Pooled(body) => body.size_hint(),
            Content::Direct(body) => body.size_hint(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // Named so that nobody takes the fields for unused: their end is the end of the request.
        drop((self.exchange.take(), self.stream.take()));
    }
}
