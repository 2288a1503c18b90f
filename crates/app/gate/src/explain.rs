//! Why: the gate's own layers, run for one question with somebody listening.
//!
//! A [`Judge`] holds what a [gate](crate::start) would decide with, built from the same [`Options`] by
//! the same code, and runs no server. A layer that cannot be judged without a connection says that it
//! was not asked; it is never made up.

mod change;
pub(crate) mod recall;

use std::{borrow::Cow, net::IpAddr};

use authn::{Attempt, Authn, Credentials, NoMemory};
use authz::{Authz, Mode, Outcome, node::Node, rbac::Rbac};
use http::{HeaderMap, HeaderValue, header};
use network::AllowList;
use serde::{Deserialize, Serialize};
use types::{
    AccessFailure, Answer, Answers, Attributes, Decision, Evidence, FailureClass, Layer, Question, Reason,
    Secret, Step, Timestamp, Trace, User, Verdict,
};

pub use self::recall::Recalled;
use crate::{
    LoadError, Options,
    certificate::ClientCertificates,
    settings::{ModeSetting, Warnings},
};

/// What a gate of some options would decide with.
pub struct Judge {
    network: AllowList,
    certificates: ClientCertificates,
    authn: Authn,
    authz: Authz,
    audited: bool,
}

/// What a requester shows.
#[derive(Clone, Debug)]
pub enum Shown {
    /// Nothing: an anonymous request.
    Nothing,
    /// Nobody is asked for proof: this is who they are.
    Named(User),
    /// A certificate chain in DER, leaf first.
    Certificate(Vec<Vec<u8>>),
    /// A bearer token.
    Token(Secret),
}

/// What every layer says to one question.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Whether the gate would certainly send the request on.
    pub allowed: bool,
    /// Whether it hangs on webhooks that were not asked: see [`Finding::webhooks_not_asked`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undecided: bool,
    /// Who asks, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// One entry a layer, in the order of the pipeline, up to the one that refused.
    pub layers: Vec<Finding>,
}

/// What one layer says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which layer.
    pub layer: Cow<'static, str>,
    /// What it says.
    pub answer: Says,
    /// Why, from the closed set; none where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// Why, for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Authorization: what each authorizer said, in the order they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorizers: Vec<Voice>,
    /// Authorization: webhooks that the gate would have asked. They may count, log or alarm, so nobody
    /// asks them for an explanation; their failure policy speaks for them, and the gate may decide
    /// otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks_not_asked: Vec<String>,
    /// What would have to change for the opposite: each entry does by itself, unless it begins with
    /// `and`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<String>,
}

/// The answer of a layer or an authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Says {
    /// The request goes on.
    Allow,
    /// It ends here.
    Deny,
    /// An authorizer leaves it to others.
    NoOpinion,
    /// The layer lets everything pass.
    NotConfigured,
    /// It cannot be judged here; the detail says why.
    NotAsked,
}

/// What one authorizer said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Voice {
    /// `RBAC: allowed by …`
    pub detail: String,
    /// Its answer.
    pub answer: Says,
    /// From the closed set.
    pub reason: Cow<'static, str>,
    /// What it went by.
    pub evidence: Vec<Evidence>,
}

impl Options {
    /// Whether any authorizer of these options reads roles and bindings.
    ///
    /// # Errors
    /// As [`Options::load`].
    pub fn reads_rbac(&self) -> Result<bool, LoadError> {
        Ok(self.modes(&mut Warnings::default())?.iter().any(|mode| matches!(mode, ModeSetting::Rbac)))
    }

    /// The Node authorizer of these options, if they have one. It knows no objects yet.
    ///
    /// # Errors
    /// As [`Options::load`].
    pub fn node(&self) -> Result<Option<Node>, LoadError> {
        let modes = self.modes(&mut Warnings::default())?;
        let is_used = modes.iter().any(|mode| matches!(mode, ModeSetting::Node));
        Ok(is_used.then(|| Node::new(self.feature_gates.pod_certificate_request)))
    }

    /// The chain of authorizers of these options, over pods, roles and bindings from elsewhere, and
    /// the names of the webhooks in it.
    ///
    /// # Errors
    /// As [`Options::load`].
    pub fn authorizers(&self, node: &Node, rbac: &Rbac) -> Result<(Authz, Vec<String>), LoadError> {
        let mut webhooks = Vec::new();
        let modes = self.modes(&mut Warnings::default())?.into_iter();
        let modes: Vec<Mode> = modes.map(|mode| mode.into_mode(node, rbac, &mut webhooks)).collect();
        let names = modes.iter().filter_map(|mode| match mode {
            Mode::Webhook(webhook) => Some(webhook.name().to_owned()),
            _ => None,
        });
        let names = names.collect();
        Ok((Authz::new(self.deny_list(), modes), names))
    }

    /// The layers of a gate with these options, over pods, roles and bindings from elsewhere. Files of
    /// the serving side (certificate, upstream) are not looked at.
    ///
    /// # Errors
    /// As [`Options::load`].
    pub fn judge(&self, node: &Node, rbac: &Rbac) -> Result<Judge, LoadError> {
        let (_, authority) = self.authority()?;
        Ok(Judge {
            network: self.network()?,
            certificates: ClientCertificates { authority },
            authn: self.authn(&mut Warnings::default())?,
            authz: self.authorizers(node, rbac)?.0,
            audited: self.audit_log_path.is_some(),
        })
    }
}

/// The certificates of a PEM file, for [`Shown::Certificate`]. `origin` is what an error names.
///
/// # Errors
/// When there is none, or one cannot be decoded.
pub fn certificates(origin: &str, pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let found = tls::certificates(tls::Pem::new(origin, pem)).map_err(|error| error.to_string())?;
    Ok(found.iter().map(|der| der.to_vec()).collect())
}

impl Judge {
    /// What every layer says to a request from `address`, with this proof of who asks, that comes to
    /// `asked`. `answer` finds facts from outside.
    pub fn explain(
        &self,
        address: Option<IpAddr>,
        shown: &Shown,
        asked: &reach::Question,
        now: Timestamp,
        mut answer: impl FnMut(&Question) -> Answer,
    ) -> Explanation {
        let mut layers = vec![self.network(address)];
        let (tls, attempt) = self.tls(shown, now);
        layers.push(tls);
        layers.push(not_asked(
            Layer::Request,
            "there is no request line: the question is put to the layers as it is",
        ));
        let (authentication, user) = self.authentication(shown, attempt.as_ref(), now, &mut answer);
        layers.push(authentication);
        if let Some(user) = &user {
            layers.push(self.standing(user));
            layers.push(not_asked(Layer::Impersonation, "the question is about the user's own rights"));
            layers.push(not_asked(
                Layer::Flow,
                "whether a seat is free depends on the requests that are running just then",
            ));
            layers.push(authorization(&self.authz, &asked.attributes(user), now, answer));
            layers.push(Finding::new(
                Layer::Admission,
                Says::NotConfigured,
                "no admission plugin is configured",
            ));
            layers.push(match self.audited {
                true => Finding::new(Layer::Audit, Says::Allow, "goes on record at level Metadata"),
                false => Finding::new(
                    Layer::Audit,
                    Says::NotConfigured,
                    "no --audit-log-path: nothing goes on record",
                ),
            });
        }
        if let Some(end) = layers.iter().position(|finding| finding.answer == Says::Deny) {
            layers.truncate(end + 1);
        }
        let undecided = layers.iter().any(|finding| !finding.webhooks_not_asked.is_empty());
        let allowed = !undecided && layers.iter().all(|finding| finding.answer != Says::Deny);
        Explanation { allowed, undecided, user, layers }
    }

    fn network(&self, address: Option<IpAddr>) -> Finding {
        let Some(address) = address else {
            let networks: Vec<String> = self.network.networks().map(|network| network.to_string()).collect();
            return match networks.as_slice() {
                [] => Finding::new(
                    Layer::Network,
                    Says::NotConfigured,
                    "no --allow-cidr: every address may connect",
                ),
                networks => not_asked(
                    Layer::Network,
                    format!("no address is given; {} may connect", networks.join(", ")),
                ),
            };
        };
        let judgement = self.network.judge(address);
        let change = change::network(&judgement, address);
        Finding { change, ..Finding::of(&judgement.verdict(address)) }
    }

    /// Layer 2 sees the certificate first, and ends the connection of one that cannot be read.
    fn tls(&self, shown: &Shown, now: Timestamp) -> (Finding, Option<Attempt>) {
        let Shown::Certificate(chain) = shown else {
            return (not_asked(Layer::Tls, "there is no connection"), None);
        };
        match self.certificates.judge(chain.iter().map(Vec::as_slice), now) {
            Ok(attempt) => (
                Finding::new(Layer::Tls, Says::Allow, "the certificate can be read; its key is not tried"),
                attempt,
            ),
            Err(malformed) => {
                let mut finding = Finding::new(Layer::Tls, Says::Deny, malformed.to_string());
                finding.reason = Some(Reason::BadCredential.as_str().into());
                finding.change = vec!["issue a new certificate: this one cannot be read".to_owned()];
                (finding, None)
            }
        }
    }

    fn authentication(
        &self,
        shown: &Shown,
        certificate: Option<&Attempt>,
        now: Timestamp,
        answer: &mut impl FnMut(&Question) -> Answer,
    ) -> (Finding, Option<User>) {
        let mut headers = HeaderMap::new();
        match shown {
            Shown::Named(user) => {
                return (not_asked(Layer::Authentication, "--as is taken at its word"), Some(user.clone()));
            }
            Shown::Token(token) => match HeaderValue::try_from(format!("Bearer {}", token.expose())) {
                Ok(mut value) => {
                    value.set_sensitive(true);
                    headers.insert(header::AUTHORIZATION, value);
                }
                Err(_) => {
                    let mut finding =
                        Finding::new(Layer::Authentication, Says::Deny, "the token holds what no header can");
                    finding.reason = Some(Reason::BadCredential.as_str().into());
                    return (finding, None);
                }
            },
            Shown::Nothing | Shown::Certificate(_) => {}
        }
        let credentials = Credentials { certificate, headers: &headers, path: "", memory: &NoMemory };
        let mut told = Vec::new();
        let outcome = run(answer, |answers| {
            told.clear();
            self.authn.authenticate(&credentials, now, answers, &mut told)
        });
        let detail =
            told.last().map(|verdict: &Verdict| verdict.detail.clone().into_owned()).unwrap_or_default();
        match outcome {
            Some(Ok(authenticated)) => {
                let mut finding = Finding::new(Layer::Authentication, Says::Allow, detail);
                finding.reason = Some(Reason::Passed.as_str().into());
                finding.change = change::authenticated(shown, &authenticated.identity);
                (finding, Some(authenticated.identity.user.as_ref().clone()))
            }
            Some(Err(refused)) => {
                let ignored = matches!(shown, Shown::Certificate(_)) && certificate.is_none();
                let detail = if ignored {
                    "no --client-ca-file: a client certificate proves nothing here".to_owned()
                } else if refused.failures.is_empty() {
                    detail
                } else {
                    refused.to_string()
                };
                let mut finding = Finding::new(Layer::Authentication, Says::Deny, detail);
                finding.reason = Some(refused.reason().as_str().into());
                finding.change = change::unauthorized(shown, &refused, ignored);
                (finding, None)
            }
            None => {
                let mut finding =
                    Finding::new(Layer::Authentication, Says::Deny, "it does not come to an end");
                finding.reason = Some(Reason::CannotJudgeCredential.as_str().into());
                (finding, None)
            }
        }
    }

    fn standing(&self, user: &User) -> Finding {
        match self.authz.standing(user) {
            None => Finding::new(
                Layer::Standing,
                Says::Allow,
                "no entry of the deny list names the user or a group",
            ),
            Some(why) => {
                let mut finding = Finding::new(Layer::Standing, Says::Deny, why);
                finding.reason = Some(Reason::DeniedUser.as_str().into());
                finding.change = change::deny_list(&self.authz.deny_list().evidence(user));
                finding
            }
        }
    }
}

/// What the authorizers say, each with what it went by.
pub(crate) fn authorization(
    authz: &Authz,
    at: &Attributes<'_>,
    now: Timestamp,
    mut answer: impl FnMut(&Question) -> Answer,
) -> Finding {
    let mut told = Told::default();
    let mut webhooks_not_asked = Vec::new();
    let mut without_webhooks = |question: &Question| match question {
        Question::Access(review) => {
            webhooks_not_asked.push(review.webhook.to_string());
            Answer::Access(Err(AccessFailure {
                class: FailureClass::Connection,
                message: "webhooks are not asked for an explanation: they may count, log or alarm".into(),
            }))
        }
        Question::Object(_) => answer(question),
    };
    let opinion = run(&mut without_webhooks, |answers| {
        told = Told::default();
        authz.decide(at, now, answers, &mut told)
    });
    let Some(opinion) = opinion else {
        let mut finding = Finding::new(Layer::Authorization, Says::Deny, "it does not come to an end");
        finding.reason = Some(Reason::CannotDecide.as_str().into());
        return finding;
    };
    let (answer, reason, detail) = match opinion.outcome() {
        Outcome::Allowed => (Says::Allow, Reason::Allowed, opinion.reason.to_string()),
        Outcome::Forbidden if opinion.decision == Decision::Deny => {
            (Says::Deny, Reason::Denied, opinion.reason.to_string())
        }
        Outcome::Forbidden => (Says::Deny, Reason::NotAllowed, opinion.reason.to_string()),
        Outcome::Failed(error) => (Says::Deny, Reason::CannotDecide, error.to_string()),
    };
    let change = change::authorization(at, answer == Says::Allow, &told.0);
    Finding {
        layer: Layer::Authorization.as_str().into(),
        answer,
        reason: Some(reason.as_str().into()),
        detail,
        authorizers: told.0,
        webhooks_not_asked,
        change,
    }
}

/// Runs a decision until it no longer asks; `None` if it asks the same thing again.
fn run<T>(
    answer: &mut impl FnMut(&Question) -> Answer,
    mut decide: impl FnMut(&Answers) -> Step<T>,
) -> Option<T> {
    let mut answers = Answers::none();
    loop {
        match decide(&answers) {
            Step::Done(done) => return Some(done),
            Step::Ask(question) if answers.get(&question).is_none() => {
                let found = answer(&question);
                answers.give(question, found);
            }
            Step::Ask(_) => return None,
        }
    }
}

/// Keeps every verdict with what it rests on.
#[derive(Default)]
struct Told(Vec<Voice>, Vec<Evidence>);

impl Trace for Told {
    fn note(&mut self, verdict: &Verdict) {
        self.0.push(Voice {
            detail: verdict.detail.clone().into_owned(),
            answer: match verdict.decision {
                Decision::Allow => Says::Allow,
                Decision::Deny => Says::Deny,
                Decision::NoOpinion => Says::NoOpinion,
            },
            reason: verdict.reason.as_str().into(),
            evidence: std::mem::take(&mut self.1),
        });
    }

    fn evidence(&mut self, evidence: Evidence) {
        self.1.push(evidence);
    }
}

impl Finding {
    pub(crate) fn new(layer: Layer, answer: Says, detail: impl Into<String>) -> Self {
        let reason = match answer {
            Says::Allow => Some(Reason::Passed),
            Says::NotConfigured => Some(Reason::NotConfigured),
            Says::Deny | Says::NoOpinion | Says::NotAsked => None,
        };
        Self {
            layer: layer.as_str().into(),
            answer,
            reason: reason.map(|reason| reason.as_str().into()),
            detail: detail.into(),
            authorizers: Vec::new(),
            webhooks_not_asked: Vec::new(),
            change: Vec::new(),
        }
    }

    pub(crate) fn of(verdict: &Verdict) -> Self {
        let answer = match (verdict.decision, verdict.reason) {
            (_, Reason::NotConfigured) => Says::NotConfigured,
            (Decision::Allow, _) => Says::Allow,
            _ => Says::Deny,
        };
        Self {
            reason: Some(verdict.reason.as_str().into()),
            ..Self::new(verdict.layer, answer, verdict.detail.clone())
        }
    }
}

fn not_asked(layer: Layer, why: impl Into<String>) -> Finding {
    Finding::new(layer, Says::NotAsked, why)
}

#[cfg(test)]
mod tests {
    use authz::{
        DenyList,
        webhook::{FailurePolicy, ReviewVersion, Webhook},
    };
    use types::selector::Selectors;

    use super::*;

    #[test]
    fn a_webhook_that_would_have_been_asked_is_named() {
        let user = User::new("alice", ["dev"]);
        let at = Attributes {
            user: &user,
            verb: "get",
            resource_request: false,
            namespace: "",
            api_group: "",
            api_version: "",
            resource: "",
            subresource: "",
            name: "",
            path: "/",
            selectors: &Selectors::NONE,
        };
        let webhook = |policy| Mode::Webhook(Webhook::new("policy", ReviewVersion::V1, policy, Vec::new()));
        let check = |modes: Vec<Mode>, answer: Says, not_asked: &[&str]| {
            let authz = Authz::new(DenyList::default(), modes);
            let found =
                authorization(&authz, &at, Timestamp::UNIX_EPOCH, |_| panic!("nobody is asked outside"));
            assert_eq!(found.answer, answer);
            assert_eq!(found.webhooks_not_asked, not_asked);
        };
        let (goes_on, denies) = (|| webhook(FailurePolicy::NoOpinion), || webhook(FailurePolicy::Deny));
        check(vec![goes_on(), Mode::AlwaysAllow], Says::Allow, &["policy"]);
        check(vec![denies(), Mode::AlwaysAllow], Says::Deny, &["policy"]);
        check(vec![goes_on()], Says::Deny, &["policy"]);
        check(vec![Mode::AlwaysAllow, goes_on()], Says::Allow, &[]);
    }
}
