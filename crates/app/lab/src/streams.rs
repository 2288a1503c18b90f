//! What lasts on a connection of its own: exec, attach and port-forward, over WebSocket and SPDY/3.1.
//!
//! A request is answered 101 once pod, container and protocol are settled ([`open`]); what follows are
//! channels ([`channels`]) or SPDY streams ([`spdy`]), and behind both the same programs
//! ([`crate::containers`]).

mod channels;
mod negotiate;
mod port_forward;
mod spdy;
mod spdy_command;

use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
};
use types::Status;

use crate::containers::{Container, Exit};
use negotiate::{Carrier, Offer};

/// A connection that can be turned over, and what its client asked for.
pub(crate) struct Upgrade {
    pub(crate) headers: HeaderMap,
    pub(crate) connection: OnUpgrade,
}

/// What a client wants of a container.
pub(crate) enum Work {
    /// To run a program.
    Exec(Vec<String>, Wants),
    /// To see its first program, and to type for it.
    Attach(Wants),
    /// To talk to its ports: those that were named, or any.
    PortForward(Vec<u16>),
}

/// Which of a program's streams a client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) tty: bool,
}

/// Settles the protocol, and lets the connection do its work once the answer is out. Returns the
/// headers of the 101, or an ordinary refusal.
pub(crate) fn open(
    container: Arc<Container>,
    work: Work,
    upgrade: Upgrade,
    mut stopping: watch::Receiver<bool>,
) -> Result<HeaderMap, Status> {
    let offer = match &work {
        Work::PortForward(_) => Offer::PortForward,
        Work::Exec(..) | Work::Attach(_) => Offer::RemoteCommand,
    };
    let agreed = negotiate::agree(&upgrade.headers, offer)?;
    let carrier = agreed.carrier;
    tokio::spawn(async move {
        let Ok(io) = upgrade.connection.await else { return };
        let io = TokioIo::new(io);
        tokio::select! {
            () = talk(io, carrier, work, &container) => {}
            // Dropping the connection ends everything behind it.
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    });
    Ok(agreed.headers)
}

async fn talk<IO>(io: IO, carrier: Carrier, work: Work, container: &Arc<Container>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    match (work, carrier) {
        (Work::Exec(words, wants), Carrier::Channels(codec)) => {
            channels::command(io, codec, wants, |client| container.exec(&words, client)).await;
        }
        (Work::Exec(words, wants), Carrier::Spdy | Carrier::Tunnel) => {
            spdy_command::serve(io, wants, |client| container.exec(&words, client)).await;
        }
        (Work::Attach(wants), Carrier::Channels(codec)) => {
            channels::command(io, codec, wants, |client| container.attach(client)).await;
        }
        (Work::Attach(wants), Carrier::Spdy | Carrier::Tunnel) => {
            spdy_command::serve(io, wants, |client| container.attach(client)).await;
        }
        (Work::PortForward(ports), carrier) => {
            let forward = async {
                match carrier {
                    Carrier::Spdy => port_forward::serve(io, container).await,
                    Carrier::Tunnel => channels::tunnel(io, container).await,
                    Carrier::Channels(codec) => {
                        port_forward::serve_channels(io, codec, &ports, container).await;
                    }
                }
            };
            // A program says how it ended when its pod goes; ports are just gone.
            tokio::select! {
                () = forward => {}
                () = container.gone() => {}
            }
        }
    }
}

/// How long the other side may take to hang up after we have said all.
const LINGER: Duration = Duration::from_secs(1);

/// Ends a connection so that what was written last arrives: closing with unread bytes would reset it.
async fn hang_up<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO) {
    let rest = async {
        io.shutdown().await?;
        let mut unread = [0; 4096];
        while io.read(&mut unread).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    drop(tokio::time::timeout(LINGER, rest).await);
}

/// How a program ended, as the error stream of protocol v4 and later tells it.
// UPSTREAM: these members and words (kubelet 1.36)
fn outcome(exit: &Exit) -> Value {
    match exit {
        Exit::Status(0) => json!({"metadata": {}, "status": "Success"}),
        Exit::Status(status) => json!({
            "metadata": {}, "status": "Failure",
            "message": format!("command terminated with non-zero exit code: exit status {status}"),
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": status.to_string()}]},
        }),
        Exit::NoSuchProgram(name) => {
            let what = format!(
                "error executing command in container: failed to exec in container: exec: {name:?}: executable file \
                 not found in $PATH"
            );
            json!({
                "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
                "message": format!("Internal error occurred: {what}"),
                "details": {"causes": [{"message": what}]},
            })
        }
    }
}

#[cfg(test)]
mod tests;
