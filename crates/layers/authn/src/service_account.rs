//! Service-account tokens, bound ones and the legacy ones that lie in secrets.

mod claims;
mod keys;

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use types::{
    Answer, Answers, ObjectFacts, ObjectKind, ObjectRef, Question, Step, Timestamp, User, extra, group,
    username,
};

use crate::{
    AuthnFailure, Identity, Remarks, TokenAnswer, TokenUser,
    jose::{Jws, unverified_issuer},
    json::{Object, Value},
};
use claims::{Binding, Claims, LEEWAY_SECONDS, LegacyBinding, Reference};
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
        let kinds = [(Kind::Legacy, issuer == LEGACY_ISSUER), (Kind::Bound, self.issuers.contains(&issuer))];
        let Some(jws) = kinds.iter().any(|(_, ours)| *ours).then(|| Jws::parse(token)).flatten() else {
            return Step::Done(TokenAnswer::NoOpinion);
        };
        let mut remarks = Remarks::default();
        let payload = match self.verified_payload(&jws) {
            Ok(payload) => payload,
            Err(failure) => return Step::Done(TokenAnswer::Refused(vec![failure], remarks)),
        };
        let asked = Asked { token, audiences: audiences.unwrap_or(&self.api_audiences), now, answers };
        let mut failures = Vec::new();
        for (kind, _) in kinds.into_iter().filter(|(_, ours)| *ours) {
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
            Kind::Legacy => Either::Legacy(LegacyBinding::read(payload)?),
            Kind::Bound => Either::Bound(Binding::read(payload)?),
        };
        // Only now is the issuer signed for.
        let ours = match kind {
            Kind::Legacy => claims.issuer == LEGACY_ISSUER,
            Kind::Bound => self.issuers.iter().any(|issuer| issuer == claims.issuer),
        };
        if !ours {
            return Err(refuse(format!("token issuer {:?} is invalid", claims.issuer)));
        }
        let audiences = self.audiences(&claims, asked, remarks)?;
        let account = match &binding {
            Either::Legacy(binding) => self.legacy_account(&claims, binding, asked, remarks)?,
            Either::Bound(binding) => bound_account(&claims, binding, asked, remarks)?,
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

    // UPSTREAM: neither `exp` nor `nbf` of a legacy token counts, and a secret or account that is
    // being deleted is gone at once (kube-apiserver 1.36)
    fn legacy_account<'v>(
        &self,
        claims: &Claims<'v>,
        binding: &LegacyBinding<'v>,
        asked: &Asked<'_>,
        remarks: &mut Remarks,
    ) -> Result<Account<'v>, Stop> {
        let LegacyBinding { namespace, secret: secret_name, service_account } = *binding;
        for (claim, name) in [
            (claims.subject, "sub"),
            (namespace, "namespace"),
            (secret_name, "secretName"),
            (service_account.name, "serviceAccountName"),
            (service_account.uid, "serviceAccountUID"),
        ] {
            if claim.is_empty() {
                return Err(refuse(format!("{name} claim is missing")));
            }
        }
        if split_username(claims.subject) != Some((namespace, service_account.name)) {
            return Err(refuse("sub claim is invalid"));
        }
        if self.lookup {
            let secret = asked
                .object(ObjectKind::Secret, namespace, secret_name)?
                .filter(|secret| secret.deletion_timestamp.is_none())
                .ok_or_else(|| refuse("Token has been invalidated"))?;
            let stored = secret.token.as_ref().map_or("", |token| token.expose());
            if !bool::from(subtle::ConstantTimeEq::ct_eq(stored.as_bytes(), asked.token.as_bytes())) {
                return Err(refuse("Token does not match server's copy"));
            }
            let account = asked.service_account(namespace, service_account)?;
            if account.deletion_timestamp.is_some() {
                return Err(refuse(format!(
                    "ServiceAccount {namespace}/{} has been deleted",
                    service_account.name
                )));
            }
            if account.uid != service_account.uid {
                return Err(refuse(format!(
                    "ServiceAccount UID ({}) does not match claim ({})",
                    account.uid, service_account.uid
                )));
            }
            if secret.invalid_since.as_deref().is_some_and(|since| !since.is_empty()) {
                remarks.annotate(
                    "authentication.k8s.io/legacy-token-invalidated",
                    format!("{secret_name}/{namespace}"),
                );
                return Err(refuse(format!(
                    "the token in secret {namespace}/{secret_name} for service account {namespace}/{} has been \
                     marked invalid. Use tokens from the TokenRequest API or manually created secret-based \
                     tokens, or remove the 'kubernetes.io/legacy-token-invalid-since' label from the secret to \
                     temporarily allow use of this token",
                    service_account.name
                )));
            }
            if account.secrets.iter().any(|name| name == secret_name) {
                remarks.warn(
                    "Use tokens from the TokenRequest API or manually created secret-based tokens instead of \
                     auto-generated secret-based tokens.",
                );
                remarks.annotate("authentication.k8s.io/legacy-token-autogenerated-secret", secret_name);
            } else {
                remarks.annotate("authentication.k8s.io/legacy-token-manual-secret", secret_name);
            }
        }
        Ok(Account { namespace, service_account, extra: BTreeMap::new(), valid_until: None })
    }
}

/// `sub` is not compared with the account of a bound token: what counts stands in `kubernetes.io`.
fn bound_account<'v>(
    claims: &Claims<'v>,
    binding: &Binding<'v>,
    asked: &Asked<'_>,
    remarks: &mut Remarks,
) -> Result<Account<'v>, Stop> {
    claims.check_dates(asked.now).map_err(refuse)?;
    let Binding { namespace, service_account, .. } = *binding;
    let account = asked.service_account(namespace, service_account)?;
    if is_gone(account, asked.now) {
        return Err(refuse(format!("service account {namespace}/{} has been deleted", service_account.name)));
    }
    if account.uid != service_account.uid {
        return Err(refuse(format!(
            "service account UID ({}) does not match claim ({})",
            account.uid, service_account.uid
        )));
    }
    let mut valid_until = earliest(claims.valid_until(), end_of(account));
    let mut extra = BTreeMap::new();
    let mut set = |key: &str, value: &str| {
        if !value.is_empty() {
            extra.insert(key.to_owned(), vec![value.to_owned()]);
        }
    };
    if let Some(secret) = binding.secret {
        let end = asked.bound_to(ObjectKind::Secret, namespace, secret)?;
        valid_until = earliest(valid_until, end);
    }
    if let Some(pod) = binding.pod {
        let end = asked.bound_to(ObjectKind::Pod, namespace, pod)?;
        valid_until = earliest(valid_until, end);
        set(extra::POD_NAME, pod.name);
        set(extra::POD_UID, pod.uid);
    }
    if let Some(node) = binding.node {
        // UPSTREAM: the node of a pod-bound token is only told, not looked up (kube-apiserver 1.36)
        if binding.pod.is_none() {
            let end = asked.bound_to(ObjectKind::Node, "", node)?;
            valid_until = earliest(valid_until, end);
        }
        if !node.name.is_empty() {
            set(extra::NODE_NAME, node.name);
            set(extra::NODE_UID, node.uid);
        }
    }
    if !claims.id.is_empty() {
        set(extra::CREDENTIAL_ID, &format!("JTI={}", claims.id));
    }
    if let Some(seconds) = binding.warn_after.and_then(|date| date.seconds_past(asked.now)) {
        remarks.annotate(
            "authentication.k8s.io/stale-token",
            format!("subject: {}, seconds after warning threshold: {seconds}", claims.subject),
        );
    }
    Ok(Account { namespace, service_account, extra, valid_until })
}

#[derive(Clone, Copy)]
enum Kind {
    Legacy,
    Bound,
}

enum Either<'v> {
    Legacy(LegacyBinding<'v>),
    Bound(Binding<'v>),
}

/// One token and all that it is judged with.
struct Asked<'a> {
    token: &'a str,
    audiences: &'a [String],
    now: Timestamp,
    answers: &'a Answers,
}

impl<'a> Asked<'a> {
    /// What is known of an object; `None` if it does not exist.
    fn object(&self, kind: ObjectKind, namespace: &str, name: &str) -> Result<Option<&'a ObjectFacts>, Stop> {
        // No object has such a name. Asking would mean asking for something else.
        if !is_path_segment(name) || (kind != ObjectKind::Node && !is_path_segment(namespace)) {
            return Ok(None);
        }
        let question =
            Question::Object(ObjectRef { kind, namespace: namespace.to_owned(), name: name.to_owned() });
        match self.answers.get(&question) {
            None => Err(Stop::Ask(question)),
            Some(Answer::Object(facts)) => Ok(Some(facts)),
            Some(Answer::NotFound) => Ok(None),
            Some(Answer::Failed(reason)) => Err(Stop::Refuse(AuthnFailure::unanswered(reason.clone()))),
        }
    }

    fn service_account(&self, namespace: &str, account: Reference<'_>) -> Result<&'a ObjectFacts, Stop> {
        self.object(ObjectKind::ServiceAccount, namespace, account.name)?
            .ok_or_else(|| refuse(format!("serviceaccounts {:?} not found", account.name)))
    }

    /// Whether what a token is bound to still exists, and until when at the longest.
    fn bound_to(
        &self,
        kind: ObjectKind,
        namespace: &str,
        reference: Reference<'_>,
    ) -> Result<Option<Timestamp>, Stop> {
        let object = self
            .object(kind, namespace, reference.name)?
            .filter(|object| !is_gone(object, self.now))
            .ok_or_else(|| refuse("service account token has been invalidated"))?;
        if object.uid != reference.uid {
            let kind = match kind {
                ObjectKind::ServiceAccount => "service account",
                ObjectKind::Pod => "pod",
                ObjectKind::Node => "node",
                ObjectKind::Secret => "secret",
            };
            return Err(refuse(format!(
                "{kind} UID ({}) does not match service account {kind} ref claim ({})",
                object.uid, reference.uid
            )));
        }
        Ok(end_of(object))
    }
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

fn refuse(message: impl Into<std::borrow::Cow<'static, str>>) -> Stop {
    Stop::Refuse(AuthnFailure::bad(message))
}

/// The last moment at which a token bound to `object` is good, if `object` is being deleted.
fn end_of(object: &ObjectFacts) -> Option<Timestamp> {
    object.deletion_timestamp?.checked_add(SignedDuration::from_secs(LEEWAY_SECONDS)).ok()
}

fn is_gone(object: &ObjectFacts, now: Timestamp) -> bool {
    end_of(object).is_some_and(|end| now > end)
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// Whether an object can have this name: whether it stays one segment of a URL path.
fn is_path_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '%'])
}

/// Namespace and name in `system:serviceaccount:NAMESPACE:NAME`, if both are well formed.
fn split_username(username: &str) -> Option<(&str, &str)> {
    let (namespace, name) = username.strip_prefix(username::SERVICE_ACCOUNT_PREFIX)?.split_once(':')?;
    let label = |text: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
    };
    let well_formed =
        namespace.len() <= 63 && label(namespace) && name.len() <= 253 && name.split('.').all(label);
    well_formed.then_some((namespace, name))
}

/// A list as Go prints it with `%q`.
fn quoted(texts: &[impl std::fmt::Debug]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", texts.join(" "))
}

#[cfg(test)]
mod tests;
