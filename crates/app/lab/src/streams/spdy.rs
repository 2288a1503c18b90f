//! SPDY/3.1 as `moby/spdystream` speaks it: streams that the client opens, data both ways, pings. It
//! has no flow control, so that neither has this: who does not read is not written to.

mod frame;
mod headers;

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};

use crate::containers::{Chunk, PIECE};
use frame::{FIN, GOAWAY, HEADERS, Head, PING, RST_STREAM, SYN_REPLY, SYN_STREAM};
pub(super) use headers::Headers;

/// How many streams a client may have open.
const STREAMS: usize = 512;
/// How many pieces of a stream wait for whoever reads it.
const DEPTH: usize = 16;
/// A control frame is no longer: the largest header block, compressed badly.
const LARGEST_CONTROL: usize = 64 << 10;
/// RST_STREAM: the stream was not taken.
const REFUSED_STREAM: u32 = 3;

/// The client broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(&'static str);

/// Why a client is no longer read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The client has hung up.
    #[error("the client is gone")]
    Gone,
}

/// A stream that a client has opened.
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) headers: Headers,
    /// Ends when the client closes the stream.
    pub(super) input: mpsc::Receiver<Bytes>,
}

impl Stream {
    /// The value of a header, given in lower case; empty where it is absent.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

/// What the reading half has the writing half say.
enum Control {
    Reply(u32),
    Refuse(u32),
    Pong(u32),
}

/// The two halves of a connection, and what goes between them.
pub(super) struct Session {
    pub(super) listener: Listener,
    pub(super) teller: Teller,
}

pub(super) struct Listener {
    headers: headers::Reader,
    inputs: BTreeMap<u32, mpsc::Sender<Bytes>>,
    last: u32,
    control: mpsc::Sender<Control>,
}

pub(super) struct Teller {
    headers: headers::Writer,
    control: mpsc::Receiver<Control>,
}

impl Session {
    pub(super) fn new() -> Self {
        let (say, control) = mpsc::channel(64);
        Self {
            listener: Listener {
                headers: headers::Reader::new(),
                inputs: BTreeMap::new(),
                last: 0,
                control: say,
            },
            teller: Teller { headers: headers::Writer::new(), control },
        }
    }
}

impl Listener {
    /// Reads until the client is gone, hands over streams it opens and data on them.
    pub(super) async fn listen<R: AsyncRead + Unpin>(
        mut self,
        mut io: R,
        opened: mpsc::Sender<Stream>,
    ) -> Ended {
        loop {
            if let Err(ended) = self.frame(&mut io, &opened).await {
                return ended;
            }
        }
    }

    async fn frame<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        opened: &mpsc::Sender<Stream>,
    ) -> Result<(), Ended> {
        let mut head = [0; 8];
        io.read_exact(&mut head).await?;
        match Head::read(head)? {
            Head::Data { stream, flags, length } => self.data(io, stream, flags, length).await,
            Head::Control { length, .. } if length > LARGEST_CONTROL => {
                Err(Malformed("a control frame that is too long").into())
            }
            Head::Control { kind, flags, length } => {
                let mut payload = vec![0; length];
                io.read_exact(&mut payload).await?;
                self.control(kind, flags, &payload, opened).await
            }
        }
    }

    async fn data<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        stream: u32,
        flags: u8,
        length: usize,
    ) -> Result<(), Ended> {
        let mut left = length;
        while left > 0 {
            let mut piece = BytesMut::with_capacity(left.min(PIECE));
            if (&mut *io).take(left as u64).read_buf(&mut piece).await? == 0 {
                return Err(Ended::Gone);
            }
            left -= piece.len();
            // For a stream that nobody reads any more, the data goes nowhere.
            if let Some(input) = self.inputs.get(&stream)
                && input.send(piece.freeze()).await.is_err()
            {
                self.inputs.remove(&stream);
            }
        }
        if flags & FIN != 0 {
            self.inputs.remove(&stream);
        }
        Ok(())
    }

    async fn control(
        &mut self,
        kind: u16,
        flags: u8,
        payload: &[u8],
        opened: &mpsc::Sender<Stream>,
    ) -> Result<(), Ended> {
        match kind {
            SYN_STREAM => {
                let (id, rest) = frame::number(payload)?;
                // The associated stream, the priority and the slot mean nothing here.
                let block = rest.get(6..).ok_or(Malformed("a SYN_STREAM that is cut off"))?;
                let headers = self.headers.read(block)?;
                self.open(id, flags, headers, opened).await
            }
            SYN_REPLY | HEADERS => {
                let (_, block) = frame::number(payload)?;
                // Every block is read, or the next could not be.
                self.headers.read(block)?;
                Ok(())
            }
            RST_STREAM => {
                let (id, _) = frame::number(payload)?;
                self.inputs.remove(&id);
                Ok(())
            }
            PING => {
                let (id, _) = frame::number(payload)?;
                // An even number answers a ping of ours, and we send none.
                if id % 2 == 1 { self.say(Control::Pong(id)).await } else { Ok(()) }
            }
            GOAWAY => Err(Ended::Gone),
            // SETTINGS and WINDOW_UPDATE are about flow control; what is unknown is left alone.
            _ => Ok(()),
        }
    }

    async fn open(
        &mut self,
        id: u32,
        flags: u8,
        headers: Headers,
        opened: &mpsc::Sender<Stream>,
    ) -> Result<(), Ended> {
        if id.is_multiple_of(2) || id <= self.last {
            return Err(Malformed("a stream whose number was not next").into());
        }
        self.last = id;
        if self.inputs.len() >= STREAMS {
            self.inputs.retain(|_, input| !input.is_closed());
        }
        if self.inputs.len() >= STREAMS {
            return self.say(Control::Refuse(id)).await;
        }
        let (input, reader) = mpsc::channel(DEPTH);
        if flags & FIN == 0 {
            self.inputs.insert(id, input);
        }
        self.say(Control::Reply(id)).await?;
        // Nobody wants streams any more: those that are open go on.
        let _: Result<(), _> = opened.send(Stream { id, headers, input: reader }).await;
        Ok(())
    }

    async fn say(&self, control: Control) -> Result<(), Ended> {
        self.control.send(control).await.map_err(|_| Ended::Gone)
    }
}

impl Teller {
    /// Writes until there is nobody left who would have something to say on a stream.
    pub(super) async fn tell<W: AsyncWrite + Unpin>(
        mut self,
        io: &mut W,
        mut chunks: mpsc::Receiver<Chunk>,
    ) -> Result<(), Ended> {
        loop {
            tokio::select! {
                // A stream is acknowledged before anything is said on it.
                biased;
                Some(control) = self.control.recv() => {
                    let frame = match control {
                        Control::Reply(id) => {
                            let block = self.headers.write(&[])?;
                            frame::control(SYN_REPLY, &[&id.to_be_bytes()[..], &block].concat())
                        }
                        Control::Refuse(id) => {
                            let payload = [id.to_be_bytes(), REFUSED_STREAM.to_be_bytes()].concat();
                            frame::control(RST_STREAM, &payload)
                        }
                        Control::Pong(id) => frame::control(PING, &id.to_be_bytes()),
                    };
                    io.write_all(&frame).await?;
                }
                chunk = chunks.recv() => {
                    let Some(Chunk { stream, bytes, last }) = chunk else { break };
                    let head = frame::data(stream, if last { FIN } else { 0 }, bytes.len());
                    io.write_all(&head).await?;
                    io.write_all(&bytes).await?;
                }
            }
            io.flush().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
