//! One kind: list, watch, and begin again when anything goes wrong.

use std::{fmt::Debug, pin::pin, time::Duration};

use futures_util::StreamExt as _;
use kube::{
    Api, Client, Resource,
    runtime::{
        utils::Backoff as _,
        watcher::{self, DefaultBackoff, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::family::Family;

/// How long one step of a list may take; a server that is up answers within seconds.
const LIST_STEP: Duration = Duration::from_secs(60);

/// When to look again whether a kind is served that was not.
const NOT_SERVED: Duration = Duration::from_secs(60);

/// What the writer is told.
pub(crate) enum Change<F: Family> {
    /// These are all there are.
    Listed(F::Kind, Vec<F::Object>),
    /// This one is new, or other than it was.
    Applied(F::Kind, Box<F::Object>),
    /// This one is gone: namespace and name.
    Deleted(F::Kind, String, String),
    /// The kind is no longer followed, and why.
    Lost(F::Kind, String),
}

impl<F: Family> Change<F> {
    pub(crate) fn kind(&self) -> F::Kind {
        match self {
            Self::Listed(kind, _)
            | Self::Applied(kind, _)
            | Self::Deleted(kind, ..)
            | Self::Lost(kind, _) => *kind,
        }
    }
}

/// Follows a kind until nobody listens.
///
/// A watch that the server ends in good order goes on where it was. After an error everything is
/// listed anew, also where kube's watcher would go on: that way whatever vanished or was not
/// understood meanwhile cannot stay behind, and the end of the list is a sign that all is well.
pub(crate) async fn follow<K, F>(client: Client, kind: F::Kind, changes: mpsc::Sender<Change<F>>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    F: Family,
    F::Object: From<K>,
{
    let api: Api<K> = Api::all(client);
    let mut backoff = DefaultBackoff::default();
    loop {
        let (change, pause) = match follow_once(&api, kind, &changes, &mut backoff).await {
            Ended::NobodyListens => return,
            Ended::NotServed if F::may_be_absent(kind) => (Change::Listed(kind, Vec::new()), NOT_SERVED),
            Ended::NotServed => {
                (Change::Lost(kind, "the API server does not serve it".to_owned()), NOT_SERVED)
            }
            Ended::Lost(reason) => (Change::Lost(kind, reason), backoff.next().unwrap_or(LIST_STEP)),
        };
        if let Change::Lost(_, reason) = &change {
            tracing::warn!(kind = F::name(kind), reason, "a watch broke and begins again");
        }
        if changes.send(change).await.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}

enum Ended {
    NobodyListens,
    NotServed,
    Lost(String),
}

async fn follow_once<K, F>(
    api: &Api<K>,
    kind: F::Kind,
    changes: &mpsc::Sender<Change<F>>,
    backoff: &mut DefaultBackoff,
) -> Ended
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    F: Family,
    F::Object: From<K>,
{
    let mut events = pin!(watcher(api.clone(), watcher::Config::default()));
    // The list so far; `None` once it is complete.
    let mut listing = Some(Vec::new());
    loop {
        let event = if listing.is_some() {
            match tokio::time::timeout(LIST_STEP, events.next()).await {
                Ok(event) => event,
                Err(_) => return Ended::Lost(format!("no answer to a list within {LIST_STEP:?}")),
            }
        } else {
            events.next().await
        };
        let change = match event {
            Some(Ok(Event::Init)) => {
                listing = Some(Vec::new());
                continue;
            }
            Some(Ok(Event::InitApply(object))) => {
                listing.get_or_insert_default().push(object.into());
                continue;
            }
            Some(Ok(Event::InitDone)) => {
                backoff.reset();
                Change::Listed(kind, listing.take().unwrap_or_default())
            }
            Some(Ok(Event::Apply(object))) => Change::Applied(kind, Box::new(object.into())),
            Some(Ok(Event::Delete(object))) => {
                let meta = object.meta();
                let (namespace, name) = (meta.namespace.clone(), meta.name.clone());
                Change::Deleted(kind, namespace.unwrap_or_default(), name.unwrap_or_default())
            }
            Some(Err(watcher::Error::InitialListFailed(kube::Error::Api(status)))) if status.code == 404 => {
                return Ended::NotServed;
            }
            Some(Err(error)) => return Ended::Lost(reason(&error)),
            None => return Ended::Lost("the watch ended".to_owned()),
        };
        if changes.send(change).await.is_err() {
            return Ended::NobodyListens;
        }
    }
}

/// What an administrator can act upon: the server's own sentence where there is one.
fn reason(error: &watcher::Error) -> String {
    use watcher::Error;
    let client_error = match error {
        Error::InitialListFailed(error) | Error::WatchStartFailed(error) | Error::WatchFailed(error) => error,
        Error::WatchError(status) => return status.message.clone(),
        Error::NoResourceVersion => return error.to_string(),
    };
    match client_error {
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::Service(error) => error.to_string(),
        other => other.to_string(),
    }
}
