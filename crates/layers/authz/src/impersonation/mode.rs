//! The ways in which somebody may be impersonated.

use std::collections::BTreeMap;

use types::{User, dns_name, extra, username};

/// Whom a check covers, and which verb it asks for. In the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A service account as the node that its pod runs on.
    AssociatedNode,
    /// Any node.
    ArbitraryNode,
    /// A service account.
    ServiceAccount,
    /// Anybody who is neither a node nor a service account, with groups, UID and extras.
    UserInfo,
    /// Anybody, whatever the request: the only mode before 1.36.
    Legacy,
}

/// The name under which success as one's own node is remembered.
pub(super) const ANY_NODE: &str = "system:node:*";

/// Stands in for the extras of a requester whose own node is asked for: their keys only.
const ASSOCIATED_NODE_KEYS: &str = "authentication.kubernetes.io/associated-node-keys";

impl Mode {
    /// Every mode, in its order.
    pub const ALL: [Self; 5] =
        [Self::AssociatedNode, Self::ArbitraryNode, Self::ServiceAccount, Self::UserInfo, Self::Legacy];

    /// As it stands in verbs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AssociatedNode => "associated-node",
            Self::ArbitraryNode => "arbitrary-node",
            Self::ServiceAccount => "serviceaccount",
            Self::UserInfo => "user-info",
            Self::Legacy => "legacy",
        }
    }

    /// The verb that allows the identity.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::AssociatedNode => "impersonate:associated-node",
            Self::ArbitraryNode => "impersonate:arbitrary-node",
            Self::ServiceAccount => "impersonate:serviceaccount",
            Self::UserInfo => "impersonate:user-info",
            Self::Legacy => "impersonate",
        }
    }

    /// Whose check asks for this verb: whether somebody may be acted as, or whether that may be done in a
    /// request.
    pub fn that_asks_for(verb: &str) -> Option<Self> {
        let on = |mode: &Self| {
            let rest = verb.strip_prefix("impersonate-on:").and_then(|rest| rest.strip_prefix(mode.name()));
            rest.is_some_and(|rest| rest.starts_with(':'))
        };
        Self::ALL.into_iter().find(|mode| mode.verb() == verb || on(mode))
    }

    /// Whether the mode has anything to say about `wanted`.
    pub(super) fn covers(self, wanted: &User, requester: &User) -> bool {
        let only_name = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
        let node = node_name(&wanted.name);
        match self {
            Self::AssociatedNode => only_name && node.is_some() && node == own_node(requester),
            Self::ArbitraryNode => only_name && node.is_some(),
            Self::ServiceAccount => only_name && service_account(&wanted.name).is_some(),
            Self::UserInfo => node.is_none() && service_account(&wanted.name).is_none(),
            Self::Legacy => true,
        }
    }
}

/// The node that a user name means.
pub(super) fn node_name(name: &str) -> Option<&str> {
    name.strip_prefix(username::NODE_PREFIX).filter(|node| dns_name::is_subdomain(node))
}

/// Namespace and name of the service account that a user name means.
pub(super) fn service_account(name: &str) -> Option<(&str, &str)> {
    let (namespace, name) = name.strip_prefix(username::SERVICE_ACCOUNT_PREFIX)?.split_once(':')?;
    (dns_name::is_label(namespace) && dns_name::is_subdomain(name)).then_some((namespace, name))
}

/// The node that a service account's token is bound to.
// UPSTREAM: with two values of the key it is bound to none (kube-apiserver 1.36)
fn own_node(requester: &User) -> Option<&str> {
    service_account(&requester.name)?;
    match requester.extra.get(extra::NODE_NAME)?.as_slice() {
        [node] => Some(node),
        _ => None,
    }
}

/// The requester as the check for its own node sees it.
pub(super) fn without_node(requester: &User) -> User {
    let keys = requester.extra.keys().cloned().collect();
    User { extra: BTreeMap::from([(ASSOCIATED_NODE_KEYS.to_owned(), keys)]), ..requester.clone() }
}
