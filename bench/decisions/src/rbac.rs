//! RBAC: decisions, changes, and what a world takes in memory.

use std::{
    fs,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use authz::rbac::Rbac;
use comfy_table::Table;
use types::{Decision, User};

use crate::{
    Options,
    clock::{Times, once, over_and_over, show},
    table,
    worlds::{Asked, Asker, Shape, changed_binding, introduced, rbac},
};

const SIZES: [usize; 3] = [100, 10_000, 100_000];

/// Newcomers, of whose first decisions the median counts.
const NEWCOMERS: usize = 301;

/// What Kubernetes 1.36's own code takes, measured apart on a machine of the same sort: by bindings, with a user of
/// few groups and, where that was measured, of 200; allow and no opinion.
const KUBERNETES: [(usize, Asker, &str, &str); 4] = [
    (100, Asker::Plain, "13.6 µs", "10.9 µs"),
    (10_000, Asker::Plain, "784 µs", "751 µs"),
    (100_000, Asker::Plain, "24.7 ms", "25.7 ms"),
    (10_000, Asker::ManyGroups, "6.71 ms", "9.95 ms"),
];

pub(crate) fn measure(options: &Options) -> Vec<(String, Table)> {
    let memory = memory();
    let (spread, dense) = (decisions(options, Shape::Spread), decisions(options, Shape::Dense));
    let (changes, readers) = changes(options);
    vec![
        ("Decisions, bindings spread over groups, users and namespaces".to_owned(), spread),
        ("Decisions, every binding granting a role of its own to one of 200 groups".to_owned(), dense),
        ("One changed binding in a world of 100,000".to_owned(), changes),
        ("Readers meanwhile, a decision of a user with 200 groups".to_owned(), readers),
        ("Memory".to_owned(), memory),
    ]
}

struct Figures {
    warm: Duration,
    by_value: Duration,
    newcomer: Times,
    first: Times,
}

fn decisions(options: &Options, shape: Shape) -> Table {
    let mut rows = Vec::new();
    for (asker, who) in [(Asker::Plain, "few"), (Asker::ManyGroups, "200")] {
        for asked in Asked::ALL {
            let figures: Vec<Figures> =
                SIZES.iter().map(|bindings| decide(options, *bindings, shape, asker, asked)).collect();
            let few = figures.first().map_or(Duration::ZERO, |figures| figures.warm);
            for (bindings, figures) in SIZES.iter().zip(&figures) {
                let ratio = figures.warm.as_secs_f64() / few.as_secs_f64();
                rows.push(vec![
                    who.to_owned(),
                    asked.name().to_owned(),
                    bindings.to_string(),
                    show(figures.warm),
                    format!("{ratio:.2}"),
                    show(figures.by_value),
                    show(figures.newcomer.median()),
                    show(figures.newcomer.p99()),
                    show(figures.first.median()),
                    kubernetes(*bindings, asker, asked).to_owned(),
                ]);
            }
        }
    }
    let header = [
        "groups",
        "answer",
        "bindings",
        "warm",
        "÷ that of 100",
        "warm, by value",
        "new identity",
        "p99",
        "first of all",
        "Kubernetes",
    ];
    table(2, &header, rows)
}

fn decide(options: &Options, bindings: usize, shape: Shape, asker: Asker, asked: Asked) -> Figures {
    let mut first = Vec::new();
    let mut world = rbac(bindings, shape);
    for _ in 0..options.worlds {
        world = rbac(bindings, shape);
        let user = asker.user(2);
        first.push(once(|| world.decide(&asked.by(&user))));
    }
    let newcomers: Vec<User> = (0..NEWCOMERS).map(|number| asker.user(1_000_000 + number)).collect();
    let newcomer = newcomers.iter().map(|user| once(|| world.decide(&asked.by(user)))).collect();
    let user = introduced(&world, asker.user(2));
    let equal = User::clone(&user);
    let expected = if asked == Asked::Allow { Decision::Allow } else { Decision::NoOpinion };
    assert_eq!(world.decide(&asked.by(&user)).decision, expected, "the world is not what it should be");
    let warm = over_and_over(options.decisions, || world.decide(black_box(&asked.by(&user))));
    let by_value = over_and_over(options.decisions, || world.decide(black_box(&asked.by(&equal))));
    Figures { warm, by_value, newcomer, first: first.into_iter().collect() }
}

fn kubernetes(bindings: usize, asker: Asker, asked: Asked) -> &'static str {
    let known = KUBERNETES.iter().find(|(size, who, ..)| (*size, *who) == (bindings, asker));
    match (known, asked) {
        (Some((.., allow, _)), Asked::Allow) => allow,
        (Some((.., none)), Asked::NoOpinion) => none,
        _ => "",
    }
}

/// What a change takes, and what readers notice of it.
fn changes(options: &Options) -> (Table, Table) {
    let row = |what: &str, times: &Times| {
        let times = [times.median(), times.p99(), times.max()].map(show);
        [what.to_owned()].into_iter().chain(times).collect::<Vec<_>>()
    };
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    let bindings = 100_000;
    let world = rbac(bindings, Shape::Dense);
    let (idle, _) = reading(&world, || thread::sleep(Duration::from_millis(500)));
    readers.push(row(&format!("no changes, {} decisions", idle.count()), &idle));
    let groups = [("that concerns nobody who asks", "nobody"), ("that concerns whoever asks", "g7")];
    for (what, group) in groups {
        let (times, changes) = reading(&world, || {
            let changes = (0..options.changes).map(|number| {
                let group = if number % 4 < 2 { group } else { "others" };
                let object = changed_binding(number, group);
                once(|| world.apply(object))
            });
            changes.collect::<Times>()
        });
        writers.push(row(what, &changes));
        readers.push(row(&format!("while one comes or goes {what}, {} decisions", times.count()), &times));
    }
    let header = ["", "p50", "p99", "max"];
    (table(1, &header, writers), table(1, &header, readers))
}

/// Decisions timed one by one on a thread of their own, while `meanwhile` runs.
fn reading<T>(world: &Rbac, meanwhile: impl FnOnce() -> T) -> (Times, T) {
    let stop = Arc::new(AtomicBool::new(false));
    let user = introduced(world, Asker::ManyGroups.user(2));
    let reader = thread::spawn({
        let (stop, world) = (Arc::clone(&stop), world.clone());
        move || {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let started = Instant::now();
                black_box(world.decide(&Asked::Allow.by(&user)));
                times.push(started.elapsed());
            }
            times.into_iter().collect::<Times>()
        }
    });
    let done = meanwhile();
    stop.store(true, Ordering::Relaxed);
    (reader.join().unwrap_or_default(), done)
}

/// By the resident size of this process, so it is to be measured first.
fn memory() -> Table {
    const BINDINGS: usize = 100_000;
    const IDENTITIES: usize = 10_000;
    let mut rows = Vec::new();
    for (what, shape) in [("roles shared by ten bindings", Shape::Spread), ("a role each", Shape::Dense)] {
        let before = resident();
        let world = rbac(BINDINGS, shape);
        let built = resident();
        for number in 0..IDENTITIES {
            let user = Asker::Plain.user(number);
            Asked::ALL.iter().for_each(|asked| drop(black_box(world.decide(&asked.by(&user)))));
        }
        let met = resident();
        let mib =
            |bytes: usize, of: usize| format!("{:.1} MiB", bytes as f64 * 10_000.0 / of as f64 / 1_048_576.0);
        rows.push(vec![
            what.to_owned(),
            mib(built.saturating_sub(before), BINDINGS),
            mib(met.saturating_sub(built), IDENTITIES),
        ]);
    }
    table(1, &["", "10,000 bindings", "10,000 identities, 3 questions each"], rows)
}

/// Bytes; 0 where the system does not say.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * 4096
}
