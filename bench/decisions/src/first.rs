//! The first decision of all in a world that has just been built.
//!
//! As in the gate one thread builds the world and another decides on it, which has decided before, but
//! not on this one. Nothing of the world is in its caches, and nothing has been worked out.

use std::{fs, sync::mpsc, thread, time::Duration};

use authz::rbac::Rbac;
use types::User;

use crate::{
    Options,
    clock::{Times, once, show},
    report::Report,
    worlds::{Asked, Asker, Shape, rbac},
};

const BINDINGS: usize = 100_000;

/// The aim.
const FIRST: Duration = Duration::from_micros(100);

pub(crate) fn measure(options: &Options) -> Vec<Report> {
    let header = ["bindings", "groups", "answer", "p50", "max"];
    let title = "The first decision in a world of 100,000 bindings that has just been built";
    let mut report = Report::new(title, 3, &header);
    let worker = Worker::start();
    for (shape, name) in [(Shape::Spread, "spread"), (Shape::Dense, "a role each")] {
        for asker in Asker::ALL {
            for asked in Asked::ALL {
                let times: Times = (0..options.worlds).map(|_| worker.first(shape, asker, asked)).collect();
                let what = format!("first of all, {name}, {} groups, {}", asker.name(), asked.name());
                report.aim(&what, times.median(), FIRST);
                report.row([
                    name.to_owned(),
                    asker.name().to_owned(),
                    asked.name().to_owned(),
                    show(times.median()),
                    show(times.max()),
                ]);
            }
        }
    }
    vec![report]
}

/// A thread that decides.
struct Worker {
    work: mpsc::Sender<(Rbac, User, Asked)>,
    done: mpsc::Receiver<Measured>,
}

/// A time, and whether the machine ran something else meanwhile.
struct Measured {
    took: Duration,
    was_interrupted: bool,
}

impl Worker {
    fn start() -> Self {
        let (work, to_do) = mpsc::channel::<(Rbac, User, Asked)>();
        let (tell, done) = mpsc::channel();
        thread::spawn(move || {
            let known = rbac(100, Shape::Spread);
            for (rbac, user, asked) in to_do {
                for asker in Asker::ALL {
                    Asked::ALL.iter().for_each(|asked| drop(known.decide(&asked.by(&asker.user(7)))));
                }
                let before = interruptions();
                let took = once(|| rbac.decide(&asked.by(&user)));
                let was_interrupted = interruptions() != before;
                if tell.send(Measured { took, was_interrupted }).is_err() {
                    break;
                }
            }
        });
        Self { work, done }
    }

    /// In a world of its own. One in which the machine has run something else is built again.
    fn first(&self, shape: Shape, asker: Asker, asked: Asked) -> Duration {
        loop {
            let sent = self.work.send((rbac(BINDINGS, shape), asker.user(2), asked));
            let Some(measured) = sent.ok().and_then(|()| self.done.recv().ok()) else { return Duration::MAX };
            if !measured.was_interrupted {
                return measured.took;
            }
        }
    }
}

/// How often this thread had to leave its CPU to another; 0 where the system does not say.
fn interruptions() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let count = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}
