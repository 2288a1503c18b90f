//! What one identity may do, as far as it has asked.

use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use types::{Attributes, User};

use super::{Snapshot, search::Found};
use crate::{Opinion, opinion::aggregate};

/// What has been worked out for one identity. It outlives the snapshot it was worked out from: each
/// scope is forgotten when a change concerns it, and not before.
#[derive(Default)]
pub(super) struct Grants {
    cluster: Scope,
    namespaces: RwLock<HashMap<Box<str>, Arc<Scope>>>,
}

/// What the identity may through the ClusterRoleBindings, or through the RoleBindings of a namespace.
#[derive(Default)]
struct Scope(RwLock<Remembered>);

#[derive(Default)]
struct Remembered {
    /// Of the world in which all this is so.
    version: u64,
    answers: HashMap<Question, Answer>,
    /// Why roles could not be found.
    errors: Option<Arc<[String]>>,
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

struct Answer {
    found: Found,
    /// Who grants the question for one name, if anybody does. Only names that stand in a rule are kept,
    /// so that clients cannot make this grow.
    names: HashMap<Box<str>, Option<Arc<str>>>,
}

impl Grants {
    /// Asks the cluster's bindings first, then the namespace's.
    pub(super) fn decide(&self, snapshot: &Snapshot, at: &Attributes<'_>) -> Opinion {
        if let Some(reason) = self.cluster.allows(snapshot, at, "") {
            return Opinion::allow(reason);
        }
        let namespace = (!at.namespace.is_empty()).then(|| self.in_namespace(snapshot, at.namespace));
        if let Some(reason) = namespace.as_ref().and_then(|scope| scope.allows(snapshot, at, at.namespace)) {
            return Opinion::allow(reason);
        }
        if snapshot.world.missing.is_empty() {
            return Opinion::no_opinion(Arc::default());
        }
        let cluster = self.cluster.errors(snapshot, at.user, "");
        let namespace = namespace.map(|scope| scope.errors(snapshot, at.user, at.namespace));
        let errors = cluster.iter().chain(namespace.iter().flat_map(|errors| errors.iter()));
        match aggregate(errors.map(String::as_str)) {
            none if none.is_empty() => Opinion::no_opinion(Arc::default()),
            errors => Opinion::no_opinion(format!("RBAC: {errors}")),
        }
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        self.namespaces.write().clear();
        self.cluster.0.write().forget();
    }

    fn in_namespace(&self, snapshot: &Snapshot, namespace: &str) -> Arc<Scope> {
        if let Some(known) = self.namespaces.read().get(namespace) {
            return Arc::clone(known);
        }
        snapshot.cache.spend(namespace.len() + 256);
        Arc::clone(self.namespaces.write().entry(namespace.into()).or_default())
    }
}

impl Scope {
    /// The reason, if a binding of this scope allows the request.
    fn allows(&self, snapshot: &Snapshot, at: &Attributes<'_>, scope: &str) -> Option<Arc<str>> {
        let question = QuestionRef::of(at);
        {
            let remembered = self.as_of(snapshot, at.user, scope);
            let is_so = remembered.version == snapshot.version;
            let answer = remembered.answers.get(&question).filter(|_| is_so);
            if let Some(told) = answer.and_then(|answer| answer.tells(snapshot, at)) {
                return told.cloned();
            }
        }
        let found = snapshot.world.find(at, scope);
        let named = found.some_names.then(|| snapshot.world.find_named(at, scope));
        let reason = found.every_name.clone().or_else(|| named.clone().flatten());
        snapshot.cache.spend(question.bytes() + at.name.len() + 256);
        let mut remembered = self.0.write();
        // Somebody who holds on to an older world, or has met a newer one, keeps the answer to themselves.
        if remembered.version == snapshot.version {
            let answer = remembered.answers.entry(question.to_owned());
            let answer = answer.or_insert_with(|| Answer { found, names: HashMap::new() });
            if let Some(named) = named.filter(|_| snapshot.world.names(at.name)) {
                answer.names.insert(at.name.into(), named);
            }
        }
        reason
    }

    fn errors(&self, snapshot: &Snapshot, user: &User, scope: &str) -> Arc<[String]> {
        {
            let remembered = self.as_of(snapshot, user, scope);
            if let Some(errors) =
                remembered.errors.as_ref().filter(|_| remembered.version == snapshot.version)
            {
                return Arc::clone(errors);
            }
        }
        let errors: Arc<[String]> = snapshot.world.errors_of(user, scope).into();
        snapshot.cache.spend(errors.iter().map(|error| error.len() + 24).sum::<usize>() + 64);
        let mut remembered = self.0.write();
        if remembered.version == snapshot.version {
            remembered.errors = Some(Arc::clone(&errors));
        }
        errors
    }

    /// What is remembered, brought to the version of `snapshot`, unless it is of a newer one.
    fn as_of(&self, snapshot: &Snapshot, user: &User, scope: &str) -> RwLockReadGuard<'_, Remembered> {
        let remembered = self.0.read();
        if remembered.version >= snapshot.version {
            return remembered;
        }
        drop(remembered);
        let mut remembered = self.0.write();
        if remembered.version < snapshot.version {
            let is_new = remembered.answers.is_empty() && remembered.errors.is_none();
            if !is_new && snapshot.changes.concern(remembered.version, &snapshot.world, user, scope) {
                remembered.forget();
            }
            remembered.version = snapshot.version;
        }
        RwLockWriteGuard::downgrade(remembered)
    }
}

impl Remembered {
    fn forget(&mut self) {
        self.answers = HashMap::new();
        self.errors = None;
    }
}

impl Answer {
    /// The reason if it is a yes; `None` if this name has yet to be looked for.
    fn tells(&self, snapshot: &Snapshot, at: &Attributes<'_>) -> Option<Option<&Arc<str>>> {
        if self.found.every_name.is_some() || !self.found.some_names {
            return Some(self.found.every_name.as_ref());
        }
        match self.names.get(at.name) {
            Some(named) => Some(named.as_ref()),
            None => (!snapshot.world.names(at.name)).then_some(None),
        }
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
