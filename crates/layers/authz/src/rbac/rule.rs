//! What one rule covers.

use k8s_openapi::api::rbac::v1::PolicyRule;
use types::Attributes;

/// A list of the API that may be absent, which means empty.
pub(super) fn list(of: &Option<Vec<String>>) -> &[String] {
    of.as_deref().unwrap_or_default()
}

/// Whether a rule covers a request, its name aside: that of `resourceNames` is the caller's to check.
pub(super) fn covers(rule: &PolicyRule, at: &Attributes<'_>) -> bool {
    if !has_or_all(&rule.verbs, at.verb) {
        return false;
    }
    if !at.resource_request {
        return list(&rule.non_resource_urls).iter().any(|url| covers_path(url, at.path));
    }
    has_or_all(list(&rule.api_groups), at.api_group)
        && list(&rule.resources).iter().any(|resource| covers_resource(resource, at))
}

fn has_or_all(list: &[String], text: &str) -> bool {
    list.iter().any(|member| member == "*" || member == text)
}

// UPSTREAM: `*` covers every resource with its subresources, `*/sub` that subresource of every resource;
// `pods/*` and `*/` are plain names. Resource and subresource count as one string, wherever it was split
// (kube-apiserver 1.36)
fn covers_resource(pattern: &str, at: &Attributes<'_>) -> bool {
    if pattern == "*" || is_joined(pattern, at.resource, at.subresource) {
        return true;
    }
    !at.subresource.is_empty() && pattern.strip_prefix("*/") == Some(at.subresource)
}

/// Whether `text` is `resource/subresource`, or `resource` where there is no subresource.
pub(crate) fn is_joined(text: &str, resource: &str, subresource: &str) -> bool {
    let Some(rest) = text.strip_prefix(resource) else { return false };
    if subresource.is_empty() { rest.is_empty() } else { rest.strip_prefix('/') == Some(subresource) }
}

// UPSTREAM: all stars at the end are dropped and the rest is a plain prefix; a star elsewhere is itself
// (kube-apiserver 1.36)
pub(super) fn covers_path(pattern: &str, path: &str) -> bool {
    pattern == path || (pattern.ends_with('*') && path.starts_with(pattern.trim_end_matches('*')))
}
