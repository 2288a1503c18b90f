//! What the API server demands of objects before it stores them, as far as authorizers look at it, and
//! the defaults that it fills in.
//!
//! UPSTREAM: validation and defaulting of `rbac.authorization.k8s.io/v1`; a VolumeAttachment and a
//! PodCertificateRequest name their node (kube-apiserver 1.36).

use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};

use crate::yaml::{Document, FieldError};

pub(super) const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// Rules of a Role (`namespaced`) or a ClusterRole.
pub(super) fn rules(document: &Document, rules: &[PolicyRule], namespaced: bool) -> Result<(), FieldError> {
    for (index, rule) in rules.iter().enumerate() {
        let (groups, resources) = (rule.api_groups.as_deref(), rule.resources.as_deref());
        let names = rule.resource_names.as_deref();
        let has = |list: Option<&[String]>| list.is_some_and(|list| !list.is_empty());
        let wrong = if rule.verbs.is_empty() {
            Some(("verbs", "must hold at least one verb"))
        } else if has(rule.non_resource_urls.as_deref()) {
            if namespaced {
                Some(("nonResourceURLs", "cannot stand in a Role, whose rules are for one namespace"))
            } else if has(groups) || has(resources) || has(names) {
                Some(("nonResourceURLs", "cannot stand beside apiGroups, resources or resourceNames"))
            } else {
                None
            }
        } else if !has(groups) {
            Some(("apiGroups", "must hold at least one API group (`\"\"` is the core group)"))
        } else if !has(resources) {
            Some(("resources", "must hold at least one resource"))
        } else {
            None
        };
        if let Some((field, message)) = wrong {
            return Err(document.error(&format!("rules[{index}].{field}"), message));
        }
    }
    Ok(())
}

/// The role of a RoleBinding (`namespaced`) or a ClusterRoleBinding.
pub(super) fn role_ref(
    document: &Document,
    role_ref: &mut RoleRef,
    namespaced: bool,
) -> Result<(), FieldError> {
    let given = role_ref.api_group.take().filter(|given| !given.is_empty());
    if let Some(given) = given.filter(|given| given != RBAC_GROUP) {
        return Err(document.error("roleRef.apiGroup", expected(&[RBAC_GROUP], &given)));
    }
    role_ref.api_group = Some(RBAC_GROUP.to_owned());
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&role_ref.kind.as_str()) {
        return Err(document.error("roleRef.kind", expected(kinds, &role_ref.kind)));
    }
    if role_ref.name.is_empty() {
        return Err(document.error("roleRef.name", "must be set"));
    }
    Ok(())
}

/// The subjects of a RoleBinding (`namespaced`) or a ClusterRoleBinding.
pub(super) fn subjects(
    document: &Document,
    subjects: &mut [Subject],
    namespaced: bool,
) -> Result<(), FieldError> {
    for (index, subject) in subjects.iter_mut().enumerate() {
        let error = |field: &str, message: String| {
            Err(document.error(&format!("subjects[{index}].{field}"), message))
        };
        let group = match subject.kind.as_str() {
            "ServiceAccount" => "",
            "User" | "Group" => RBAC_GROUP,
            kind => return error("kind", expected(&["User", "Group", "ServiceAccount"], kind)),
        };
        let given = subject.api_group.take().filter(|given| !given.is_empty());
        if let Some(given) = given.filter(|given| given != group) {
            return error("apiGroup", expected(&[group], &given));
        }
        subject.api_group = Some(group.to_owned());
        if subject.name.is_empty() {
            return error("name", "must be set".to_owned());
        }
        let nowhere = subject.namespace.as_deref().unwrap_or_default().is_empty();
        if subject.kind == "ServiceAccount" && !namespaced && nowhere {
            return error("namespace", "must be set for a ServiceAccount".to_owned());
        }
    }
    Ok(())
}

/// The node that an object belongs to.
pub(super) fn node_name(document: &Document, name: &str) -> Result<(), FieldError> {
    if name.is_empty() { Err(document.error("spec.nodeName", "must be set")) } else { Ok(()) }
}

fn expected(choices: &[&str], found: &str) -> String {
    let choices: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    format!("expected {}, found `{found}`", choices.join(" or "))
}
