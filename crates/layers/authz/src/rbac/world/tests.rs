//! What is left behind: nothing.

use serde_json::json;

use super::*;

const OBJECTS: usize = 1_000;

fn object(kind: Kind, number: usize, role: usize) -> RbacObject {
    let (namespace, name) = (format!("ns{}", number % 7), format!("o{number}"));
    let rules = json!([
        {"verbs": ["get"], "apiGroups": [""], "resources": [format!("r{number}")], "resourceNames": ["n"]},
        {"verbs": ["get"], "nonResourceURLs": [format!("/{}*", "p".repeat(number % 50)), "/x"]},
    ]);
    let role_ref = json!({"apiGroup": "", "kind": "ClusterRole", "name": format!("o{role}")});
    let subjects = json!([{"kind": "Group", "name": "all"}, {"kind": "User", "name": format!("u{number}")}]);
    serde_json::from_value(json!({
        "kind": kind.as_str(),
        "metadata": {"namespace": namespace, "name": name},
        "rules": rules, "roleRef": role_ref, "subjects": subjects,
    }))
    .unwrap()
}

fn is_empty(world: &World) -> bool {
    world.roles.iter().next().is_none()
        && world.bindings.iter().next().is_none()
        && world.held.iter().next().is_none()
        && world.bound.iter().next().is_none()
        && world.index.is_empty()
        && world.missing.is_empty()
}

#[test]
fn worlds_shrink() {
    let mut world = World::default();
    let most = |world: &World| world.next_number as usize;
    for round in 0..3 {
        for number in 0..OBJECTS {
            Kind::ALL.iter().for_each(|kind| world.apply(object(*kind, number, number / 2)));
        }
        // Every binding refers to another role now, half of them to one that is not there.
        for number in 0..OBJECTS {
            world.apply(object(Kind::RoleBinding, number, number * 2));
        }
        assert!(!is_empty(&world));
        let kinds = if round % 2 == 0 { [0, 1, 2, 3] } else { [3, 2, 1, 0] };
        for kind in kinds {
            world.replace(Kind::ALL[kind], []);
        }
        assert!(is_empty(&world), "round {round}");
        assert!(most(&world) <= 4 * OBJECTS, "numbers are given anew: {}", most(&world));
        assert_eq!(world.free_numbers.len() + 1, most(&world), "every number is free");
    }
}

#[test]
fn what_changes_nothing_is_no_change() {
    let mut world = World::default();
    let objects = || Kind::ALL.map(|kind| object(kind, 1, 1));
    let is_change = |world: &mut World, change: &dyn Fn(&mut World)| {
        let token = world.begin();
        change(world);
        !world.end(&token).is_empty()
    };
    let apply = |world: &mut World| objects().into_iter().for_each(|object| world.apply(object));
    assert!(is_change(&mut world, &apply));
    assert!(!is_change(&mut world, &apply));
    assert!(!is_change(&mut world, &|world| world.replace(Kind::Role, objects())));
    assert!(!is_change(&mut world, &|world| world.remove(Kind::Role, "ns1", "o2")));
    assert!(!is_change(&mut world, &|world| world.remove(Kind::ClusterRoleBinding, "", "o2")));
    assert!(is_change(&mut world, &|world| world.remove(Kind::RoleBinding, "ns1", "o1")));
    assert!(is_change(&mut world, &|world| *world = World::default()));
}
