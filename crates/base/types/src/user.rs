//! The requester, as every later layer sees it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Who a request is made for: kube-apiserver's `user.Info`.
///
/// The order of `groups` and of the values of one extra key is kept, and duplicates count: both
/// reach audit events and the upstream as they are. The order of extra keys carries no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name that bindings and logs refer to, such as `system:node:node1`.
    #[serde(rename = "username", default)]
    pub name: String,
    /// Tells two users of one name apart over time; often empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Groups, in the order the authenticator gave them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Anything else that an authenticator knows, by lower-case key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user with a name and groups, without UID and extras.
    pub fn new(name: impl Into<String>, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { name: name.into(), groups: groups.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Whether the user is in `group`, compared byte by byte.
    pub fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }
}

/// Names of users that Kubernetes itself gives a meaning to.
pub mod username {
    /// A request without any credential, where anonymous access is on.
    pub const ANONYMOUS: &str = "system:anonymous";
    /// Followed by `NAMESPACE:NAME`.
    pub const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";
    /// Followed by the node's name.
    pub const NODE_PREFIX: &str = "system:node:";
}

/// Groups that Kubernetes itself gives a meaning to.
pub mod group {
    /// Everybody whom an authenticator recognised.
    pub const AUTHENTICATED: &str = "system:authenticated";
    /// Everybody else.
    pub const UNAUTHENTICATED: &str = "system:unauthenticated";
    /// May do everything; no authorizer is asked.
    pub const MASTERS: &str = "system:masters";
    /// Kubelets.
    pub const NODES: &str = "system:nodes";
    /// Every service account; `system:serviceaccounts:NAMESPACE` are those of one namespace.
    pub const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
}

/// Keys of [`User::extra`] that kube-apiserver's authenticators set.
pub mod extra {
    /// Which credential was shown: `X509SHA256=…` or `JTI=…`.
    pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
    /// The pod a service-account token is bound to.
    pub const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
    /// The UID of that pod.
    pub const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
    /// The node on which that pod runs, or to which the token is bound.
    pub const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
    /// The UID of that node.
    pub const NODE_UID: &str = "authentication.kubernetes.io/node-uid";
}
