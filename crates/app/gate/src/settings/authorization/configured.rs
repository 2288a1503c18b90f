//! An AuthorizationConfiguration as it stood at one moment, with the kubeconfigs that it names.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use config::{
    ClusterAccess,
    authorization::{self, Authorizer, AuthorizerKind, ConnectionInfo, WebhookConfiguration},
    kubeconfig,
};
use types::quote;

use super::{CONFIG, LoadError, ModeSetting, NO_ABAC};

/// What stood in the file and in all that it names; a chain can be made of it again and again.
#[derive(Clone)]
pub(crate) struct Configured {
    path: PathBuf,
    text: Vec<u8>,
    authorizers: Vec<Authorizer>,
    /// Where each authorizer is reached, if it is a webhook.
    reached: Vec<Option<Reached>>,
}

/// The server of a webhook, the gate's credential for it, and the path there.
pub(super) type Reached = (ClusterAccess, String);

impl Configured {
    /// Reads all of it.
    pub(crate) fn read(path: &Path) -> Result<Self, LoadError> {
        Self::read_with(path, None)
    }

    /// The same again; what stands as it did is not compiled again.
    pub(crate) fn read_again(&self) -> Result<Self, LoadError> {
        Self::read_with(&self.path, Some(self))
    }

    fn read_with(path: &Path, known: Option<&Self>) -> Result<Self, LoadError> {
        let content = |error| LoadError::content(CONFIG, error);
        let text = authorization::read(path).map_err(content)?;
        let authorizers = match known.filter(|known| known.text == text) {
            Some(known) => known.authorizers.clone(),
            None => authorization::parse(&path.display().to_string(), &text).map_err(content)?,
        };
        let reached: Result<_, _> = authorizers
            .iter()
            .map(|authorizer| match &authorizer.kind {
                AuthorizerKind::Webhook(webhook) => reach(&authorizer.name, webhook, CONFIG).map(Some),
                _ => Ok(None),
            })
            .collect();
        Ok(Self { path: path.to_owned(), text, authorizers, reached: reached? })
    }

    /// The chain.
    ///
    /// # Errors
    /// For what kube-apiserver takes and the gate cannot honour, and for keys that fit no certificate.
    pub(crate) fn modes(&self) -> Result<Vec<ModeSetting>, LoadError> {
        let authorizers = self.authorizers.iter().cloned().zip(self.reached.iter().cloned());
        authorizers.map(|(authorizer, reached)| ModeSetting::of(authorizer, reached, CONFIG)).collect()
    }

    /// Every byte of the file.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether the files are what they were.
    pub(crate) fn stands_as(&self, other: &Self) -> bool {
        self.text == other.text && self.is_reached_as(other)
    }

    /// Whether a chain made of the one decides as one of the other does.
    // UPSTREAM: another text that means the same is no change (kube-apiserver 1.36)
    pub(crate) fn decides_as(&self, other: &Self) -> bool {
        self.authorizers == other.authorizers && self.is_reached_as(other)
    }

    fn is_reached_as(&self, other: &Self) -> bool {
        let same = |(one, other): (&Option<Reached>, &Option<Reached>)| match (one, other) {
            (Some(one), Some(other)) => is_same_server(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        self.reached.len() == other.reached.len() && self.reached.iter().zip(&other.reached).all(same)
    }

    /// The types of its authorizers, webhooks aside.
    pub(crate) fn built_in(&self) -> BTreeSet<&'static str> {
        let kinds = self.authorizers.iter().map(|authorizer| authorizer.kind.name());
        kinds.filter(|kind| *kind != "Webhook").collect()
    }

    /// Whether it may follow one that the gate started with these types.
    // UPSTREAM: what is no webhook and was there at the start has to stay, and Node and RBAC cannot be
    // added: what they decide by is not watched (kube-apiserver 1.36)
    pub(crate) fn may_follow(&self, at_start: &BTreeSet<&'static str>) -> Result<(), LoadError> {
        let refuse = |message| Err(LoadError::Flag { flag: CONFIG, message });
        let built_in = self.built_in();
        let missing: Vec<&str> = at_start.difference(&built_in).copied().collect();
        if !missing.is_empty() {
            return refuse(format!(
                "missing required types: {}: they were there when the gate started",
                missing.join(", ")
            ));
        }
        match built_in.difference(at_start).find(|kind| matches!(**kind, "Node" | "RBAC")) {
            Some(kind) => refuse(format!(
                "authorizer type {kind} is not allowed if it was not enabled at initial server startup"
            )),
            None => Ok(()),
        }
    }

    /// What is different in `newer`.
    pub(crate) fn changes(&self, newer: &Self) -> Changes {
        let names = |of: &Self| of.authorizers.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        let of = |of: &Self, name: &str| {
            let at = of.authorizers.iter().position(|one| one.name == name)?;
            Some((of.authorizers.get(at)?.clone(), of.reached.get(at)?.clone()))
        };
        let (before, after) = (names(self), names(newer));
        let is_other = |name: &&String| match (of(self, name), of(newer, name)) {
            (Some((one, reached)), Some((other, reached_now))) => {
                let same_server = match (&reached, &reached_now) {
                    (Some(one), Some(other)) => is_same_server(one, other),
                    (one, other) => one.is_none() && other.is_none(),
                };
                one != other || !same_server
            }
            _ => false,
        };
        Changes {
            added: after.iter().filter(|name| !before.contains(name)).cloned().collect(),
            removed: before.iter().filter(|name| !after.contains(name)).cloned().collect(),
            changed: after.iter().filter(is_other).cloned().collect(),
            order: after.clone(),
            moved: {
                let stayed = |of: &[String], other: &[String]| {
                    of.iter().filter(|name| other.contains(name)).cloned().collect::<Vec<_>>()
                };
                stayed(&before, &after) != stayed(&after, &before)
            },
        }
    }
}

fn is_same_server((access, path): &Reached, (other, other_path): &Reached) -> bool {
    path == other_path && access.is_as_good_as(other)
}

/// Reads the kubeconfig of a webhook.
pub(super) fn reach(
    name: &str,
    webhook: &WebhookConfiguration,
    flag: &'static str,
) -> Result<Reached, LoadError> {
    let ConnectionInfo::KubeConfigFile(file) = &webhook.connection_info else {
        let message = format!(
            "webhook `{name}`: InClusterConfig is that of kube-apiserver's own pod; name a kubeconfig with \
             `type: KubeConfigFile`"
        );
        return Err(LoadError::Flag { flag, message });
    };
    kubeconfig::load_webhook(file).map_err(|error| LoadError::content(flag, error))
}

impl ModeSetting {
    pub(super) fn of(
        authorizer: Authorizer,
        reached: Option<Reached>,
        flag: &'static str,
    ) -> Result<Self, LoadError> {
        let Authorizer { name, kind } = authorizer;
        match (kind, reached) {
            (AuthorizerKind::Rbac, _) => Ok(Self::Rbac),
            (AuthorizerKind::AlwaysAllow, _) => Ok(Self::AlwaysAllow),
            (AuthorizerKind::AlwaysDeny, _) => Ok(Self::AlwaysDeny),
            (AuthorizerKind::Node, _) => Ok(Self::Node),
            (AuthorizerKind::Webhook(webhook), Some(reached)) => {
                Self::webhook(&name, *webhook, &reached, flag)
            }
            (AuthorizerKind::Webhook(webhook), None) => {
                Self::webhook(&name, *webhook.clone(), &reach(&name, &webhook, flag)?, flag)
            }
            (AuthorizerKind::Abac, _) => {
                Err(LoadError::Flag { flag, message: format!("{}: {NO_ABAC}", quote("ABAC")) })
            }
        }
    }
}

/// What is different in a newer configuration, for the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
    moved: bool,
    order: Vec<String>,
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, names) in [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)]
        {
            if !names.is_empty() {
                write!(f, "{what} {}; ", names.join(", "))?;
            }
        }
        if self.moved {
            f.write_str("in another order; ")?;
        }
        write!(f, "now {}", self.order.join(", "))
    }
}

#[cfg(test)]
mod tests;
