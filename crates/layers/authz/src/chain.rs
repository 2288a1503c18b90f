//! The chain of authorizers.

use std::{borrow::Cow, sync::Arc};

use types::{
    Answers, Attributes, Decision, Evidence, Layer, Reason, Status, Step, Timestamp, Trace, User, Verdict,
    group,
};

use crate::{
    DenyList, Error, Opinion, Resolver, RulesReview, node::Node, opinion::aggregate, rbac::Rbac,
    rules_review, webhook::Webhook,
};

/// An authorizer that the administrator chose: kube-apiserver's `--authorization-mode`.
#[derive(Clone)]
pub enum Mode {
    /// What the pods of a kubelet's node need.
    Node(Node),
    /// Roles and bindings.
    Rbac(Rbac),
    /// Everything goes.
    AlwaysAllow,
    /// Nothing goes, unless another authorizer allows it.
    AlwaysDeny,
    /// Another program is asked. The only one that may stand in a chain more than once.
    Webhook(Webhook),
}

impl Mode {
    /// As the flag spells it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Node(_) => "Node",
            Self::Rbac(_) => "RBAC",
            Self::AlwaysAllow => "AlwaysAllow",
            Self::AlwaysDeny => "AlwaysDeny",
            Self::Webhook(_) => "Webhook",
        }
    }

    /// The name, and which one it is of those that there can be several of.
    fn label(&self) -> String {
        match self {
            Self::Webhook(webhook) => format!("Webhook {}", webhook.name()),
            other => other.name().to_owned(),
        }
    }

    /// What the authorizer goes by, for those who ask why.
    fn evidence(&self, at: &Attributes<'_>) -> Vec<Evidence> {
        match self {
            Self::Rbac(rbac) => rbac.snapshot().evidence(at),
            Self::Webhook(webhook) => webhook.evidence(at),
            Self::Node(node) => {
                node.snapshot().grounds(at).map(|grounds| grounds.evidence()).into_iter().collect()
            }
            Self::AlwaysAllow | Self::AlwaysDeny => Vec::new(),
        }
    }

    /// What this authorizer, at this place of the chain, says; [`Authz::decide`] asks one after another.
    fn decide(
        &self,
        at: &Attributes<'_>,
        answers: &Answers,
        place: usize,
        trace: &mut impl Trace,
    ) -> Step<Opinion> {
        Step::Done(match self {
            Self::Node(node) => node.decide(at),
            Self::Rbac(rbac) => rbac.decide(at),
            Self::AlwaysAllow => Opinion::allow(""),
            // UPSTREAM: AlwaysDeny has no opinion, so that a later authorizer may still allow (kube-apiserver 1.36)
            Self::AlwaysDeny => Opinion::no_opinion("Everything is forbidden."),
            Self::Webhook(webhook) => match webhook.decide_at(at, answers, place, trace) {
                Step::Done(said) => said.into(),
                Step::Ask(question) => return Step::Ask(question),
            },
        })
    }
}

/// Layer 4: the deny list, then `system:masters`, then the modes in their order.
#[derive(Clone, Default)]
pub struct Authz {
    deny: DenyList,
    modes: Vec<Mode>,
}

impl Authz {
    /// A chain. Without modes it allows nobody but `system:masters`.
    pub fn new(deny: DenyList, modes: Vec<Mode>) -> Self {
        Self { deny, modes }
    }

    /// Tells of a user whom many requests will come from: see [`Rbac::introduce`].
    pub fn introduce(&self, user: &Arc<User>) {
        for mode in &self.modes {
            if let Mode::Rbac(rbac) = mode {
                rbac.introduce(user);
            }
        }
    }

    /// Why the requester is shut out before anything is decided; `None` lets them pass. Asked before
    /// impersonation, so that nobody on the deny list can act as somebody else.
    pub fn standing(&self, requester: &User) -> Option<String> {
        self.deny.denies(requester)
    }

    /// Type and name of each authorizer, in the order in which they are asked.
    // UPSTREAM: all but webhooks are named as their type, in lower case (kube-apiserver 1.36)
    pub fn authorizers(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        self.modes.iter().map(|mode| {
            let name = match mode {
                Mode::Webhook(webhook) => Cow::Borrowed(webhook.name()),
                other => Cow::Owned(other.name().to_lowercase()),
            };
            (mode.name(), name)
        })
    }

    /// Whether a decision may have to ask outside.
    pub fn may_ask(&self) -> bool {
        self.modes.iter().any(|mode| matches!(mode, Mode::Webhook(_)))
    }

    /// Who is shut out by name.
    pub fn deny_list(&self) -> &DenyList {
        &self.deny
    }

    /// The webhooks of the chain, in its order.
    pub fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        self.modes.iter().filter_map(|mode| match mode {
            Mode::Webhook(webhook) => Some(webhook),
            _ => None,
        })
    }

    /// May they do this? The first Allow or Deny is the answer; when nobody has one, the reasons of
    /// all stand in it line by line, and their errors together.
    ///
    /// `answers` are for webhooks, which ask outside; the other authorizers never do.
    pub fn decide(
        &self,
        at: &Attributes<'_>,
        _now: Timestamp,
        answers: &Answers,
        trace: &mut impl Trace,
    ) -> Step<Opinion> {
        let shut_out = self.deny.denies(at.user).map(|why| (Voice::Own("DenyList"), Opinion::deny(why)));
        let superuser =
            || at.user.in_group(group::MASTERS).then(|| (Voice::Own("system:masters"), Opinion::allow("")));
        // UPSTREAM: members of system:masters are allowed ahead of every mode, without a reason (kube-apiserver 1.36)
        if let Some((voice, opinion)) = shut_out.or_else(superuser) {
            self.note(trace, at, &voice, &opinion);
            return Step::Done(opinion);
        }
        first_decided(self.modes.iter().enumerate().map(|(place, mode)| {
            let step = mode.decide(at, answers, place, trace);
            if let Step::Done(opinion) = &step {
                self.note(trace, at, &Voice::Mode(mode), opinion);
                if opinion.decision != Decision::NoOpinion {
                    trace.decided(place, opinion.decision);
                }
            }
            step
        }))
    }

    /// Tells a listener what an authorizer said, and what it went by.
    fn note(&self, trace: &mut impl Trace, at: &Attributes<'_>, voice: &Voice<'_>, opinion: &Opinion) {
        if !trace.listens() {
            return;
        }
        let evidence = match voice {
            Voice::Mode(mode) => mode.evidence(at),
            Voice::Own(_) if opinion.decision == Decision::Allow => vec![Evidence::Superuser],
            Voice::Own(_) => self.deny.evidence(at.user),
        };
        evidence.into_iter().for_each(|evidence| trace.evidence(evidence));
        note(trace, voice, opinion);
    }

    /// Everything `user` may do in `namespace`, as `SelfSubjectRulesReview` lists it.
    pub fn rules_review(&self, user: &User, namespace: &str) -> Result<RulesReview, Box<Status>> {
        let resolvers: Vec<_> = self.modes.iter().map(Resolver::of).collect();
        rules_review(&resolvers, user, namespace)
    }
}

/// The first Allow or Deny; a question that stands before it has to be answered first.
fn first_decided(opinions: impl Iterator<Item = Step<Opinion>>) -> Step<Opinion> {
    let (mut reasons, mut errors) = (Vec::new(), Vec::new());
    for step in opinions {
        let opinion = match step {
            Step::Done(opinion) => opinion,
            Step::Ask(question) => return Step::Ask(question),
        };
        if opinion.decision != Decision::NoOpinion {
            return Step::Done(opinion);
        }
        if !opinion.reason.is_empty() {
            reasons.push(opinion.reason);
        }
        errors.extend(opinion.error);
    }
    let error = (!errors.is_empty()).then(|| Error(aggregate(errors.iter().map(|e| e.0.as_str()))));
    let reason = match reasons.as_slice() {
        [] => Arc::default(),
        [one] => Arc::clone(one),
        several => several.join("\n").into(),
    };
    Step::Done(Opinion { decision: Decision::NoOpinion, reason, error })
}

/// Who speaks.
enum Voice<'a> {
    Own(&'static str),
    Mode(&'a Mode),
}

fn note(trace: &mut impl Trace, voice: &Voice<'_>, opinion: &Opinion) {
    let reason = match (opinion.decision, &opinion.error) {
        (Decision::Allow, _) => Reason::Allowed,
        (_, Some(_)) => Reason::CannotDecide,
        (Decision::Deny, None) => Reason::Denied,
        (Decision::NoOpinion, None) => Reason::NotAllowed,
    };
    let mut detail = match voice {
        Voice::Own(name) => (*name).to_owned(),
        Voice::Mode(mode) => mode.label(),
    };
    for why in [&*opinion.reason, opinion.error.as_ref().map_or("", |e| &e.0)] {
        // RBAC begins its reasons with its own name.
        let why = why.strip_prefix(&*detail).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(why);
        if !why.is_empty() {
            detail.push_str(": ");
            detail.push_str(why);
        }
    }
    trace.note(&Verdict {
        layer: Layer::Authorization,
        decision: opinion.decision,
        reason,
        detail: Cow::Owned(detail),
    });
}

#[cfg(test)]
mod tests {
    use types::{AccessReview, Question};

    use super::*;
    use crate::Outcome;

    fn check(opinions: Vec<Opinion>, decision: Decision, reason: &str, outcome: Outcome<'_>) {
        let Step::Done(found) = first_decided(opinions.into_iter().map(Step::Done)) else {
            panic!("nothing to ask")
        };
        assert_eq!((found.decision, &*found.reason, found.outcome()), (decision, reason, outcome));
    }

    fn failed(opinion: Opinion, error: &str) -> Opinion {
        Opinion { error: Some(Error(error.to_owned())), ..opinion }
    }

    #[test]
    fn first_answer_counts() {
        let (allow, deny, none) = (Opinion::allow, Opinion::deny, Opinion::no_opinion);
        let error = Error("[e1, e2]".to_owned());
        check(vec![], Decision::NoOpinion, "", Outcome::Forbidden);
        check(vec![none("a"), none(""), none("b")], Decision::NoOpinion, "a\nb", Outcome::Forbidden);
        check(vec![none("a"), allow("b"), deny("c")], Decision::Allow, "b", Outcome::Allowed);
        check(vec![none("a"), deny("b"), allow("c")], Decision::Deny, "b", Outcome::Forbidden);
        // An error without an Allow fails, whoever said it; with one it does not matter.
        let errors =
            || vec![failed(none("a"), "e1"), failed(none(""), "e2"), failed(none(""), "e1"), none("b")];
        check(errors(), Decision::NoOpinion, "a\nb", Outcome::Failed(&error));
        check([errors(), vec![allow("c")]].concat(), Decision::Allow, "c", Outcome::Allowed);
        check([errors(), vec![deny("c")]].concat(), Decision::Deny, "c", Outcome::Forbidden);
        let error = Error("e".to_owned());
        check(vec![failed(deny("a"), "e"), allow("b")], Decision::Deny, "a", Outcome::Failed(&error));
        check(vec![failed(allow("a"), "e")], Decision::Allow, "a", Outcome::Allowed);
    }

    #[test]
    fn a_question_stops_the_chain_unless_somebody_ahead_decided() {
        let question = || {
            Step::Ask(Question::Access(AccessReview {
                webhook: "w".into(),
                review: "{}".into(),
                cacheable: true,
            }))
        };
        let run = |steps: Vec<Step<Opinion>>| first_decided(steps.into_iter());
        let (allow, none) = (|| Step::Done(Opinion::allow("")), || Step::Done(Opinion::no_opinion("")));
        assert_eq!(run(vec![none(), question(), allow()]), question());
        assert_eq!(run(vec![allow(), question()]), allow());
    }

    #[test]
    fn deny_list_then_superuser_then_modes() {
        let deny = DenyList::new(["mallory"], ["quarantine"]);
        let authz = Authz::new(deny, vec![Mode::AlwaysDeny, Mode::Rbac(Rbac::default())]);
        let ask = |name: &str, groups: &[&str]| {
            let user = User::new(name, groups.iter().copied());
            let at = Attributes::of_path(&user, "get", "/");
            let mut trace: Vec<Verdict> = Vec::new();
            let Step::Done(opinion) = authz.decide(&at, Timestamp::UNIX_EPOCH, &Answers::none(), &mut trace)
            else {
                panic!("nothing to ask")
            };
            let trace: Vec<String> = trace.iter().map(|v| format!("{:?} {}", v.reason, v.detail)).collect();
            assert_eq!(authz.standing(&user).is_some(), opinion.decision == Decision::Deny);
            (opinion.decision, trace.join("; "))
        };
        let everything_is_forbidden = "NotAllowed AlwaysDeny: Everything is forbidden.; NotAllowed RBAC";
        assert_eq!(ask("alice", &[]), (Decision::NoOpinion, everything_is_forbidden.to_owned()));
        assert_eq!(ask("root", &["system:masters"]), (Decision::Allow, "Allowed system:masters".to_owned()));
        let denied = "Denied DenyList: user \"mallory\" is on the deny list";
        assert_eq!(ask("mallory", &["system:masters"]), (Decision::Deny, denied.to_owned()));
        let denied = "Denied DenyList: group \"quarantine\" is on the deny list";
        assert_eq!(ask("bob", &["system:masters", "quarantine"]), (Decision::Deny, denied.to_owned()));
    }
}
