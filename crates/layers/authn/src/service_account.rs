//! Service-account tokens, bound ones and the legacy ones that lie in secrets.

mod bound;
mod claims;
mod keys;
mod legacy;
mod lookup;

use std::{borrow::Cow, collections::BTreeMap, fmt::Debug, sync::Arc};

use types::{Answers, Question, Step, Timestamp, User, group, username};

use crate::{
    AuthnFailure, Identity, Remarks, TokenAnswer, TokenUser,
    jose::{Jws, unverified_issuer},
    json::{Object, Value},
};
use claims::{BoundTo, Claims, LegacyBinding, Reference};
use lookup::Asked;

pub use keys::{NoKeys, ServiceAccountKeys};

/// The issuer of legacy tokens, whatever issuers are configured.
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";

/// Judges service-account tokens.
///
/// Two authenticators stand behind each other: the one for legacy tokens, which never run out and
/// are good as long as their secret holds them, and the one for bound tokens, which run out and die
/// with the object they are bound to.
#[derive(Debug)]
pub struct ServiceAccounts {
    /// `--service-account-key-file`: who may sign tokens.
    pub keys: ServiceAccountKeys,
    /// `--service-account-issuer`: whose bound tokens are taken.
    pub issuers: Vec<String>,
    /// `--api-audiences`: what a token must be meant for, and what a token without audiences is
    /// taken to be meant for. Empty: audiences are not checked.
    pub api_audiences: Vec<String>,
    /// `--service-account-lookup`: whether secret and account of a legacy token must exist.
    // UPSTREAM: the flag says nothing about bound tokens, they are always looked up
    // (kube-apiserver 1.36)
    pub lookup: bool,
}

/// Why a token is not accepted right away.
enum Stop {
    Ask(Question),
    Refuse(AuthnFailure),
}

/// Whom a token speaks for.
struct Account<'v> {
    namespace: &'v str,
    service_account: Reference<'v>,
    extra: BTreeMap<String, Vec<String>>,
    valid_until: Option<Timestamp>,
}

impl ServiceAccounts {
    /// Judges `token` for `audiences` (`None`: those of this API) at `now`.
    pub fn judge(
        &self,
        token: &str,
        audiences: Option<&[String]>,
        now: Timestamp,
        answers: &Answers,
    ) -> Step<TokenAnswer> {
        // Whose token it is decides, before anything else, whether it is ours to judge: the token
        // of another issuer is for another authenticator.
        let Some(issuer) = unverified_issuer(token) else {
            return Step::Done(TokenAnswer::NoOpinion);
        };
        let kinds = [Kind::Legacy, Kind::Bound].into_iter().filter(|kind| self.takes(*kind, &issuer));
        if kinds.clone().next().is_none() {
            return Step::Done(TokenAnswer::NoOpinion);
        }
        let Some(jws) = Jws::parse(token) else {
            return Step::Done(TokenAnswer::NoOpinion);
        };
        let mut remarks = Remarks::default();
        let payload = match self.verified_payload(&jws) {
            Ok(payload) => payload,
            Err(failure) => return Step::Done(TokenAnswer::Refused(vec![failure], remarks)),
        };
        let asked = Asked { token, audiences: audiences.unwrap_or(&self.api_audiences), now, answers };
        let mut failures = Vec::new();
        for kind in kinds {
            match self.accept(kind, &payload, &asked, &mut remarks) {
                Ok((identity, audiences)) => {
                    return Step::Done(TokenAnswer::Accepted(Arc::new(TokenUser {
                        identity,
                        audiences,
                        remarks,
                    })));
                }
                Err(Stop::Ask(question)) => return Step::Ask(question),
                Err(Stop::Refuse(failure)) => failures.push(failure),
            }
        }
        Step::Done(TokenAnswer::Refused(failures, remarks))
    }

    /// What the token says, if one of our keys signed it.
    // UPSTREAM: a key that the token names must be known; if it names none, all are tried
    // (kube-apiserver 1.36)
    fn verified_payload(&self, jws: &Jws) -> Result<Value, AuthnFailure> {
        let mut keys = self.keys.named(&jws.key_id).peekable();
        if keys.peek().is_none() {
            return Err(AuthnFailure::bad("invalid signature, no keys found"));
        }
        let payload = keys
            .find_map(|key| jws.verify(key))
            .ok_or_else(|| AuthnFailure::bad("go-jose/go-jose: error in cryptographic primitive"))?;
        Value::parse(payload).ok_or_else(|| AuthnFailure::bad("json: the claims are not valid JSON"))
    }

    /// Whether tokens of this kind and issuer are taken.
    fn takes(&self, kind: Kind, issuer: &str) -> bool {
        match kind {
            Kind::Legacy => issuer == LEGACY_ISSUER,
            Kind::Bound => self.issuers.iter().any(|own| own == issuer),
        }
    }

    /// Accepts a token that one of our keys signed, as one of this kind.
    fn accept(
        &self,
        kind: Kind,
        payload: &Value,
        asked: &Asked<'_>,
        remarks: &mut Remarks,
    ) -> Result<(Identity, Vec<String>), Stop> {
        let payload = Object::of(payload)?;
        let claims = Claims::read(payload)?;
        let binding = match kind {
            Kind::Legacy => Binding::Legacy(LegacyBinding::read(payload)?),
            Kind::Bound => Binding::Bound(BoundTo::read(payload)?),
        };
        // What was looked at before was not signed for.
        if !self.takes(kind, claims.issuer) {
            return Err(refuse(format!("token issuer {:?} is invalid", claims.issuer)));
        }
        let audiences = self.audiences(&claims, asked, remarks)?;
        let account = match &binding {
            Binding::Legacy(binding) => legacy::account(&claims, binding, self.lookup, asked, remarks)?,
            Binding::Bound(binding) => bound::account(&claims, binding, asked, remarks)?,
        };
        Ok((account.identity(), audiences))
    }

    /// Which of the audiences asked for the token is meant for.
    fn audiences(
        &self,
        claims: &Claims<'_>,
        asked: &Asked<'_>,
        remarks: &mut Remarks,
    ) -> Result<Vec<String>, Stop> {
        let mut meant_for = claims.audiences.clone();
        if meant_for.is_empty() {
            remarks.annotate("authentication.k8s.io/legacy-token", claims.subject);
            meant_for = self.api_audiences.iter().map(String::as_str).collect();
        }
        let common: Vec<String> = asked
            .audiences
            .iter()
            .filter(|audience| meant_for.contains(&audience.as_str()))
            .cloned()
            .collect();
        if common.is_empty() && !self.api_audiences.is_empty() {
            return Err(refuse(format!(
                "token audiences {} is invalid for the target audiences {}",
                quoted(&meant_for),
                quoted(asked.audiences)
            )));
        }
        Ok(common)
    }
}

/// The two kinds of tokens.
#[derive(Clone, Copy)]
enum Kind {
    Legacy,
    Bound,
}

/// What a token of either kind says that it is bound to.
enum Binding<'v> {
    Legacy(LegacyBinding<'v>),
    Bound(BoundTo<'v>),
}

impl Account<'_> {
    fn identity(self) -> Identity {
        let Self { namespace, service_account, extra, valid_until } = self;
        let user = User {
            name: format!("{}{namespace}:{}", username::SERVICE_ACCOUNT_PREFIX, service_account.name),
            uid: service_account.uid.to_owned(),
            groups: vec![
                group::SERVICE_ACCOUNTS.to_owned(),
                format!("{}:{namespace}", group::SERVICE_ACCOUNTS),
            ],
            extra,
        };
        Identity { user: Arc::new(user), valid_until }
    }
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        refuse(message)
    }
}

fn refuse(message: impl Into<Cow<'static, str>>) -> Stop {
    Stop::Refuse(AuthnFailure::bad(message))
}

/// A list as Go prints it with `%q`.
fn quoted(texts: &[impl Debug]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", texts.join(" "))
}

#[cfg(test)]
mod tests;
