//! The log on disk: one record a change, each with its length and checksum, rewritten as a snapshot
//! when most of it is history.
//!
//! What is promised: a record is handed to the operating system before the change is visible, so a
//! killed process loses nothing. A machine that loses power can lose the changes since the last
//! snapshot or clean stop, which are synced; it never loads half a record.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Key;

/// The log's first bytes. Another version of the format gets another line.
const MAGIC: &[u8] = b"portcullis-lab-store 1\n";

/// The store on disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system refused.
    #[error("cannot open the store `{}`: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is something else, or of another version.
    #[error("`{}` is not a store of this version", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
}

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    #[serde(rename = "rv")]
    revision: u64,
    /// Resource, namespace, name; none in a record that only carries the revision.
    #[serde(rename = "key", skip_serializing_if = "Option::is_none")]
    key: Option<(String, String, String)>,
    /// None: deleted.
    #[serde(rename = "object", skip_serializing_if = "Option::is_none")]
    object: Option<std::borrow::Cow<'a, Value>>,
}

pub(super) struct Disk {
    path: PathBuf,
    file: File,
    records: usize,
}

pub(super) struct Loaded {
    pub(super) disk: Disk,
    pub(super) objects: BTreeMap<Key, Arc<Value>>,
    pub(super) revision: u64,
}

impl Disk {
    pub(super) fn open(path: &Path) -> Result<Loaded, OpenError> {
        let failed = |source| OpenError::Io { path: path.into(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut file = open_for_append(path).map_err(failed)?;
        // A crash can have left a part of the first line only.
        let fresh = bytes.len() < MAGIC.len() && MAGIC.starts_with(&bytes);
        if fresh {
            file.set_len(0).and_then(|()| file.write_all(MAGIC)).map_err(failed)?;
        } else if !bytes.starts_with(MAGIC) {
            return Err(OpenError::Foreign { path: path.into() });
        }
        let mut objects = BTreeMap::new();
        let (mut revision, mut records, mut good) = (0, 0, MAGIC.len());
        while let Some((record, end)) = bytes.get(good..).and_then(read_record) {
            good += end;
            records += 1;
            revision = record.revision;
            if let Some((resource, namespace, name)) = record.key {
                let key = Key { resource: resource.into(), namespace, name };
                match record.object {
                    Some(object) => objects.insert(key, Arc::new(object.into_owned())),
                    None => objects.remove(&key),
                };
            }
        }
        if !fresh && good < bytes.len() {
            tracing::warn!(path = %path.display(), lost = bytes.len() - good, "cut a torn tail off the store");
            file.set_len(good as u64).map_err(failed)?;
        }
        Ok(Loaded { disk: Self { path: path.into(), file, records }, objects, revision })
    }

    pub(super) fn append(&mut self, revision: u64, key: &Key, object: Option<&Value>) {
        let record = Record {
            revision,
            key: Some((key.resource.to_string(), key.namespace.clone(), key.name.clone())),
            object: object.map(std::borrow::Cow::Borrowed),
        };
        self.records += 1;
        if let Err(error) = frame(&record).and_then(|bytes| self.file.write_all(&bytes)) {
            // The lab goes on in memory: losing its state costs a person less than a server that
            // stops answering because a disk is full.
            tracing::error!(path = %self.path.display(), %error, "a change could not be written to the store");
        }
    }

    /// Whether most of the log is history.
    pub(super) fn is_worth_rewriting(&self, live: usize) -> bool {
        self.records > 4 * live + 10_000
    }

    /// Replaces the log by a snapshot: written beside it, synced, then renamed over it.
    pub(super) fn rewrite(&mut self, revision: u64, objects: &BTreeMap<Key, Arc<Value>>) {
        match self.try_rewrite(revision, objects) {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "the store could not be compacted");
            }
        }
        // Also after a failure: try again after another span, not at every change.
        self.records = objects.len() + 1;
    }

    fn try_rewrite(&mut self, revision: u64, objects: &BTreeMap<Key, Arc<Value>>) -> io::Result<()> {
        let beside = self.path.with_extension("new");
        let mut bytes = MAGIC.to_vec();
        for (key, object) in objects {
            let record = Record {
                // The last record's revision is the store's; what an object's own is, it carries.
                revision,
                key: Some((key.resource.to_string(), key.namespace.clone(), key.name.clone())),
                object: Some(std::borrow::Cow::Borrowed(object)),
            };
            bytes.extend(frame(&record)?);
        }
        bytes.extend(frame(&Record { revision, key: None, object: None })?);
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        if let Some(parent) = self.path.parent() {
            File::open(parent)?.sync_all()?;
        }
        self.file = open_for_append(&self.path)?;
        Ok(())
    }

    pub(super) fn sync(&self) {
        if let Err(error) = self.file.sync_data() {
            tracing::error!(path = %self.path.display(), %error, "the store could not be synced");
        }
    }
}

fn open_for_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    // Secrets lie in it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// `LENGTH CHECKSUM JSON\n`: readable with a pager, and every torn or altered line is noticed.
fn frame(record: &Record<'_>) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(record)?;
    let mut bytes = format!("{} {} ", json.len(), checksum(&json)).into_bytes();
    bytes.extend(json);
    bytes.push(b'\n');
    Ok(bytes)
}

/// The first record of `bytes` and where it ends; `None` at the end and at anything broken.
fn read_record(bytes: &[u8]) -> Option<(Record<'static>, usize)> {
    let mut parts = bytes.splitn(3, |byte| *byte == b' ');
    let (length, sum, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let count: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    let json = rest.get(..count)?;
    if checksum(json).as_bytes() != sum || rest.get(count) != Some(&b'\n') {
        return None;
    }
    Some((serde_json::from_slice(json).ok()?, length.len() + sum.len() + count + 3))
}

fn checksum(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
