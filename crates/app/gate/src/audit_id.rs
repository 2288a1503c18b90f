//! What connects a request, its answer and its audit events.

use std::cell::RefCell;

use http::HeaderValue;

/// Random bytes of a thread: asking for many at once costs hardly more than asking for a few.
struct Random {
    bytes: [u8; 1024],
    used: usize,
}

thread_local! {
    static RANDOM: RefCell<Random> = const { RefCell::new(Random { bytes: [0; 1024], used: 1024 }) };
}

impl Random {
    /// Sixteen bytes that nobody had before.
    fn take(&mut self) -> [u8; 16] {
        if self.used == self.bytes.len() {
            // Without randomness the ID is the nil UUID: a request is not refused for it.
            if aws_lc_rs::rand::fill(&mut self.bytes).is_err() {
                return [0; 16];
            }
            self.used = 0;
        }
        let taken = self.bytes.get(self.used..).and_then(<[u8]>::first_chunk).copied();
        self.used += 16;
        taken.unwrap_or_default()
    }
}

/// The client's `Audit-ID`, however long, or a random UUID.
// UPSTREAM: a client's Audit-ID is taken and echoed, at any length (kube-apiserver 1.36)
pub(crate) fn of(header: Option<&HeaderValue>) -> HeaderValue {
    if let Some(given) = header.filter(|given| !given.is_empty()) {
        return given.clone();
    }
    let random = RANDOM.with_borrow_mut(Random::take);
    let mut text = uuid::Uuid::encode_buffer();
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_id_comes_twice() {
        let ids: HashSet<_> = (0..1000).map(|_| of(None)).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 36));
    }

    #[test]
    fn a_client_that_names_one_keeps_it() {
        let given = HeaderValue::from_static("mine");
        assert_eq!(of(Some(&given)), given);
        assert_eq!(of(Some(&HeaderValue::from_static(""))).len(), 36);
    }
}
