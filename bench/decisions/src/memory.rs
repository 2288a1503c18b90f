//! What worlds take in memory, and what is remembered of identities.

use std::{any::Any, fs, hint::black_box};

use crate::{
    node,
    report::Report,
    worlds::{Asked, Asker, Shape, rbac},
};

const BINDINGS: usize = 100_000;
const IDENTITIES: usize = 10_000;

/// By the resident size of this process, so it is to be measured first, and nothing is given back in between.
pub(crate) fn measure() -> Report {
    let mut report = Report::new("Memory", 1, &["", "10,000"]);
    let mut kept: Vec<Box<dyn Any>> = Vec::new();
    for (what, shape) in [("roles shared by ten bindings", Shape::Spread), ("a role each", Shape::Dense)] {
        let (world, bytes) = taken(|| rbac(BINDINGS, shape));
        report.row([format!("bindings, {what}"), of_ten_thousand(bytes, BINDINGS)]);
        let (_, bytes) = taken(|| {
            for number in 0..IDENTITIES {
                let user = Asker::Plain.user(number);
                Asked::ALL.iter().for_each(|asked| drop(black_box(world.decide(&asked.by(&user)))));
            }
        });
        let what = format!("identities that have asked 3 questions each, {what}");
        report.row([what, of_ten_thousand(bytes, IDENTITIES)]);
        kept.push(Box::new(world));
    }
    let (node, bytes) = taken(node::world);
    let volumes = node::PODS / node::WITH_VOLUME;
    let what =
        format!("pods of the Node authorizer, {} on {} nodes, {volumes} volumes", node::PODS, node::NODES);
    report.row([what, of_ten_thousand(bytes, node::PODS)]);
    kept.push(Box::new(node));
    report
}

/// What is made, and how much more memory is in use afterwards.
fn taken<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = resident();
    let made = make();
    (made, resident().saturating_sub(before))
}

/// What 10,000 take, if `of` take so many bytes.
fn of_ten_thousand(bytes: usize, of: usize) -> String {
    format!("{:.1} MiB", bytes as f64 * 10_000.0 / of as f64 / 1_048_576.0)
}

/// Bytes; 0 where the system does not say.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * 4096
}
