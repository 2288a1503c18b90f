//! All authenticators in their order, and what they come to together.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderValue, header};
use types::{Answers, Decision, Layer, Reason, Step, Timestamp, Trace, Verdict};

use crate::{
    Anonymous, Attempt, Authenticated, AuthnFailure, Consumed, Identity, Remarks, ServiceAccounts,
    StaticTokens, TokenAnswer, TokenMemory, TokenUser, Unauthorized, bearer,
};

/// What a request shows of its requester.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// What the connection's client certificate came to, judged once for the connection; `None`
    /// if it showed none.
    pub certificate: Option<&'a Attempt>,
    /// All headers of the request.
    pub headers: &'a HeaderMap,
    /// The path, decoded once: anonymous access can be limited to paths.
    pub path: &'a str,
    /// Tokens found good before; [`NoMemory`](crate::NoMemory) where there are none.
    pub memory: &'a dyn TokenMemory,
}

/// The authenticators that are configured. The default has none and refuses everybody.
///
/// They are asked in kube-apiserver's order: client certificate, then tokens, then, if no
/// credential was shown at all, anonymous. The first that accepts wins, and a credential that is
/// not good does not stop those after it.
// UPSTREAM: a bad certificate beside a good token is let in; a bad certificate alone is 401, even
// where anonymous requests are allowed (kube-apiserver 1.36)
#[derive(Debug, Default)]
pub struct Authn {
    /// `--token-auth-file`
    pub static_tokens: Option<StaticTokens>,
    /// `--service-account-key-file` and the flags beside it
    pub service_accounts: Option<ServiceAccounts>,
    /// `--anonymous-auth`
    pub anonymous: Anonymous,
}

impl Authn {
    /// Decides who is asking.
    pub fn authenticate(
        &self,
        credentials: &Credentials<'_>,
        now: Timestamp,
        answers: &Answers,
        trace: &mut impl Trace,
    ) -> Step<Result<Authenticated, Unauthorized>> {
        let mut refused = Unauthorized::default();
        match credentials.certificate {
            Some(Attempt::User(identity)) if identity.is_valid_at(now) => {
                note(trace, Decision::Allow, Reason::Passed, || {
                    format!("the client certificate is that of `{}`", identity.user.name).into()
                });
                return Step::Done(Ok(accepted(identity, Vec::new(), refused.remarks, Consumed::Nothing)));
            }
            Some(Attempt::User(_)) => {
                refused.failures.push(AuthnFailure::bad("x509: certificate has expired or is not yet valid"));
            }
            Some(Attempt::Failed(failure)) => refused.failures.push(failure.clone()),
            Some(Attempt::NoOpinion) | None => {}
        }
        let token = bearer::authenticate(credentials.headers, &mut refused, |token| {
            self.recall_or_judge(token, credentials.memory, now, answers)
        });
        match token {
            Step::Ask(question) => return Step::Ask(question),
            Step::Done(Some((user, consumed))) => {
                note_failures(trace, Decision::NoOpinion, &refused);
                note(trace, Decision::Allow, Reason::Passed, || {
                    format!("the bearer token is that of `{}`", user.identity.user.name).into()
                });
                let mut remarks = refused.remarks;
                remarks.append(&user.remarks);
                return Step::Done(Ok(accepted(&user.identity, user.audiences.clone(), remarks, consumed)));
            }
            Step::Done(None) => {}
        }
        note_failures(trace, Decision::Deny, &refused);
        if refused.failures.is_empty() {
            if self.anonymous.allows(credentials.path) {
                note(trace, Decision::Allow, Reason::Passed, || {
                    "no credential was shown, and anonymous requests are served here".into()
                });
                let identity = Anonymous::identity();
                return Step::Done(Ok(accepted(&identity, Vec::new(), refused.remarks, Consumed::Nothing)));
            }
            note(trace, Decision::Deny, Reason::NoCredential, || {
                "no credential was shown, and anonymous requests are refused here".into()
            });
        }
        Step::Done(Err(refused))
    }

    /// Whose `token` is: as it was found a moment ago, or judged now and remembered.
    fn recall_or_judge(
        &self,
        token: &str,
        memory: &dyn TokenMemory,
        now: Timestamp,
        answers: &Answers,
    ) -> Step<TokenAnswer> {
        if let Some(user) = memory.recall(token, now).filter(|user| user.identity.is_valid_at(now)) {
            return Step::Done(TokenAnswer::Accepted(user));
        }
        match self.judge_token(token, None, now, answers) {
            Step::Done(TokenAnswer::Accepted(user)) => {
                let identity = user.identity.with_authenticated();
                let user = Arc::new(TokenUser { identity, ..TokenUser::clone(&user) });
                memory.keep(token, &user, answers.as_of().map_or(now, |then| then.min(now)));
                Step::Done(TokenAnswer::Accepted(user))
            }
            step => step,
        }
    }

    /// Decides as a `TokenReview` asks: whose `token` is, for these audiences (`None`: those of this
    /// API). Neither a memory nor any other credential plays a part.
    // UPSTREAM: the token is put into an `Authorization` header, and the API server's own loopback
    // token is compared with it first, which is why every error begins alike (kube-apiserver 1.36)
    pub fn review_token(
        &self,
        token: &str,
        audiences: Option<&[String]>,
        now: Timestamp,
        answers: &Answers,
    ) -> Step<Result<Authenticated, Unauthorized>> {
        let mut refused = Unauthorized::default();
        let mut headers = HeaderMap::new();
        match HeaderValue::try_from(format!("Bearer {token}")) {
            Ok(value) => drop(headers.insert(header::AUTHORIZATION, value)),
            Err(_) => refused.failures.push(AuthnFailure::bad(bearer::INVALID_TOKEN)),
        }
        let token = bearer::authenticate(&headers, &mut refused, |token| {
            self.judge_token(token, audiences, now, answers)
        });
        Step::Done(match token {
            Step::Ask(question) => return Step::Ask(question),
            Step::Done(Some((user, consumed))) => {
                let mut remarks = refused.remarks;
                remarks.append(&user.remarks);
                Ok(accepted(&user.identity, user.audiences.clone(), remarks, consumed))
            }
            Step::Done(None) => {
                if !refused.failures.is_empty() {
                    refused.failures.insert(0, AuthnFailure::bad(bearer::INVALID_TOKEN));
                }
                Err(refused)
            }
        })
    }

    /// Judges a token by itself, for the audiences asked for (`None`: those of this API). No memory
    /// is used, and `system:authenticated` is not added.
    // UPSTREAM: token authenticators are asked in the order token file, service accounts; the
    // first that accepts wins, all failures are kept (kube-apiserver 1.36)
    pub fn judge_token(
        &self,
        token: &str,
        audiences: Option<&[String]>,
        now: Timestamp,
        answers: &Answers,
    ) -> Step<TokenAnswer> {
        if let Some(answer) = self.judge_static_token(token, audiences) {
            return Step::Done(answer);
        }
        match &self.service_accounts {
            Some(accounts) => accounts.judge(token, audiences, now, answers),
            None => Step::Done(TokenAnswer::NoOpinion),
        }
    }

    // UPSTREAM: a token without audiences is good for those of this API, and for no others
    // (kube-apiserver 1.36)
    fn judge_static_token(&self, token: &str, audiences: Option<&[String]>) -> Option<TokenAnswer> {
        let user = self.static_tokens.as_ref()?.get(token)?;
        let own = self.service_accounts.as_ref().map_or(&[][..], |accounts| &accounts.api_audiences);
        let asked = audiences.unwrap_or(own);
        let common: Vec<String> = asked.iter().filter(|audience| own.contains(audience)).cloned().collect();
        if common.is_empty() && audiences.is_some() {
            return None;
        }
        Some(TokenAnswer::Accepted(Arc::new(TokenUser {
            identity: Identity { user: Arc::clone(user), valid_until: None },
            audiences: common,
            remarks: Remarks::default(),
        })))
    }
}

fn accepted(
    identity: &Identity,
    audiences: Vec<String>,
    remarks: Remarks,
    consumed: Consumed,
) -> Authenticated {
    Authenticated { identity: identity.with_authenticated(), audiences, remarks, consumed }
}

fn note(
    trace: &mut impl Trace,
    decision: Decision,
    reason: Reason,
    detail: impl FnOnce() -> Cow<'static, str>,
) {
    if trace.listens() {
        trace.note(&Verdict { layer: Layer::Authentication, decision, reason, detail: detail() });
    }
}

/// What was wrong with each credential: a denial, or one voice beside that of a better credential.
fn note_failures(trace: &mut impl Trace, decision: Decision, refused: &Unauthorized) {
    for failure in &refused.failures {
        let reason = if failure.unanswered { Reason::CannotJudgeCredential } else { Reason::BadCredential };
        note(trace, decision, reason, || failure.message.clone());
    }
}

#[cfg(test)]
mod tests;
