//! Layer 5: is it too much?

mod max_in_flight;

pub use max_in_flight::{Limits, MaxInFlight, Seat, TooManyRequests};
