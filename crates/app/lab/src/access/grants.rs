//! Nobody may grant what they do not hold, unless they are told they may.

use std::sync::Arc;

use authz::rbac::{Kind as RbacKind, Snapshot, escalation};
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Deserialize;
use serde_json::Value;
use types::{Attributes, Decision, Status, StatusDetails, StatusReason, User, group, selector::Selectors};

use crate::{
    object::{self, text},
    registry::Kind,
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Who may grant what, at one revision.
#[derive(Clone)]
pub struct Grants(Arc<Snapshot>);

/// A role or binding that is about to be written.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) user: &'a User,
    pub(crate) kind: &'static Kind,
    /// Of the path; empty for none.
    pub(crate) namespace: &'a str,
    /// Of the path; empty at creation.
    pub(crate) name: &'a str,
    pub(crate) object: &'a Value,
    /// Absent at creation.
    pub(crate) old: Option<&'a Value>,
}

impl Grants {
    pub(super) const fn new(snapshot: Arc<Snapshot>) -> Self {
        Self(snapshot)
    }

    /// Whether writes of this kind grant anything.
    pub(crate) fn concern(kind: &Kind) -> bool {
        kind.group == GROUP
    }

    /// Refuses a write by which its author would grant more than they hold.
    // UPSTREAM: asked after authorization and before validation. `system:masters`, `escalate` on the
    // role and `bind` on the role that a binding refers to let everything pass; so does an update that
    // changes nothing but owners and finalizers (kube-apiserver 1.36)
    pub(crate) fn check(&self, write: &Write<'_>) -> Result<(), Status> {
        if !Self::concern(write.kind) || write.user.in_group(group::MASTERS) {
            return Ok(());
        }
        if write.old.is_some_and(|old| lets_go_only(old, write.object)) {
            return Ok(());
        }
        match write.kind.plural {
            "roles" | "clusterroles" => self.check_role(write),
            _ => self.check_binding(write),
        }
    }

    fn check_role(&self, write: &Write<'_>) -> Result<(), Status> {
        if self.may(write, "escalate", write.kind.plural, write.name) {
            return Ok(());
        }
        self.confirm(write, &rules(write.object))?;
        let is_aggregated = |role: &Value| role.get("aggregationRule").is_some_and(|rule| !rule.is_null());
        if is_aggregated(write.object) || write.old.is_some_and(is_aggregated) {
            // Whatever anybody labels will be in it.
            self.confirm(write, &everything()).map_err(|_| {
                forbidden(write, "must have cluster-admin privileges to use the aggregationRule")
            })?;
        }
        Ok(())
    }

    fn check_binding(&self, write: &Write<'_>) -> Result<(), Status> {
        let (kind, name) = (text(write.object, "/roleRef/kind"), text(write.object, "/roleRef/name"));
        let (rbac_kind, plural, namespace) = match kind {
            "Role" => (RbacKind::Role, "roles", write.namespace),
            "ClusterRole" => (RbacKind::ClusterRole, "clusterroles", ""),
            // Not a kind of role: validation says so better.
            _ => return Ok(()),
        };
        if self.may(write, "bind", plural, name) {
            return Ok(());
        }
        match self.0.world().rules(rbac_kind, namespace, name) {
            Some(rules) => self.confirm(write, rules),
            None => {
                let message = format!("{plural}.{GROUP} {} not found", types::quote(name));
                let details = StatusDetails {
                    name: name.into(),
                    group: GROUP.into(),
                    kind: plural.into(),
                    ..StatusDetails::default()
                };
                Err(Status::failure(404, StatusReason::NotFound, message).with_details(details))
            }
        }
    }

    fn confirm(&self, write: &Write<'_>, rules: &[PolicyRule]) -> Result<(), Status> {
        let (held, errors) = self.0.world().rules_for(write.user, write.namespace);
        let missing = escalation::uncovered(&held, rules);
        if missing.is_empty() {
            return Ok(());
        }
        Err(forbidden(write, &escalation::refusal(write.user, &missing, &errors)))
    }

    /// Whether the author may use `verb` on a role.
    fn may(&self, write: &Write<'_>, verb: &str, resource: &str, name: &str) -> bool {
        let attributes = Attributes {
            user: write.user,
            verb,
            resource_request: true,
            namespace: write.namespace,
            api_group: GROUP,
            api_version: "*",
            resource,
            subresource: "",
            name,
            path: "",
            selectors: &Selectors::NONE,
        };
        self.0.decide(&attributes).decision == Decision::Allow
    }
}

/// The rules of a role. What is no list of rules will not pass validation either.
fn rules(role: &Value) -> Vec<PolicyRule> {
    role.get("rules").and_then(|rules| Deserialize::deserialize(rules).ok()).unwrap_or_default()
}

fn everything() -> [PolicyRule; 2] {
    let all = || Some(vec!["*".to_owned()]);
    let rule = PolicyRule { verbs: vec!["*".into()], ..PolicyRule::default() };
    [
        PolicyRule { api_groups: all(), resources: all(), ..rule.clone() },
        PolicyRule { non_resource_urls: all(), ..rule },
    ]
}

/// Whether an update changes at most what the garbage collector needs to change.
fn lets_go_only(old: &Value, new: &Value) -> bool {
    let rest = |object: &Value| {
        let mut object = object.clone();
        for member in ["ownerReferences", "finalizers", "managedFields"] {
            object::remove(&mut object, &["metadata", member]);
        }
        object
    };
    rest(old) == rest(new)
}

fn forbidden(write: &Write<'_>, why: &str) -> Status {
    let name = object::name(write.object);
    let subject = match name {
        "" => write.kind.qualified(),
        name => format!("{} {}", write.kind.qualified(), types::quote(name)),
    };
    let details = StatusDetails {
        name: name.into(),
        group: GROUP.into(),
        kind: write.kind.plural.into(),
        ..StatusDetails::default()
    };
    Status::failure(403, StatusReason::Forbidden, format!("{subject} is forbidden: {why}"))
        .with_details(details)
}
