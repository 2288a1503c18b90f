//! The resource store: objects by key, one revision counter over all of them, and the events of a
//! recent window of revisions.
//!
//! Invariant: a revision is given out once and never goes back, also across restarts.
//! Invariant: a change is in the log before anybody can see it.

mod disk;
mod history;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use parking_lot::RwLock;
use serde_json::Value;
use tokio::sync::watch;

use crate::object;
use disk::Disk;
pub use disk::OpenError;
use history::History;
pub use history::{Event, TooOld};

/// Where an object lies. Ordered as lists are: by resource, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// `pods`, `deployments.apps`: what shares storage shares this name.
    pub resource: Arc<str>,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl Key {
    /// The key of one object.
    pub fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self { resource: resource.into(), namespace: namespace.into(), name: name.into() }
    }
}

/// What [`Store::change`] does to an object.
#[derive(Debug)]
pub enum Change {
    /// Leaves it as it is; no revision is used.
    Keep,
    /// Writes this. `metadata.resourceVersion` is set by the store.
    Put(Value),
    /// Takes it away.
    Delete,
}

/// What a change came to: the object as it now is (after a deletion: as it last was).
#[derive(Clone, Debug)]
pub struct Changed {
    /// With its `metadata.resourceVersion`; `None` where there was and is nothing.
    pub object: Option<Arc<Value>>,
    /// Whether a revision was used.
    pub written: bool,
}

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The log's file; `None` keeps everything in memory.
    pub path: Option<PathBuf>,
    /// How many events watches and exact lists can go back.
    pub window: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: None, window: 10_000 }
    }
}

/// Objects and their recent past. One lock with one writer at a time: writes are small and a lab's
/// readers are few, and a reader must see object, revision and history agree.
pub struct Store {
    inner: RwLock<Inner>,
    revision: watch::Sender<u64>,
}

struct Inner {
    objects: BTreeMap<Key, Arc<Value>>,
    revision: u64,
    history: History,
    disk: Option<Disk>,
}

impl Store {
    /// Opens a store, reading what the log holds; a torn tail is cut off.
    pub fn open(config: &StoreConfig) -> Result<Self, OpenError> {
        let (disk, objects, revision) = match &config.path {
            None => (None, BTreeMap::new(), 0),
            Some(path) => {
                let loaded = Disk::open(path)?;
                (Some(loaded.disk), loaded.objects, loaded.revision)
            }
        };
        // Revision 0 means "any" to clients: the first one anybody sees is 1.
        let revision = revision.max(1);
        let history = History::new(config.window, revision);
        Ok(Self {
            inner: RwLock::new(Inner { objects, revision, history, disk }),
            revision: watch::Sender::new(revision),
        })
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.inner.read().revision
    }

    /// Tells of every new revision. Receivers read the events themselves, so that a slow one costs
    /// nobody else anything.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// One object as it is now.
    pub fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.inner.read().objects.get(key).cloned()
    }

    /// All objects of a resource, in one namespace or (with `None`) in all, in key order, and the
    /// revision at which this was so.
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let inner = self.inner.read();
        let objects = inner.range(resource, namespace).map(|(_, object)| Arc::clone(object)).collect();
        (objects, inner.revision)
    }

    /// Everything there is.
    pub fn everything(&self) -> (Vec<(Key, Arc<Value>)>, u64) {
        let inner = self.inner.read();
        let all = inner.objects.iter().map(|(key, object)| (key.clone(), Arc::clone(object)));
        (all.collect(), inner.revision)
    }

    /// The same list as it was at an earlier revision, worked out by undoing what came after.
    pub fn list_at(
        &self,
        resource: &str,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Arc<Value>>, TooOld> {
        let inner = self.inner.read();
        let mut objects: BTreeMap<Key, Arc<Value>> =
            inner.range(resource, namespace).map(|(key, object)| (key.clone(), Arc::clone(object))).collect();
        let within = |key: &Key| &*key.resource == resource && namespace.is_none_or(|ns| key.namespace == ns);
        for event in inner.history.after(revision)?.filter(|event| within(&event.key)).rev() {
            match &event.previous {
                Some(previous) => objects.insert(event.key.clone(), Arc::clone(previous)),
                None => objects.remove(&event.key),
            };
        }
        Ok(objects.into_values().collect())
    }

    /// Every event after `revision`, oldest first, and the revision they lead to.
    pub fn events_after(&self, revision: u64) -> Result<(Vec<Arc<Event>>, u64), TooOld> {
        let inner = self.inner.read();
        Ok((inner.history.after(revision)?.cloned().collect(), inner.revision))
    }

    /// Reads an object, decides what becomes of it, and writes that, all at once: nobody else can
    /// come between, so there is nothing to retry. `decide` gets the revision that the change will
    /// have, and refuses with its own error.
    pub fn change<E>(
        &self,
        key: &Key,
        decide: impl FnOnce(Option<&Arc<Value>>, u64) -> Result<Change, E>,
    ) -> Result<Changed, E> {
        let mut inner = self.inner.write();
        let previous = inner.objects.get(key).cloned();
        let revision = inner.revision + 1;
        let object = match decide(previous.as_ref(), revision)? {
            Change::Keep => return Ok(Changed { object: previous, written: false }),
            Change::Put(mut object) => {
                object::set(&mut object, &["metadata", "resourceVersion"], revision.to_string());
                Some(Arc::new(object))
            }
            Change::Delete if previous.is_none() => return Ok(Changed { object: None, written: false }),
            Change::Delete => None,
        };
        let shown = inner.commit(key, object, previous, revision);
        drop(inner);
        self.revision.send_replace(revision);
        Ok(Changed { object: shown, written: true })
    }

    /// Forgets all events: what etcd's compaction does to old revisions.
    pub fn compact(&self) {
        let mut inner = self.inner.write();
        let revision = inner.revision;
        inner.history.forget(revision);
    }

    /// Hands everything written so far to the disk itself.
    pub fn sync(&self) {
        if let Some(disk) = &self.inner.read().disk {
            disk.sync();
        }
    }
}

impl Inner {
    fn range<'a>(
        &'a self,
        resource: &'a str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        self.objects.range(Key::new(resource, namespace.unwrap_or_default(), "")..).take_while(
            move |(key, _)| &*key.resource == resource && namespace.is_none_or(|ns| key.namespace == ns),
        )
    }

    fn commit(
        &mut self,
        key: &Key,
        object: Option<Arc<Value>>,
        previous: Option<Arc<Value>>,
        revision: u64,
    ) -> Option<Arc<Value>> {
        if let Some(disk) = &mut self.disk {
            disk.append(revision, key, object.as_deref());
        }
        self.revision = revision;
        let deleted = object.is_none();
        let shown = match object {
            Some(object) => {
                self.objects.insert(key.clone(), Arc::clone(&object));
                object
            }
            None => {
                self.objects.remove(key);
                // UPSTREAM: a DELETED event shows the last state under the deletion's own revision
                // (kube-apiserver 1.36).
                let mut last = previous.as_deref().cloned().unwrap_or_default();
                object::set(&mut last, &["metadata", "resourceVersion"], revision.to_string());
                Arc::new(last)
            }
        };
        self.history.push(Event {
            revision,
            key: key.clone(),
            deleted,
            object: Arc::clone(&shown),
            previous,
        });
        if let Some(disk) = &mut self.disk
            && disk.is_worth_rewriting(self.objects.len())
        {
            disk.rewrite(revision, &self.objects);
        }
        Some(shown)
    }
}

#[cfg(test)]
mod tests;
