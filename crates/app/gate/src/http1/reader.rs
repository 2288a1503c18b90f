//! The stream that hyper reads an HTTP/1.1 connection from.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::{
    BadHead, Framing, Head,
    head::{Parsed, Scan, parse},
};

/// What a client may use up before it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of one head.
    pub(crate) head_bytes: usize,
    /// From the first byte of a head to its last.
    pub(crate) head_time: Duration,
    /// From one request to the next.
    pub(crate) idle_time: Duration,
}

/// What hyper is given for a head that was refused: it keeps the one way of answering, and says
/// nothing of what the client sent.
const REFUSED: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// Bytes read at once; lent by the thread, so that an idle connection holds none.
const READ_SIZE: usize = 16 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into_boxed_slice());
}

/// What the reader and the request stage of one connection tell each other.
#[derive(Debug, Default)]
pub(crate) struct Line(Mutex<Shared>);

#[derive(Debug, Default)]
struct Shared {
    head: Option<Result<Head, BadHead>>,
    done: bool,
    through: bool,
    waker: Option<Waker>,
}

impl Line {
    /// The head of the request that hyper has just announced.
    pub(crate) fn take_head(&self) -> Option<Result<Head, BadHead>> {
        self.0.lock().head.take()
    }

    /// The request has been answered to its last byte: the next head may come.
    pub(crate) fn request_done(&self) {
        self.tell(|shared| shared.done = true);
    }

    /// The upstream agreed to an upgrade: from here on bytes pass as they come.
    pub(crate) fn let_through(&self) {
        self.tell(|shared| shared.through = true);
    }

    fn tell(&self, what: impl FnOnce(&mut Shared)) {
        let mut shared = self.0.lock();
        what(&mut shared);
        if let Some(waker) = shared.waker.take() {
            drop(shared);
            waker.wake();
        }
    }
}

/// Reads `inner` for hyper, one request at a time. Writes pass untouched.
#[derive(Debug)]
pub(crate) struct HeadReader<S> {
    inner: S,
    line: Arc<Line>,
    limits: Limits,
    /// Bytes of the next head, or a head on its way to hyper, and what came behind it.
    buf: BytesMut,
    state: State,
    deadline: Instant,
    timer: Pin<Box<Sleep>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Collecting a head.
    Head(Scan),
    /// So many bytes of a head are still to be handed over; then its body.
    HandOver(usize, Framing),
    /// So many bytes of a body are to come.
    Body(u64),
    /// The request is inside; nothing but the client's leaving is of interest.
    Hold,
    /// Everything passes.
    Through,
}

impl<S: AsyncRead + Unpin> HeadReader<S> {
    /// A reader at the start of a connection.
    pub(crate) fn new(inner: S, line: Arc<Line>, limits: Limits) -> Self {
        let deadline = Instant::now() + limits.head_time;
        Self {
            inner,
            line,
            limits,
            buf: BytesMut::new(),
            state: State::Head(Scan::default()),
            deadline,
            timer: Box::pin(tokio::time::sleep_until(deadline)),
        }
    }

    /// One read from below into `buf`. The result is the number of bytes; 0 is the end.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut read = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
            self.buf.extend_from_slice(read.filled());
            Poll::Ready(Ok(read.filled().len()))
        })
    }

    /// Whether the deadline has passed. The timer is set anew only when it fires, so that a
    /// request costs no timer operation.
    fn late(&mut self, cx: &mut Context<'_>) -> bool {
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= self.deadline {
                return true;
            }
            let deadline = self.deadline;
            self.timer.as_mut().reset(deadline);
        }
        false
    }

    /// Moves on to the next head.
    fn next_head(&mut self) {
        if self.buf.is_empty() {
            self.buf = BytesMut::new();
            self.deadline = Instant::now() + self.limits.idle_time;
        } else {
            self.deadline = Instant::now() + self.limits.head_time;
        }
        self.bring_timer_forward();
        self.state = State::Head(Scan::default());
    }

    /// A timer that fires too early is set again; one that would fire too late must not stand.
    fn bring_timer_forward(&mut self) {
        if self.timer.deadline() > self.deadline {
            let deadline = self.deadline;
            self.timer.as_mut().reset(deadline);
        }
    }

    /// Collects a head. `Ready(false)`: the client closed the connection between two requests.
    fn collect(&mut self, cx: &mut Context<'_>, mut scan: Scan) -> Poll<io::Result<bool>> {
        loop {
            let end = match scan.find_end(&self.buf) {
                Ok(None) if self.buf.len() > self.limits.head_bytes => Err(BadHead::TooLong),
                Ok(Some(end)) if end > self.limits.head_bytes => Err(BadHead::TooLong),
                found => found,
            };
            self.state = State::Head(scan);
            match end {
                Ok(Some(end)) => {
                    self.announce(end);
                    return Poll::Ready(Ok(true));
                }
                Err(bad) => {
                    self.refuse(bad);
                    return Poll::Ready(Ok(true));
                }
                Ok(None) => {}
            }
            let was_empty = self.buf.is_empty();
            match self.fill(cx) {
                Poll::Ready(Ok(0)) if was_empty => return Poll::Ready(Ok(false)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Ok(_)) if was_empty => {
                    self.deadline = Instant::now() + self.limits.head_time;
                    self.bring_timer_forward();
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if self.late(cx) => {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Leaves the head's facts for the request stage and puts `/` where the target stood.
    fn announce(&mut self, end: usize) {
        let Parsed { framing, upgrade, method_len, target_len } =
            match parse(self.buf.get(..end).unwrap_or_default()) {
                Ok(parsed) => parsed,
                Err(bad) => return self.refuse(bad),
            };
        let target = self.buf.get(method_len + 1..method_len + 1 + target_len).unwrap_or_default();
        let target = Bytes::copy_from_slice(target);
        // `METHOD TARGET VERSION`: the method moves up to the version, with `/` in between.
        let spare = target_len - 1;
        self.buf.copy_within(..method_len, spare);
        if let Some(gap) = self.buf.get_mut(spare + method_len..spare + method_len + 2) {
            gap.copy_from_slice(b" /");
        }
        self.buf.advance(spare);
        self.line.0.lock().head = Some(Ok(Head { target, framing, upgrade }));
        self.state = State::HandOver(end - spare, framing);
    }

    fn refuse(&mut self, bad: BadHead) {
        self.line.0.lock().head = Some(Err(bad));
        self.buf = BytesMut::from(REFUSED);
        self.state = State::HandOver(REFUSED.len(), Framing::Empty);
    }

    /// Hands at most `limit` bytes of `buf` over. The result is how many.
    fn hand_over(&mut self, out: &mut ReadBuf<'_>, limit: usize) -> usize {
        let count = limit.min(self.buf.len()).min(out.remaining());
        out.put_slice(self.buf.get(..count).unwrap_or_default());
        self.buf.advance(count);
        count
    }

    /// While a request is inside: waits for its end and notices when the client leaves.
    fn hold(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Held>> {
        {
            let mut shared = self.line.0.lock();
            if shared.through {
                return Poll::Ready(Ok(Held::Through));
            }
            if std::mem::take(&mut shared.done) {
                return Poll::Ready(Ok(Held::NextHead));
            }
            match &mut shared.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        // What comes early waits here. Only when that is more than a head may have is nothing more
        // read, and the client's leaving not noticed.
        while self.buf.len() <= self.limits.head_bytes {
            if ready!(self.fill(cx))? == 0 {
                return Poll::Ready(Ok(Held::Gone));
            }
        }
        Poll::Pending
    }
}

enum Held {
    NextHead,
    Through,
    Gone,
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadReader<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.state {
                State::Head(scan) => {
                    if !ready!(this.collect(cx, scan))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                State::HandOver(left, framing) => {
                    let left = left - this.hand_over(out, left);
                    this.state = match (left, framing) {
                        (0, Framing::Empty) => State::Hold,
                        (0, Framing::Length(length)) => State::Body(length),
                        (0, Framing::Chunked) => State::Through,
                        _ => State::HandOver(left, framing),
                    };
                    return Poll::Ready(Ok(()));
                }
                State::Body(left) => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX);
                    let count = if this.buf.is_empty() {
                        let room = out.remaining().min(most).min(READ_SIZE);
                        let mut part = ReadBuf::new(out.initialize_unfilled_to(room));
                        ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
                        let count = part.filled().len();
                        out.advance(count);
                        count
                    } else {
                        this.hand_over(out, most)
                    };
                    let left = left - count as u64;
                    this.state = if left == 0 { State::Hold } else { State::Body(left) };
                    return Poll::Ready(Ok(()));
                }
                State::Hold => match ready!(this.hold(cx))? {
                    Held::NextHead => this.next_head(),
                    Held::Through => this.state = State::Through,
                    Held::Gone => return Poll::Ready(Ok(())),
                },
                State::Through if this.buf.is_empty() => return Pin::new(&mut this.inner).poll_read(cx, out),
                State::Through => {
                    this.hand_over(out, usize::MAX);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadReader<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const LIMITS: Limits = Limits {
        head_bytes: 1024,
        head_time: Duration::from_millis(50),
        idle_time: Duration::from_millis(50),
    };

    fn run<F: Future<Output = ()>>(
        test: impl FnOnce(DuplexStream, HeadReader<DuplexStream>, Arc<Line>) -> F,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, server) = duplex(64 * 1024);
            let line = Arc::new(Line::default());
            let reader = HeadReader::new(server, Arc::clone(&line), LIMITS);
            test(client, reader, line).await;
        });
    }

    #[test]
    fn hands_over_one_request_at_a_time() {
        run(|mut client, mut reader, line| async move {
            let first = "PUT /a#b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
            client.write_all(format!("{first}GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
            let mut buffer = vec![0; 4096];
            let mut got = String::new();
            let whole = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
            while got.len() < whole.len() {
                let read = reader.read(&mut buffer).await.unwrap();
                got.push_str(&String::from_utf8_lossy(buffer.get(..read).unwrap()));
            }
            assert_eq!(got, whole);
            let head = line.take_head().unwrap().unwrap();
            assert_eq!((&*head.target, head.framing), (&b"/a#b"[..], Framing::Length(3)));
            let waits = tokio::time::timeout(Duration::from_millis(10), reader.read(&mut buffer)).await;
            assert!(waits.is_err(), "the second head came while the first request was inside");
            assert_eq!(line.take_head(), None);
            line.request_done();
            let read = reader.read(&mut buffer).await.unwrap();
            assert_eq!(buffer.get(..read).unwrap(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(&*line.take_head().unwrap().unwrap().target, b"/2");
        });
    }

    #[test]
    fn a_slow_head_and_a_silent_client_run_out_of_time() {
        for sent in ["", "GET / HTTP/1.1\r\nHost:"] {
            run(|mut client, mut reader, _| async move {
                client.write_all(sent.as_bytes()).await.unwrap();
                let error = reader.read(&mut [0; 64]).await.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{sent:?}");
            });
        }
    }

    #[test]
    fn a_client_that_leaves_is_noticed_while_its_request_is_inside() {
        run(|mut client, mut reader, _| async move {
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            assert!(reader.read(&mut [0; 64]).await.unwrap() > 0);
            drop(client);
            assert_eq!(reader.read(&mut [0; 64]).await.unwrap(), 0);
        });
    }

    #[test]
    fn a_head_that_is_too_long_is_refused_unread() {
        run(|mut client, mut reader, line| async move {
            client.write_all("GET /".repeat(300).as_bytes()).await.unwrap();
            let mut buffer = vec![0; 4096];
            let read = reader.read(&mut buffer).await.unwrap();
            assert_eq!(buffer.get(..read).unwrap(), REFUSED);
            assert_eq!(line.take_head(), Some(Err(BadHead::TooLong)));
        });
    }
}
