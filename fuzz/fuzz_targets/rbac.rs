//! Bytes choose roles, bindings, changes and questions: the index answers as the naive reading does.
#![no_main]

use authz::{
    Opinion,
    rbac::{Kind, Rbac, RbacObject, Snapshot},
};
use libfuzzer_sys::fuzz_target;

// The very files that the tests of `authz` use; what they import from above is imported here.
#[path = "../../crates/layers/authz/src/rbac/compare.rs"]
mod compare;
#[path = "../../crates/layers/authz/src/rbac/naive.rs"]
mod naive;

/// About as many bytes as a round uses up; what is missing is filled in from the seed.
const BYTES_A_ROUND: usize = 128;

fuzz_target!(|bytes: &[u8]| {
    compare::run(&mut compare::Dice::new(bytes, 1), 1 + bytes.len() / BYTES_A_ROUND, 4);
});
