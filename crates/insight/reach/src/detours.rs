//! What leads to the rights of others.

use std::collections::BTreeSet;

use authz::{impersonation::Mode, rbac::explain::Bound};
use types::Attributes;

use crate::{About, Holder, Question, Resource};

const AUTHENTICATION: &str = "authentication.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

/// A right that leads on, whatever is asked about.
#[derive(Clone, Copy)]
struct Way {
    verb: &'static str,
    api_group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    /// The name that the API server asks with, where there is only one.
    name: &'static str,
}

const fn way(verb: &'static str, api_group: &'static str, resource: &'static str) -> Way {
    Way { verb, api_group, resource, subresource: "", name: "" }
}

const fn part(way: Way, subresource: &'static str) -> Way {
    Way { subresource, ..way }
}

// UPSTREAM: `impersonate` acts as somebody else, since 1.36 also in four modes, where the right to be
// somebody goes with the right to do something as them; one's own node is asked for as `*`; `bind` and
// `escalate` lift the rule that nobody grants what they do not hold; a token of a service account is that
// account; whoever approves or signs a client certificate gives away its name and groups, for which
// the request and the signer are asked about (kube-apiserver 1.36)
const WAYS: &[Way] = &[
    way(Mode::Legacy.verb(), "", "users"),
    way(Mode::Legacy.verb(), "", "groups"),
    way(Mode::Legacy.verb(), "", "serviceaccounts"),
    way(Mode::Legacy.verb(), AUTHENTICATION, "uids"),
    way(Mode::UserInfo.verb(), AUTHENTICATION, "users"),
    way(Mode::UserInfo.verb(), AUTHENTICATION, "groups"),
    way(Mode::UserInfo.verb(), AUTHENTICATION, "uids"),
    way(Mode::ServiceAccount.verb(), AUTHENTICATION, "serviceaccounts"),
    way(Mode::ArbitraryNode.verb(), AUTHENTICATION, "nodes"),
    Way { name: "*", ..way(Mode::AssociatedNode.verb(), AUTHENTICATION, "nodes") },
    part(way("create", "", "serviceaccounts"), "token"),
    part(way("update", CERTIFICATES, "certificatesigningrequests"), "approval"),
    part(way("patch", CERTIFICATES, "certificatesigningrequests"), "approval"),
    way("approve", CERTIFICATES, "signers"),
    part(way("update", CERTIFICATES, "certificatesigningrequests"), "status"),
    part(way("patch", CERTIFICATES, "certificatesigningrequests"), "status"),
    way("sign", CERTIFICATES, "signers"),
    way("bind", RBAC, "clusterroles"),
    way("bind", RBAC, "roles"),
    way("escalate", RBAC, "clusterroles"),
    way("escalate", RBAC, "roles"),
];

/// The verbs that ask about the extras of somebody.
const OF_EXTRAS: [Mode; 2] = [Mode::Legacy, Mode::UserInfo];

/// A question whose Yes leads on.
pub(crate) struct Leading(Question);

impl Leading {
    fn new(verb: &str, resource: Resource, subresource: &str, name: &str, namespace: &str) -> Self {
        let about = About::Resource {
            resource,
            subresource: subresource.to_owned(),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        };
        Self(Question { verb: verb.to_owned(), about })
    }

    pub(crate) fn attributes<'a>(&'a self, user: &'a types::User) -> Attributes<'a> {
        self.0.attributes(user)
    }

    /// `impersonate users`, as rules spell it.
    pub(crate) fn what(&self) -> String {
        match &self.0.about {
            About::Path(path) => format!("{} {path}", self.0.verb),
            About::Resource { resource, subresource, .. } => {
                let slash = if subresource.is_empty() { "" } else { "/" };
                format!("{} {}{slash}{subresource}", self.0.verb, resource.name)
            }
        }
    }

    /// Whether the holder's binding can lend it.
    // UPSTREAM: what lies in no namespace is asked about without one, so a RoleBinding never lends it; the
    // role of a RoleBinding is asked about in its namespace (kube-apiserver 1.36)
    pub(crate) fn can_be_lent_by(&self, holder: &Holder) -> bool {
        let in_no_namespace = match &self.0.about {
            About::Path(_) => true,
            About::Resource { resource, .. } => resource.namespaced == Some(false) && self.0.verb != "bind",
        };
        !in_no_namespace || holder.binding.namespace.is_empty()
    }
}

/// Everything that leads to what is asked: the ways that are always there, the extras that some rule names,
/// and doing just this as somebody else.
pub(crate) fn questions(bindings: &[Bound<'_>], at: &Attributes<'_>) -> Vec<Leading> {
    let always = WAYS.iter().map(|Way { verb, api_group, resource, subresource, name }| {
        Leading::new(verb, Resource::named(resource, api_group), subresource, name, at.namespace)
    });
    let extras = extras(bindings);
    let extras = OF_EXTRAS.iter().flat_map(|mode| {
        let of_key = |key: &&str| {
            Leading::new(mode.verb(), Resource::named("userextras", AUTHENTICATION), key, "", at.namespace)
        };
        extras.iter().map(of_key)
    });
    let constrained = Mode::ALL.into_iter().filter(|mode| *mode != Mode::Legacy);
    let this = constrained.map(|mode| {
        let verb = format!("impersonate-on:{}:{}", mode.name(), at.verb);
        Leading(Question { verb, ..Question::of(at) })
    });
    always.chain(extras).chain(this).collect()
}

/// The keys of extras that rules name; `*` stands for those that no rule names.
fn extras<'a>(bindings: &'a [Bound<'_>]) -> BTreeSet<&'a str> {
    let rules = bindings.iter().filter_map(|bound| bound.rules.as_ref().ok()).flat_map(|rules| rules.iter());
    let resources = rules.flat_map(|rule| rule.resources.iter().flatten());
    resources.filter_map(|resource| resource.strip_prefix("userextras/")).chain(["*"]).collect()
}
