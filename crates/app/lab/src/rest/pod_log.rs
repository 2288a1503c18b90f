//! `pods/log`

use bytes::{Bytes, BytesMut};
use jiff::SignedDuration;
use tokio::sync::mpsc;
use types::{Status, StatusReason, Timestamp};

use super::{Call, Content, Reply, read::fetch, route::Target, streaming, watch};
use crate::{
    containers::Piece,
    object::{list, text},
};

/// How many pieces wait for a client that follows.
const DEPTH: usize = 16;

/// How lines are told.
struct Lines {
    timestamps: bool,
    since: Option<Timestamp>,
    /// How many bytes may still be told.
    left: usize,
    /// Whether the next byte begins a line.
    fresh: bool,
}

/// What a pod's container has written, and with `follow` what it goes on to write.
pub(super) fn log(call: &Call<'_>, target: &Target) -> Result<Reply, Status> {
    let pod = fetch(call, target)?;
    let name = target.name();
    let container = streaming::container(call, &pod, name)?;
    let has_started = list(&pod, "/status/containerStatuses").iter().any(|status| {
        text(status, "/name") == container
            && ["running", "terminated"]
                .iter()
                .any(|state| status.pointer(&format!("/state/{state}")).is_some())
    });
    let containers = call.api.containers();
    let Some(found) = containers.of(call.api, &pod, container).filter(|_| has_started) else {
        let message =
            format!("container {container:?} in pod {name:?} is waiting to start: ContainerCreating");
        return Err(Status::failure(400, StatusReason::BadRequest, message));
    };
    let number = |option: &str| call.query.first(option).parse::<usize>().ok();
    let ago = call.query.first("sinceSeconds").parse::<i64>().ok();
    let mut lines = Lines {
        timestamps: call.query.flag("timestamps"),
        since: match ago {
            Some(seconds) => call.now.checked_sub(SignedDuration::from_secs(seconds)).ok(),
            None => call.query.first("sinceTime").parse().ok(),
        },
        left: number("limitBytes").unwrap_or(usize::MAX),
        fresh: true,
    };
    let (pieces, mut position) = found.log().after(0);
    let present = last_lines(&lines.tell(&pieces), number("tailLines"));
    if !call.query.flag("follow") {
        let content = Content::Bytes { kind: "text/plain", bytes: present };
        return Ok(Reply { code: 200, content, warnings: Vec::new() });
    }
    let (tell, told) = mpsc::channel(DEPTH);
    let mut stopping = call.api.stopping.clone();
    tokio::spawn(async move {
        let following = async {
            if !present.is_empty() && tell.send(present).await.is_err() {
                return;
            }
            while lines.left > 0 && found.log().more(position).await {
                let (pieces, next) = found.log().after(position);
                position = next;
                let text = lines.tell(&pieces);
                if !text.is_empty() && tell.send(text).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = following => {}
            () = tell.closed() => {}
            () = watch::stopped(&mut stopping) => {}
        }
    });
    let content = Content::Stream { kind: "text/plain", body: watch::body(told) };
    Ok(Reply { code: 200, content, warnings: Vec::new() })
}

impl Lines {
    fn tell(&mut self, pieces: &[Piece]) -> Bytes {
        let mut text = BytesMut::new();
        let since = self.since;
        for piece in pieces.iter().filter(|piece| since.is_none_or(|since| piece.at >= since)) {
            for line in piece.bytes.split_inclusive(|byte| *byte == b'\n') {
                if self.fresh && self.timestamps {
                    text.extend_from_slice(format!("{} ", piece.at).as_bytes());
                }
                text.extend_from_slice(line);
                self.fresh = line.ends_with(b"\n");
            }
        }
        text.truncate(self.left);
        self.left -= text.len();
        text.freeze()
    }
}

fn last_lines(text: &Bytes, count: Option<usize>) -> Bytes {
    let Some(count) = count else { return text.clone() };
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let skipped: usize = lines.iter().take(lines.len().saturating_sub(count)).map(|line| line.len()).sum();
    text.slice(skipped..)
}
