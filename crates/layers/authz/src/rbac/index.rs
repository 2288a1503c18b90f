//! Which roles could cover a question.
//!
//! Every text of every rule stands here, with the roles in which it stands. The roles that have the
//! verb, the group and the resource of a question are nearly those that cover it; only nearly, since
//! the three may be of different rules. So the index narrows, and a rule is read in one place only
//! ([`covers`](super::rule::covers)). Its size is that of the rules themselves, whatever they would
//! multiply to, and asking it costs the same for a role of one rule and of a thousand.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use hashbrown::Equivalent;
use k8s_openapi::api::rbac::v1::PolicyRule;
use types::Attributes;

use super::{
    role_set::{RoleBits, RoleNumber, RoleSet},
    rule::list,
};
use crate::shards::Shards;

/// What a rule is about; the parts of one rule have the same reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reach {
    /// Resources, whatever their names.
    EveryName,
    /// Resources of the names in `resourceNames`.
    SomeNames,
    /// Paths.
    Paths,
}

/// Where in a rule a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Verb,
    ApiGroup,
    Resource,
    ResourceName,
    Url,
    /// What is left of a URL without the stars at its end.
    UrlPrefix,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Term {
    reach: Reach,
    part: Part,
    text: Box<str>,
}

#[derive(Clone, Copy, Hash)]
struct TermRef<'a> {
    reach: Reach,
    part: Part,
    text: &'a str,
}

impl Equivalent<Term> for TermRef<'_> {
    fn equivalent(&self, term: &Term) -> bool {
        (self.reach, self.part, self.text) == (term.reach, term.part, &*term.text)
    }
}

/// The texts of all roles' rules.
#[derive(Clone, Default)]
pub(super) struct Index {
    terms: Shards<Term, Arc<RoleSet>>,
    /// How many prefixes of URLs there are of each length: no others need to be tried on a path.
    prefix_lengths: Arc<BTreeMap<usize, usize>>,
}

impl Index {
    /// Puts a role's new rules in the place of its old ones.
    pub(super) fn replace(&mut self, role: RoleNumber, old: &[PolicyRule], new: &[PolicyRule]) {
        let (old, new) = (terms_of(old), terms_of(new));
        for term in old.difference(&new) {
            self.take_out(role, term);
        }
        for term in new.difference(&old) {
            self.put_in(role, term);
        }
    }

    /// The roles that may cover a question in rules of that reach, the object's name aside: all that
    /// do, and maybe others.
    pub(super) fn candidates(&self, reach: Reach, at: &Attributes<'_>) -> RoleBits {
        let mut candidates = match reach {
            Reach::Paths => self.of_path(at.path),
            Reach::EveryName | Reach::SomeNames => self.of_resource(reach, at),
        };
        if candidates.is_empty() {
            return RoleBits::default();
        }
        candidates.intersect(self.of_text_or_star(reach, Part::Verb, at.verb));
        if reach != Reach::Paths {
            candidates.intersect(self.of_text_or_star(reach, Part::ApiGroup, at.api_group));
        }
        candidates
    }

    /// The roles in which `name` stands among `resourceNames`; `None` for no role.
    pub(super) fn naming(&self, name: &str) -> Option<&RoleSet> {
        self.of(Reach::SomeNames, Part::ResourceName, name)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.terms.iter().next().is_none() && self.prefix_lengths.is_empty()
    }

    fn of(&self, reach: Reach, part: Part, text: &str) -> Option<&RoleSet> {
        self.terms.get(&TermRef { reach, part, text }).map(|roles| &**roles)
    }

    fn of_text_or_star(&self, reach: Reach, part: Part, text: &str) -> [Option<&RoleSet>; 2] {
        [text, "*"].map(|text| self.of(reach, part, text))
    }

    fn of_resource(&self, reach: Reach, at: &Attributes<'_>) -> RoleBits {
        let every = (!at.subresource.is_empty()).then(|| format!("*/{}", at.subresource));
        let texts = [Some("*"), Some(&*at.combined_resource()), every.as_deref()];
        RoleBits::union(texts.iter().flatten().filter_map(|text| self.of(reach, Part::Resource, text)))
    }

    fn of_path(&self, path: &str) -> RoleBits {
        let starts =
            self.prefix_lengths.keys().map_while(|length| (*length <= path.len()).then_some(*length));
        let starts = starts.filter_map(|length| path.get(..length));
        let by_prefix = starts.filter_map(|start| self.of(Reach::Paths, Part::UrlPrefix, start));
        RoleBits::union(by_prefix.chain(self.of(Reach::Paths, Part::Url, path)))
    }

    fn put_in(&mut self, role: RoleNumber, term: &Term) {
        if let Some(roles) = self.terms.get_mut(&term.as_ref()) {
            Arc::make_mut(roles).insert(role);
            return;
        }
        let mut roles = RoleSet::default();
        roles.insert(role);
        self.terms.insert(term.clone(), Arc::new(roles));
        if term.part == Part::UrlPrefix {
            *Arc::make_mut(&mut self.prefix_lengths).entry(term.text.len()).or_default() += 1;
        }
    }

    fn take_out(&mut self, role: RoleNumber, term: &Term) {
        let Some(roles) = self.terms.get_mut(&term.as_ref()).map(Arc::make_mut) else { return };
        roles.remove(role);
        if !roles.is_empty() {
            return;
        }
        self.terms.remove(&term.as_ref());
        if term.part == Part::UrlPrefix {
            let lengths = Arc::make_mut(&mut self.prefix_lengths);
            if let Some(count) = lengths.get_mut(&term.text.len()) {
                *count -= 1;
            }
            lengths.retain(|_, count| *count > 0);
        }
    }
}

impl Term {
    fn as_ref(&self) -> TermRef<'_> {
        TermRef { reach: self.reach, part: self.part, text: &self.text }
    }
}

fn terms_of(rules: &[PolicyRule]) -> HashSet<Term> {
    let mut terms = HashSet::new();
    for rule in rules {
        let mut add = |reach, part, texts: &[String]| {
            terms.extend(texts.iter().map(|text| Term { reach, part, text: text.as_str().into() }));
        };
        let (names, urls) = (list(&rule.resource_names), list(&rule.non_resource_urls));
        let reach = if names.is_empty() { Reach::EveryName } else { Reach::SomeNames };
        let (groups, resources) = (list(&rule.api_groups), list(&rule.resources));
        // A rule that lacks one of them covers nothing.
        if ![groups, resources, &rule.verbs].iter().any(|texts| texts.is_empty()) {
            add(reach, Part::Verb, &rule.verbs);
            add(reach, Part::ApiGroup, groups);
            add(reach, Part::Resource, resources);
            add(reach, Part::ResourceName, names);
        }
        if !urls.is_empty() && !rule.verbs.is_empty() {
            add(Reach::Paths, Part::Verb, &rule.verbs);
            add(Reach::Paths, Part::Url, urls);
            let prefixes = urls.iter().filter(|url| url.ends_with('*'));
            let prefixes: Vec<String> = prefixes.map(|url| url.trim_end_matches('*').to_owned()).collect();
            add(Reach::Paths, Part::UrlPrefix, &prefixes);
        }
    }
    terms
}
