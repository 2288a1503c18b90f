//! Tokens that run out, and die with what they are bound to.

use std::collections::BTreeMap;

use types::{ObjectKind, extra};

use super::{
    Account, Stop,
    claims::{BoundTo, Claims},
    lookup::{Asked, earliest, end_of, is_gone},
    refuse,
};
use crate::Remarks;

/// Whom a bound token speaks for, if all that it is bound to still exists.
// UPSTREAM: `sub` plays no part, only `kubernetes.io` does (kube-apiserver 1.36)
pub(super) fn account<'v>(
    claims: &Claims<'v>,
    binding: &BoundTo<'v>,
    asked: &Asked<'_>,
    remarks: &mut Remarks,
) -> Result<Account<'v>, Stop> {
    claims.check_dates(asked.now).map_err(refuse)?;
    let BoundTo { namespace, service_account, .. } = *binding;
    let account = asked.service_account(namespace, service_account)?;
    if is_gone(account, asked.now) {
        return Err(refuse(format!("service account {namespace}/{} has been deleted", service_account.name)));
    }
    if account.uid != service_account.uid {
        return Err(refuse(format!(
            "service account UID ({}) does not match claim ({})",
            account.uid, service_account.uid
        )));
    }
    let mut valid_until = earliest(claims.valid_until(), end_of(account));
    let mut extra = BTreeMap::new();
    let mut set = |key: &str, value: &str| {
        if !value.is_empty() {
            extra.insert(key.to_owned(), vec![value.to_owned()]);
        }
    };
    if let Some(secret) = binding.secret {
        let end = asked.bound_to(ObjectKind::Secret, namespace, secret)?;
        valid_until = earliest(valid_until, end);
    }
    if let Some(pod) = binding.pod {
        let end = asked.bound_to(ObjectKind::Pod, namespace, pod)?;
        valid_until = earliest(valid_until, end);
        // UPSTREAM: a pod is told by name and UID or not at all (kube-apiserver 1.36)
        if !pod.uid.is_empty() {
            set(extra::POD_NAME, pod.name);
            set(extra::POD_UID, pod.uid);
        }
    }
    if let Some(node) = binding.node {
        // UPSTREAM: the node of a pod-bound token is only told, not looked up (kube-apiserver 1.36)
        if binding.pod.is_none() {
            let end = asked.bound_to(ObjectKind::Node, "", node)?;
            valid_until = earliest(valid_until, end);
        }
        if !node.name.is_empty() {
            set(extra::NODE_NAME, node.name);
            set(extra::NODE_UID, node.uid);
        }
    }
    if !claims.id.is_empty() {
        set(extra::CREDENTIAL_ID, &format!("JTI={}", claims.id));
    }
    if let Some(seconds) = binding.warn_after.and_then(|date| date.seconds_past(asked.now)) {
        remarks.annotate(
            "authentication.k8s.io/stale-token",
            format!("subject: {}, seconds after warning threshold: {seconds}", claims.subject),
        );
    }
    Ok(Account { namespace, service_account, extra, valid_until })
}
