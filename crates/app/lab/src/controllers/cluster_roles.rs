//! ClusterRoles that are made of others.

use std::collections::BTreeMap;

use authz::rbac::aggregation;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use serde::Deserialize;

use super::revise;
use crate::{object::set, rest::Api, store::Key};

/// Looks at all of them: each may feed each.
pub(super) fn look_at_all(api: &Api) {
    let (objects, _) = api.store().list("clusterroles", None);
    let roles: Vec<ClusterRole> =
        objects.iter().filter_map(|object| ClusterRole::deserialize(&**object).ok()).collect();
    let rules_now: BTreeMap<&str, &[PolicyRule]> = roles
        .iter()
        .filter_map(|role| Some((role.metadata.name.as_deref()?, role.rules.as_deref().unwrap_or_default())))
        .collect();
    for (name, rules) in aggregation::fill(&roles) {
        if rules_now.get(name.as_str()) == Some(&rules.as_slice()) {
            continue;
        }
        let Ok(rules) = serde_json::to_value(rules) else { continue };
        revise(api, &Key::new("clusterroles", "", &name), |role| set(role, &["rules"], rules));
    }
}
