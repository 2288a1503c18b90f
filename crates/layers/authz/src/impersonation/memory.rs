//! What was allowed a moment ago.
//!
//! As in kube-apiserver a success of a constrained mode counts for ten seconds, even if a right has
//! been taken away since; a refusal is never remembered. Here it is ten seconds from the first check
//! that it rests on: there, a success that rests on a remembered one begins anew. The deny list is not among what is
//! remembered: it is asked about the requester and about the effective user on every request.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use jiff::SignedDuration;
use parking_lot::Mutex;
use types::{Attributes, Timestamp, User};

use super::Mode;

// UPSTREAM: ten seconds (kube-apiserver 1.36)
const LIFETIME: SignedDuration = SignedDuration::from_secs(10);

/// Requesters choose what they ask for, so what is remembered must have an end: so many successes,
/// each with a key of so many bytes at most.
const MOST: usize = 2048;
const LONGEST_KEY: usize = 4096;

/// Modes are a byte each.
// UPSTREAM: of 10,000 requesters (kube-apiserver 1.36)
const MOST_REQUESTERS: usize = 10_000;

/// One gate's memory.
#[derive(Default)]
pub(super) struct Memory {
    /// By hash of the requester's name: two that meet in one try their modes in another order, no more.
    modes: Mutex<HashMap<u64, Mode>>,
    granted: Mutex<HashMap<Box<[u8]>, Granted>>,
}

/// A success.
#[derive(Clone)]
pub(super) struct Granted {
    /// The effective user.
    pub(super) user: Arc<User>,
    /// When the first of the checks was made that it rests on.
    pub(super) since: Timestamp,
}

impl Granted {
    /// A clock that was set back makes nothing young.
    fn is_young(&self, now: Timestamp) -> bool {
        now.duration_since(self.since).unsigned_abs() < LIFETIME.unsigned_abs()
    }
}

impl Memory {
    /// The mode in which this requester last succeeded.
    // UPSTREAM: remembered without an end to its time (kube-apiserver 1.36)
    pub(super) fn last_mode(&self, requester: &str) -> Option<Mode> {
        self.modes.lock().get(&hash(requester)).copied()
    }

    pub(super) fn succeeded(&self, requester: &str, mode: Mode) {
        let mut modes = self.modes.lock();
        if modes.len() >= MOST_REQUESTERS {
            modes.clear();
        }
        modes.insert(hash(requester), mode);
    }

    /// What was allowed under this key.
    pub(super) fn recall(&self, key: Option<&[u8]>, now: Timestamp) -> Option<Granted> {
        self.granted.lock().get(key?).filter(|granted| granted.is_young(now)).cloned()
    }

    pub(super) fn keep(&self, key: Option<Box<[u8]>>, success: &Granted, now: Timestamp) {
        let Some(key) = key else { return };
        let mut granted = self.granted.lock();
        if granted.len() >= MOST {
            granted.retain(|_, granted| granted.is_young(now));
            if granted.len() >= MOST {
                granted.clear();
            }
        }
        granted.insert(key, success.clone());
    }
}

fn hash(requester: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    requester.hash(&mut hasher);
    hasher.finish()
}

/// What a success was decided by.
#[derive(Clone, Copy)]
pub(super) enum Scope {
    /// Requester, wanted user and the whole request: both checks.
    Act,
    /// Requester and wanted user: the second one.
    Identity,
}

impl Scope {
    /// Everything that the decision depends on, each part with its length. `None` is not remembered:
    /// selectors that nobody understands, and whatever is very long.
    pub(super) fn key(self, mode: Mode, wanted: &User, at: &Attributes<'_>) -> Option<Box<[u8]>> {
        let mut key = Key(Vec::with_capacity(256));
        key.0.extend([self as u8, mode as u8]);
        key.user(wanted);
        key.user(at.user);
        if matches!(self, Self::Act) {
            key.0.push(u8::from(at.resource_request));
            let texts = [
                at.verb,
                at.namespace,
                at.api_group,
                at.api_version,
                at.resource,
                at.subresource,
                at.name,
                at.path,
            ];
            for text in texts {
                key.text(text);
            }
            let (field, label) = (at.selectors.field.as_ref().ok()?, at.selectors.label.as_ref().ok()?);
            // Texts are quoted in there, so that no two selectors read the same.
            key.text(&format!("{field:?} {label:?}"));
        }
        (key.0.len() <= LONGEST_KEY).then(|| key.0.into_boxed_slice())
    }
}

struct Key(Vec<u8>);

impl Key {
    fn length(&mut self, length: usize) {
        self.0.extend(length.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend(text.as_bytes());
    }

    fn texts(&mut self, texts: &[String]) {
        self.length(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    fn user(&mut self, user: &User) {
        self.text(&user.name);
        self.text(&user.uid);
        self.texts(&user.groups);
        self.length(user.extra.len());
        for (key, values) in &user.extra {
            self.text(key);
            self.texts(values);
        }
    }
}
