//! Who is shut out by name, whatever any role allows.

use std::collections::BTreeSet;

use types::{Evidence, User, quote};

/// Users and groups that are refused, `system:masters` included.
///
/// Kubernetes has nothing like it: a client certificate there is good until it expires. The list is
/// asked twice: of the requester before impersonation, and of the effective user as the first
/// authorizer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DenyList {
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl DenyList {
    /// A list of names, compared byte by byte.
    pub fn new(
        users: impl IntoIterator<Item = impl Into<String>>,
        groups: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            users: users.into_iter().map(Into::into).collect(),
            groups: groups.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether nobody is denied.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// The entry that shuts `user` out, in words for the client; `None` lets them pass.
    pub fn denies(&self, user: &User) -> Option<String> {
        if self.users.contains(&user.name) {
            return Some(format!("user {} is on the deny list", quote(&user.name)));
        }
        let group = user.groups.iter().find(|group| self.groups.contains(*group))?;
        Some(format!("group {} is on the deny list", quote(group)))
    }

    /// Every entry that shuts `user` out: all of them have to go for the user to pass.
    pub fn evidence(&self, user: &User) -> Vec<Evidence> {
        let entry = |flag: &'static str, name: &String| Evidence::DenyListEntry {
            flag: flag.into(),
            name: name.clone(),
        };
        let named = self.users.get(&user.name).map(|name| entry("--deny-user", name));
        let groups = user.groups.iter().filter(|group| self.groups.contains(*group));
        named.into_iter().chain(groups.map(|group| entry("--deny-group", group))).collect()
    }
}
