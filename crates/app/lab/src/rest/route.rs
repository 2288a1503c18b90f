//! Which paths lead where.

use http::Method;
use types::Status;

use super::{
    Call, Reply,
    failure::{bad_request, method_not_allowed, no_such_resource},
};
use crate::registry::{self, Behaviour, Kind, Subresource};

/// Where a path leads.
pub(super) enum Route {
    /// To a page that has nothing to do with objects.
    Fixed(Page),
    /// To objects.
    Resource(Target),
}

/// A page that is not about objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Root,
    Core,
    Groups,
    Group(String),
    Resources { group: String, version: String },
    Version,
    Health,
    OpenApi2,
    OpenApi3,
    OpenApi3Of { group: String, version: String },
}

/// Objects that a path names.
pub(super) struct Target {
    pub(super) kind: &'static Kind,
    /// `None`: all namespaces, or none at all.
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<&'static Subresource>,
    /// The path's old `/watch/` prefix.
    pub(super) watch: bool,
}

fn page_not_found() -> Reply {
    Reply::text(404, "404 page not found\n")
}

/// Reads a decoded path. Nothing is cleaned; trailing slashes are ignored below `/api` and `/apis`.
// UPSTREAM: recorded path by path (vectors/request_info, kube-apiserver 1.36)
pub(super) fn find(path: &str) -> Result<Route, Reply> {
    let pieces: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let trimmed = pieces.iter().rposition(|piece| !piece.is_empty()).map_or(0, |last| last + 1);
    let (full, pieces) = (pieces.len(), pieces.get(..trimmed).unwrap_or_default());
    let fixed = |page| Ok(Route::Fixed(page));
    match pieces {
        [] if full == 1 => fixed(Page::Root),
        ["healthz" | "livez" | "readyz"] if full == 1 => fixed(Page::Health),
        ["healthz" | "livez" | "readyz", check] if full == 2 && super::health::is_check(check) => {
            fixed(Page::Health)
        }
        ["version"] => fixed(Page::Version),
        ["openapi", "v2"] if full == 2 => fixed(Page::OpenApi2),
        ["openapi", "v3"] if full == 2 => fixed(Page::OpenApi3),
        ["openapi", "v3", "api", version] => of_group("", version),
        ["openapi", "v3", "apis", group, version] => of_group(group, version),
        ["api"] => fixed(Page::Core),
        ["api", version] if registry::versions("").contains(version) => resources("", version),
        ["api", version, rest @ ..] => target("", version, rest).map(Route::Resource).map_err(Reply::from),
        ["apis"] if full <= 2 => fixed(Page::Groups),
        ["apis", group, ..] if group.is_empty() || registry::versions(group).is_empty() => {
            Err(page_not_found())
        }
        ["apis", group] => fixed(Page::Group((*group).into())),
        ["apis", group, version] if registry::versions(group).contains(version) => resources(group, version),
        ["apis", group, version, rest @ ..] => {
            target(group, version, rest).map(Route::Resource).map_err(Reply::from)
        }
        _ => Err(page_not_found()),
    }
}

fn resources(group: &str, version: &str) -> Result<Route, Reply> {
    Ok(Route::Fixed(Page::Resources { group: group.into(), version: version.into() }))
}

fn of_group(group: &str, version: &str) -> Result<Route, Reply> {
    if registry::versions(group).contains(&version) {
        Ok(Route::Fixed(Page::OpenApi3Of { group: group.into(), version: version.into() }))
    } else {
        Err(page_not_found())
    }
}

fn target(group: &str, version: &str, rest: &[&str]) -> Result<Target, Status> {
    let (watch, rest) = match rest {
        ["watch", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let find = |plural: &str| registry::find(group, version, plural).ok_or_else(no_such_resource);
    let target = match rest {
        // `namespaces/NAME/RESOURCE` names a resource in it, unless it is one of its own subresources.
        ["namespaces", namespace, plural, rest @ ..] if !is_namespace_part(group, plural) => {
            let kind = find(plural)?;
            if !kind.namespaced {
                return Err(no_such_resource());
            }
            let namespace = Some((*namespace).to_owned()).filter(|namespace| !namespace.is_empty());
            below(kind, namespace, rest)?
        }
        [plural, rest @ ..] => {
            let kind = find(plural)?;
            if kind.namespaced && !rest.is_empty() {
                return Err(no_such_resource());
            }
            below(kind, None, rest)?
        }
        [] => return Err(no_such_resource()),
    };
    if watch && (target.subresource.is_some() || target.kind.review.is_some()) {
        return Err(no_such_resource());
    }
    Ok(Target { watch, ..target })
}

fn is_namespace_part(group: &str, piece: &str) -> bool {
    group.is_empty()
        && registry::by_kind("", "Namespace").is_some_and(|kind| kind.subresource(piece).is_some())
}

fn below(kind: &'static Kind, namespace: Option<String>, rest: &[&str]) -> Result<Target, Status> {
    let mut target = Target { kind, namespace, name: None, subresource: None, watch: false };
    match rest {
        [] => {}
        [name] => target.name = Some((*name).into()),
        [name, sub] => {
            target.name = Some((*name).into());
            target.subresource = Some(kind.subresource(sub).ok_or_else(no_such_resource)?);
            if name.is_empty() {
                return Err(bad_request("name must be provided"));
            }
        }
        _ => return Err(no_such_resource()),
    }
    Ok(target)
}

impl Target {
    /// The namespace as the store spells it.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    pub(super) fn answer(&self, call: &Call<'_>) -> Result<Reply, Status> {
        if let Some(subresource) = self.subresource {
            self.check_name()?;
            return self.answer_subresource(call, subresource);
        }
        let kind = self.kind;
        let verb = self.verb(&call.method, &call.query).ok_or_else(method_not_allowed)?;
        if let Some(review) = kind.review {
            return match verb {
                "create" => super::subresource::review(
                    call,
                    self,
                    review,
                    kind.schema,
                    &kind.api_version(),
                    kind.kind,
                ),
                _ => Err(method_not_allowed()),
            };
        }
        if !kind.verbs.contains(&verb) {
            return Err(method_not_allowed());
        }
        self.check_name()?;
        match verb {
            "get" => super::read::get(call, self),
            "list" => super::read::list(call, self),
            "watch" => super::watch::watch(call, self),
            "create" => super::write::create(call, self),
            "update" => super::update::update(call, self),
            "patch" => super::patch::patch(call, self),
            "delete" => super::delete::delete(call, self),
            "deletecollection" => super::delete::delete_collection(call, self),
            _ => Err(method_not_allowed()),
        }
    }

    fn answer_subresource(&self, call: &Call<'_>, sub: &'static Subresource) -> Result<Reply, Status> {
        let verb = self.verb(&call.method, &call.query).filter(|verb| sub.verbs.contains(verb));
        let verb = verb.ok_or_else(method_not_allowed)?;
        match sub.behaviour {
            Behaviour::Scale => super::subresource::scale(call, self, sub, verb),
            Behaviour::Log => super::pod_log::log(call, self),
            Behaviour::Stream(streaming) => super::streaming::open(call, self, streaming),
            Behaviour::Binding => super::subresource::bind(call, self, sub),
            Behaviour::Eviction => super::subresource::evict(call, self, sub),
            Behaviour::Review(review) => super::subresource::token(call, self, sub, review),
            Behaviour::Status | Behaviour::Approval | Behaviour::Finalize => match verb {
                "get" => super::read::get(call, self),
                "patch" => super::patch::patch(call, self),
                _ => super::update::update(call, self),
            },
        }
    }

    /// The verb of a method on this path; `None` where it has none.
    fn verb(&self, method: &Method, query: &super::Query) -> Option<&'static str> {
        let in_namespace = !self.kind.namespaced || self.namespace.is_some();
        let sub = self.subresource.is_some();
        Some(match (method.as_str(), self.name.is_some()) {
            ("GET", _) if self.watch => "watch",
            ("GET", true) => "get",
            ("GET", false) if query.flag("watch") => "watch",
            ("GET", false) => "list",
            _ if self.watch => return None,
            ("POST", false) if in_namespace => "create",
            ("POST", true) if sub => "create",
            ("PUT", true) => "update",
            ("PATCH", true) => "patch",
            ("DELETE", true) if !sub => "delete",
            ("DELETE", false) if in_namespace => "deletecollection",
            _ => return None,
        })
    }

    fn check_name(&self) -> Result<(), Status> {
        let Some(name) = &self.name else {
            return self.check_namespace();
        };
        if self.kind.namespaced && self.namespace.is_none() {
            return Err(bad_request("Namespace parameter required."));
        }
        let wrong = registry::path_segment(name);
        if wrong.is_empty() {
            return self.check_namespace();
        }
        Err(bad_request(format!("Name parameter invalid: {name:?}: {}", wrong.join(";"))))
    }

    /// UPSTREAM: the storage itself refuses such keys (kube-apiserver 1.36).
    fn check_namespace(&self) -> Result<(), Status> {
        match self.namespace() {
            "." | ".." => {
                let message = format!("invalid key: \"/{}/{}\"", self.kind.plural, self.namespace());
                Err(Status::failure(500, types::StatusReason::Unknown, message))
            }
            _ => Ok(()),
        }
    }
}
