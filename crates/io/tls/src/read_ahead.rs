//! Fewer and larger reads from the socket.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A TLS record with its header, rounded up.
const SCRATCH: usize = 17 * 1024;

thread_local! {
    /// Lent to one read at a time, so that an idle connection holds no buffer.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// Reads up to 17 KiB at once from `io`, whatever the caller asks for, and keeps what is over.
///
/// rustls asks for 4 KiB at a time: four system calls for a full record, where one will do. What
/// is over lies in a buffer that is freed once it is read.
#[derive(Debug)]
pub(crate) struct ReadAhead<IO> {
    io: IO,
    rest: Vec<u8>,
    /// How much of `rest` is read already.
    taken: usize,
}

impl<IO> ReadAhead<IO> {
    pub(crate) fn new(io: IO) -> Self {
        Self { io, rest: Vec::new(), taken: 0 }
    }

    pub(crate) fn get_ref(&self) -> &IO {
        &self.io
    }
}

/// Moves what fits from `from` into `buf` and says how much that was.
fn fill(buf: &mut ReadBuf<'_>, from: &[u8]) -> usize {
    let fits = from.len().min(buf.remaining());
    buf.put_slice(from.get(..fits).unwrap_or_default());
    fits
}

impl<IO: AsyncRead + Unpin> AsyncRead for ReadAhead<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(rest) = this.rest.get(this.taken..).filter(|rest| !rest.is_empty()) {
            this.taken += fill(buf, rest);
            if this.taken == this.rest.len() {
                (this.rest, this.taken) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        BUFFER.with(|scratch| {
            // Taken only when `io` is itself such a stream: TLS inside TLS.
            let Ok(mut scratch) = scratch.try_borrow_mut() else {
                return Pin::new(&mut this.io).poll_read(cx, buf);
            };
            if buf.remaining() >= scratch.len() {
                return Pin::new(&mut this.io).poll_read(cx, buf);
            }
            let mut larger = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut larger))?;
            let read = larger.filled();
            let fits = fill(buf, read);
            if let Some(over) = read.get(fits..).filter(|over| !over.is_empty()) {
                this.rest = over.to_vec();
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for ReadAhead<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
