//! Somebody who asks ever new questions, and ever new identities, until memory is full and beyond.

use types::{Attributes, User};

use crate::{
    clock::once,
    report::Report,
    worlds::{Asked, Asker, Shape, introduced, rbac},
};

/// So many fill the memory several times over.
const ASKED: usize = 600_000;

pub(crate) fn measure() -> Report {
    let header = ["", "p50", "p99", "max"];
    let mut report = Report::new("New questions when memory is full, each decided once", 1, &header);
    let world = rbac(10_000, Shape::Spread);
    let regular = introduced(&world, Asker::ManyGroups.user(2));
    let warm = || once(|| world.decide(&Asked::NoOpinion.by(&regular)));
    let mut meanwhile = Vec::new();
    // Long enough for the clock's hand to come around.
    let mut asked = |mut decide: Box<dyn FnMut(usize)>| {
        let times = (0..ASKED).map(|number| {
            if number % 10 == 0 {
                meanwhile.push(warm());
            }
            once(|| decide(number))
        });
        // What comes before memory is full is not counted.
        times.skip(ASKED / 2).collect()
    };
    let mallory = User::new("mallory", ["g1"]);
    let questions = asked(Box::new({
        let (world, mallory) = (world.clone(), mallory.clone());
        move |number| {
            let resource = format!("things{number}");
            drop(world.decide(&Attributes { resource: &resource, ..Asked::NoOpinion.by(&mallory) }));
        }
    }));
    report.times("one user, another resource each time", &questions);
    let namespaces = asked(Box::new({
        let world = world.clone();
        move |number| {
            let namespace = format!("namespace{number}");
            drop(world.decide(&Attributes { namespace: &namespace, ..Asked::NoOpinion.by(&mallory) }));
        }
    }));
    report.times("one user, another namespace each time", &namespaces);
    let identities = asked(Box::new({
        let world = world.clone();
        move |number| drop(world.decide(&Asked::NoOpinion.by(&User::new(format!("m{number}"), ["g1"]))))
    }));
    report.times("another user each time", &identities);
    let meanwhile = meanwhile.into_iter().collect();
    report.times("a regular who asks in between", &meanwhile);
    report
}
