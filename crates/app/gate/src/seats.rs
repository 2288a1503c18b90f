//! Who sits, and for how long at most.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use admission::Seat;
use parking_lot::Mutex;
use telemetry::InFlight;

/// The seats of one worker's running requests.
///
/// An answer lasts as long as its client takes to read it, and a client that does not read could
/// keep its seat for ever; a few hundred of those would shut everybody out.
// UPSTREAM: requests that are not long-running are over after 60 s, read or not (kube-apiserver 1.36)
#[derive(Default)]
pub(crate) struct Seats(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    next: u64,
    /// In the order in which they were taken.
    seats: BTreeMap<u64, (Instant, Seat, InFlight)>,
}

/// Which seat it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(u64);

impl Seats {
    /// Keeps a seat, and the gauge that shows it, until it is left or was kept for too long.
    pub(crate) fn take(&self, seat: Seat, in_flight: InFlight) -> Number {
        let mut taken = self.0.lock();
        let number = taken.next;
        taken.next = number.wrapping_add(1);
        taken.seats.insert(number, (Instant::now(), seat, in_flight));
        Number(number)
    }

    /// Gives a seat back, if it has not been taken away.
    pub(crate) fn leave(&self, Number(number): Number) {
        self.0.lock().seats.remove(&number);
    }

    /// Takes away the seats that were kept for longer than `longest`. The result is how many.
    pub(crate) fn clear(&self, longest: Duration) -> usize {
        let mut taken = self.0.lock();
        let before = taken.seats.len();
        while let Some(oldest) = taken.seats.first_entry()
            && oldest.get().0.elapsed() > longest
        {
            drop(oldest.remove());
        }
        before - taken.seats.len()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use admission::{Limits, MaxInFlight};
    use request::RequestInfo;
    use telemetry::Metrics;
    use types::{RequestKind, User};

    use super::*;

    #[test]
    fn a_seat_is_given_back_once_or_taken_away() {
        let room = MaxInFlight::new(Limits { non_mutating: NonZeroU32::new(1), mutating: None });
        let info = RequestInfo::parse("GET", "/api/v1/pods").unwrap();
        let metrics = Metrics::new("").worker();
        let seats = Seats::default();
        let enter = || {
            let seat = room.enter(&info, &User::new("a", ["b"])).ok()?;
            Some(seats.take(seat, metrics.in_flight(RequestKind::ReadOnly)))
        };
        let first = enter().unwrap();
        assert_eq!(enter(), None);
        seats.leave(first);
        let second = enter().unwrap();
        assert_eq!(seats.clear(Duration::from_secs(3600)), 0);
        assert_eq!(enter(), None);
        assert_eq!(seats.clear(Duration::ZERO), 1);
        let third = enter().unwrap();
        // Too late, and nobody else's.
        seats.leave(second);
        assert_eq!(enter(), None);
        seats.leave(third);
        assert!(enter().is_some());
    }
}
