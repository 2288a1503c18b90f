//! Watch: a list's present and future as a stream of events.
//!
//! A watcher has no queue of its own: it is told that there is a new revision and reads the store's
//! history from where it stands. One that stands too long is told 410 and lists again.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use types::{Status, json as go_json};

use super::{
    Api, Call, Content, Reply, failure, negotiate::Shape, options::ListOptions, order::Ordered,
    read::metadata_only, route::Target, selection::Selection, table,
};
use crate::{
    object::{self, set},
    registry::Kind,
    store::Event,
};

/// UPSTREAM: without `timeoutSeconds` a watch lives at least half an hour (kube-apiserver 1.36).
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// UPSTREAM: bookmarks come about once a minute (kube-apiserver 1.36).
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

pub(super) fn watch(call: &Call<'_>, target: &Target) -> Result<Reply, Status> {
    let mut options = ListOptions::read(&call.query)?;
    options.watch = true;
    let kind = target.kind;
    let selection = Selection::read(kind, &call.query, target.name.as_deref())?;
    let shape = call.accept.shape()?;
    let store = &call.api.store;
    let current = store.revision();
    let asked = options.resource_version.unwrap_or_default();
    if asked > current {
        return Err(failure::too_new(asked, current));
    }
    let (tell, stream) = mpsc::channel(64);
    let mut watcher = Watcher {
        api: Arc::clone(call.api),
        kind,
        namespace: target.namespace.clone(),
        selection,
        view: View { shape, columns_told: false, include: call.query.first("includeObject").to_owned() },
        position: asked,
        bookmarks: options.bookmarks,
        tell,
    };
    // UPSTREAM: 0 and no version start with what is there; so does sendInitialEvents
    // (kube-apiserver 1.36).
    let initial = asked == 0 || options.initial_events == Some(true);
    let present = match options.initial_events {
        Some(false) => None,
        told => initial.then(|| (store.list(kind.storage, target.namespace.as_deref()), told == Some(true))),
    };
    if asked == 0 {
        watcher.position = current;
    }
    let lifetime = options.timeout_seconds.map_or(LIFETIME, Duration::from_secs);
    tokio::spawn(async move {
        let end = Instant::now() + lifetime;
        if let Some(((objects, revision), mark)) = present {
            watcher.position = revision;
            if watcher.tell_initial(objects, mark).await.is_err() {
                return;
            }
        }
        // The client is gone, or has been told that it must list again.
        let _: Result<(), Ended> = watcher.follow(end).await;
    });
    Ok(Reply {
        code: 200,
        content: Content::Stream { kind: "application/json", body: body(stream) },
        warnings: Vec::new(),
    })
}

/// A body of whatever is sent.
pub(super) fn body(stream: mpsc::Receiver<Bytes>) -> super::Body {
    StreamBody::new(Receiver(stream)).boxed_unsync()
}

struct Receiver(mpsc::Receiver<Bytes>);

impl futures_core::Stream for Receiver {
    type Item = Result<Frame<Bytes>, std::convert::Infallible>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The stream is over.
struct Ended;

struct Watcher {
    api: Arc<Api>,
    kind: &'static Kind,
    namespace: Option<String>,
    selection: Selection,
    view: View,
    /// Everything up to this revision has been told.
    position: u64,
    bookmarks: bool,
    tell: mpsc::Sender<Bytes>,
}

impl Watcher {
    /// What is there now, as ADDED events; for a watch list, then the mark that this was all.
    async fn tell_initial(&mut self, objects: Vec<Arc<Value>>, mark: bool) -> Result<(), Ended> {
        for object in objects {
            let shown = self.kind.shown(&object);
            if self.selection.matches(&shown) {
                self.send("ADDED", &shown).await?;
            }
        }
        if mark && self.bookmarks {
            self.bookmark(true).await?;
        }
        Ok(())
    }

    async fn follow(&mut self, end: Instant) -> Result<(), Ended> {
        let mut news = self.api.store.subscribe();
        let mut stopping = self.api.stopping.clone();
        let mut next_bookmark = Instant::now() + BOOKMARK_EVERY;
        loop {
            self.catch_up().await?;
            tokio::select! {
                // Every sender lives as long as the store, which this task holds.
                _ = news.changed() => {}
                () = tokio::time::sleep_until(next_bookmark.min(end)) => {
                    if self.bookmarks {
                        self.bookmark(false).await?;
                    }
                    next_bookmark = Instant::now() + BOOKMARK_EVERY;
                    if Instant::now() >= end {
                        return Ok(());
                    }
                }
                () = self.tell.closed() => return Err(Ended),
                () = stopped(&mut stopping) => return Ok(()),
            }
        }
    }

    async fn catch_up(&mut self) -> Result<(), Ended> {
        let (events, revision) = match self.api.store.events_after(self.position) {
            Ok(events) => events,
            Err(too_old) => {
                let message = format!("too old resource version: {} ({})", self.position, too_old.oldest);
                let status = serde_json::to_value(failure::expired(message)).unwrap_or_default();
                self.write(&json!({"type": "ERROR", "object": status})).await?;
                return Err(Ended);
            }
        };
        for event in events {
            if let Some((kind, object)) = self.seen(&event) {
                self.send(kind, &object).await?;
            }
        }
        self.position = revision;
        Ok(())
    }

    /// What an event is to this watch: an object can enter and leave a selection.
    fn seen(&self, event: &Event) -> Option<(&'static str, Value)> {
        let here = &*event.key.resource == self.kind.storage
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == event.key.namespace);
        if !here {
            return None;
        }
        let object = self.kind.shown(&event.object);
        let was = event.previous.as_ref().map(|previous| self.kind.shown(previous));
        let matched = was.as_ref().is_some_and(|was| self.selection.matches(was));
        let matches = !event.deleted && self.selection.matches(&object);
        match (matched, matches) {
            (false, true) => Some(("ADDED", object)),
            (true, true) => Some(("MODIFIED", object)),
            (true, false) => {
                // UPSTREAM: what leaves a selection is shown as it last matched, at the version that
                // made it leave (kube-apiserver 1.36).
                let mut last = was?;
                set(&mut last, &["metadata", "resourceVersion"], event.revision.to_string());
                Some(("DELETED", last))
            }
            (false, false) => None,
        }
    }

    async fn bookmark(&mut self, initial_end: bool) -> Result<(), Ended> {
        let mut meta = json!({"resourceVersion": self.position.to_string(), "creationTimestamp": null});
        if initial_end {
            set(&mut meta, &["annotations", "k8s.io/initial-events-end"], "true");
        }
        let object = json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": meta});
        self.send("BOOKMARK", &object).await
    }

    async fn send(&mut self, kind: &str, object: &Value) -> Result<(), Ended> {
        let shown = self.view.show(self.kind, object, self.api.now());
        self.write(&json!({"type": kind, "object": shown})).await
    }

    async fn write(&self, event: &Value) -> Result<(), Ended> {
        let mut line = Vec::new();
        if go_json::write_compact(&mut line, &Ordered(event)).is_err() {
            return Err(Ended);
        }
        line.push(b'\n');
        self.tell.send(line.into()).await.map_err(|_| Ended)
    }
}

/// Ends when the server stops, or is gone.
pub(super) async fn stopped(stopping: &mut tokio::sync::watch::Receiver<bool>) {
    drop(stopping.wait_for(|stop| *stop).await);
}

/// In which shape objects are told.
struct View {
    shape: Shape,
    columns_told: bool,
    include: String,
}

impl View {
    fn show(&mut self, kind: &Kind, object: &Value, now: types::Timestamp) -> Value {
        match self.shape {
            Shape::Table => {
                let meta = json!({"resourceVersion": object::text(object, "/metadata/resourceVersion")});
                let with_columns = !std::mem::replace(&mut self.columns_told, true);
                table::table(kind, std::slice::from_ref(object), &meta, with_columns, &self.include, now)
            }
            Shape::Metadata | Shape::MetadataList => metadata_only(object),
            Shape::Whole | Shape::Aggregated => object.clone(),
        }
    }
}
