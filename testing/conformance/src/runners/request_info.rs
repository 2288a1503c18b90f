//! `request_info.jsonl`: the request line as every later stage sees it.

use request::{RequestInfo, RequestInfoError};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use types::selector::{FieldSelector, LabelSelector, SelectorError, Selectors};

use crate::{Case, Flip, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    method: String,
    uri: String,
}

/// Reads the line and compares everything that is known of it; of errors only their presence.
pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let (info, error) = match RequestInfo::parse(&given.method, &given.uri) {
        Ok(info) => (Some(info), false),
        Err(RequestInfoError::NoKind { info, .. }) => (Some(*info), true),
        Err(RequestInfoError::Rejected(_)) => (None, false),
    };
    let mut found = Map::new();
    match &info {
        None => drop(found.insert("rejected".to_owned(), json!(true))),
        Some(info) => {
            let is_resource = flip.decision(info.is_resource_request(), |is_resource| !is_resource);
            found.insert("info".to_owned(), show_info(info, is_resource));
            let Selectors { field, label } = info.selectors();
            found.extend(show_selector(field, show_fields).map(|shown| ("fieldSelector".to_owned(), shown)));
            found.extend(show_selector(label, show_labels).map(|shown| ("labelSelector".to_owned(), shown)));
        }
    }
    if error {
        found.insert("error".to_owned(), json!(true));
    }
    let expected = expectation(&case.expect)?;
    if found == expected {
        Ok(())
    } else {
        Err(format!("found {}, expected {}", Value::from(found), Value::from(expected)))
    }
}

/// What a server did afterwards is the lab's test; of errors only the presence counts; an absent
/// member is an empty one.
fn expectation(expect: &Value) -> Result<Map<String, Value>, String> {
    let mut expected = expect.as_object().ok_or("`expect` is not an object")?.clone();
    expected.remove("server");
    for (key, value) in &mut expected {
        match key.as_str() {
            "error" | "rejected" => *value = json!(true),
            "info" => {
                if let Some(info) = value.as_object_mut() {
                    info.retain(|_, member| member.as_str() != Some(""));
                }
            }
            "fieldSelector" | "labelSelector" if value.get("error").is_some() => {
                *value = json!({"error": true});
            }
            _ => {}
        }
    }
    Ok(expected)
}

fn show_info(info: &RequestInfo, is_resource: bool) -> Value {
    let mut shown = Map::new();
    shown.insert("isResourceRequest".to_owned(), is_resource.into());
    let texts = [
        ("path", info.path()),
        ("verb", info.verb()),
        ("apiPrefix", info.api_prefix()),
        ("apiGroup", info.api_group()),
        ("apiVersion", info.api_version()),
        ("namespace", info.namespace()),
        ("resource", info.resource()),
        ("subresource", info.subresource()),
        ("name", info.name()),
        ("fieldSelector", info.field_selector()),
        ("labelSelector", info.label_selector()),
    ];
    shown.extend(
        texts
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(key, text)| (key.to_owned(), text.into())),
    );
    let parts: Vec<&str> = info.parts().collect();
    if !parts.is_empty() {
        shown.insert("parts".to_owned(), parts.into());
    }
    shown.into()
}

pub(super) fn show_selector<S>(
    selector: &Result<S, SelectorError>,
    requirements: fn(&S) -> Vec<Value>,
) -> Option<Value> {
    match selector.as_ref().map(requirements) {
        Ok(requirements) if requirements.is_empty() => None,
        Ok(requirements) => Some(json!({ "requirements": requirements })),
        Err(_) => Some(json!({"error": true})),
    }
}

pub(super) fn show_fields(selector: &FieldSelector) -> Vec<Value> {
    let requirements = selector.requirements().iter();
    requirements
        .map(|r| json!({"field": r.field, "operator": r.operator.as_str(), "value": r.value}))
        .collect()
}

pub(super) fn show_labels(selector: &LabelSelector) -> Vec<Value> {
    let requirements = selector.requirements().iter();
    requirements.map(|r| json!({"key": r.key, "operator": r.operator.as_str(), "values": r.values})).collect()
}
