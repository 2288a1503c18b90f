//! What has lost its owners goes too.

use serde_json::Value;

use super::{delete, revise};
use crate::{
    object::{self, is_terminating, list, set, text},
    rest::Api,
    store::Key,
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Whether an object had owners and all of them are gone.
pub(super) fn is_orphan(api: &Api, object: &Value) -> bool {
    let owners = list(object, "/metadata/ownerReferences");
    if owners.is_empty() || is_terminating(object) {
        return false;
    }
    let (all, _) = api.store().everything();
    !owners.iter().any(|owner| all.iter().any(|(_, other)| object::uid(other) == text(owner, "/uid")))
}

/// What names `owner` as an owner.
pub(super) fn dependents(api: &Api, owner: &Value) -> Vec<Key> {
    let owned = |object: &Value| {
        list(object, "/metadata/ownerReferences").iter().any(|o| text(o, "/uid") == object::uid(owner))
    };
    let (all, _) = api.store().everything();
    all.into_iter().filter(|(_, object)| owned(object)).map(|(key, _)| key).collect()
}

/// An object is on its way out and may wait for its dependents.
pub(super) fn terminating(api: &Api, key: &Key, object: &Value) {
    let waits_for =
        |name: &str| list(object, "/metadata/finalizers").iter().any(|f| f.as_str() == Some(name));
    if waits_for(ORPHAN) {
        for dependent in dependents(api, object) {
            revise(api, &dependent, |dependent| {
                let mut owners = list(dependent, "/metadata/ownerReferences").to_vec();
                owners.retain(|owner| text(owner, "/uid") != object::uid(object));
                set(dependent, &["metadata", "ownerReferences"], owners);
            });
        }
        release(api, key, ORPHAN);
    }
    if waits_for(FOREGROUND) {
        let dependents = dependents(api, object);
        dependents.iter().for_each(|dependent| delete(api, dependent));
        if dependents.is_empty() {
            release(api, key, FOREGROUND);
        }
    }
}

fn release(api: &Api, key: &Key, finalizer: &str) {
    revise(api, key, |object| {
        let mut finalizers = list(object, "/metadata/finalizers").to_vec();
        finalizers.retain(|found| found.as_str() != Some(finalizer));
        set(object, &["metadata", "finalizers"], finalizers);
    });
}
