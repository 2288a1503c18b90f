//! Decisions of RBAC, warm and for users whom nobody has met.

use std::{hint::black_box, time::Duration};

use types::{Decision, User};

use crate::{
    Options,
    clock::{Times, once, over_and_over, show},
    report::Report,
    worlds::{Asked, Asker, Shape, introduced, rbac},
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

pub(crate) fn measure(options: &Options) -> Vec<Report> {
    let shapes = [
        (Shape::Spread, "Decisions, bindings spread over groups, users and namespaces"),
        (Shape::Dense, "Decisions, every binding granting a role of its own to one of 200 groups"),
    ];
    shapes.map(|(shape, title)| decisions(options, shape, title)).into()
}

struct Figures {
    warm: Duration,
    by_value: Duration,
    newcomer: Times,
}

fn decisions(options: &Options, shape: Shape, title: &str) -> Report {
    let header = [
        "groups",
        "answer",
        "bindings",
        "warm",
        "÷ that of 100",
        "warm, by value",
        "new identity",
        "p99",
        "Kubernetes",
    ];
    let mut report = Report::new(title, 2, &header);
    for asker in Asker::ALL {
        for asked in Asked::ALL {
            let mut few = None;
            for bindings in SIZES {
                let figures = decide(options, bindings, shape, asker, asked);
                let few = *few.get_or_insert(figures.warm);
                let ratio = figures.warm.as_secs_f64() / few.as_secs_f64();
                let what = format!("{} groups, {}, {bindings} bindings", asker.name(), asked.name());
                report.aim_ratio(&format!("{what}, ÷ that of 100"), ratio, 2.0);
                report.aim(&format!("{what}, warm"), figures.warm, WARM);
                report.row([
                    asker.name().to_owned(),
                    asked.name().to_owned(),
                    bindings.to_string(),
                    show(figures.warm),
                    format!("{ratio:.2}"),
                    show(figures.by_value),
                    show(figures.newcomer.median()),
                    show(figures.newcomer.p99()),
                    kubernetes(bindings, asker, asked).to_owned(),
                ]);
            }
        }
    }
    report
}

/// The aim for somebody who has asked before.
const WARM: Duration = Duration::from_nanos(500);

fn decide(options: &Options, bindings: usize, shape: Shape, asker: Asker, asked: Asked) -> Figures {
    let world = rbac(bindings, shape);
    let newcomers: Vec<User> = (0..NEWCOMERS).map(|number| asker.user(1_000_000 + number)).collect();
    let newcomer = newcomers.iter().map(|user| once(|| world.decide(&asked.by(user)))).collect();
    let user = introduced(&world, asker.user(2));
    let equal = User::clone(&user);
    let expected = if asked == Asked::Allow { Decision::Allow } else { Decision::NoOpinion };
    assert_eq!(world.decide(&asked.by(&user)).decision, expected, "the world is not what it should be");
    let warm = over_and_over(options.decisions, || world.decide(black_box(&asked.by(&user))));
    let by_value = over_and_over(options.decisions, || world.decide(black_box(&asked.by(&equal))));
    Figures { warm, by_value, newcomer }
}

fn kubernetes(bindings: usize, asker: Asker, asked: Asked) -> &'static str {
    let known = KUBERNETES.iter().find(|(size, who, ..)| (*size, *who) == (bindings, asker));
    match (known, asked) {
        (Some((.., allow, _)), Asked::Allow) => allow,
        (Some((.., none)), Asked::NoOpinion) => none,
        _ => "",
    }
}
