//! `--max-requests-inflight` and `--max-mutating-requests-inflight`.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use request::RequestInfo;
use types::{Decision, Layer, Reason, RequestKind, User, Verdict, group};

/// How many requests may run at once. `None`: as many as come, as a 0 in kube-apiserver's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `--max-requests-inflight`: get, list and watch.
    pub non_mutating: Option<NonZeroU32>,
    /// `--max-mutating-requests-inflight`: all else.
    pub mutating: Option<NonZeroU32>,
}

// UPSTREAM: 400 and 200 (kube-apiserver 1.36)
impl Default for Limits {
    fn default() -> Self {
        Self { non_mutating: NonZeroU32::new(400), mutating: NonZeroU32::new(200) }
    }
}

/// Lets only so many requests run at once: kube-apiserver's max-in-flight filter.
///
/// A request takes a [`Seat`] and gives it back by dropping it. Nobody waits: either there is a
/// seat now, or the request is refused. No locks are taken.
#[derive(Debug)]
pub struct MaxInFlight {
    read_only: Arc<Room>,
    mutating: Arc<Room>,
}

#[derive(Debug)]
struct Room {
    kind: RequestKind,
    limit: u32,
    taken: AtomicU32,
}

/// One running request. Keep it until the response has ended.
#[derive(Debug)]
#[must_use = "dropping the seat ends the request's turn"]
pub struct Seat(Option<Arc<Room>>);

/// As many requests of this kind are running as may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyRequests {
    /// Which limit is reached.
    pub kind: RequestKind,
    /// The limit.
    pub limit: u32,
}

impl MaxInFlight {
    /// With nobody running.
    pub fn new(limits: Limits) -> Self {
        Self {
            read_only: Room::new(RequestKind::ReadOnly, limits.non_mutating),
            mutating: Room::new(RequestKind::Mutating, limits.mutating),
        }
    }

    /// Gives the request a seat. `user` is the effective user, after impersonation.
    ///
    /// Long-running requests are not counted. `system:masters` passes a full room without being
    /// counted, so that a way in is left under load.
    // UPSTREAM: the group is asked only when the room is full (kube-apiserver 1.36)
    pub fn enter(&self, info: &RequestInfo, user: &User) -> Result<Seat, TooManyRequests> {
        if info.is_long_running() {
            return Ok(Seat(None));
        }
        let room = self.room(RequestKind::of(info.verb()));
        if room.try_take() {
            Ok(Seat(Some(Arc::clone(room))))
        } else if user.in_group(group::MASTERS) {
            Ok(Seat(None))
        } else {
            Err(TooManyRequests { kind: room.kind, limit: room.limit })
        }
    }

    /// How many requests of this kind hold a seat now.
    #[cfg(test)]
    fn in_flight(&self, kind: RequestKind) -> u32 {
        self.room(kind).taken.load(Relaxed)
    }

    fn room(&self, kind: RequestKind) -> &Arc<Room> {
        match kind {
            RequestKind::ReadOnly => &self.read_only,
            RequestKind::Mutating => &self.mutating,
        }
    }
}

impl Default for MaxInFlight {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

// The counter guards nothing but itself, so no ordering between it and other memory is needed.
impl Room {
    fn new(kind: RequestKind, limit: Option<NonZeroU32>) -> Arc<Self> {
        let limit = limit.map_or(u32::MAX, NonZeroU32::get);
        Arc::new(Self { kind, limit, taken: AtomicU32::new(0) })
    }

    fn try_take(&self) -> bool {
        let more = |taken: u32| (taken < self.limit).then(|| taken.saturating_add(1));
        self.taken.fetch_update(Relaxed, Relaxed, more).is_ok()
    }
}

impl Seat {
    /// What the request is counted as; `None` if it is not counted.
    pub fn kind(&self) -> Option<RequestKind> {
        self.0.as_ref().map(|room| room.kind)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(room) = &self.0 {
            room.taken.fetch_sub(1, Relaxed);
        }
    }
}

impl TooManyRequests {
    /// The refusal in the words of `explain`, logs and metrics.
    pub fn verdict(self) -> Verdict {
        let detail = format!("{} {} requests are running, the limit", self.limit, self.kind.as_str());
        Verdict {
            layer: Layer::Admission,
            decision: Decision::Deny,
            reason: Reason::TooManyRequests,
            detail: detail.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    fn info(line: &str) -> RequestInfo {
        let (method, target) = line.split_once(' ').unwrap();
        RequestInfo::parse(method, target).unwrap()
    }

    fn limited(non_mutating: u32, mutating: u32) -> MaxInFlight {
        MaxInFlight::new(Limits {
            non_mutating: NonZeroU32::new(non_mutating),
            mutating: NonZeroU32::new(mutating),
        })
    }

    fn anybody() -> User {
        User::new("dev", [group::AUTHENTICATED])
    }

    #[test]
    fn a_full_room_refuses_until_a_seat_is_free() {
        let gate = limited(2, 1);
        let (list, create) = (info("GET /api/v1/pods"), info("POST /api/v1/namespaces/d/pods"));
        let first = gate.enter(&list, &anybody()).unwrap();
        let second = gate.enter(&list, &anybody()).unwrap();
        assert_eq!(
            gate.enter(&list, &anybody()).unwrap_err(),
            TooManyRequests { kind: RequestKind::ReadOnly, limit: 2 }
        );
        let writing = gate.enter(&create, &anybody()).unwrap();
        let refused = gate.enter(&create, &anybody()).unwrap_err();
        assert_eq!(refused.verdict().detail, "1 mutating requests are running, the limit");
        assert_eq!(RequestKind::ALL.map(|kind| gate.in_flight(kind)), [2, 1]);
        drop(first);
        let third = gate.enter(&list, &anybody()).unwrap();
        drop((second, third, writing));
        assert_eq!(RequestKind::ALL.map(|kind| gate.in_flight(kind)), [0, 0]);
    }

    #[test]
    fn masters_pass_a_full_room_uncounted() {
        let gate = limited(1, 1);
        let list = info("GET /api/v1/pods");
        let master = User::new("admin", [group::MASTERS]);
        let counted = gate.enter(&list, &master).unwrap();
        let passed = gate.enter(&list, &master).unwrap();
        assert_eq!((counted.kind(), passed.kind()), (Some(RequestKind::ReadOnly), None));
        drop(passed);
        assert_eq!(gate.in_flight(RequestKind::ReadOnly), 1);
        assert!(gate.enter(&list, &anybody()).is_err());
    }

    #[test]
    fn long_running_requests_take_no_seat() {
        let gate = limited(1, 1);
        let full = [info("GET /api/v1/pods"), info("POST /api/v1/pods")]
            .map(|i| gate.enter(&i, &anybody()).unwrap());
        for line in
            ["GET /api/v1/pods?watch=1", "POST /api/v1/namespaces/d/pods/x/exec", "GET /api/v1/nodes/n/proxy"]
        {
            assert_eq!(gate.enter(&info(line), &anybody()).unwrap().kind(), None, "{line}");
        }
        drop(full);
    }

    #[test]
    fn the_verb_decides_the_kind() {
        let gate = limited(1, 1);
        let check = |line: &str, expected: RequestKind| {
            assert_eq!(gate.enter(&info(line), &anybody()).unwrap().kind(), Some(expected), "{line}");
        };
        check("HEAD /api/v1/pods/x", RequestKind::ReadOnly);
        check("GET /healthz", RequestKind::ReadOnly);
        check("HEAD /healthz", RequestKind::Mutating);
        check("FOO /api/v1/pods", RequestKind::Mutating);
        check("DELETE /api/v1/pods", RequestKind::Mutating);
    }

    #[test]
    fn no_limit_still_counts() {
        let gate = limited(0, 0);
        let seats: Vec<_> =
            (0..1000).map(|_| gate.enter(&info("GET /version"), &anybody()).unwrap()).collect();
        assert_eq!(gate.in_flight(RequestKind::ReadOnly), 1000);
        drop(seats);
    }

    #[test]
    fn never_more_than_the_limit_under_contention() {
        let gate = limited(3, 3);
        let list = info("GET /version");
        let together = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    for _ in 0..2000 {
                        if let Ok(_seat) = gate.enter(&list, &anybody()) {
                            assert!((1..=3).contains(&gate.in_flight(RequestKind::ReadOnly)));
                        }
                    }
                });
            }
        });
        assert_eq!(gate.in_flight(RequestKind::ReadOnly), 0);
    }

    #[test]
    fn a_seat_may_travel() {
        fn travels<T: Send + Sync + 'static>() {}
        travels::<Seat>();
    }
}
