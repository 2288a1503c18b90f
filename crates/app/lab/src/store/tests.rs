use std::convert::Infallible;

use serde_json::json;

use super::*;

fn put(store: &Store, name: &str, value: u64) -> u64 {
    let done = store.change::<Infallible>(&Key::new("things", "ns", name), |_, _| {
        Ok(Change::Put(json!({"metadata": {"name": name}, "value": value})))
    });
    object::text(done.unwrap().object.as_ref().unwrap(), "/metadata/resourceVersion").parse().unwrap()
}

fn delete(store: &Store, name: &str) {
    store.change::<Infallible>(&Key::new("things", "ns", name), |_, _| Ok(Change::Delete)).unwrap();
}

fn values(objects: &[Arc<Value>]) -> Vec<(String, i64)> {
    objects.iter().map(|o| (object::name(o).to_owned(), object::number(o, "/value"))).collect()
}

fn temporary(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("portcullis-lab-{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&dir));
    dir.join("store.log")
}

fn on_disk(path: &Path) -> Store {
    Store::open(&StoreConfig { path: Some(path.into()), window: 100 }).unwrap()
}

use std::path::Path;

#[test]
fn lists_go_back_in_time_until_the_window_ends() {
    let store = Store::open(&StoreConfig { path: None, window: 3 }).unwrap();
    put(&store, "a", 1);
    let then = put(&store, "b", 1);
    put(&store, "a", 2);
    delete(&store, "b");
    assert_eq!(values(&store.list("things", Some("ns")).0), [("a".into(), 2)]);
    assert_eq!(values(&store.list_at("things", None, then).unwrap()), [("a".into(), 1), ("b".into(), 1)]);
    assert_eq!(values(&store.list_at("things", Some("other"), then).unwrap()), []);
    put(&store, "c", 1);
    put(&store, "d", 1);
    assert_eq!(store.list_at("things", None, then), Err(TooOld { oldest: then + 1 }));
}

#[test]
fn events_tell_what_was_and_what_is() {
    let store = Store::open(&StoreConfig::default()).unwrap();
    let first = put(&store, "a", 1);
    put(&store, "a", 2);
    delete(&store, "a");
    let (events, now) = store.events_after(first).unwrap();
    assert_eq!(now, first + 2);
    let shown: Vec<_> = events
        .iter()
        .map(|e| (e.revision, e.deleted, object::number(&e.object, "/value"), e.previous.is_some()))
        .collect();
    assert_eq!(shown, [(first + 1, false, 2, true), (first + 2, true, 2, true)]);
    assert_eq!(object::text(&events[1].object, "/metadata/resourceVersion"), (first + 2).to_string());
    store.compact();
    assert_eq!(store.events_after(first).unwrap_err(), TooOld { oldest: now });
    assert!(store.events_after(now).unwrap().0.is_empty());
}

#[test]
fn a_killed_process_loses_nothing() {
    let path = temporary("kill");
    let store = on_disk(&path);
    put(&store, "a", 1);
    put(&store, "b", 1);
    delete(&store, "a");
    let revision = store.revision();
    drop(store);
    let again = on_disk(&path);
    assert_eq!(values(&again.list("things", None).0), [("b".into(), 1)]);
    assert_eq!(again.revision(), revision);
}

#[test]
fn a_torn_tail_is_cut_at_every_byte() {
    let path = temporary("torn");
    let store = on_disk(&path);
    put(&store, "a", 1);
    let whole_records = std::fs::metadata(&path).unwrap().len();
    put(&store, "a", 2);
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    for cut in 0..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let expected: &[(String, i64)] = if (cut as u64) < whole_records { &[] } else { &[("a".into(), 1)] };
        assert_eq!(values(&on_disk(&path).list("things", None).0), expected, "cut at {cut}");
        // What is written after the cut must be readable again.
        put(&on_disk(&path), "z", 9);
        assert!(on_disk(&path).get(&Key::new("things", "ns", "z")).is_some(), "cut at {cut}");
    }
}

#[test]
fn a_changed_byte_ends_the_log_there() {
    let path = temporary("flip");
    put(&on_disk(&path), "a", 1);
    let good = std::fs::read(&path).unwrap();
    put(&on_disk(&path), "a", 2);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = good.len() + 30;
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(values(&on_disk(&path).list("things", None).0), [("a".into(), 1)]);
    std::fs::write(&path, b"something else entirely\n").unwrap();
    let refused = Store::open(&StoreConfig { path: Some(path), window: 1 });
    assert!(matches!(refused.err(), Some(OpenError::Foreign { .. })));
}

#[test]
fn a_snapshot_keeps_objects_and_revision() {
    let path = temporary("snapshot");
    let store = on_disk(&path);
    for value in 0..10_050 {
        put(&store, "a", value);
    }
    delete(&store, "a");
    put(&store, "b", 7);
    let revision = store.revision();
    drop(store);
    assert!(std::fs::metadata(&path).unwrap().len() < 100_000, "the log was rewritten");
    let again = on_disk(&path);
    assert_eq!((values(&again.list("things", None).0), again.revision()), (vec![("b".into(), 7)], revision));
}
