//! Events, in both groups: one store, two spellings.

use k8s_openapi::api::{core::v1::Event as CoreEvent, events::v1::Event};
use serde_json::{Map, Value};

use super::{Cell, Column, FieldError, Kind, View, cells::age, define};
use crate::object::{members, number, text};

/// Members by their name in core and in events.k8s.io.
const SPELLINGS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

const CORE_FIELDS: &[(&str, &str)] = &[
    ("involvedObject.kind", "/involvedObject/kind"),
    ("involvedObject.namespace", "/involvedObject/namespace"),
    ("involvedObject.name", "/involvedObject/name"),
    ("involvedObject.uid", "/involvedObject/uid"),
    ("involvedObject.apiVersion", "/involvedObject/apiVersion"),
    ("involvedObject.resourceVersion", "/involvedObject/resourceVersion"),
    ("involvedObject.fieldPath", "/involvedObject/fieldPath"),
    ("reason", "/reason"),
    ("reportingComponent", "/reportingComponent"),
    ("source", "/source/component"),
    ("type", "/type"),
];

const FIELDS: &[(&str, &str)] = &[
    ("regarding.kind", "/regarding/kind"),
    ("regarding.namespace", "/regarding/namespace"),
    ("regarding.name", "/regarding/name"),
    ("regarding.uid", "/regarding/uid"),
    ("regarding.apiVersion", "/regarding/apiVersion"),
    ("regarding.resourceVersion", "/regarding/resourceVersion"),
    ("regarding.fieldPath", "/regarding/fieldPath"),
    ("reason", "/reason"),
    ("reportingController", "/reportingController"),
    ("type", "/type"),
];

pub(super) const CORE: Kind = Kind {
    short_names: &["ev"],
    columns: &[
        Column::new("Last Seen", Cell::At(|event, now| last_seen(event, "/lastTimestamp", now))),
        Column::new("Type", Cell::Text("/type")),
        Column::new("Reason", Cell::Text("/reason")),
        Column::new("Object", Cell::With(|event| about(event, "/involvedObject"))),
        Column::wide("Subobject", Cell::Text("/involvedObject/fieldPath")),
        Column::wide("Source", Cell::Text("/source/component")),
        Column::new("Message", Cell::With(|event| text(event, "/message").trim().into())),
        Column::wide("First Seen", Cell::Since("/firstTimestamp")),
        Column::wide("Count", Cell::With(|event| number(event, "/count").max(1).to_string())),
    ],
    fields: CORE_FIELDS,
    schema: define::<CoreEvent>(),
    validate,
    ..Kind::new("", "events", "event", "Event")
};

pub(super) const KINDS: &[Kind] = &[Kind {
    short_names: &["ev"],
    columns: &[
        Column::new("Last Seen", Cell::At(|event, now| last_seen(event, "/deprecatedLastTimestamp", now))),
        Column::new("Type", Cell::Text("/type")),
        Column::new("Reason", Cell::Text("/reason")),
        Column::new("Object", Cell::With(|event| about(event, "/regarding"))),
        Column::new("Message", Cell::With(|event| text(event, "/note").trim().into())),
    ],
    fields: FIELDS,
    schema: define::<Event>(),
    view: Some(View { to_storage, from_storage }),
    ..Kind::new("events.k8s.io", "events", "event", "Event")
}];

fn rename(event: &mut Value, to_core: bool) {
    let map = members(event);
    let old: Map<String, Value> = std::mem::take(map);
    for (name, value) in old {
        let other = SPELLINGS.iter().find_map(|(core, own)| match to_core {
            true => (*own == name).then_some(*core),
            false => (*core == name).then_some(*own),
        });
        map.insert(other.map_or(name, str::to_owned), value);
    }
}

fn to_storage(event: &mut Value) {
    rename(event, true);
}

fn from_storage(event: &mut Value) {
    rename(event, false);
}

fn validate(event: &Value, _: Option<&Value>) -> Vec<FieldError> {
    let (about, lies_in) = (text(event, "/involvedObject/namespace"), crate::object::namespace(event));
    if about == lies_in || (about.is_empty() && lies_in == "default") {
        return Vec::new();
    }
    let detail = "does not match event.namespace";
    vec![FieldError::invalid("involvedObject.namespace", &about.into(), detail)]
}

fn last_seen(event: &Value, at: &str, now: types::Timestamp) -> String {
    let times = [text(event, "/series/lastObservedTime"), text(event, at), text(event, "/eventTime")];
    age(times.into_iter().find(|time| !time.is_empty()).unwrap_or_default(), now)
}

fn about(event: &Value, at: &str) -> String {
    let part = |member: &str| text(event, &format!("{at}/{member}"));
    format!("{}/{}", part("kind").to_lowercase(), part("name"))
}
