//! What one identity may do, worked out piece by piece as it is asked.

use std::sync::{Arc, OnceLock};

use hashbrown::{Equivalent, HashMap, HashSet};
use k8s_openapi::api::rbac::v1::PolicyRule;
use parking_lot::RwLock;
use types::Attributes;

use super::{
    cache::Cache,
    rule::{covers, list},
    world::{Held, World},
};
use crate::{Opinion, opinion::aggregate};

/// The grants of one identity in one snapshot.
#[derive(Default)]
pub(super) struct Grants {
    cluster: OnceLock<Scope>,
    namespaces: RwLock<HashMap<Box<str>, Arc<Scope>>>,
}

/// What the identity holds through the ClusterRoleBindings, or through the RoleBindings of a namespace.
struct Scope {
    /// One entry a role, however many bindings lead to it: any of them may be named as the reason.
    roles: Vec<(Held, Arc<[PolicyRule]>)>,
    /// Why the roles of other bindings could not be found.
    errors: Vec<String>,
    answers: RwLock<HashMap<Question, Answer>>,
}

/// A request but for its user, its namespace and the object's name.
#[derive(PartialEq, Eq, Hash)]
struct Question {
    resource_request: bool,
    verb: Box<str>,
    api_group: Box<str>,
    /// The path, when the request is about one.
    resource: Box<str>,
    subresource: Box<str>,
}

#[derive(Clone, Copy, Hash)]
struct QuestionRef<'a> {
    resource_request: bool,
    verb: &'a str,
    api_group: &'a str,
    resource: &'a str,
    subresource: &'a str,
}

impl Equivalent<Question> for QuestionRef<'_> {
    fn equivalent(&self, question: &Question) -> bool {
        self.resource_request == question.resource_request
            && self.verb == &*question.verb
            && self.api_group == &*question.api_group
            && self.resource == &*question.resource
            && self.subresource == &*question.subresource
    }
}

/// Who grants a question: everywhere, or for some names only.
struct Answer {
    every_name: Option<Arc<str>>,
    names: HashMap<Box<str>, Arc<str>>,
}

impl Grants {
    /// Asks the cluster's bindings first, then the namespace's.
    pub(super) fn decide(&self, world: &World, cache: &Cache, at: &Attributes<'_>) -> Opinion {
        let cluster = self.cluster.get_or_init(|| Scope::new(world, cache, at, ""));
        if let Some(reason) = cluster.allows(cache, at) {
            return Opinion::allow(reason);
        }
        let namespace = (!at.namespace.is_empty()).then(|| self.in_namespace(world, cache, at));
        if let Some(reason) = namespace.as_ref().and_then(|scope| scope.allows(cache, at)) {
            return Opinion::allow(reason);
        }
        let errors = cluster.errors.iter().chain(namespace.iter().flat_map(|scope| &scope.errors));
        match aggregate(errors.map(String::as_str)) {
            none if none.is_empty() => Opinion::no_opinion(Arc::default()),
            errors => Opinion::no_opinion(format!("RBAC: {errors}")),
        }
    }

    fn in_namespace(&self, world: &World, cache: &Cache, at: &Attributes<'_>) -> Arc<Scope> {
        if let Some(known) = self.namespaces.read().get(at.namespace) {
            return Arc::clone(known);
        }
        let scope = Arc::new(Scope::new(world, cache, at, at.namespace));
        self.namespaces.write().insert(at.namespace.into(), Arc::clone(&scope));
        scope
    }
}

impl Scope {
    fn new(world: &World, cache: &Cache, at: &Attributes<'_>, namespace: &str) -> Self {
        let (mut roles, mut errors, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for held in world.held_by(at.user, namespace) {
            match world.rules_of(&held.binding) {
                Ok(rules) if seen.insert(rules.as_ptr()) => roles.push((held, Arc::clone(rules))),
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
        }
        let texts: usize = errors.iter().map(String::len).sum();
        cache.spend(namespace.len() + roles.len() * size_of::<(Held, Arc<[PolicyRule]>)>() + texts + 256);
        Self { roles, errors, answers: RwLock::default() }
    }

    /// The reason, if a binding of this scope allows the request.
    fn allows(&self, cache: &Cache, at: &Attributes<'_>) -> Option<Arc<str>> {
        if self.roles.is_empty() {
            return None;
        }
        let question = QuestionRef::of(at);
        if let Some(answer) = self.answers.read().get(&question) {
            return answer.reason(at).cloned();
        }
        let answer = self.work_out(at);
        let reason = answer.reason(at).cloned();
        cache.spend(question.bytes() + answer.bytes());
        self.answers.write().insert(question.to_owned(), answer);
        reason
    }

    fn work_out(&self, at: &Attributes<'_>) -> Answer {
        let mut names: HashMap<Box<str>, Arc<str>> = HashMap::new();
        for (held, rules) in &self.roles {
            let reason =
                || -> Arc<str> { format!("RBAC: allowed by {}", held.binding.describe(held.subject)).into() };
            for rule in rules.iter().filter(|rule| covers(rule, at)) {
                let limited_to = list(&rule.resource_names);
                // UPSTREAM: resourceNames limits resources only, never paths (kube-apiserver 1.36)
                if limited_to.is_empty() || !at.resource_request {
                    return Answer { every_name: Some(reason()), names: HashMap::new() };
                }
                let reason = reason();
                for name in limited_to {
                    names.entry(name.as_str().into()).or_insert_with(|| Arc::clone(&reason));
                }
            }
        }
        Answer { every_name: None, names }
    }
}

impl Answer {
    fn reason(&self, at: &Attributes<'_>) -> Option<&Arc<str>> {
        self.every_name.as_ref().or_else(|| self.names.get(at.name))
    }

    fn bytes(&self) -> usize {
        256 + self.names.keys().map(|name| name.len() + 64).sum::<usize>()
    }
}

impl<'a> QuestionRef<'a> {
    fn of(at: &Attributes<'a>) -> Self {
        let Attributes { resource_request, verb, api_group, resource, subresource, path, .. } = *at;
        if resource_request {
            Self { resource_request, verb, api_group, resource, subresource }
        } else {
            Self { resource_request, verb, api_group: "", resource: path, subresource: "" }
        }
    }

    fn to_owned(self) -> Question {
        Question {
            resource_request: self.resource_request,
            verb: self.verb.into(),
            api_group: self.api_group.into(),
            resource: self.resource.into(),
            subresource: self.subresource.into(),
        }
    }

    fn bytes(&self) -> usize {
        self.verb.len() + self.api_group.len() + self.resource.len() + self.subresource.len()
    }
}
