//! On whose behalf is a request made, and may its requester ask for that?
//!
//! A request with `Impersonate-*` headers asks to be decided on, forwarded and recorded as somebody
//! else's. Every part of that somebody is an access question about the requester: may `alice`
//! `impersonate` the user `bob`, the group `dev`, … Since 1.36 kube-apiserver first tries whether
//! the requester may do so *for this request*, in one of four constrained [`Mode`]s, and only then as
//! it always did.
//!
//! The questions go to a closure, which asks the chain of authorizers: the gate, `explain` and the
//! recorded cases each listen in their own way. Like every decision this one is run again when the
//! chain has to ask outside.
//!
//! Invariant: the effective user has no name, UID, group, key or value that was not either asked
//! for in a check that was allowed, or added by rule (see [`Impersonation::decide`]).

mod check;
mod effective;
mod extra;
mod memory;
mod mode;
mod requested;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::HeaderMap;
use types::{Attributes, Question, Status, Step, Timestamp, User};

use crate::Opinion;
use check::{Checks, Words};
use effective::Effective;
use memory::{Granted, Memory, Scope};
pub use mode::Mode;

/// Decides impersonation. One for the whole gate: what it remembers must not depend on which worker
/// a request comes to.
pub struct Impersonation {
    memory: Option<Memory>,
    effective: Effective,
}

impl std::fmt::Debug for Impersonation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Impersonation").field("constrained", &self.is_constrained()).finish_non_exhaustive()
    }
}

/// The requester may act as somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impersonated {
    /// As whom: the effective user. As a rule the same `Arc` each time that it is the same user.
    pub user: Arc<User>,
    /// In which mode it was allowed.
    pub mode: Mode,
}

impl Impersonated {
    /// The audit event's `impersonationConstraint`: the verb that allowed it, if a constrained mode did.
    pub fn constraint(&self) -> Option<&'static str> {
        (self.mode != Mode::Legacy).then(|| self.mode.verb())
    }
}

/// Why a run of checks ends before its end.
enum Stop {
    /// A check waits for this answer.
    Ask(Question),
    /// A check was refused, with this 403.
    Refused(Box<Status>),
}

impl Impersonation {
    /// kube-apiserver's feature gate `ConstrainedImpersonation`, which is on by default in 1.36. Off,
    /// only the verb `impersonate` counts, and nothing is remembered.
    pub fn new(constrained: bool) -> Self {
        Self { memory: constrained.then(Memory::default), effective: Effective::default() }
    }

    /// Whether the constrained modes are tried.
    pub fn is_constrained(&self) -> bool {
        self.memory.is_some()
    }

    /// Whom the request asks to be treated as, exactly as its headers say; `None` if nobody. Headers
    /// that were understood are taken away; whatever else begins with `Impersonate-` has no meaning,
    /// and stays for whoever strips identity headers.
    ///
    /// # Errors
    /// A 400, if parts of an identity are asked for without a user name.
    pub fn requested(&self, headers: &mut HeaderMap) -> Result<Option<User>, Box<Status>> {
        requested::take(headers, self.is_constrained())
    }

    /// May the requester make the request `at` as `wanted`? If so, as whom exactly: the groups of
    /// service accounts (if none are asked for) and nodes (in their modes) are known, and
    /// everybody is in `system:authenticated` or `system:unauthenticated`.
    ///
    /// `authorize` is the chain of authorizers; it is asked about the requester of `at`, in
    /// kube-apiserver's order. Successes of constrained modes are remembered for ten seconds, by
    /// everything that they were decided by.
    ///
    /// # Errors
    /// The inner result is the 403 for the client. An authorizer that cannot decide refuses too.
    // UPSTREAM: errors of authorizers are 403s here, not 500s (kube-apiserver 1.36)
    pub fn decide(
        &self,
        wanted: &User,
        at: &Attributes<'_>,
        now: Timestamp,
        authorize: &mut dyn FnMut(&Attributes<'_>) -> Step<Opinion>,
    ) -> Step<Result<Impersonated, Box<Status>>> {
        let mut checks = Checks::new(authorize, self.is_constrained(), &self.effective);
        let decided = match &self.memory {
            Some(memory) => try_modes(&mut checks, memory, wanted, at, now),
            None => checks
                .identity(wanted, at.user, Words::UNCONSTRAINED)
                .map(|user| Impersonated { user, mode: Mode::Legacy }),
        };
        match decided {
            Ok(impersonated) => Step::Done(Ok(impersonated)),
            Err(Stop::Refused(status)) => Step::Done(Err(status)),
            Err(Stop::Ask(question)) => Step::Ask(question),
        }
    }
}

/// The requester's last successful mode first, then the others in their order. The first refusal is
/// the one that the client is told.
fn try_modes(
    checks: &mut Checks<'_>,
    memory: &Memory,
    wanted: &User,
    at: &Attributes<'_>,
    now: Timestamp,
) -> Result<Impersonated, Stop> {
    let last = memory.last_mode(&at.user.name);
    let others = Mode::ALL.into_iter().filter(|mode| Some(*mode) != last);
    let mut first_refusal = None;
    for mode in last.into_iter().chain(others) {
        if !mode.covers(wanted, at.user) {
            continue;
        }
        let tried = match mode {
            Mode::Legacy => checks.identity(wanted, at.user, Words::LEGACY),
            Mode::AssociatedNode => associated_node(checks, memory, wanted, at, now),
            _ => constrained(checks, memory, mode, wanted, at, now),
        };
        match tried {
            Ok(user) => {
                memory.succeeded(&at.user.name, mode);
                return Ok(Impersonated { user, mode });
            }
            Err(Stop::Refused(status)) => first_refusal = first_refusal.or(Some(status)),
            Err(ask) => return Err(ask),
        }
    }
    // `Mode::Legacy` covers everybody, so there is a refusal.
    Err(Stop::Refused(first_refusal.unwrap_or_else(check::nothing_allows)))
}

/// May the requester act so at all in this request, and may it be this identity?
fn constrained(
    checks: &mut Checks<'_>,
    memory: &Memory,
    mode: Mode,
    wanted: &User,
    at: &Attributes<'_>,
    now: Timestamp,
) -> Result<Arc<User>, Stop> {
    let act = Scope::Act.key(mode, wanted, at);
    if let Some(granted) = memory.recall(act.as_deref(), now) {
        return Ok(granted.user);
    }
    let verb = format!("impersonate-on:{}:{}", mode.name(), at.verb);
    checks.check(&Attributes { verb: &verb, ..*at })?;
    let identity = Scope::Identity.key(mode, wanted, at);
    let granted = match memory.recall(identity.as_deref(), now) {
        Some(granted) => granted,
        None => {
            let user = checks.identity(wanted, at.user, Words::constrained(mode))?;
            let granted = Granted { user, since: now };
            memory.keep(identity, &granted, now);
            granted
        }
    };
    memory.keep(act, &granted, now);
    Ok(granted.user)
}

/// The same for a service account and the node that it runs on. Which node that is has been seen
/// from the requester's own credential; so the check is about all nodes, and neither its attributes
/// nor what is remembered of it tell the node or the pod.
fn associated_node(
    checks: &mut Checks<'_>,
    memory: &Memory,
    wanted: &User,
    at: &Attributes<'_>,
    now: Timestamp,
) -> Result<Arc<User>, Stop> {
    let requester = mode::without_node(at.user);
    let any = User::new(mode::ANY_NODE, [""; 0]);
    let at = Attributes { user: &requester, ..*at };
    let user = constrained(checks, memory, Mode::AssociatedNode, &any, &at, now)?;
    Ok(checks.effective.user(wanted, Some(&user.groups)))
}
