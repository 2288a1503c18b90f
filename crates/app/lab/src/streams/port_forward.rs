//! Port-forward: for each connection a stream of data, and one for what went wrong.

use std::{collections::BTreeMap, pin::pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::JoinSet,
};

use super::{
    channels::{self, Codec, DEPTH},
    hang_up,
    spdy::{Session, Stream},
};
use crate::containers::{Chunk, Container};

/// How many connections may wait for the second of their streams.
const HALF_OPEN: usize = 64;
/// The longest request head that the server in a container reads.
const LONGEST_HEAD: usize = 16 << 10;
/// Sends back what it gets, in every container that has it among its ports.
const ECHO: u16 = 7;

/// The streams of one connection, until both are there.
#[derive(Default)]
struct Pair {
    data: Option<Stream>,
    error: Option<Stream>,
}

/// Serves connections until the client is gone.
pub(super) async fn serve<IO>(io: IO, container: &Arc<Container>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let (mut reader, mut writer) = tokio::io::split(io);
    {
        let Session { listener, teller } = Session::new();
        let (open, opened) = mpsc::channel(8);
        let (to, chunks) = mpsc::channel(DEPTH);
        let listening = pin!(listener.listen(&mut reader, open));
        let telling = pin!(teller.tell(&mut writer, chunks));
        tokio::select! {
            ended = listening => tracing::debug!(%ended, "a port-forward ended"),
            _ = telling => {}
            () = connect(container, opened, to) => {}
        }
    }
    hang_up(reader.unsplit(writer)).await;
}

/// Pairs streams, and serves each pair.
// UPSTREAM: paired by `requestID` (kubelet 1.36)
async fn connect(container: &Arc<Container>, mut opened: mpsc::Receiver<Stream>, to: mpsc::Sender<Chunk>) {
    let mut waiting: BTreeMap<String, Pair> = BTreeMap::new();
    // Dropped with this future: no connection outlives its client.
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            stream = opened.recv() => stream,
            Some(_) = connections.join_next() => continue,
        };
        let Some(stream) = stream else { return std::future::pending().await };
        if waiting.len() >= HALF_OPEN {
            waiting.pop_first();
        }
        let id = stream.header("requestid").to_owned();
        let pair = waiting.entry(id.clone()).or_default();
        match stream.header("streamtype") {
            "data" => pair.data = Some(stream),
            "error" => pair.error = Some(stream),
            _ => {}
        }
        if pair.data.is_none() || pair.error.is_none() {
            continue;
        }
        if let Some(Pair { data: Some(data), error: Some(error) }) = waiting.remove(&id) {
            connections.spawn(connection(Arc::clone(container), data, error, to.clone()));
        }
    }
}

async fn connection(container: Arc<Container>, data: Stream, error: Stream, to: mpsc::Sender<Chunk>) {
    let port = data.header("port").parse().unwrap_or_default();
    let Stream { id, input, .. } = data;
    let failed = answer(&container, port, input, |bytes| {
        let to = to.clone();
        async move { to.send(Chunk { stream: id, bytes, last: false }).await.is_ok() }
    })
    .await;
    let last = |stream, bytes: Bytes| to.send(Chunk { stream, bytes, last: true });
    drop(last(error.id, failed.unwrap_or_default().into()).await);
    drop(last(id, Bytes::new()).await);
}

/// Channels instead of streams: two for each port that the request named, for one connection.
// UPSTREAM: each begins with its port, little-endian (kubelet 1.36)
pub(super) async fn serve_channels<IO>(io: IO, codec: Codec, ports: &[u16], container: &Arc<Container>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let (mut writer, mut reader) = channels::accept(io).await;
    let (to, mut chunks) = mpsc::channel::<Chunk>(DEPTH);
    let mut inputs = Vec::new();
    let mut connections = JoinSet::new();
    for (number, port) in (0_u8..).step_by(2).zip(ports.iter().copied()) {
        let (input, reader) = mpsc::channel(DEPTH);
        inputs.push(input);
        let (container, to) = (Arc::clone(container), to.clone());
        let (data, error) = (u32::from(number), u32::from(number) + 1);
        connections.spawn(async move {
            let say = |stream, bytes: Bytes| to.send(Chunk { stream, bytes, last: false });
            for channel in [data, error] {
                drop(say(channel, Bytes::copy_from_slice(&port.to_le_bytes())).await);
            }
            let failed = answer(&container, port, reader, |bytes| {
                let to = to.clone();
                async move { to.send(Chunk { stream: data, bytes, last: false }).await.is_ok() }
            })
            .await;
            if let Some(failed) = failed {
                drop(say(error, failed.into()).await);
            }
        });
    }
    drop(to);
    let listening = async {
        while let Some(Ok(message)) = reader.next().await {
            let Some((channel, bytes)) = codec.read(message) else { continue };
            let input = inputs.get(usize::from(channel / 2)).filter(|_| channel % 2 == 0);
            if let Some(input) = input {
                drop(input.send(bytes).await);
            }
        }
    };
    let telling = async {
        while let Some(Chunk { stream, bytes, .. }) = chunks.recv().await {
            let channel = u8::try_from(stream).unwrap_or_default();
            if writer.send(codec.write(channel, &bytes)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = listening => return,
        () = telling => {}
    }
    channels::close(writer, reader).await;
}

/// What listens on a port of a container: a page about itself, or an echo. Returns why nothing does.
async fn answer<F>(
    container: &Container,
    port: u16,
    mut input: mpsc::Receiver<Bytes>,
    write: impl Fn(Bytes) -> F,
) -> Option<String>
where
    F: Future<Output = bool>,
{
    if !container.listens_on(port) {
        return Some(format!(
            "failed to connect to localhost:{port} inside the pod: dial tcp4 127.0.0.1:{port}: connect: connection refused"
        ));
    }
    if port == ECHO {
        while let Some(bytes) = input.recv().await {
            if !write(bytes).await {
                break;
            }
        }
        return None;
    }
    let mut head = BytesMut::new();
    while let Some(bytes) = input.recv().await {
        head.extend_from_slice(&bytes);
        let ended = head.windows(4).any(|end| end == b"\r\n\r\n");
        if !ended && head.len() < LONGEST_HEAD {
            continue;
        }
        let text = String::from_utf8_lossy(&head);
        let line = text.lines().next().unwrap_or_default().to_owned();
        container.log().write(container.now(), format!("port {port}: {line}\n").into(), false);
        let body = format!("{} answers on port {port}: {line}\n", container.pod_name());
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        write(answer.into()).await;
        break;
    }
    None
}
