//! What a change takes, and what readers notice of it.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Options,
    clock::{Times, once},
    report::Report,
    worlds::{Asked, Asker, Shape, changed_binding, introduced, rbac},
};

/// The aim for one change.
pub(crate) const CHANGE: Duration = Duration::from_millis(5);

pub(crate) fn measure(options: &Options) -> Vec<Report> {
    let header = ["", "p50", "p99", "max"];
    let mut writers = Report::new("One changed binding in a world of 100,000", 1, &header);
    let mut readers = Report::new("Readers meanwhile, a decision of a user with 200 groups", 1, &header);
    let world = rbac(100_000, Shape::Dense);
    let user = introduced(&world, Asker::ManyGroups.user(2));
    let decide = || drop(black_box(world.decide(&Asked::Allow.by(&user))));
    let (idle, ()) = reading(decide, || thread::sleep(Duration::from_millis(500)));
    readers.times(&format!("no changes, {} decisions", idle.count()), &idle);
    let groups = [("that concerns nobody who asks", "nobody"), ("that concerns whoever asks", "g7")];
    for (what, group) in groups {
        let (times, changes) = reading(decide, || {
            let changes = (0..options.changes).map(|number| {
                let group = if number % 4 < 2 { group } else { "others" };
                let object = changed_binding(number, group);
                once(|| world.apply(object))
            });
            changes.collect::<Times>()
        });
        writers.times(what, &changes);
        writers.aim(&format!("a changed binding {what}"), changes.median(), CHANGE);
        readers.times(&format!("while one comes or goes {what}, {} decisions", times.count()), &times);
    }
    vec![writers, readers]
}

/// Decisions timed one by one on a thread of their own, while `meanwhile` runs.
pub(crate) fn reading<T>(decide: impl Fn() + Sync, meanwhile: impl FnOnce() -> T) -> (Times, T) {
    let stop = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let started = Instant::now();
                decide();
                times.push(started.elapsed());
            }
            times.into_iter().collect::<Times>()
        });
        let done = meanwhile();
        stop.store(true, Ordering::Relaxed);
        (reader.join().unwrap_or_default(), done)
    })
}
