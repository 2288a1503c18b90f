//! The checks of one identity: its name, UID, groups and extras, one by one.

use std::sync::Arc;

use types::{Attributes, Decision, Status, StatusReason, Step, User, group, selector::Selectors};

use super::{Mode, Stop, effective::Effective, extra, mode};
use crate::{Opinion, forbidden};

/// From so many on, one check for all of them is tried before the single ones.
const MANY: usize = 4;

static NO_SELECTORS: Selectors = Selectors::NONE;

/// In which words an identity is asked for.
#[derive(Clone, Copy)]
pub(super) struct Words {
    mode: Mode,
    /// Group and version of users, groups and service accounts; UIDs and extras are always
    /// `authentication.k8s.io/v1`.
    api: (&'static str, &'static str),
    /// The UID comes last.
    uid_last: bool,
}

impl Words {
    const AUTHENTICATION: (&'static str, &'static str) = ("authentication.k8s.io", "v1");

    /// [`Mode::Legacy`].
    pub(super) const LEGACY: Self = Self { mode: Mode::Legacy, api: ("", "v1"), uid_last: false };

    /// The feature gate is off.
    pub(super) const UNCONSTRAINED: Self = Self { mode: Mode::Legacy, api: ("", ""), uid_last: true };

    /// Any other mode.
    pub(super) const fn constrained(mode: Mode) -> Self {
        Self { mode, api: Self::AUTHENTICATION, uid_last: false }
    }

    /// Nodes are nodes, some identities are impossible, and many are asked for at once.
    fn are_constrained(self) -> bool {
        self.mode != Mode::Legacy
    }
}

/// Asks the chain of authorizers.
pub(super) struct Checks<'c> {
    authorize: &'c mut dyn FnMut(&Attributes<'_>) -> Step<Opinion>,
    /// Whether the feature gate is on.
    // UPSTREAM: without it an error beside an Allow refuses, and the client is not told any
    // (kube-apiserver 1.36)
    errors_are_told: bool,
    pub(super) effective: &'c Effective,
}

/// Asked about the requester.
struct About<'a> {
    requester: &'a User,
    words: Words,
}

impl About<'_> {
    fn users<'b>(&'b self, resource: &'b str, namespace: &'b str, name: &'b str) -> Attributes<'b> {
        let (api_group, api_version) = self.words.api;
        Attributes { api_group, api_version, namespace, ..self.details(resource, "", name) }
    }

    fn details<'b>(&'b self, resource: &'b str, subresource: &'b str, name: &'b str) -> Attributes<'b> {
        let (api_group, api_version) = Words::AUTHENTICATION;
        Attributes {
            user: self.requester,
            verb: self.words.mode.verb(),
            resource_request: true,
            namespace: "",
            api_group,
            api_version,
            resource,
            subresource,
            name,
            path: "",
            selectors: &NO_SELECTORS,
        }
    }
}

impl<'c> Checks<'c> {
    pub(super) fn new(
        authorize: &'c mut dyn FnMut(&Attributes<'_>) -> Step<Opinion>,
        errors_are_told: bool,
        effective: &'c Effective,
    ) -> Self {
        Self { authorize, errors_are_told, effective }
    }

    /// One check.
    pub(super) fn check(&mut self, at: &Attributes<'_>) -> Result<(), Stop> {
        let Opinion { decision, reason, error } = match (self.authorize)(at) {
            Step::Done(opinion) => opinion,
            Step::Ask(question) => return Err(Stop::Ask(question)),
        };
        if decision == Decision::Allow && (self.errors_are_told || error.is_none()) {
            return Ok(());
        }
        let why = match error.filter(|_| self.errors_are_told) {
            None => reason.to_string(),
            Some(error) if reason.is_empty() => error.to_string(),
            Some(error) => format!("{error}: {reason}"),
        };
        Err(refused(at, &why))
    }

    /// Everything of `wanted`, and the effective user that comes of it.
    pub(super) fn identity(
        &mut self,
        wanted: &User,
        requester: &User,
        words: Words,
    ) -> Result<Arc<User>, Stop> {
        let about = About { requester, words };
        let known_groups = self.name(wanted, &about)?;
        if !words.uid_last {
            self.uid(wanted, &about)?;
        }
        self.groups(wanted, &about)?;
        self.extras(wanted, &about)?;
        if words.uid_last {
            self.uid(wanted, &about)?;
        }
        Ok(self.effective.user(wanted, known_groups.as_deref()))
    }

    /// The groups that the name alone implies, if it does.
    fn name(&mut self, wanted: &User, about: &About<'_>) -> Result<Option<Vec<String>>, Stop> {
        let name = wanted.name.as_str();
        let node = match about.words.mode {
            Mode::AssociatedNode => Some("*"),
            Mode::Legacy => None,
            _ => mode::node_name(name),
        };
        if let Some(node) = node {
            self.check(&about.users("nodes", "", node))?;
            return Ok(Some(vec![group::NODES.to_owned()]));
        }
        if let Some((namespace, name)) = mode::service_account(name) {
            self.check(&about.users("serviceaccounts", namespace, name))?;
            let groups = || {
                vec![group::SERVICE_ACCOUNTS.to_owned(), format!("{}:{namespace}", group::SERVICE_ACCOUNTS)]
            };
            return Ok(wanted.groups.is_empty().then(groups));
        }
        self.check(&about.users("users", "", name))?;
        Ok(None)
    }

    fn uid(&mut self, wanted: &User, about: &About<'_>) -> Result<(), Stop> {
        match wanted.uid.as_str() {
            "" => Ok(()),
            uid => self.check(&about.details("uids", "", uid)),
        }
    }

    fn groups(&mut self, wanted: &User, about: &About<'_>) -> Result<(), Stop> {
        let group = |name| about.users("groups", "", name);
        if about.words.are_constrained() {
            if wanted.in_group("") {
                return Err(refused(&group(""), "impersonating the empty string group is not allowed"));
            }
            if wanted.in_group(group::MASTERS) {
                let why = "impersonating the system:masters group is not allowed";
                return Err(refused(&group(group::MASTERS), why));
            }
            if wanted.groups.len() >= MANY && self.allows(&group("*"))? {
                return Ok(());
            }
        }
        wanted.groups.iter().try_for_each(|name| self.check(&group(name)))
    }

    fn extras(&mut self, wanted: &User, about: &About<'_>) -> Result<(), Stop> {
        let extra = |key, value| about.details("userextras", key, value);
        if about.words.are_constrained() && !wanted.extra.is_empty() {
            extra::validate(&wanted.extra).map_err(|why| refused(&extra("", ""), &why))?;
            let values: usize = wanted.extra.values().map(Vec::len).sum();
            // UPSTREAM: keys count for themselves, but each has a value at least (kube-apiserver 1.36)
            if values >= MANY && self.allows(&extra("*", "*"))? {
                return Ok(());
            }
        }
        let mut pairs = wanted.extra.iter().flat_map(|(key, values)| values.iter().map(move |v| (key, v)));
        pairs.try_for_each(|(key, value)| self.check(&extra(key, value)))
    }

    /// Whether a check is allowed that nothing hangs on.
    fn allows(&mut self, at: &Attributes<'_>) -> Result<bool, Stop> {
        match self.check(at) {
            Ok(()) => Ok(true),
            Err(Stop::Refused(_)) => Ok(false),
            Err(ask) => Err(ask),
        }
    }
}

fn refused(at: &Attributes<'_>, why: &str) -> Stop {
    Stop::Refused(Box::new(forbidden(at, why)))
}

/// No mode covers the user: cannot happen, and allows nothing.
pub(super) fn nothing_allows() -> Box<Status> {
    Box::new(Status::failure(403, StatusReason::Forbidden, "all impersonation modes failed"))
}
