//! On whose behalf?
//!
//! Decided here, before anything reaches the upstream: the requester may act as somebody else, or
//! the request ends. Whatever the client's identity headers said, none of them goes on.

use std::{sync::Arc, time::Instant};

use ::authz::{Impersonated, Opinion, impersonation::Mode};
use telemetry::Stripped;
use types::{Answers, Attributes, Decision, Layer, Reason, Status, Step, Timestamp, User};

use super::{StageResult, pass, pass_because, refuse, request::Request, standing::Standing};
use crate::{
    answer::Answer,
    authorizers::{Authorizers, NoEnd},
    exchange::Exchange,
    recent::Said,
    worker::Worker,
};

/// It is settled for whom the request is made, and no header of the client says otherwise.
pub(crate) struct Acting {
    user: Arc<User>,
}

impl Acting {
    /// For whom.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// Authorization webhooks may be asked about each part of an identity. HTTP/1.1 has no room for
/// more parts than this.
const MAX_QUESTIONS: usize = 256;

/// Takes every identity header off the request, and decides about those that ask to impersonate.
pub(crate) async fn decide(
    worker: &Worker,
    standing: Standing,
    request: &mut Request,
    exchange: &mut Exchange,
) -> StageResult<Acting> {
    let requester = standing.into_user();
    let requested = worker.gate.authorizers.load().impersonation.requested(&mut request.headers);
    strip(worker, request);
    match requested {
        Ok(None) => pass(Acting { user: requester }, Layer::Impersonation),
        Ok(Some(wanted)) => Box::pin(impersonate(worker, &requester, &wanted, request, exchange)).await,
        Err(status) => {
            let (reason, detail) = (Reason::MalformedRequest, status.message.clone());
            Err(refuse(Layer::Impersonation, reason, detail, Answer::BadImpersonation(*status)))
        }
    }
}

fn strip(worker: &Worker, request: &mut Request) {
    let stripped = worker.gate.identity_headers.strip(&mut request.headers);
    for (how, count) in [
        (Stripped::Name, stripped.impersonate + stripped.front_proxy),
        (Stripped::Alias, stripped.aliased),
        (Stripped::Nominated, stripped.nominated),
    ] {
        for _ in 0..count {
            worker.metrics.stripped(how);
        }
    }
}

/// Asks the chain of authorizers whether the requester may act as `wanted`.
async fn impersonate(
    worker: &Worker,
    requester: &User,
    wanted: &User,
    request: &Request,
    exchange: &mut Exchange,
) -> StageResult<Acting> {
    let attributes = request.info.attributes(requester);
    let began = Instant::now();
    let decided = match at_once(worker, wanted, &attributes, exchange.at) {
        Some(decided) => Ok(decided),
        None => asking(worker, wanted, &attributes, exchange).await,
    };
    let mode = match &decided {
        Ok(Ok(impersonated)) => Some(impersonated.mode.name()),
        Ok(Err(_)) | Err(_) => None,
    };
    worker.metrics.impersonated(mode, began.elapsed());
    match decided {
        Ok(Ok(impersonated)) => {
            if let Some(record) = exchange.record() {
                record.impersonated(&impersonated.user, impersonated.constraint());
            }
            let Impersonated { user, mode } = impersonated;
            let detail = format!("as {} by the verb {}", types::quote(&user.name), mode.verb());
            pass_because(Acting { user }, Layer::Impersonation, Reason::Allowed, detail)
        }
        Ok(Err(status)) => {
            let (reason, detail) = (Reason::ImpersonationRefused, status.message.clone());
            Err(refuse(Layer::Impersonation, reason, detail, Answer::Forbidden(*status)))
        }
        Err(error) => {
            let answer = Answer::internal_error(&error.to_string());
            Err(refuse(Layer::Impersonation, Reason::CannotDecide, error.to_string(), answer))
        }
    }
}

/// As whom, or the 403.
type Decided = Result<Impersonated, Box<Status>>;

/// Without webhooks nothing is asked, and nothing is awaited.
fn at_once(worker: &Worker, wanted: &User, at: &Attributes<'_>, now: Timestamp) -> Option<Decided> {
    let authorizers = worker.gate.authorizers.load();
    if authorizers.may_ask() {
        return None;
    }
    let mut check =
        |at: &Attributes<'_>| check(worker, &authorizers, at, now, &Answers::none(), Instant::now());
    match authorizers.impersonation.decide(wanted, at, now, &mut check) {
        Step::Done(decided) => Some(decided),
        Step::Ask(_) => None,
    }
}

async fn asking(
    worker: &Worker,
    wanted: &User,
    at: &Attributes<'_>,
    exchange: &mut Exchange,
) -> Result<Decided, NoEnd> {
    let now = exchange.at;
    let begin = || {
        let mut settled = Settled::default();
        move |authorizers: &Authorizers, answers: &Answers| {
            settled.rewind();
            let mut check = |at: &Attributes<'_>| {
                settled.check(at, |at, began| check(worker, authorizers, at, now, answers, began))
            };
            match authorizers.impersonation.decide(wanted, at, now, &mut check) {
                Step::Done(decided) => Step::Done((decided, Said::among(Layer::Impersonation, answers))),
                Step::Ask(question) => Step::Ask(question),
            }
        }
    };
    let (decided, said) = worker.gate.authorizers.drive(None, Some(MAX_QUESTIONS), now, begin).await?;
    exchange.consulted(said);
    Ok(decided)
}

/// One check, which began then. It is counted when it is settled.
fn check(
    worker: &Worker,
    authorizers: &Authorizers,
    at: &Attributes<'_>,
    now: Timestamp,
    answers: &Answers,
    began: Instant,
) -> Step<Opinion> {
    let mut meter = authorizers.meter(&worker.metrics);
    let step = authorizers.chain.decide(at, now, answers, &mut meter);
    if let Step::Done(opinion) = &step {
        let mode = Mode::that_asks_for(at.verb).map_or("", Mode::name);
        let allowed = opinion.decision == Decision::Allow;
        worker.metrics.impersonation_checked(mode, allowed, began.elapsed(), meter.decided());
    }
    step
}

/// The checks that earlier runs of one decision have settled, in their order: with hundreds of them
/// and a webhook, each run would judge all of those before it anew.
#[derive(Default)]
struct Settled {
    checks: Vec<([String; 6], Opinion)>,
    next: usize,
    /// Since when the first one that is not settled has been asked about.
    asking: Option<Instant>,
}

impl Settled {
    fn rewind(&mut self) {
        self.next = 0;
    }

    /// What was found of this check, if the run has come the same way; otherwise `decide` says, which is
    /// told when it was asked first.
    fn check(
        &mut self,
        at: &Attributes<'_>,
        decide: impl FnOnce(&Attributes<'_>, Instant) -> Step<Opinion>,
    ) -> Step<Opinion> {
        // All that one decision's checks differ in: a mode has verbs of its own.
        let key = [at.verb, at.api_group, at.resource, at.subresource, at.namespace, at.name];
        if let Some((known, opinion)) = self.checks.get(self.next) {
            if *known == key {
                self.next += 1;
                return Step::Done(opinion.clone());
            }
            // Meanwhile another request has left something to remember.
            self.checks.truncate(self.next);
        }
        let began = self.asking.take().unwrap_or_else(Instant::now);
        let step = decide(at, began);
        match &step {
            Step::Done(opinion) => {
                self.checks.push((key.map(str::to_owned), opinion.clone()));
                self.next += 1;
            }
            Step::Ask(_) => self.asking = Some(began),
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use ::request::RequestInfo;
    use types::{ObjectKind, ObjectRef, Question};

    use super::*;

    #[test]
    fn what_is_settled_is_not_judged_again() {
        let user = User::new("imp", [""; 0]);
        let info = RequestInfo::parse("GET", "/version").unwrap();
        let mut settled = Settled::default();
        // Runs through these checks, and tells which were judged.
        let mut run = |names: &[&str], all: bool| {
            settled.rewind();
            let mut judged = Vec::new();
            for name in names {
                let at = Attributes { name, ..info.attributes(&user) };
                let step = settled.check(&at, |at, _| {
                    judged.push(at.name.to_owned());
                    match all || at.name != "asks" {
                        true => Step::Done(Opinion::no_opinion(at.name)),
                        false => Step::Ask(Question::Object(ObjectRef {
                            kind: ObjectKind::Pod,
                            namespace: String::new(),
                            name: String::new(),
                        })),
                    }
                });
                match step {
                    Step::Done(opinion) => assert_eq!(&*opinion.reason, *name),
                    Step::Ask(_) => break,
                }
            }
            judged
        };
        assert_eq!(run(&["a", "b", "asks", "c"], false), ["a", "b", "asks"]);
        assert_eq!(run(&["a", "b", "asks", "c"], true), ["asks", "c"]);
        assert_eq!(run(&["a", "b", "asks", "c"], true), [""; 0]);
        assert_eq!(run(&["a", "c", "b"], true), ["c", "b"], "another way from the second check on");
        assert_eq!(run(&["a", "c", "b"], true), [""; 0]);
    }
}
