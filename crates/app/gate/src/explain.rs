//! Why: the gate's own layers, run for one question with somebody listening.
//!
//! A [`Judge`] holds what a [gate](crate::start) would decide with, built from the same [`Options`] by
//! the same code, and runs no server. A layer that cannot be judged without a connection says that it
//! was not asked; it is never made up. Webhooks are asked by nobody but [`Facts`] that want it.

mod change;
mod decide;
mod finding;
mod impersonation;
mod layers;
pub(crate) mod recall;

use std::net::IpAddr;

use authn::Authn;
use authz::{Authz, Impersonation, Mode, node::Node, rbac::Rbac};
use network::AllowList;
use remote::Webhook;
use types::{Layer, Secret, Timestamp, User};

pub use self::{
    decide::Facts,
    finding::{Check, Consulted, Explanation, Finding, Says, Voice},
    recall::Recalled,
};
use self::{decide::authorization, finding::not_asked};
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
    impersonation: Impersonation,
    authz: Authz,
    audited: bool,
}

/// The authorizers of some options, and the clients of the webhooks among them.
pub struct Chain {
    /// The chain.
    pub authz: Authz,
    /// Who can ask them, in the chain's order.
    pub webhooks: Vec<Webhook>,
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

/// A request, as far as somebody has told of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Where it comes from.
    pub address: Option<IpAddr>,
    /// Who makes it.
    pub shown: &'a Shown,
    /// As whom they ask to be treated, if as somebody else.
    pub wanted: Option<&'a User>,
    /// What it comes to.
    pub question: &'a reach::Question,
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

    /// The chain of authorizers of these options, over pods, roles and bindings from elsewhere.
    ///
    /// # Errors
    /// As [`Options::load`].
    pub fn authorizers(&self, node: &Node, rbac: &Rbac) -> Result<Chain, LoadError> {
        let mut webhooks = Vec::new();
        let modes = self.modes(&mut Warnings::default())?.into_iter();
        let modes: Vec<Mode> = modes.map(|mode| mode.into_mode(node, rbac, &mut webhooks)).collect();
        Ok(Chain { authz: Authz::new(self.deny_list(), modes), webhooks })
    }

    /// The layers of a gate with these options and this chain of authorizers. Files of the serving side
    /// (certificate, upstream) are not looked at.
    ///
    /// # Errors
    /// As [`Options::load`].
    pub fn judge(&self, authz: Authz) -> Result<Judge, LoadError> {
        let (_, authority) = self.authority()?;
        Ok(Judge {
            network: self.network()?,
            certificates: ClientCertificates { authority },
            authn: self.authn(&mut Warnings::default())?,
            impersonation: Impersonation::new(self.feature_gates.constrained_impersonation),
            authz,
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
    /// What every layer says to a request.
    pub fn explain(&self, asked: &Asked<'_>, now: Timestamp, facts: &mut impl Facts) -> Explanation {
        let Asked { address, shown, wanted, question } = *asked;
        let mut layers = vec![self.network(address)];
        let (tls, attempt) = self.tls(shown, now);
        layers.push(tls);
        layers.push(not_asked(
            Layer::Request,
            "there is no request line: the question is put to the layers as it is",
        ));
        let (authentication, requester) = self.authentication(shown, attempt.as_ref(), now, facts);
        layers.push(authentication);
        let mut people = (requester, None);
        if let Some(requester) = &people.0 {
            layers.push(self.standing(requester));
            let acting = match wanted {
                None => {
                    layers
                        .push(not_asked(Layer::Impersonation, "the question is about the user's own rights"));
                    Some(requester.clone())
                }
                Some(wanted) => {
                    let (finding, acting) =
                        self.impersonation(wanted, &question.attributes(requester), now, facts);
                    layers.push(finding);
                    acting
                }
            };
            if let Some(user) = acting {
                layers.extend(self.for_user(&user, question, now, facts));
                if wanted.is_some() {
                    people = (Some(user), people.0);
                }
            }
        }
        if let Some(end) = layers.iter().position(|finding| finding.answer == Says::Deny) {
            layers.truncate(end + 1);
        }
        let undecided = layers.iter().any(|finding| !finding.webhooks_not_asked.is_empty());
        let allowed = !undecided && layers.iter().all(|finding| finding.answer != Says::Deny);
        Explanation { allowed, undecided, user: people.0, requester: people.1, layers }
    }

    /// What follows once it is settled for whom the request is made.
    fn for_user(
        &self,
        user: &User,
        question: &reach::Question,
        now: Timestamp,
        facts: &mut impl Facts,
    ) -> [Finding; 4] {
        [
            not_asked(
                Layer::Flow,
                "whether a seat is free depends on the requests that are running just then",
            ),
            authorization(&self.authz, &question.attributes(user), now, facts),
            Finding::new(Layer::Admission, Says::NotConfigured, "no admission plugin is configured"),
            match self.audited {
                true => Finding::new(Layer::Audit, Says::Allow, "goes on record at level Metadata"),
                false => Finding::new(
                    Layer::Audit,
                    Says::NotConfigured,
                    "no --audit-log-path: nothing goes on record",
                ),
            },
        ]
    }
}

#[cfg(test)]
mod tests;
