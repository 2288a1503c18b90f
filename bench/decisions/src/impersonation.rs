//! Users who act as somebody else, as the gate decides about them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use authz::{Authz, DenyList, Impersonation, Mode};
use http::{HeaderMap, HeaderValue};
use types::{Answers, Attributes, NoTrace, Step, Timestamp, User};

use crate::{
    Options,
    clock::{Times, once},
    report::Report,
    worlds::{Asked, Asker, Shape, introduced, may_impersonate, rbac},
};

pub(crate) fn measure(options: &Options) -> Report {
    let mut report = Report::new(
        "A request of somebody who acts as a user with 200 groups",
        1,
        &["", "p50", "p99", "max"],
    );
    let rbac = rbac(10_000, Shape::Spread);
    may_impersonate("proxy").into_iter().for_each(|object| rbac.apply(object));
    let requester = introduced(&rbac, User::new("proxy", ["system:authenticated"]));
    let authz = Authz::new(DenyList::default(), vec![Mode::Rbac(rbac)]);
    let impersonation = Impersonation::new(true);
    let headers = headers(&Asker::ManyGroups.user(2));
    let now = Timestamp::UNIX_EPOCH;
    let mut authorize = |at: &Attributes<'_>| authz.decide(at, now, &Answers::none(), &mut NoTrace);
    let mut times = [(); 3].map(|()| Vec::new());
    let mut met = HashSet::new();
    for _ in 0..options.decisions / 50 {
        let mut headers = headers.clone();
        let [read, act, ask] = &mut times;
        let mut wanted = None;
        read.push(once(|| wanted = impersonation.requested(&mut headers).ok().flatten()));
        let Some(wanted) = wanted else { continue };
        let at = Attributes { user: &requester, ..Asked::Allow.by(&requester) };
        let mut acting = None;
        act.push(once(|| acting = Some(impersonation.decide(&wanted, &at, now, &mut authorize))));
        let Some(Step::Done(Ok(acting))) = acting else { continue };
        // As the gate does when it first tells the upstream about somebody whom it may meet again.
        if met.insert(Arc::as_ptr(&acting.user)) && Arc::strong_count(&acting.user) > 1 {
            authz.introduce(&acting.user);
        }
        ask.push(once(|| authz.decide(&Asked::Allow.by(&acting.user), now, &Answers::none(), &mut NoTrace)));
    }
    let whats = ["reading the headers", "may the requester act so", "may the user do this"];
    for (what, times) in whats.into_iter().zip(times) {
        let times: Times = times.into_iter().collect();
        report.times(&format!("{what}, {} times", times.count()), &times);
        if what == "may the user do this" {
            report.aim(what, times.median(), Duration::from_nanos(500));
        }
    }
    report
}

fn headers(wanted: &User) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    headers.insert("impersonate-user", value(&wanted.name));
    for group in &wanted.groups {
        headers.append("impersonate-group", value(group));
    }
    headers
}
