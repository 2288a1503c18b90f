//! Exec and attach over SPDY: a stream for each of a program's, and one for how it ended.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::FusedFuture};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, watch},
};

use super::{
    Wants,
    channels::DEPTH,
    hang_up, outcome,
    spdy::{Session, Stream},
};
use crate::containers::{Chunk, Client, Exit, Output, Size};

/// UPSTREAM: how long a client may take to open what it asked for (kubelet 1.36)
const OPENING: Duration = Duration::from_secs(30);

/// The streams of one program.
#[derive(Default)]
struct Opened {
    error: Option<Stream>,
    stdin: Option<Stream>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    resize: Option<Stream>,
}

impl Opened {
    fn take(&mut self, stream: Stream) {
        let place = match stream.header("streamtype") {
            "error" => &mut self.error,
            "stdin" => &mut self.stdin,
            "stdout" => &mut self.stdout,
            "stderr" => &mut self.stderr,
            "resize" => &mut self.resize,
            _ => return,
        };
        *place = Some(stream);
    }

    fn is_complete(&self, wants: Wants) -> bool {
        let has = |wanted: bool, stream: &Option<Stream>| !wanted || stream.is_some();
        has(true, &self.error)
            && has(wants.stdin, &self.stdin)
            && has(wants.stdout, &self.stdout)
            && has(wants.stderr && !wants.tty, &self.stderr)
            && has(wants.tty, &self.resize)
    }
}

/// Runs a program between streams.
pub(super) async fn serve<IO, F>(io: IO, wants: Wants, run: impl FnOnce(Client) -> F)
where
    IO: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Exit>,
{
    let (reader, mut writer) = tokio::io::split(io);
    let mut reader = reader;
    {
        let Session { listener, teller } = Session::new();
        let (open, mut opened) = mpsc::channel(8);
        let (to, chunks) = mpsc::channel(DEPTH);
        let mut listening = pin!(listener.listen(&mut reader, open));
        let mut telling = pin!(teller.tell(&mut writer, chunks).fuse());
        let mut work = pin!(work(wants, &mut opened, to, run).fuse());
        loop {
            tokio::select! {
                ended = &mut listening => {
                    tracing::debug!(%ended, "a program's client left");
                    return;
                }
                told = &mut telling => {
                    if told.is_err() { return }
                    break;
                }
                () = &mut work, if !work.is_terminated() => {}
            }
        }
    }
    hang_up(reader.unsplit(writer)).await;
}

async fn work<F>(
    wants: Wants,
    opened: &mut mpsc::Receiver<Stream>,
    to: mpsc::Sender<Chunk>,
    run: impl FnOnce(Client) -> F,
) where
    F: Future<Output = Exit>,
{
    let mut streams = Opened::default();
    let opening = async {
        while !streams.is_complete(wants) {
            match opened.recv().await {
                Some(stream) => streams.take(stream),
                None => return,
            }
        }
    };
    let in_time = tokio::time::timeout(OPENING, opening).await.is_ok();
    let Some(error) = streams.error.as_ref().map(|stream| stream.id).filter(|_| in_time) else { return };
    let output = |stream: &Option<Stream>| match stream {
        Some(stream) => Output::Client { stream: stream.id, to: to.clone() },
        None => Output::Nowhere,
    };
    let (resized, size) = watch::channel(Size::default());
    let written = [&streams.stdout, &streams.stderr].into_iter().flatten().map(|stream| stream.id);
    let written: Vec<u32> = written.collect();
    let client = Client {
        output: output(&streams.stdout),
        errors: output(&streams.stderr),
        input: streams.stdin.map(|stream| stream.input),
        terminal: Some(size).filter(|_| wants.tty),
    };
    let sizes = async {
        if let Some(mut stream) = streams.resize {
            while let Some(bytes) = stream.input.recv().await {
                if let Ok(size) = serde_json::from_slice(&bytes) {
                    resized.send_replace(size);
                }
            }
        }
        std::future::pending::<()>().await;
    };
    let exit = tokio::select! {
        exit = run(client) => exit,
        () = sizes => return,
    };
    let say = |stream, bytes: Bytes| to.send(Chunk { stream, bytes, last: true });
    for stream in written {
        drop(say(stream, Bytes::new()).await);
    }
    drop(say(error, outcome(&exit).to_string().into()).await);
}
