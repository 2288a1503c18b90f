//! What a request asks for, in the terms authorizers decide in.

use crate::{User, selector::Selectors};

/// One access question: kube-apiserver's `authorizer.Attributes`.
///
/// It borrows everything, so that asking costs no allocation. For a resource request `path` plays
/// no part in the decision; for any other request only `verb` and `path` do.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// For whom.
    pub user: &'a User,
    /// The Kubernetes verb (`list`, `deletecollection`, …), or the lower-case HTTP method of a
    /// non-resource request. Empty where the method has no verb.
    pub verb: &'a str,
    /// Whether the request is about an API resource.
    pub resource_request: bool,
    /// Empty for all namespaces and for cluster-wide resources.
    pub namespace: &'a str,
    /// Empty for the core group.
    pub api_group: &'a str,
    /// `v1`, `v1beta1`, …
    pub api_version: &'a str,
    /// Plural and lower-case as it stands in the path: `pods`.
    pub resource: &'a str,
    /// `log`, `exec`, `status`, …; empty for none.
    pub subresource: &'a str,
    /// The object's name; empty where the request names none.
    pub name: &'a str,
    /// The path, decoded once and not cleaned.
    pub path: &'a str,
    /// Selectors of list, watch and deletecollection, parsed.
    pub selectors: &'a Selectors,
}

static NO_SELECTORS: Selectors = Selectors::NONE;

impl<'a> Attributes<'a> {
    /// Those of a request for a path that is no API resource; every other field is empty.
    pub const fn of_path(user: &'a User, verb: &'a str, path: &'a str) -> Self {
        Self {
            user,
            verb,
            resource_request: false,
            namespace: "",
            api_group: "",
            api_version: "",
            resource: "",
            subresource: "",
            name: "",
            path,
            selectors: &NO_SELECTORS,
        }
    }
}

/// A resource as kubectl writes it: `pods`, `pods/log`, `deployments.apps/scale`.
pub fn qualified_resource(resource: &str, api_group: &str, subresource: &str) -> String {
    let dot = if api_group.is_empty() { "" } else { "." };
    let slash = if subresource.is_empty() { "" } else { "/" };
    format!("{resource}{dot}{api_group}{slash}{subresource}")
}

impl Attributes<'_> {
    /// `resource` or `resource/subresource`, as RBAC rules spell it.
    pub fn combined_resource(&self) -> std::borrow::Cow<'_, str> {
        if self.subresource.is_empty() {
            self.resource.into()
        } else {
            format!("{}/{}", self.resource, self.subresource).into()
        }
    }
}
