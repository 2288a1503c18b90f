//! Get and list.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use types::Status;

use super::{
    Call, Reply, failure,
    negotiate::{Shape, not_acceptable},
    options::{ListOptions, VersionMatch, resource_version},
    route::Target,
    selection::Selection,
    table,
};
use crate::{
    object::{self, remove, set},
    registry::Kind,
    store::Key,
};

pub(super) fn get(call: &Call<'_>, target: &Target) -> Result<Reply, Status> {
    let kind = target.kind;
    if let Some(asked) = resource_version(&call.query)? {
        not_too_new(call, asked)?;
    }
    Ok(Reply::value(200, present(call, kind, fetch(call, target)?)?))
}

/// The object that the path names.
pub(super) fn fetch(call: &Call<'_>, target: &Target) -> Result<Value, Status> {
    let kind = target.kind;
    let found = call.api.store.get(&Key::new(kind.storage, target.namespace(), target.name()));
    found.map(|object| kind.shown(&object)).ok_or_else(|| failure::not_found(kind, target.name()))
}

fn not_too_new(call: &Call<'_>, asked: u64) -> Result<(), Status> {
    let current = call.api.store.revision();
    if asked > current { Err(failure::too_new(asked, current)) } else { Ok(()) }
}

pub(super) fn list(call: &Call<'_>, target: &Target) -> Result<Reply, Status> {
    let options = ListOptions::read(&call.query)?;
    let kind = target.kind;
    let selection = Selection::read(kind, &call.query, None)?;
    let page = match page(call, target, &options)? {
        Ok(page) => page,
        Err(forgotten) => return Ok(forgotten),
    };
    let all_namespaces = kind.namespaced && target.namespace.is_none();
    let key = |object: &Value| match all_namespaces {
        true => format!("{}/{}", object::namespace(object), object::name(object)),
        false => object::name(object).to_owned(),
    };
    let mut items = Vec::new();
    let mut rest = page.objects.iter();
    let mut meta = json!({"resourceVersion": page.revision.to_string()});
    for object in rest.by_ref().skip_while(|object| key(object) < page.start) {
        let shown = kind.shown(object);
        if selection.matches(&shown) {
            items.push(shown);
        }
        if options.limit == Some(items.len()) {
            break;
        }
    }
    // UPSTREAM: another page is promised where objects are left, matching or not; how many is told
    // only without selectors (kube-apiserver 1.36).
    if let (Some(last), left @ 1..) = (items.last(), rest.len()) {
        let token = Continue {
            version: CONTINUE.into(),
            revision: page.token_revision,
            start: format!("{}\0", key(last)),
        };
        set(&mut meta, &["continue"], token.encode());
        if selection.is_everything() {
            set(&mut meta, &["remainingItemCount"], left);
        }
    }
    Ok(Reply::value(200, present_list(call, kind, items, &meta)?))
}

/// The objects of a list before selection, and where the page begins.
struct Page {
    objects: Vec<Arc<Value>>,
    revision: u64,
    token_revision: i64,
    start: String,
}

/// The state that a list is about; `Err` holds the answer where it is forgotten.
fn page(call: &Call<'_>, target: &Target, options: &ListOptions) -> Result<Result<Page, Reply>, Status> {
    let (store, resource, namespace) = (&call.api.store, target.kind.storage, target.namespace.as_deref());
    let newest = |start: String, inconsistent: bool| {
        let (objects, revision) = store.list(resource, namespace);
        let token_revision = if inconsistent { -1 } else { i64::try_from(revision).unwrap_or(i64::MAX) };
        Page { objects, revision, token_revision, start }
    };
    if !options.continue_token.is_empty() {
        let token = Continue::decode(&options.continue_token)?;
        let Ok(revision) = u64::try_from(token.revision) else {
            return Ok(Ok(newest(token.start, false)));
        };
        return Ok(match store.list_at(resource, namespace, revision) {
            Ok(objects) => Ok(Page { objects, revision, token_revision: token.revision, start: token.start }),
            Err(_) => Err(forgotten(token)),
        });
    }
    let asked = options.resource_version.unwrap_or_default();
    not_too_new(call, asked)?;
    if options.version_match == VersionMatch::Exact {
        let objects = store
            .list_at(resource, namespace, asked)
            .map_err(|_| failure::expired("The resourceVersion for the provided list is too old."))?;
        let token_revision = i64::try_from(asked).unwrap_or(i64::MAX);
        return Ok(Ok(Page { objects, revision: asked, token_revision, start: String::new() }));
    }
    Ok(Ok(newest(String::new(), false)))
}

const CONTINUE: &str = "meta.k8s.io/v1";

/// Where the next page of a list begins.
#[derive(Serialize, Deserialize)]
struct Continue {
    #[serde(rename = "v")]
    version: String,
    /// -1: whatever is newest, inconsistent with the pages before.
    #[serde(rename = "rv")]
    revision: i64,
    start: String,
}

impl Continue {
    fn encode(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(token: &str) -> Result<Self, Status> {
        let refused = |why: &str| {
            failure::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|error| refused(&error.to_string()))?;
        let parsed: Self = serde_json::from_slice(&bytes).map_err(|error| {
            let told = super::body::json_error(&error, &bytes);
            refused(told.strip_prefix("json parse error: ").unwrap_or(&told))
        })?;
        if parsed.version != CONTINUE {
            return Err(refused(&format!(
                "server does not recognize this encoded version {:?}",
                parsed.version
            )));
        }
        Ok(parsed)
    }
}

/// The 410 of a token whose state is forgotten, with a token that goes on all the same.
fn forgotten(token: Continue) -> Reply {
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a \
                   new list without the continue parameter, or use the continue token in this response to retrieve \
                   the remainder of the results. Continuing with the provided token results in an inconsistent list \
                   - objects that were created, modified, or deleted between the time the first chunk was returned \
                   and now may show up in the list.";
    let mut status = serde_json::to_value(failure::expired(message)).unwrap_or_default();
    set(&mut status, &["metadata", "continue"], Continue { revision: -1, ..token }.encode());
    Reply::value(410, status)
}

fn include<'a>(call: &'a Call<'_>) -> &'a str {
    call.query.first("includeObject")
}

/// One object in the shape the client asked for.
pub(super) fn present(call: &Call<'_>, kind: &'static Kind, object: Value) -> Result<Value, Status> {
    Ok(match call.accept.shape()? {
        Shape::Whole | Shape::Aggregated => object,
        Shape::Table => {
            let meta = json!({"resourceVersion": object.pointer("/metadata/resourceVersion")});
            table::table(kind, std::slice::from_ref(&object), &meta, true, include(call), call.now)
        }
        Shape::Metadata => metadata_only(&object),
        Shape::MetadataList => {
            return Err(not_acceptable(format!(
                "you requested PartialObjectMetadataList, but the requested object is not a list (*core.{})",
                kind.kind
            )));
        }
    })
}

/// A list in the shape the client asked for.
pub(super) fn present_list(
    call: &Call<'_>,
    kind: &'static Kind,
    mut items: Vec<Value>,
    meta: &Value,
) -> Result<Value, Status> {
    Ok(match call.accept.shape()? {
        Shape::Whole | Shape::Aggregated => {
            // UPSTREAM: the items of a list do not repeat their type (kube-apiserver 1.36).
            for item in &mut items {
                remove(item, &["apiVersion"]);
                remove(item, &["kind"]);
            }
            json!({"kind": kind.list_kind(), "apiVersion": kind.api_version(), "metadata": meta, "items": items})
        }
        Shape::Table => table::table(kind, &items, meta, true, include(call), call.now),
        Shape::MetadataList => {
            let mut items: Vec<Value> = items.iter().map(metadata_only).collect();
            for item in &mut items {
                remove(item, &["apiVersion"]);
                remove(item, &["kind"]);
            }
            json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": items,
            })
        }
        Shape::Metadata => {
            return Err(not_acceptable(
                "you requested PartialObjectMetadata, but the requested object is a list".to_owned(),
            ));
        }
    })
}

/// An object's metadata.
pub(super) fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.get("metadata"),
    })
}
