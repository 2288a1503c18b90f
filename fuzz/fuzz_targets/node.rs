//! Bytes choose pods, volumes, changes and questions: the graph answers as the naive reading does.
#![no_main]

use differential::{Dice, Tally, node::run_one};
use libfuzzer_sys::fuzz_target;

/// About as many bytes as a round uses up; what is missing is filled in from the seed.
const BYTES_A_ROUND: usize = 256;

fuzz_target!(|bytes: &[u8]| {
    let rounds = 1 + bytes.len() / BYTES_A_ROUND;
    if let Err(difference) = run_one(&mut Dice::new(bytes, 1), rounds, &mut Tally::default()) {
        panic!("{difference}");
    }
});
