//! Readers and a writer at once: what a decision rests on is one world, and the newest that it can know of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use authz::rbac::{Kind, Rbac, RbacObject, Snapshot};
use k8s_openapi::{
    api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use types::{Attributes, Decision, User, selector::Selectors};

static NONE: Selectors = Selectors::NONE;

const READERS: usize = 3;

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

fn role(name: &str, resource: &str) -> RbacObject {
    let rule = PolicyRule {
        verbs: vec!["get".to_owned()],
        api_groups: Some(vec![String::new()]),
        resources: Some(vec![resource.to_owned()]),
        ..PolicyRule::default()
    };
    ClusterRole { metadata: metadata(name), rules: Some(vec![rule]), aggregation_rule: None }.into()
}

fn binding(role: &str, kind: &str, subject: &str) -> RbacObject {
    let role_ref = RoleRef { kind: "ClusterRole".to_owned(), name: role.to_owned(), ..RoleRef::default() };
    let subject = Subject { kind: kind.to_owned(), name: subject.to_owned(), ..Subject::default() };
    ClusterRoleBinding { metadata: metadata("b"), role_ref, subjects: Some(vec![subject]) }.into()
}

fn may_get(snapshot: &Snapshot, user: &User, resource: &str) -> bool {
    let at = Attributes {
        user,
        verb: "get",
        resource_request: true,
        namespace: "ns",
        api_group: "",
        api_version: "v1",
        resource,
        subresource: "",
        name: "n",
        path: "",
        selectors: &NONE,
    };
    snapshot.decide(&at).decision == Decision::Allow
}

/// Runs `read` on some threads until `write` is through. A user in many groups is introduced, an equal
/// one is not.
fn race(rbac: &Rbac, read: impl Fn(&User) + Sync, write: impl FnOnce()) {
    let introduced = Arc::new(User::new("alice", (0..50).map(|group| format!("g{group}"))));
    rbac.introduce(&introduced);
    let equal = User::clone(&introduced);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..READERS {
            let (read, done) = (&read, &done);
            let user = if reader == 0 { &equal } else { &*introduced };
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    read(user);
                }
            });
        }
        write();
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_is_taken_back_is_gone_at_once() {
    let rbac = Rbac::default();
    rbac.apply(role("r", "pods"));
    // Odd while a change is being made; of two settled states, every other one grants.
    let (state, settled, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let read = |user: &User| {
        let before = state.load(Ordering::SeqCst);
        let allowed = may_get(&rbac.snapshot(), user, "pods");
        if before % 2 == 0 && state.load(Ordering::SeqCst) == before {
            wrong.fetch_add(usize::from(allowed != (before % 4 == 2)), Ordering::SeqCst);
            settled.fetch_add(1, Ordering::SeqCst);
        }
    };
    race(&rbac, read, || {
        for change in 0..2_000 {
            state.fetch_add(1, Ordering::SeqCst);
            match change % 4 {
                0 => rbac.apply(binding("r", "Group", "g7")),
                1 => rbac.remove(Kind::ClusterRoleBinding, "", "b"),
                2 => rbac.apply(binding("r", "User", "alice")),
                _ => rbac.apply(binding("r", "Group", "strangers")),
            }
            state.fetch_add(1, Ordering::SeqCst);
            // Now and then the readers come to know the state well, otherwise it changes under them.
            let known_well = settled.load(Ordering::SeqCst) + 2 * READERS * (change % 3);
            while settled.load(Ordering::SeqCst) < known_well {
                thread::yield_now();
            }
        }
    });
    assert_eq!(wrong.into_inner(), 0, "of {} decisions", settled.into_inner());
}

#[test]
fn a_snapshot_is_one_world() {
    let rbac = Rbac::default();
    rbac.update(|world| {
        world.apply(role("r", "pods"));
        world.apply(binding("r", "User", "alice"));
    });
    let first = rbac.snapshot();
    // What is granted moves; there is always one of the two.
    let read = |user: &User| {
        for snapshot in [&*rbac.snapshot(), &*first] {
            let granted = ["pods", "secrets"].map(|resource| may_get(snapshot, user, resource));
            assert!(granted == [true, false] || granted == [false, true], "{granted:?}");
        }
        assert!(may_get(&first, user, "pods"));
    };
    race(&rbac, read, || {
        for change in 0..5_000 {
            let resource = if change % 2 == 0 { "secrets" } else { "pods" };
            match change / 2 % 3 {
                0 => rbac.apply(role("r", resource)),
                1 => rbac.update(|world| {
                    world.remove(Kind::ClusterRole, "", "r");
                    world.apply(role("s", resource));
                    world.apply(binding("s", "Group", "g3"));
                }),
                _ => rbac.update(|world| {
                    world.replace(Kind::ClusterRole, [role("r", resource)]);
                    world.apply(binding("r", "User", "alice"));
                }),
            }
        }
    });
}
