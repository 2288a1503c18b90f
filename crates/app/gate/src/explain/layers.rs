//! The layers ahead of impersonation and authorization.

use std::net::IpAddr;

use authn::{Attempt, Credentials, NoMemory};
use http::{HeaderMap, HeaderValue, header};
use types::{Answer, Layer, Question, Reason, Timestamp, User, Verdict};

use super::{Facts, Finding, Judge, Says, Shown, change, decide::run, finding::not_asked};

impl Judge {
    pub(super) fn network(&self, address: Option<IpAddr>) -> Finding {
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
    pub(super) fn tls(&self, shown: &Shown, now: Timestamp) -> (Finding, Option<Attempt>) {
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

    pub(super) fn authentication(
        &self,
        shown: &Shown,
        certificate: Option<&Attempt>,
        now: Timestamp,
        facts: &mut impl Facts,
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
        let mut answer = |question: &Question| match question {
            Question::Object(object) => facts.object(object),
            Question::Access(_) => Answer::Failed("only authorization asks webhooks".to_owned()),
        };
        let outcome = run(&mut answer, |answers| {
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

    pub(super) fn standing(&self, user: &User) -> Finding {
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
