//! Which of the two limits on running requests a request counts against.

/// The two kinds of requests that are limited and counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// `get`, `list` and `watch`.
    ReadOnly,
    /// Every other verb, `head` and `options` of a non-resource path included.
    Mutating,
}

impl RequestKind {
    /// Both, in the order in which metrics show them.
    pub const ALL: [Self; 2] = [Self::ReadOnly, Self::Mutating];

    /// The kind of a request with this verb.
    // UPSTREAM: the verb decides, of non-resource requests too (kube-apiserver 1.36)
    pub fn of(verb: &str) -> Self {
        if matches!(verb, "get" | "list" | "watch") { Self::ReadOnly } else { Self::Mutating }
    }

    /// The label `request_kind` of `apiserver_current_inflight_requests`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::Mutating => "mutating",
        }
    }
}
