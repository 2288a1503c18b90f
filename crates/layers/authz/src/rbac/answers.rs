//! What has been worked out, for whom, and in which world it is so.
//!
//! One answer is about one identity, one kind of question (verb, group, resource, subresource or a
//! path) and one scope: the cluster, or a namespace. It outlives the snapshot that it was worked out
//! from: it is forgotten when a change concerns it, and not before.

use std::{
    hash::{BuildHasher, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use hashbrown::DefaultHashBuilder;
use types::{Attributes, User};

use super::{
    Snapshot,
    identities::{Identities, Identity},
    search::{Found, Why},
};
use crate::{Opinion, bounded::Bounded, opinion::aggregate, texts::Texts};

/// Bytes, by estimate. Clients choose names, namespaces and paths, so what is remembered must have an
/// end.
const LIMIT: usize = 32 << 20;

/// Shared by all snapshots of an [`Rbac`](super::Rbac).
pub(super) struct Memory {
    pub(super) identities: Identities,
    hasher: DefaultHashBuilder,
    answers: Bounded<Answer>,
}

impl Default for Memory {
    fn default() -> Self {
        let (identities, hasher) = (Identities::default(), DefaultHashBuilder::default());
        Self { identities, hasher, answers: Bounded::new(LIMIT) }
    }
}

/// A question in one scope.
#[derive(Clone, Copy)]
struct Question<'a> {
    identity: Identity,
    about: About,
    verb: &'a str,
    api_group: &'a str,
    /// The path, when the request is about one.
    resource: &'a str,
    subresource: &'a str,
    /// Only names that stand in a rule are asked about, so that clients cannot make these grow.
    name: &'a str,
    scope: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// A path, whoever is asked about.
    Path,
    /// A resource, whatever the object's name.
    Resource,
    /// An object of that name.
    Name,
    /// Why roles could not be found.
    Errors,
}

struct Answer {
    identity: Identity,
    about: About,
    texts: Texts,
    /// The newest world that is known to be one in which this is so.
    version: AtomicU64,
    said: Said,
}

#[derive(Clone)]
enum Said {
    Found(Found),
    Named(Option<Why>),
    Errors(Arc<[String]>),
}

impl<'a> Question<'a> {
    fn texts(&self) -> [&'a str; 6] {
        [self.verb, self.api_group, self.resource, self.subresource, self.name, self.scope]
    }

    /// Half of its texts are empty as a rule; their lengths are hashed together, and they cost nothing.
    fn hash(&self, hasher: &DefaultHashBuilder) -> u64 {
        let mut hasher = hasher.build_hasher();
        hasher.write_u64(self.identity.0);
        let texts = self.texts();
        let lengths = texts.iter().fold(0_u64, |lengths, text| (lengths << 10) ^ text.len() as u64);
        hasher.write_u64((lengths << 2) ^ self.about as u64);
        texts.iter().filter(|text| !text.is_empty()).for_each(|text| hasher.write(text.as_bytes()));
        hasher.finish()
    }
}

impl Answer {
    fn is_to(&self, question: &Question<'_>) -> bool {
        self.identity == question.identity && self.about == question.about && self.texts.are(question.texts())
    }

    /// What is so in `snapshot`; `None` if that is not known.
    fn as_of(&self, snapshot: &Snapshot, user: &User, scope: &str) -> Option<&Said> {
        let version = self.version.load(Ordering::Relaxed);
        // Whoever holds on to an older world works it out again.
        if version > snapshot.version {
            return None;
        }
        if version < snapshot.version {
            if snapshot.changes.concern(version, &snapshot.world, user, scope) {
                return None;
            }
            self.version.fetch_max(snapshot.version, Ordering::Relaxed);
        }
        Some(&self.said)
    }
}

impl Said {
    fn bytes(&self) -> usize {
        match self {
            Self::Found(Found { every_name: why, .. }) | Self::Named(why) => {
                why.as_ref().map_or(0, |why| why.len())
            }
            Self::Errors(errors) => errors.iter().map(|error| size_of::<String>() + error.len()).sum(),
        }
    }
}

/// A request, and the state of the world that it is decided on.
pub(super) struct Asked<'s, 'a> {
    snapshot: &'s Snapshot,
    at: &'s Attributes<'a>,
    identity: Option<Identity>,
}

impl<'s, 'a> Asked<'s, 'a> {
    pub(super) fn new(snapshot: &'s Snapshot, at: &'s Attributes<'a>) -> Self {
        Self { snapshot, at, identity: snapshot.memory.identities.of(at.user) }
    }

    /// Asks the cluster's bindings first, then the namespace's.
    pub(super) fn decide(&self) -> Opinion {
        let namespace = Some(self.at.namespace).filter(|namespace| !namespace.is_empty());
        let scopes = || std::iter::once("").chain(namespace);
        if let Some(reason) = scopes().find_map(|scope| self.allowed_in(scope)) {
            return Opinion::allow(reason);
        }
        if self.snapshot.world.missing.is_empty() {
            return Opinion::no_opinion(Arc::default());
        }
        let errors: Vec<Arc<[String]>> = scopes().map(|scope| self.errors_in(scope)).collect();
        match aggregate(errors.iter().flat_map(|errors| errors.iter()).map(String::as_str)) {
            none if none.is_empty() => Opinion::no_opinion(Arc::default()),
            errors => Opinion::no_opinion(format!("RBAC: {errors}")),
        }
    }

    /// The reason, if a binding of this scope allows the request.
    fn allowed_in(&self, scope: &'a str) -> Option<Why> {
        let (world, at) = (&self.snapshot.world, self.at);
        let about = if at.resource_request { About::Resource } else { About::Path };
        let found = self.remembered(about, scope, || Said::Found(world.find(at, scope)));
        let Said::Found(Found { every_name, some_names }) = found else { return None };
        if every_name.is_some() || !some_names || !world.names(at.name) {
            return every_name;
        }
        match self.remembered(About::Name, scope, || Said::Named(world.find_named(at, scope))) {
            Said::Named(why) => why,
            Said::Found(_) | Said::Errors(_) => None,
        }
    }

    fn errors_in(&self, scope: &'a str) -> Arc<[String]> {
        let work_out = || Said::Errors(self.snapshot.world.errors_of(self.at.user, scope).into());
        match self.remembered(About::Errors, scope, work_out) {
            Said::Errors(errors) => errors,
            Said::Found(_) | Said::Named(_) => Arc::default(),
        }
    }

    /// What was said of it, or else what is found now.
    fn remembered(&self, about: About, scope: &'a str, work_out: impl FnOnce() -> Said) -> Said {
        let (snapshot, memory) = (self.snapshot, &self.snapshot.memory);
        let Some(identity) = self.identity else { return work_out() };
        let question = self.question(identity, about, scope);
        let hash = question.hash(&memory.hasher);
        let is = |answer: &Answer| answer.is_to(&question);
        let recall = |answer: &Answer| answer.as_of(snapshot, self.at.user, scope).cloned();
        if let Some(said) = memory.answers.get(hash, is, recall).flatten() {
            return said;
        }
        let said = work_out();
        let texts = Texts::new(question.texts().into_iter());
        let bytes = texts.bytes() + said.bytes();
        let version = AtomicU64::new(snapshot.version);
        let answer = Answer { identity, about, texts, version, said: said.clone() };
        // Who has met a newer world meanwhile knows better.
        let is_older = |known: &Answer| known.version.load(Ordering::Relaxed) < snapshot.version;
        memory.answers.insert(hash, answer, bytes, is, is_older);
        said
    }

    fn question(&self, identity: Identity, about: About, scope: &'a str) -> Question<'a> {
        let Attributes { verb, api_group, resource, subresource, name, path, .. } = *self.at;
        let nothing = Question {
            identity,
            about,
            verb: "",
            api_group: "",
            resource: "",
            subresource: "",
            name: "",
            scope,
        };
        match about {
            About::Path => Question { verb, resource: path, ..nothing },
            About::Resource => Question { verb, api_group, resource, subresource, ..nothing },
            About::Name => Question { verb, api_group, resource, subresource, name, ..nothing },
            About::Errors => nothing,
        }
    }
}
