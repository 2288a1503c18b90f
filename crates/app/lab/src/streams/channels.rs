//! Channels in WebSocket messages: the first byte of each says which, the rest is data.

use std::{pin::pin, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    future::FusedFuture,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{mpsc, watch},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{LINGER, Wants, outcome, port_forward};
use crate::containers::{Chunk, Client, Container, Exit, Output, PIECE, Size};

pub(super) const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
pub(super) const STDERR: u8 = 2;
pub(super) const ERROR: u8 = 3;
pub(super) const RESIZE: u8 = 4;
/// The channel on which v5 says that another is closed.
const CLOSE: u8 = 255;
/// The largest message that is taken.
const LARGEST: usize = 1 << 20;
/// How many pieces of output wait for the client.
pub(super) const DEPTH: usize = 16;

/// How channels are written into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codec {
    /// As text, with base64.
    pub(super) base64: bool,
    /// Single channels can be closed.
    pub(super) closes: bool,
    /// How it ended is told as a `Status`, not as text.
    pub(super) status: bool,
}

impl Codec {
    /// The channel and data of a message; `None` for one that carries none.
    pub(super) fn read(self, message: Message) -> Option<(u8, Bytes)> {
        let mut bytes: Bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => text.into(),
            _ => return None,
        };
        if bytes.is_empty() {
            return None;
        }
        let channel = bytes.split_to(1);
        let channel = *channel.first()?;
        if !self.base64 {
            return Some((channel, bytes));
        }
        let decoded = BASE64_STANDARD.decode(&bytes).ok()?;
        Some((channel.checked_sub(b'0')?, decoded.into()))
    }

    pub(super) fn write(self, channel: u8, bytes: &[u8]) -> Message {
        if self.base64 {
            let mut text = String::from(char::from(b'0'.saturating_add(channel)));
            BASE64_STANDARD.encode_string(bytes, &mut text);
            return Message::Text(Utf8Bytes::from(text));
        }
        let mut message = BytesMut::with_capacity(1 + bytes.len());
        message.put_u8(channel);
        message.extend_from_slice(bytes);
        Message::Binary(message.freeze())
    }
}

pub(super) type Writer<IO> = SplitSink<WebSocketStream<IO>, Message>;
pub(super) type Reader<IO> = SplitStream<WebSocketStream<IO>>;

pub(super) async fn accept<IO>(io: IO) -> (Writer<IO>, Reader<IO>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let limits = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    WebSocketStream::from_raw_socket(io, Role::Server, Some(limits)).await.split()
}

/// Runs a program between channels.
pub(super) async fn command<IO, F>(io: IO, codec: Codec, wants: Wants, run: impl FnOnce(Client) -> F)
where
    IO: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Exit>,
{
    let (mut writer, mut reader) = accept(io).await;
    let (typed, input) = mpsc::channel(DEPTH);
    let (resized, size) = watch::channel(Size::default());
    let (to, mut chunks) = mpsc::channel(DEPTH);
    let output = |wanted: bool, channel: u8| match wanted {
        true => Output::Client { stream: channel.into(), to: to.clone() },
        false => Output::Nowhere,
    };
    let client = Client {
        input: Some(input).filter(|_| wants.stdin),
        output: output(wants.stdout, STDOUT),
        errors: output(wants.stderr && !wants.tty, STDERR),
        terminal: Some(size).filter(|_| wants.tty),
    };
    drop(to);
    // UPSTREAM: an empty message on the lowest channel says that all is ready (kubelet 1.36)
    let ready = if wants.stdout {
        STDOUT
    } else if wants.stderr {
        STDERR
    } else {
        ERROR
    };
    if writer.send(codec.write(ready, b"")).await.is_err() {
        return;
    }
    let exit = {
        let mut program = pin!(run(client));
        let mut listening = pin!(listen(&mut reader, codec, typed, resized));
        let mut telling = pin!(tell(&mut writer, codec, &mut chunks).fuse());
        let exit = tokio::select! {
            exit = &mut program => exit,
            // Nobody is there any more: the program ends as it is dropped.
            () = &mut listening => return,
            Err(Gone) = &mut telling => return,
        };
        // The program has let go of its outputs: what still waits goes out, and that is all.
        if !telling.is_terminated() {
            tokio::select! {
                told = &mut telling => if told.is_err() { return },
                () = &mut listening => return,
            }
        }
        exit
    };
    let last = match (codec.status, &exit) {
        (true, exit) => Some(outcome(exit).to_string()),
        (false, Exit::Status(0)) => None,
        (false, exit) => {
            outcome(exit).pointer("/message").and_then(|message| message.as_str()).map(str::to_owned)
        }
    };
    if let Some(last) = last
        && writer.send(codec.write(ERROR, last.as_bytes())).await.is_err()
    {
        return;
    }
    close(writer, reader).await;
}

/// Says goodbye, and waits a little for the client to do so, too.
pub(super) async fn close<IO>(mut writer: Writer<IO>, mut reader: Reader<IO>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let goodbye = async {
        // Clients take a close without a code for a connection that broke off.
        let normal = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        writer.send(Message::Close(Some(normal))).await?;
        while reader.next().await.transpose()?.is_some() {}
        Ok::<_, tokio_tungstenite::tungstenite::Error>(())
    };
    drop(tokio::time::timeout(LINGER, goodbye).await);
}

/// Hands on what the client sends until it leaves.
async fn listen<IO>(
    reader: &mut Reader<IO>,
    codec: Codec,
    typed: mpsc::Sender<Bytes>,
    resized: watch::Sender<Size>,
) where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut typed = Some(typed);
    while let Some(Ok(message)) = reader.next().await {
        if message.is_close() {
            return;
        }
        match codec.read(message) {
            Some((STDIN, bytes)) => {
                // A program that does not read on has lost interest: what is typed goes nowhere.
                if let Some(to) = &typed
                    && to.send(bytes).await.is_err()
                {
                    typed = None;
                }
            }
            Some((CLOSE, channel)) if codec.closes && *channel == [STDIN] => typed = None,
            Some((RESIZE, bytes)) => {
                if let Ok(size) = serde_json::from_slice(&bytes) {
                    resized.send_replace(size);
                }
            }
            _ => {}
        }
    }
}

/// The client is gone.
pub(super) struct Gone;

async fn tell<IO>(
    writer: &mut Writer<IO>,
    codec: Codec,
    chunks: &mut mpsc::Receiver<Chunk>,
) -> Result<(), Gone>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(chunk) = chunks.recv().await {
        let channel = u8::try_from(chunk.stream).unwrap_or(ERROR);
        writer.send(codec.write(channel, &chunk.bytes)).await.map_err(|_| Gone)?;
    }
    Ok(())
}

/// SPDY in messages, with nothing around it: carries a port-forward.
pub(super) async fn tunnel<IO>(io: IO, container: &Arc<Container>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let (mut writer, mut reader) = accept(io).await;
    let (near, far) = tokio::io::duplex(2 * PIECE);
    let (mut out, mut into) = tokio::io::split(far);
    let inward = async {
        while let Some(Ok(message)) = reader.next().await {
            match message {
                Message::Binary(bytes) if into.write_all(&bytes).await.is_ok() => {}
                Message::Binary(_) | Message::Close(_) => return,
                _ => {}
            }
        }
    };
    let outward = async {
        let mut bytes = BytesMut::with_capacity(PIECE);
        while out.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
            if writer.send(Message::Binary(bytes.split().freeze())).await.is_err() {
                return;
            }
            bytes.reserve(PIECE);
        }
    };
    let serving = port_forward::serve(near, container);
    tokio::select! {
        () = inward => return,
        ((), ()) = async { tokio::join!(serving, outward) } => {}
    }
    close(writer, reader).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for base64 in [false, true] {
            let codec = Codec { base64, closes: true, status: true };
            let message = codec.write(STDERR, b"\x00\xffabc");
            assert_eq!(message.is_text(), base64);
            let (channel, bytes) = codec.read(message).unwrap();
            assert_eq!((channel, bytes.as_ref()), (STDERR, &b"\x00\xffabc"[..]));
        }
    }

    #[test]
    fn no_message_breaks_it() {
        for base64 in [false, true] {
            let codec = Codec { base64, closes: true, status: true };
            assert_eq!(codec.read(Message::Binary(Bytes::new())), None);
            assert_eq!(codec.read(Message::Ping(Bytes::from_static(b"\0"))), None);
        }
        let text = Codec { base64: true, closes: false, status: true };
        assert_eq!(text.read(Message::Text("1not base64!".into())), None);
        assert_eq!(text.read(Message::Text("\u{1}YQ==".into())), None);
    }
}
