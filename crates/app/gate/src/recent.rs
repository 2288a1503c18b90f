//! What a worker decided a moment ago, for those who ask why.
//!
//! A request's audit record is kept when the request has ended, instead of being thrown away: nothing
//! is written, formatted or copied for it. Refusals, which people ask about, are not pushed out by what
//! was allowed. Nothing is listed: whoever wants to know has to name an audit ID, which only the client
//! and the audit log know.

use std::{collections::VecDeque, sync::Arc};

use audit::Record;
use http::HeaderValue;
use parking_lot::Mutex;
use types::{
    AccessFailure, AccessStatus, Answer, Answers, Decision, Layer, Question, Reason, Timestamp, Verdict,
};

/// What each layer said to one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdicts {
    said: [Option<(Decision, Reason)>; Layer::ALL.len()],
    /// The words of the layer that refused.
    refusal: Option<Box<str>>,
}

impl Verdicts {
    /// Takes one down. Words are kept of a refusal only; they were put together anyway.
    pub(crate) fn note(&mut self, verdict: &Verdict) {
        if let Some(said) = self.said.get_mut(verdict.layer as usize) {
            *said = Some((verdict.decision, verdict.reason));
        }
        if verdict.decision == Decision::Deny {
            self.refusal = Some(verdict.detail.as_ref().into());
        }
    }

    /// Layer by layer, in the order of the pipeline; the words are those of a refusal.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Layer, Decision, Reason, &str)> {
        Layer::ALL.into_iter().zip(self.said).filter_map(|(layer, said)| {
            let (decision, reason) = said?;
            let words = self.refusal.as_deref().filter(|_| decision == Decision::Deny).unwrap_or_default();
            Some((layer, decision, reason, words))
        })
    }

    /// Whether a layer refused.
    pub(crate) fn refused(&self) -> bool {
        self.refusal.is_some()
    }
}

/// What an authorization webhook said to a request, or why it said nothing.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Impersonation or authorization.
    pub(crate) layer: Layer,
    /// Its name in the configuration.
    pub(crate) webhook: Arc<str>,
    pub(crate) answer: Result<AccessStatus, AccessFailure>,
}

impl Said {
    /// What webhooks said that a decision was given answers of, in the order of the questions.
    pub(crate) fn among(layer: Layer, answers: &Answers) -> Vec<Self> {
        let said = answers.iter().filter_map(|(question, answer)| match (question, answer) {
            (Question::Access(review), Answer::Access(answer)) => {
                Some(Self { layer, webhook: Arc::clone(&review.webhook), answer: answer.clone() })
            }
            _ => None,
        });
        said.collect()
    }

    fn bytes(&self) -> usize {
        let words = match &self.answer {
            Ok(status) => status.reason.len() + status.evaluation_error.len(),
            Err(failure) => failure.message.len(),
        };
        size_of::<Self>() + words
    }
}

/// A request that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub(crate) audit_id: HeaderValue,
    pub(crate) at: Timestamp,
    /// The status code of the answer, if there was one.
    pub(crate) code: Option<u16>,
    pub(crate) verdicts: Verdicts,
    /// In the order in which they were asked; nearly always empty.
    pub(crate) webhooks: Vec<Said>,
    /// None without an audit log, and for what is left out of it.
    pub(crate) record: Option<Record>,
}

impl Past {
    fn bytes(&self) -> usize {
        let record = self.record.as_ref().map_or(0, Record::bytes);
        let refusal = self.verdicts.refusal.as_ref().map_or(0, |words| words.len());
        let webhooks: usize = self.webhooks.iter().map(Said::bytes).sum();
        size_of::<Self>() + record + refusal + webhooks + self.audit_id.len()
    }
}

/// One worker's memory of requests that have ended.
#[derive(Default)]
pub(crate) struct Recent {
    allowed: Mutex<Ring>,
    refused: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    past: VecDeque<Past>,
    bytes: usize,
}

/// The last of those that were allowed: as many as stay in a core's own cache, so that remembering
/// them does not make requests slower.
const ALLOWED: Bounds = Bounds { most: 256, bytes: 256 << 10 };
/// The last of those that were refused.
const REFUSED: Bounds = Bounds { most: 1024, bytes: 2 << 20 };

#[derive(Clone, Copy)]
struct Bounds {
    most: usize,
    bytes: usize,
}

impl Recent {
    /// Remembers a request, and forgets the oldest of its kind where there is no room.
    pub(crate) fn keep(&self, past: Past) {
        let (ring, bounds) = match past.verdicts.refused() {
            true => (&self.refused, REFUSED),
            false => (&self.allowed, ALLOWED),
        };
        let bytes = past.bytes();
        // A client may send a line of 64 KiB; a few of those shall not push out all others.
        if bytes > bounds.bytes / 16 {
            return;
        }
        let mut ring = ring.lock();
        let mut forgotten = None;
        ring.bytes += bytes;
        ring.past.push_back(past);
        while ring.past.len() > bounds.most || ring.bytes > bounds.bytes {
            let Some(oldest) = ring.past.pop_front() else { break };
            ring.bytes = ring.bytes.saturating_sub(oldest.bytes());
            // Given back to the allocator by nobody who holds the lock, as far as it is one.
            drop(forgotten.replace(oldest));
        }
        drop(ring);
        drop(forgotten);
    }

    /// The last request of that audit ID. A client may give the same ID to several.
    pub(crate) fn find(&self, audit_id: &HeaderValue) -> Option<Past> {
        let last_of = |ring: &Mutex<Ring>| {
            ring.lock().past.iter().rev().find(|past| past.audit_id == audit_id).cloned()
        };
        let found = [last_of(&self.refused), last_of(&self.allowed)];
        found.into_iter().flatten().max_by_key(|past| past.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(id: u32, refused: Option<&str>) -> Past {
        let mut verdicts = Verdicts::default();
        let verdict = |layer, decision, reason, detail: &str| Verdict {
            layer,
            decision,
            reason,
            detail: detail.to_owned().into(),
        };
        verdicts.note(&verdict(Layer::Request, Decision::Allow, Reason::Passed, "unsaid"));
        if let Some(why) = refused {
            verdicts.note(&verdict(Layer::Standing, Decision::Deny, Reason::DeniedUser, why));
        }
        let at = Timestamp::from_second(id.into()).unwrap();
        Past { audit_id: HeaderValue::from(id), at, code: None, verdicts, webhooks: Vec::new(), record: None }
    }

    #[test]
    fn what_was_allowed_does_not_push_out_refusals() {
        let recent = Recent::default();
        recent.keep(past(1, Some("no")));
        (2..2000).for_each(|id| recent.keep(past(id, None)));
        let found = |id: u32| recent.find(&HeaderValue::from(id));
        let refused = found(1).unwrap();
        let said: Vec<_> = refused.verdicts.iter().collect();
        assert_eq!(
            said,
            [
                (Layer::Request, Decision::Allow, Reason::Passed, ""),
                (Layer::Standing, Decision::Deny, Reason::DeniedUser, "no"),
            ]
        );
        assert!(found(1999).is_some() && found(2000 - 256).is_some() && found(1999 - 256).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let recent = Recent::default();
        let long = "x".repeat(20_000);
        (1..500).for_each(|id| recent.keep(past(id, Some(&long))));
        let ring = recent.refused.lock();
        assert!(ring.bytes <= REFUSED.bytes && (90..110).contains(&ring.past.len()), "{}", ring.past.len());
        assert_eq!(ring.bytes, ring.past.iter().map(Past::bytes).sum::<usize>());
        drop(ring);
        recent.keep(past(1000, Some(&"x".repeat(200_000))));
        assert!(recent.find(&HeaderValue::from(1000)).is_none());
    }
}
