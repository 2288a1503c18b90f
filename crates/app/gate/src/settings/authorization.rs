//! Layer 4 as the flags choose it: which authorizers, in which order, and how webhooks are reached.

mod configured;

use std::{collections::HashSet, path::PathBuf, time::Duration};

use authz::{
    Mode,
    node::Node,
    rbac::Rbac,
    webhook::{FailurePolicy, ReviewVersion},
};
use config::authorization::{Authorizer, AuthorizerKind, ConnectionInfo, WebhookConfiguration};
use remote::{Webhook, WebhookSettings};
use types::quote;

use self::configured::Reached;
use super::{LoadError, warnings::Warnings};
use crate::Options;

pub(crate) use self::configured::Configured;

const MODE: &str = "--authorization-mode";
const CONFIG: &str = "--authorization-config";
const WEBHOOK_FILE: &str = "--authorization-webhook-config-file";
const WEBHOOK_VERSION: &str = "--authorization-webhook-version";
const AUTHORIZED_TTL: &str = "--authorization-webhook-cache-authorized-ttl";
const UNAUTHORIZED_TTL: &str = "--authorization-webhook-cache-unauthorized-ttl";

/// What the only webhook is called that flags can configure.
// UPSTREAM: so it is called in metrics (kube-apiserver 1.36)
const DEFAULT_WEBHOOK: &str = "default";

/// An authorizer of the chain, before the objects are there that it decides by.
pub(crate) enum ModeSetting {
    /// By what the pods of a kubelet's node need.
    Node,
    /// By roles and bindings.
    Rbac,
    /// Everything goes.
    AlwaysAllow,
    /// Nothing goes.
    AlwaysDeny,
    /// A webhook, and the client that asks it.
    Webhook(authz::webhook::Webhook, Box<Webhook>),
}

impl ModeSetting {
    /// As `portcullis status` names it.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Node => "Node, pods and volumes watched upstream".to_owned(),
            Self::Rbac => "RBAC".to_owned(),
            Self::AlwaysAllow => "AlwaysAllow".to_owned(),
            Self::AlwaysDeny => "AlwaysDeny".to_owned(),
            Self::Webhook(webhook, _) => format!("Webhook {}", webhook.name()),
        }
    }

    /// The authorizer, over what these know. The client of a webhook goes to `webhooks`.
    pub(crate) fn into_mode(self, node: &Node, rbac: &Rbac, webhooks: &mut Vec<Webhook>) -> Mode {
        match self {
            Self::Node => Mode::Node(node.clone()),
            Self::Rbac => Mode::Rbac(rbac.clone()),
            Self::AlwaysAllow => Mode::AlwaysAllow,
            Self::AlwaysDeny => Mode::AlwaysDeny,
            Self::Webhook(authorizer, client) => {
                webhooks.push(*client);
                Mode::Webhook(authorizer)
            }
        }
    }

    fn webhook(
        name: &str,
        configuration: WebhookConfiguration,
        (access, path): &Reached,
        flag: &'static str,
    ) -> Result<Self, LoadError> {
        let client = Webhook::new(&WebhookSettings::of(name, &configuration, access, path))
            .map_err(|error| LoadError::content(flag, error))?;
        Ok(Self::Webhook(configuration.into_authorizer(name), Box::new(client)))
    }
}

const NO_ABAC: &str =
    "attribute-based access control is not supported; its policies can be written as RBAC objects";

impl Options {
    /// Whether requests without a credential are let in.
    // UPSTREAM: the mode AlwaysAllow of the flag switches --anonymous-auth off with a warning, that of
    // a configuration file does not (kube-apiserver 1.36)
    pub(super) fn lets_anonymous_in(&self) -> bool {
        let modes = self.authorization_mode.as_deref().unwrap_or_default();
        self.anonymous_auth && !modes.iter().any(|mode| mode == "AlwaysAllow")
    }

    /// The chain. Without a flag that says otherwise, RBAC alone.
    pub(crate) fn modes(&self, warnings: &mut Warnings) -> Result<Vec<ModeSetting>, LoadError> {
        Ok(self.modes_and_file(warnings)?.0)
    }

    /// The chain, and the file that it comes from, if it comes from one.
    pub(crate) fn modes_and_file(
        &self,
        warnings: &mut Warnings,
    ) -> Result<(Vec<ModeSetting>, Option<Configured>), LoadError> {
        let configured = self.configured()?;
        let modes = match &configured {
            Some(configured) => configured.modes()?,
            None => self.flagged_modes()?,
        };
        if modes.iter().any(|mode| matches!(mode, ModeSetting::AlwaysAllow)) {
            let flag = if self.authorization_config.is_some() { CONFIG } else { MODE };
            let who = if self.lets_anonymous_in() {
                "everybody, anonymous clients included,"
            } else {
                "every user"
            };
            warnings.add(
                flag,
                format!("AlwaysAllow: {who} may do everything that no authorizer before it denies"),
                "use RBAC",
            );
        }
        if self.rbac_from.is_some() && !modes.iter().any(|mode| matches!(mode, ModeSetting::Rbac)) {
            let message = "no authorizer of the chain reads RBAC objects; add RBAC to it".to_owned();
            return Err(LoadError::Flag { flag: "--rbac-from", message });
        }
        Ok((modes, configured))
    }

    fn configured(&self) -> Result<Option<Configured>, LoadError> {
        let Some(path) = &self.authorization_config else { return Ok(None) };
        // UPSTREAM: the file excludes the other flags, whatever they say (kube-apiserver 1.36)
        let others = [
            (MODE, self.authorization_mode.is_some()),
            (WEBHOOK_FILE, self.authorization_webhook_config_file.is_some()),
            (WEBHOOK_VERSION, self.authorization_webhook_version.is_some()),
            (AUTHORIZED_TTL, self.authorization_webhook_cache_authorized_ttl.is_some()),
            (UNAUTHORIZED_TTL, self.authorization_webhook_cache_unauthorized_ttl.is_some()),
        ];
        if let Some((other, _)) = others.iter().find(|(_, given)| *given) {
            let message = format!("cannot be given beside {other}: the file says all of it");
            return Err(LoadError::Flag { flag: CONFIG, message });
        }
        Configured::read(path).map(Some)
    }

    fn flagged_modes(&self) -> Result<Vec<ModeSetting>, LoadError> {
        let default = ["RBAC".to_owned()];
        let names = self.authorization_mode.as_deref().unwrap_or(&default);
        let refuse = |flag, message: String| Err(LoadError::Flag { flag, message });
        let mut seen = HashSet::new();
        if names.is_empty() {
            return refuse(MODE, "at least one mode must be given".to_owned());
        }
        if self.authorization_webhook_config_file.is_some() && !names.iter().any(|name| name == "Webhook") {
            return refuse(WEBHOOK_FILE, format!("cannot be given without Webhook in {MODE}"));
        }
        let mut modes = Vec::with_capacity(names.len());
        for name in names {
            let kind = match name.as_str() {
                "Node" => AuthorizerKind::Node,
                "RBAC" => AuthorizerKind::Rbac,
                "AlwaysAllow" => AuthorizerKind::AlwaysAllow,
                "AlwaysDeny" => AuthorizerKind::AlwaysDeny,
                "ABAC" => AuthorizerKind::Abac,
                "Webhook" => AuthorizerKind::Webhook(Box::new(self.flagged_webhook()?)),
                other => {
                    let choices = "AlwaysAllow, AlwaysDeny, Node, RBAC or Webhook";
                    return refuse(MODE, format!("{} is not a valid mode: expected {choices}", quote(other)));
                }
            };
            if !seen.insert(name) {
                return refuse(MODE, format!("{} is given more than once", quote(name)));
            }
            let authorizer = Authorizer { name: DEFAULT_WEBHOOK.to_owned(), kind };
            modes.push(ModeSetting::of(authorizer, None, MODE)?);
        }
        Ok(modes)
    }

    /// The webhook of the flags.
    // UPSTREAM: 30 s for a try, no match conditions, NoOpinion when it fails, v1beta1 unless a flag
    // says v1, and a time of zero means that nothing is remembered (kube-apiserver 1.36)
    fn flagged_webhook(&self) -> Result<WebhookConfiguration, LoadError> {
        let version = match self.authorization_webhook_version.as_deref() {
            None | Some("v1beta1") => ReviewVersion::V1Beta1,
            Some("v1") => ReviewVersion::V1,
            Some(other) => {
                let message = format!("{} is not supported: expected v1 or v1beta1", quote(other));
                return Err(LoadError::Flag { flag: WEBHOOK_VERSION, message });
            }
        };
        let file = self.authorization_webhook_config_file.clone();
        let file: PathBuf = file.ok_or(LoadError::Missing {
            flag: WEBHOOK_FILE,
            why: "the mode Webhook needs to know which server to ask",
        })?;
        let authorized_ttl = self.authorization_webhook_cache_authorized_ttl;
        let authorized_ttl = authorized_ttl.unwrap_or(Duration::from_secs(300));
        let unauthorized_ttl = self.authorization_webhook_cache_unauthorized_ttl;
        let unauthorized_ttl = unauthorized_ttl.unwrap_or(Duration::from_secs(30));
        Ok(WebhookConfiguration {
            timeout: Duration::from_secs(30),
            authorized_ttl,
            cache_authorized_requests: !authorized_ttl.is_zero(),
            unauthorized_ttl,
            cache_unauthorized_requests: !unauthorized_ttl.is_zero(),
            subject_access_review_version: version,
            match_condition_subject_access_review_version: String::new(),
            failure_policy: FailurePolicy::NoOpinion,
            connection_info: ConnectionInfo::KubeConfigFile(file),
            match_conditions: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests;
