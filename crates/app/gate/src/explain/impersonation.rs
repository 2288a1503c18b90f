//! On whose behalf, and which checks decide it.

use types::{Answers, Attributes, Layer, Reason, Step, Timestamp, User, quote};

use super::{
    Check, Facts, Finding, Judge, Says, change,
    decide::{Asking, Told, endless, outcome, run},
};

impl Judge {
    /// What the gate says to a requester who asks for `at` as `wanted`, and the effective user if it lets
    /// them. A gate remembers successes of the constrained modes for ten seconds; here nothing is.
    pub(super) fn impersonation(
        &self,
        wanted: &User,
        at: &Attributes<'_>,
        now: Timestamp,
        facts: &mut impl Facts,
    ) -> (Finding, Option<User>) {
        let mut checks = Vec::new();
        let mut changes: Vec<(bool, Vec<String>)> = Vec::new();
        let mut asking = Asking::new(&self.authz, facts);
        let decided = run(&mut |question| asking.answer(question), |answers: &Answers| {
            checks.clear();
            changes.clear();
            self.impersonation.decide(wanted, at, now, &mut |at: &Attributes<'_>| {
                let mut told = Told::default();
                let step = self.authz.decide(at, now, answers, &mut told);
                if let Step::Done(opinion) = &step {
                    let (answer, ..) = outcome(opinion);
                    if answer == Says::Deny {
                        changes.push(change::impersonation(at, &told.0));
                    }
                    let question = reach::Question::of(at).to_string();
                    checks.push(Check { question, answer, authorizers: told.0 });
                }
                step
            })
        });
        let (finding, user) = match decided {
            None => (endless(Layer::Impersonation), None),
            Some(Ok(impersonated)) => {
                let detail = format!("as {} by the verb {}", quote(&wanted.name), impersonated.mode.verb());
                let finding = Finding {
                    reason: Some(Reason::Allowed.as_str().into()),
                    ..Finding::new(Layer::Impersonation, Says::Allow, detail)
                };
                (finding, Some(User::clone(&impersonated.user)))
            }
            Some(Err(status)) => {
                changes.sort_by_key(|(limited, _)| *limited);
                let finding = Finding {
                    reason: Some(Reason::ImpersonationRefused.as_str().into()),
                    change: changes.into_iter().flat_map(|(_, lines)| lines).collect(),
                    ..Finding::new(Layer::Impersonation, Says::Deny, status.message.as_str())
                };
                (finding, None)
            }
        };
        (asking.told(Finding { checks, ..finding }), user)
    }
}
