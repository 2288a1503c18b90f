//! The engine against the naive reading, while the world changes under it. The tests of this crate
//! roll dice for it, `fuzz/` lets the fuzzer choose.

use std::{collections::VecDeque, sync::Arc};

use k8s_openapi::{
    api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use types::{Attributes, Decision, User, selector::Selectors};

use super::{
    Kind, Rbac, RbacObject, Snapshot,
    naive::{Expected, Naive, identity},
};
use crate::Opinion;

const NAMESPACES: &[&str] = &["", "ns1", "ns2"];
const USERS: &[&str] =
    &["alice", "bob", "dev", "", "*", "system:serviceaccount:ns1:sa", "system:serviceaccount:ns2:sa"];
const GROUPS: &[&str] = &["dev", "ops", "alice", "*", "system:authenticated"];
const ROLES: &[&str] = &["r0", "r1", "r2"];
const BINDINGS: &[&str] = &["b0", "b1", "b2", "b3", "b4"];
const VERBS: &[&str] = &["get", "list", "list", "*", ""];
const API_GROUPS: &[&str] = &["", "apps", "*"];
const RESOURCES: &[&str] = &["pods", "pods/log", "*", "*/log", "pods/*", "*/", "pods", "secrets"];
const SUBRESOURCES: &[&str] = &["", "", "", "log", "*"];
const NAMES: &[&str] = &["", "a", "b", "*"];
const URLS: &[&str] = &["/x", "/x/*", "/y*", "/y**", "/a*b", "*", "/x/z"];
const PATHS: &[&str] = &["/x", "/x/", "/x/z", "/y", "/yy", "/a*b", "/aab", ""];

/// What chooses: bytes from elsewhere as long as there are any, then SplitMix64, which is enough to
/// stir small alphabets and the same everywhere.
pub(super) struct Dice {
    bytes: VecDeque<u8>,
    seed: u64,
}

impl Dice {
    pub(super) fn new(bytes: &[u8], seed: u64) -> Self {
        Self { bytes: bytes.iter().copied().collect(), seed }
    }

    fn roll(&mut self, sides: usize) -> usize {
        if let Some(byte) = self.bytes.pop_front() {
            return usize::from(byte) % sides;
        }
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn one(&mut self, of: &[&'static str]) -> &'static str {
        of[self.roll(of.len())]
    }

    /// Mostly one to `most` of them, seldom none.
    fn some(&mut self, of: &[&'static str], most: usize) -> Vec<String> {
        let count = if self.roll(12) == 0 { 0 } else { 1 + self.roll(most) };
        (0..count).map(|_| self.one(of).to_owned()).collect()
    }

    fn list(&mut self, of: &[&'static str], most: usize) -> Option<Vec<String>> {
        Some(self.some(of, most)).filter(|list| !list.is_empty() || self.roll(2) == 0)
    }

    fn user(&mut self) -> User {
        User::new(self.one(USERS), self.some(GROUPS, 3))
    }

    fn rule(&mut self) -> PolicyRule {
        PolicyRule {
            verbs: self.some(VERBS, 3),
            api_groups: self.list(API_GROUPS, 3),
            resources: self.list(RESOURCES, 3),
            resource_names: if self.roll(4) == 0 { self.list(NAMES, 2) } else { None },
            non_resource_urls: self.list(URLS, 2),
        }
    }

    fn rules(&mut self) -> Option<Vec<PolicyRule>> {
        (self.roll(16) > 0).then(|| (0..1 + self.roll(4)).map(|_| self.rule()).collect())
    }

    fn subject(&mut self) -> Subject {
        let (kind, name) = match self.roll(9) {
            0..2 => ("User", self.one(USERS)),
            2..6 => ("Group", self.one(GROUPS)),
            6..8 => ("ServiceAccount", "sa"),
            _ => ("Robot", "alice"),
        };
        let namespace = (self.roll(2) == 0).then(|| self.one(NAMESPACES).to_owned());
        Subject { api_group: None, kind: kind.into(), name: name.into(), namespace }
    }

    fn role_ref(&mut self) -> RoleRef {
        let kind =
            if self.roll(16) == 0 { "Robot" } else { self.one(&["Role", "ClusterRole", "ClusterRole"]) };
        RoleRef { api_group: None, kind: kind.into(), name: self.one(ROLES).into() }
    }

    fn key(&mut self, kind: Kind) -> (&'static str, &'static str) {
        let namespace = if kind.is_namespaced() { self.one(&["ns1", "ns1", "ns2", "ns2", ""]) } else { "" };
        let names = if matches!(kind, Kind::Role | Kind::ClusterRole) { ROLES } else { BINDINGS };
        (namespace, self.one(names))
    }

    fn object(&mut self, kind: Kind) -> RbacObject {
        let (namespace, name) = self.key(kind);
        let metadata = ObjectMeta {
            name: Some(name.into()),
            namespace: Some(namespace.into()).filter(|_| kind.is_namespaced()),
            ..ObjectMeta::default()
        };
        let subjects = Some((0..self.roll(8)).map(|_| self.subject()).collect());
        match kind {
            Kind::Role => Role { metadata, rules: self.rules() }.into(),
            Kind::ClusterRole => ClusterRole { metadata, rules: self.rules(), aggregation_rule: None }.into(),
            Kind::RoleBinding => RoleBinding { metadata, role_ref: self.role_ref(), subjects }.into(),
            Kind::ClusterRoleBinding => {
                ClusterRoleBinding { metadata, role_ref: self.role_ref(), subjects }.into()
            }
        }
    }

    /// Makes the same change to both worlds, by every way there is.
    fn change(&mut self, rbac: &Rbac, naive: &mut Naive) {
        let kind = Kind::ALL[self.roll(4)];
        match self.roll(8) {
            0..5 => {
                let object = self.object(kind);
                naive.apply(object.clone());
                rbac.apply(object);
            }
            5 => {
                let (namespace, name) = self.key(kind);
                naive.remove(kind, namespace, name);
                rbac.remove(kind, namespace, name);
            }
            6 => rbac.update(|world| {
                for _ in 0..3 {
                    let object = self.object(kind);
                    naive.apply(object.clone());
                    world.apply(object);
                }
            }),
            _ => {
                let mut kept = Naive::default();
                naive.of(kind).into_iter().filter(|_| self.roll(3) > 0).for_each(|object| kept.apply(object));
                (0..2).for_each(|_| kept.apply(self.object(kind)));
                for object in naive.of(kind) {
                    let (_, namespace, name) = identity(&object);
                    naive.remove(kind, &namespace, &name);
                }
                kept.of(kind).into_iter().for_each(|object| naive.apply(object));
                rbac.update(|world| world.replace(kind, kept.of(kind)));
                assert_eq!(rbac.snapshot().world().count(kind), kept.of(kind).len());
            }
        }
    }

    fn ask<T>(&mut self, decide: impl FnOnce(&Attributes<'_>) -> T) -> T {
        decide(&Attributes {
            user: &self.user(),
            verb: self.one(&["get", "list", "list", ""]),
            resource_request: self.roll(4) > 0,
            namespace: self.one(NAMESPACES),
            api_group: self.one(&["", "apps"]),
            api_version: "v1",
            resource: self.one(&["pods", "pods", "pods", "pods/log", "secrets", "*"]),
            subresource: self.one(SUBRESOURCES),
            name: self.one(NAMES),
            path: self.one(PATHS),
            selectors: &Selectors::NONE,
        })
    }
}

/// Whether an opinion is one of those that may be given.
fn meets(found: &Opinion, expected: &Expected) -> bool {
    match expected {
        Expected::Allow(reasons) => found.decision == Decision::Allow && reasons.contains(&*found.reason),
        Expected::NoOpinion(errors) => {
            found.decision == Decision::NoOpinion && errors.iter().eq(&listed_errors(&found.reason))
        }
    }
}

/// The errors that a reason lists, sorted; none may stand there twice.
fn listed_errors(reason: &str) -> Vec<String> {
    let listed = reason.strip_prefix("RBAC: ").unwrap_or(reason);
    let listed = listed.strip_prefix('[').and_then(|l| l.strip_suffix(']')).unwrap_or(listed);
    let mut errors: Vec<String> = listed.split(", ").filter(|e| !e.is_empty()).map(str::to_owned).collect();
    errors.sort();
    errors
}

fn compare(dice: &mut Dice, snapshot: &Snapshot, naive: &Naive, round: usize) -> bool {
    dice.ask(|at| {
        let expected = naive.decide(at);
        for pass in ["cold", "warm"] {
            let found = snapshot.decide(at);
            assert!(
                meets(&found, &expected),
                "round {round}, {pass}: {at:?}\nfound {found:?}\nexpected {expected:?}"
            );
        }
        let (mut found, mut expected_rules) =
            (snapshot.world().rules_for(at.user, at.namespace), naive.rules_for(at.user, at.namespace));
        for (rules, errors) in [&mut found, &mut expected_rules] {
            rules.sort_by_key(|rule| format!("{rule:?}"));
            errors.sort();
        }
        assert_eq!(found, expected_rules, "round {round}: rules of {:?} in `{}`", at.user, at.namespace);
        matches!(expected, Expected::Allow(_))
    })
}

/// Rounds of changes, each with questions after it: how many were asked, and how many allowed.
pub(super) fn run(dice: &mut Dice, rounds: usize, questions: usize) -> (usize, usize) {
    let (rbac, mut naive) = (Rbac::default(), Naive::default());
    let mut earlier: Option<(Arc<Snapshot>, Naive)> = None;
    let (mut asked, mut allowed) = (0, 0);
    for round in 0..rounds {
        for _ in 0..=dice.roll(4) {
            dice.change(&rbac, &mut naive);
        }
        let snapshot = rbac.snapshot();
        for _ in 0..questions {
            asked += 1;
            allowed += usize::from(compare(dice, &snapshot, &naive, round));
        }
        // Whoever holds on to a snapshot goes on seeing its world.
        if let Some((snapshot, naive)) = &earlier {
            compare(dice, snapshot, naive, round);
        }
        if round % 16 == 0 {
            earlier = Some((snapshot, naive.clone()));
        }
    }
    (asked, allowed)
}
