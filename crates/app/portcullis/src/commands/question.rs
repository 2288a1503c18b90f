//! What is asked about, and for whom, as people type it.

use reach::{About, KNOWN_VERBS, Question, Resource};
use types::User;

use crate::exit::{self, Failure};

/// `VERB RESOURCE [NAME]`, as kubectl takes it.
#[derive(clap::Args)]
pub(super) struct Asked {
    /// get, list, watch, create, update, patch, delete, deletecollection, …
    #[arg(value_name = "VERB")]
    verb: Option<String>,
    /// pods, po, deployments.apps, pods/NAME, or a path: /metrics
    #[arg(value_name = "RESOURCE")]
    resource: Option<String>,
    /// The object's name
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Where, and which part.
#[derive(clap::Args, Clone)]
pub(super) struct Place {
    /// The namespace [default: all of them at once]
    #[arg(long, short, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,
    /// log, exec, scale, status, …
    #[arg(long, value_name = "NAME")]
    pub(super) subresource: Option<String>,
}

impl Asked {
    pub(super) fn namespace(&self) -> &str {
        self.place.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.verb.is_none()
    }

    pub(super) fn question(&self) -> Result<Question, Failure> {
        let (Some(verb), Some(resource)) = (&self.verb, &self.resource) else {
            return Err(Failure::usage(
                "who wants to do what to what? Give a verb and a resource: `list pods`, `get /metrics`",
            ));
        };
        question(verb, resource, self.name.as_deref(), &self.place)
    }
}

/// Puts a question together, and warns of what is allowed and nearly always a slip.
pub(super) fn question(
    verb: &str,
    resource: &str,
    name: Option<&str>,
    place: &Place,
) -> Result<Question, Failure> {
    if !KNOWN_VERBS.contains(&verb) && !verb.starts_with("impersonate-on:") {
        exit::warn(&format!(
            "no authorizer or API of Kubernetes knows the verb `{verb}`; it is asked about as it stands"
        ));
    }
    if resource.starts_with('/') {
        let extra = [
            ("NAME", name),
            ("--namespace", place.namespace.as_deref()),
            ("--subresource", place.subresource.as_deref()),
        ];
        if let Some((what, _)) = extra.iter().find(|(_, given)| given.is_some()) {
            return Err(Failure::usage(format!("{what} means nothing for the path `{resource}`")));
        }
        return Ok(Question { verb: verb.to_owned(), about: About::Path(resource.to_owned()) });
    }
    let (resource, slashed) = match resource.split_once('/') {
        Some((resource, name)) => (resource, Some(name)),
        None => (resource, None),
    };
    if let (Some(slashed), Some(name)) = (slashed, name) {
        return Err(Failure::usage(format!("two names are given: `{slashed}` and `{name}`")));
    }
    let name = slashed.or(name).unwrap_or_default();
    let resource = Resource::parse(resource).map_err(Failure::usage)?;
    if slashed.is_some() && Resource::is_subresource(name) {
        exit::warn(&format!(
            "`{}/{name}` is taken for the object `{name}`, as kubectl takes it; the subresource is `--subresource {name}`",
            resource.name
        ));
    }
    let mut namespace = place.namespace.clone().unwrap_or_default();
    if resource.namespaced == Some(false) && !namespace.is_empty() && !lends_by_namespace(&resource, verb) {
        exit::warn(&format!("{} lie in no namespace; `{namespace}` is left out", resource.qualified()));
        namespace.clear();
    }
    let subresource = place.subresource.clone().unwrap_or_default();
    Ok(Question {
        verb: verb.to_owned(),
        about: About::Resource { resource, subresource, name: name.to_owned(), namespace },
    })
}

// UPSTREAM: a Namespace is asked about within itself, and `bind` of a ClusterRole within the namespace
// of the RoleBinding (kube-apiserver 1.36)
fn lends_by_namespace(resource: &Resource, verb: &str) -> bool {
    resource.qualified() == "namespaces" || (verb == "bind" && resource.name == "clusterroles")
}

/// Somebody by name.
#[derive(clap::Args)]
pub(super) struct As {
    /// The user: alice, system:serviceaccount:NAMESPACE:NAME, system:node:NAME
    #[arg(long = "as", value_name = "USER")]
    pub(super) user: Option<String>,
    /// The user's groups; repeat, or separate by commas. system:authenticated is added
    #[arg(long, visible_alias = "as-group", value_name = "GROUP", value_delimiter = ',')]
    pub(super) groups: Vec<String>,
}

impl As {
    /// The user with the groups that authenticators add.
    pub(super) fn user(&self) -> Result<User, Failure> {
        let Some(name) = &self.user else {
            return Err(Failure::usage(
                "who? Give `--as USER`, and `--groups` for the groups of a certificate or token",
            ));
        };
        if name.starts_with(types::username::NODE_PREFIX)
            && !self.groups.iter().any(|g| g == types::group::NODES)
        {
            exit::warn(&format!(
                "a kubelet is in the group system:nodes; add `--groups system:nodes` if `{name}` is one"
            ));
        }
        Ok(reach::subject_user(name, &self.groups))
    }
}

/// How to print.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    Table,
    Json,
}
