//! A request put into words, and a person.

use types::{Attributes, User, group, qualified_resource, username};

use crate::Resource;

/// Verbs that some authorizer or API gives a meaning to. Others are allowed, and nearly always a slip.
// UPSTREAM: the verbs that `kubectl auth can-i` knows, and those of constrained impersonation
// (kube-apiserver 1.36)
pub const KNOWN_VERBS: &[&str] = &[
    "*",
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
    "approve",
    "sign",
    "attest",
    "proxy",
    "post",
    "put",
    "head",
    "options",
    "impersonate:user-info",
    "impersonate:serviceaccount",
    "impersonate:arbitrary-node",
    "impersonate:associated-node",
];

/// What is asked about: all of an authorizer's attributes but the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// `list`
    pub verb: String,
    /// What it is about.
    pub about: About,
}

/// An API resource, or a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// `pods` and so on.
    Resource {
        /// Which.
        resource: Resource,
        /// `log`; empty for none.
        subresource: String,
        /// Empty where the request names none.
        name: String,
        /// Empty for all namespaces, and for what lies in none.
        namespace: String,
    },
    /// `/metrics`
    Path(String),
}

impl Question {
    /// The question behind what an authorizer was asked.
    pub fn of(at: &Attributes<'_>) -> Self {
        let about = match at.resource_request {
            false => About::Path(at.path.to_owned()),
            true => About::Resource {
                resource: Resource::named(at.resource, at.api_group),
                subresource: at.subresource.to_owned(),
                name: at.name.to_owned(),
                namespace: at.namespace.to_owned(),
            },
        };
        Self { verb: at.verb.to_owned(), about }
    }

    /// The question as an authorizer takes it.
    pub fn attributes<'a>(&'a self, user: &'a User) -> Attributes<'a> {
        match &self.about {
            About::Path(path) => Attributes::of_path(user, &self.verb, path),
            About::Resource { resource, subresource, name, namespace } => Attributes {
                resource_request: true,
                namespace,
                api_group: &resource.api_group,
                api_version: "*",
                resource: &resource.name,
                subresource,
                name,
                ..Attributes::of_path(user, &self.verb, "")
            },
        }
    }
}

/// `delete deployments.apps/scale "web" in namespace prod`, `get /metrics`
impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.about {
            About::Path(path) => write!(f, "{} {path}", self.verb),
            About::Resource { resource, subresource, name, namespace } => {
                let resource_name = qualified_resource(&resource.name, &resource.api_group, subresource);
                write!(f, "{} {resource_name}", self.verb)?;
                if !name.is_empty() {
                    write!(f, " {name:?}")?;
                }
                match (namespace.as_str(), resource.namespaced) {
                    ("", Some(false)) => Ok(()),
                    ("", _) => write!(f, " in all namespaces"),
                    (namespace, _) => write!(f, " in namespace {namespace}"),
                }
            }
        }
    }
}

/// The user that a name stands for once they have proved who they are: with the groups that
/// authenticators add by themselves.
// UPSTREAM: everybody but the anonymous user is in system:authenticated; a service account is in the
// groups of its namespace and of all accounts (kube-apiserver 1.36)
pub fn subject_user(name: &str, groups: &[String]) -> User {
    let mut user = User::new(name, groups.iter().cloned());
    let mut add = |group: String| {
        if !user.groups.contains(&group) {
            user.groups.push(group);
        }
    };
    if let Some((namespace, _)) =
        name.strip_prefix(username::SERVICE_ACCOUNT_PREFIX).and_then(|n| n.split_once(':'))
    {
        add(group::SERVICE_ACCOUNTS.to_owned());
        add(format!("{}:{namespace}", group::SERVICE_ACCOUNTS));
    }
    add(if name == username::ANONYMOUS { group::UNAUTHENTICATED } else { group::AUTHENTICATED }.to_owned());
    user
}
