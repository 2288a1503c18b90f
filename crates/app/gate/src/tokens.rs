//! Tokens found good a moment ago.

use std::{collections::HashMap, sync::Arc};

use authn::{TokenMemory, TokenUser};
use aws_lc_rs::{hmac, rand::SystemRandom};
use jiff::SignedDuration;
use parking_lot::Mutex;
use types::Timestamp;

/// How long a token is taken on trust. The credential's own end comes first, and is checked by the
/// caller.
// UPSTREAM: successes are cached for 10 s, failures not at all (kube-apiserver 1.36)
const LIFETIME: SignedDuration = SignedDuration::from_secs(10);

/// More than this many tokens in ten seconds are judged anew.
const MOST: usize = 8192;

/// One worker's memory of good tokens, by a keyed hash: neither the tokens themselves nor anything
/// that could be compared with a hash from elsewhere is kept.
pub(crate) struct RecentTokens {
    key: hmac::Key,
    entries: Mutex<HashMap<[u8; 32], Entry>>,
}

struct Entry {
    user: Arc<TokenUser>,
    since: Timestamp,
}

impl Entry {
    /// A clock that was set back makes nothing young.
    fn is_young(&self, now: Timestamp) -> bool {
        now.duration_since(self.since).unsigned_abs() < LIFETIME.unsigned_abs()
    }
}

impl RecentTokens {
    pub(crate) fn new() -> Self {
        // Without randomness the process could not have made its TLS tickets either; an all-zero
        // key would only lose the protection of what is in memory anyway.
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .unwrap_or_else(|_| hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]));
        Self { key, entries: Mutex::default() }
    }

    fn hash(&self, token: &str) -> [u8; 32] {
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(hmac::sign(&self.key, token.as_bytes()).as_ref()) {
            *to = *from;
        }
        hash
    }
}

impl TokenMemory for RecentTokens {
    fn recall(&self, token: &str, now: Timestamp) -> Option<Arc<TokenUser>> {
        let entries = self.entries.lock();
        entries
            .get(&self.hash(token))
            .filter(|entry| entry.is_young(now))
            .map(|entry| Arc::clone(&entry.user))
    }

    fn keep(&self, token: &str, user: &Arc<TokenUser>, now: Timestamp) {
        let mut entries = self.entries.lock();
        if entries.len() >= MOST {
            entries.retain(|_, entry| entry.is_young(now));
            if entries.len() >= MOST {
                entries.clear();
            }
        }
        entries.insert(self.hash(token), Entry { user: Arc::clone(user), since: now });
    }
}

#[cfg(test)]
mod tests {
    use authn::{Identity, Remarks};
    use types::User;

    use super::*;

    #[test]
    fn remembers_for_ten_seconds() {
        let memory = RecentTokens::new();
        let user = Arc::new(TokenUser {
            identity: Identity { user: Arc::new(User::new("a", ["b"])), valid_until: None },
            audiences: Vec::new(),
            remarks: Remarks::default(),
        });
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        memory.keep("token", &user, at(100));
        assert!(memory.recall("token", at(109)).is_some());
        assert!(memory.recall("token", at(110)).is_none());
        assert!(memory.recall("tokem", at(100)).is_none());
        // Set back while it was remembered.
        assert!(memory.recall("token", at(90)).is_none());
    }
}
