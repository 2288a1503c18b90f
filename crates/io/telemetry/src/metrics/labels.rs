//! What a request counts as: kube-apiserver's label values, cleaned as it cleans them.

use types::Attributes;

use super::label_values;

label_values! {
    /// `?dryRun`, as the query has it.
    pub enum DryRun {
        /// Absent.
        No = "",
        /// `All`, once or more often.
        All = "All",
        /// Anything else.
        Invalid = "invalid",
    }
}

impl DryRun {
    /// Reads a raw query, without the `?`.
    pub fn of(query: &str) -> Self {
        if !query.contains("dryRun") {
            return Self::No;
        }
        let mut found = Self::No;
        for piece in query.split('&') {
            match piece.strip_prefix("dryRun") {
                Some("=All") if found != Self::Invalid => found = Self::All,
                Some(value) if value.is_empty() || value.starts_with('=') => found = Self::Invalid,
                _ => {}
            }
        }
        found
    }
}

label_values! {
    /// How far a request reaches.
    pub(super) enum Scope {
        /// Not about resources.
        None = "",
        Cluster = "cluster",
        Namespace = "namespace",
        Resource = "resource",
    }
}

impl Scope {
    // UPSTREAM: a create counts as `resource` although it names none (kube-apiserver 1.36)
    fn of(attributes: &Attributes<'_>) -> Self {
        if !attributes.name.is_empty() || attributes.verb == "create" {
            Self::Resource
        } else if !attributes.namespace.is_empty() {
            Self::Namespace
        } else if attributes.resource_request {
            Self::Cluster
        } else {
            Self::None
        }
    }
}

label_values! {
    /// The verb of metrics: neither the HTTP method nor the verb of authorization.
    pub(super) enum Verb {
        Apply = "APPLY",
        Connect = "CONNECT",
        Delete = "DELETE",
        Get = "GET",
        List = "LIST",
        Patch = "PATCH",
        Post = "POST",
        Put = "PUT",
        Watch = "WATCH",
        Other = "other",
    }
}

impl Verb {
    fn of(labels: &RequestLabels<'_>, scope: Scope) -> Self {
        let attributes = labels.attributes;
        if attributes.resource_request
            && matches!(attributes.subresource, "exec" | "attach" | "portforward" | "proxy")
        {
            return Self::Connect;
        }
        match labels.method {
            "GET" | "HEAD" if attributes.verb == "watch" => Self::Watch,
            "GET" | "HEAD" if matches!(scope, Scope::Resource | Scope::None) => Self::Get,
            "GET" | "HEAD" => Self::List,
            "PATCH" if labels.content_type.starts_with("application/apply-patch+") => Self::Apply,
            "PATCH" => Self::Patch,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            // UPSTREAM: unknown methods count as `other` (kube-apiserver 1.36)
            _ => Self::Other,
        }
    }
}

/// What of a request decides where it counts.
#[derive(Clone, Copy, Debug)]
pub struct RequestLabels<'a> {
    /// The HTTP method as the client wrote it.
    pub method: &'a str,
    /// Verb and object.
    pub attributes: &'a Attributes<'a>,
    /// The `Content-Type` header; tells a server-side apply from other patches.
    pub content_type: &'a str,
    /// From the query.
    pub dry_run: DryRun,
}

/// What a request counts as, less its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) verb: Verb,
    pub(super) scope: Scope,
    pub(super) dry_run: DryRun,
}

impl Shape {
    pub(super) fn of(labels: &RequestLabels<'_>) -> Self {
        let scope = Scope::of(labels.attributes);
        Self { verb: Verb::of(labels, scope), scope, dry_run: labels.dry_run }
    }
}

/// Paths that are told apart; every other path counts as the empty one.
// UPSTREAM: non-resource paths are in the label `subresource`, with an empty `component`
// (kube-apiserver 1.36)
const PATHS: [(&str, &str); 4] =
    [("/healthz", "/healthz"), ("/livez", "/livez"), ("/readyz", "/readyz"), ("/openapi/v3", "openapi/v3")];

/// The label `subresource` of a request that is not about resources.
pub(super) fn path_label(path: &str) -> &'static str {
    PATHS.iter().find(|(known, _)| *known == path).map_or("", |(_, label)| label)
}
