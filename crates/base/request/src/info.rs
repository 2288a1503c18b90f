//! kube-apiserver's RequestInfo.

mod list;

use std::borrow::Cow;

use thiserror::Error;
use types::{Attributes, User, selector::Selectors};

use crate::{Rejected, Target};
use list::ListOptions;

/// What a request line asks for: kube-apiserver's `RequestInfo`.
///
/// One decoded path is kept; nearly everything else is a range of it.
// UPSTREAM: API prefixes are `api` (without group) and `apis` (kube-apiserver 1.36)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo {
    path: Box<str>,
    verb: Cow<'static, str>,
    is_resource_request: bool,
    api_prefix: Span,
    api_group: Span,
    api_version: Span,
    namespace: Span,
    resource: Span,
    subresource: Span,
    name: Span,
    parts: Span,
    /// The name that a field selector asks for, where the path names none.
    selected_name: Option<Box<str>>,
    field_selector: Box<str>,
    label_selector: Box<str>,
    selectors: Selectors,
}

/// Why there is no complete RequestInfo.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestInfoError {
    /// The HTTP server refuses the line with 400.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// A `/watch` or `/proxy` with nothing behind it: kube-apiserver answers 500 in plain text.
    #[error("unable to determine kind and namespace from url, {target}")]
    NoKind {
        /// What was known until then.
        info: Box<RequestInfo>,
        /// The target as it came.
        target: Box<str>,
    },
}

impl RequestInfo {
    /// Reads a request line. `target` is what stands between the two spaces of an HTTP/1.1 request
    /// line, or `:path` of HTTP/2.
    pub fn parse(method: &str, target: &str) -> Result<Self, RequestInfoError> {
        let parsed = Target::parse(method, target)?;
        let mut info = Self::non_resource(method, parsed.decode_path()?.into());
        let Some(mut left) = info.read_prefix() else { return Ok(info) };

        let by_prefix = match left.peek(&info.path) {
            "watch" => Some("watch"),
            "proxy" => Some("proxy"),
            _ => None,
        };
        if let Some(verb) = by_prefix {
            left.next(&info.path);
            if left.is_empty() {
                return Err(RequestInfoError::NoKind { info: Box::new(info), target: target.into() });
            }
            info.verb = verb.into();
        } else {
            info.verb = verb_of(method).into();
        }

        info.read_object(left);
        match &*info.verb {
            "get" if info.name.is_empty() => info.narrow(&ListOptions::parse(parsed.raw_query())),
            "delete" if info.name.is_empty() => {
                info.verb = "deletecollection".into();
                info.select(&ListOptions::parse(parsed.raw_query()));
            }
            _ => {}
        }
        Ok(info)
    }

    fn non_resource(method: &str, path: Box<str>) -> Self {
        let none = Span::default();
        Self {
            path,
            verb: lower_case(method),
            is_resource_request: false,
            api_prefix: none,
            api_group: none,
            api_version: none,
            namespace: none,
            resource: none,
            subresource: none,
            name: none,
            parts: none,
            selected_name: None,
            field_selector: Box::default(),
            label_selector: Box::default(),
            selectors: Selectors::NONE,
        }
    }

    /// Takes prefix, group and version off the path and returns the rest, or nothing where this is
    /// no resource request.
    fn read_prefix(&mut self) -> Option<Span> {
        let mut left = Span::trimmed(&self.path);
        let prefix = left.next(&self.path);
        let group_or_version = left.next(&self.path);
        if left.is_empty() {
            return None;
        }
        match prefix.text(&self.path) {
            "api" => self.api_version = group_or_version,
            "apis" => {
                // UPSTREAM: `/apis/GROUP/VERSION` keeps the prefix, though it is no resource request (kube-apiserver 1.36)
                self.api_prefix = prefix;
                let version = left.next(&self.path);
                if left.is_empty() {
                    return None;
                }
                self.api_group = group_or_version;
                self.api_version = version;
            }
            _ => return None,
        }
        self.api_prefix = prefix;
        self.is_resource_request = true;
        Some(left)
    }

    /// Reads `[namespaces/NAMESPACE/]RESOURCE[/NAME[/SUBRESOURCE[/…]]]`.
    fn read_object(&mut self, mut left: Span) {
        if left.peek(&self.path) == "namespaces" {
            let mut inner = left;
            inner.next(&self.path);
            if !inner.is_empty() {
                self.namespace = inner.next(&self.path);
                // A namespace's own subresources are those of the object, not of a resource in it.
                if !inner.is_empty() && !matches!(inner.peek(&self.path), "status" | "finalize") {
                    left = inner;
                }
            }
        }
        self.parts = left;
        self.resource = left.next(&self.path);
        self.name = left.next(&self.path);
        if self.verb != "proxy" {
            self.subresource = left.next(&self.path);
        }
    }

    /// Turns a nameless get into the list or watch that it is.
    fn narrow(&mut self, options: &ListOptions<'_>) {
        self.select(options);
        let selectors_decode = self.selectors.field.is_ok() && self.selectors.label.is_ok();
        let decodes = selectors_decode && options.integers_decode();
        self.verb = if options.watch(decodes) { "watch".into() } else { "list".into() };
        // UPSTREAM: one list option that does not decode loses the name, but neither watch nor selectors (kube-apiserver 1.36)
        if let (true, Ok(fields)) = (decodes, &self.selectors.field) {
            self.selected_name = fields
                .requires_exact_match("metadata.name")
                .filter(|name| !name.is_empty() && is_path_segment(name))
                .map(Into::into);
        }
    }

    fn select(&mut self, options: &ListOptions<'_>) {
        let (field, label) = (options.field_selector.as_deref(), options.label_selector.as_deref());
        if field.is_none() && label.is_none() {
            return;
        }
        self.field_selector = field.unwrap_or_default().into();
        self.label_selector = label.unwrap_or_default().into();
        self.selectors = Selectors::parse(&self.field_selector, &self.label_selector);
    }

    /// Whether this is about an API resource. If not, only verb and path mean anything.
    pub fn is_resource_request(&self) -> bool {
        self.is_resource_request
    }

    /// The path, decoded once and not cleaned. Every byte that is not UTF-8 shows as U+FFFD.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The Kubernetes verb of a resource request (empty where the method has none), else the
    /// lower-case method.
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// `api` or `apis`.
    pub fn api_prefix(&self) -> &str {
        self.api_prefix.text(&self.path)
    }

    /// Empty for the core group.
    pub fn api_group(&self) -> &str {
        self.api_group.text(&self.path)
    }

    /// `v1`, `v1beta1`, …
    pub fn api_version(&self) -> &str {
        self.api_version.text(&self.path)
    }

    /// Empty for all namespaces and for cluster-wide resources. A Namespace lies in itself.
    pub fn namespace(&self) -> &str {
        self.namespace.text(&self.path)
    }

    /// As it stands in the path.
    pub fn resource(&self) -> &str {
        self.resource.text(&self.path)
    }

    /// Empty for none.
    pub fn subresource(&self) -> &str {
        self.subresource.text(&self.path)
    }

    /// The object's name: from the path, or of a list or watch the one that its field selector
    /// asks for. Empty for none.
    pub fn name(&self) -> &str {
        self.selected_name.as_deref().unwrap_or_else(|| self.name.text(&self.path))
    }

    /// Resource, name, subresource and all that follows; may be empty strings.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let mut left = self.parts;
        std::iter::from_fn(move || (!left.is_empty()).then(|| left.next(&self.path).text(&self.path)))
    }

    /// The decoded `fieldSelector` of a list, watch or deletecollection.
    pub fn field_selector(&self) -> &str {
        &self.field_selector
    }

    /// The decoded `labelSelector` of a list, watch or deletecollection.
    pub fn label_selector(&self) -> &str {
        &self.label_selector
    }

    /// Both selectors, parsed.
    pub fn selectors(&self) -> &Selectors {
        &self.selectors
    }

    /// Whether the request may run for as long as it likes: it has no timeout, takes no seat and
    /// gets an audit event when it starts.
    // UPSTREAM: verbs watch and proxy, five subresources, profiles (kube-apiserver 1.36)
    pub fn is_long_running(&self) -> bool {
        if matches!(self.verb(), "watch" | "proxy") {
            return true;
        }
        if self.is_resource_request {
            matches!(self.subresource(), "attach" | "exec" | "proxy" | "log" | "portforward")
        } else {
            self.path.starts_with("/debug/pprof/")
        }
    }

    /// What authorizers are asked about this request.
    pub fn attributes<'a>(&'a self, user: &'a User) -> Attributes<'a> {
        Attributes {
            user,
            verb: self.verb(),
            resource_request: self.is_resource_request,
            namespace: self.namespace(),
            api_group: self.api_group(),
            api_version: self.api_version(),
            resource: self.resource(),
            subresource: self.subresource(),
            name: self.name(),
            path: self.path(),
            selectors: &self.selectors,
        }
    }
}

/// The verb of a request for a resource; methods are compared in their exact case.
fn verb_of(method: &str) -> &'static str {
    match method {
        "POST" => "create",
        "GET" | "HEAD" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

fn lower_case(method: &str) -> Cow<'static, str> {
    Cow::Borrowed(match method {
        "GET" => "get",
        "HEAD" => "head",
        "POST" => "post",
        "PUT" => "put",
        "PATCH" => "patch",
        "DELETE" => "delete",
        "OPTIONS" => "options",
        "CONNECT" => "connect",
        _ => return Cow::Owned(method.to_ascii_lowercase()),
    })
}

fn is_path_segment(name: &str) -> bool {
    name != "." && name != ".." && !name.contains(['/', '%'])
}

/// A range of the path. As what is left to read it never ends in `/`, so that its last segment is
/// never empty, and it is empty only when all is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn trimmed(path: &str) -> Self {
        let start = path.len() - path.trim_start_matches('/').len();
        Self { start, end: path.trim_end_matches('/').len().max(start) }
    }

    fn text(self, path: &str) -> &str {
        path.get(self.start..self.end).unwrap_or_default()
    }

    fn is_empty(self) -> bool {
        self.start == self.end
    }

    fn peek(self, path: &str) -> &str {
        let mut ahead = self;
        ahead.next(path).text(path)
    }

    /// Takes the first segment off; an empty one when nothing is left.
    fn next(&mut self, path: &str) -> Self {
        let start = self.start;
        // Segments are short: a plain loop beats a search that is built for long texts.
        let (end, rest) = match self.text(path).bytes().position(|b| b == b'/') {
            Some(length) => (start + length, start + length + 1),
            None => (self.end, self.end),
        };
        self.start = rest;
        Self { start, end }
    }
}

#[cfg(test)]
mod tests;
