//! Patch: JSON, merge and strategic.

use serde_json::Value;
use types::{Status, StatusDetails, StatusReason};

use super::{
    Call, Reply, apply,
    body::{json_error, shape},
    failure,
    options::WriteOptions,
    read,
    route::Target,
    update::{Part, amend},
    write::expected,
};
use crate::{
    object,
    patch::{PatchError, json_patch, merge_patch, strategic_merge},
    schema::{self, Define},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatchKind {
    Json,
    Merge,
    Strategic,
}

/// A patch that has been parsed.
pub(super) struct Patch {
    kind: PatchKind,
    value: Value,
    duplicates: Vec<String>,
    /// The type that is patched.
    of: Define,
}

pub(super) fn patch(call: &Call<'_>, target: &Target) -> Result<Reply, Status> {
    if media(call) == apply::MEDIA {
        return apply::apply(call, target);
    }
    let options = WriteOptions::read(&call.query, "PatchOptions")?;
    let patch = Patch::read(call, target.kind.schema)?;
    let kind = target.kind;
    let mut warnings = Vec::new();
    let api_version = kind.api_version();
    let granted = call.grants(target);
    let written = amend(call.api, target, Part::of(target.subresource), options.dry_run, |old| {
        let patched = patch.apply(old)?;
        let given = shape(patched, expected(kind, &api_version), options.fields, &patch.duplicates)?;
        warnings = given.warnings;
        if object::name(&given.object) != target.name() {
            let detail = format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                object::name(&given.object),
                target.name()
            );
            return Err(failure::bad_request(detail));
        }
        granted(&given.object, Some(old))?;
        Ok(given.object)
    })?;
    Ok(Reply::value(200, read::present(call, kind, written)?).with_warnings(warnings))
}

fn media<'a>(call: &'a Call<'_>) -> &'a str {
    call.content_type.split(';').next().unwrap_or_default().trim()
}

impl Patch {
    /// Reads the body.
    pub(super) fn read(call: &Call<'_>, of: Define) -> Result<Self, Status> {
        let kind = match media(call) {
            "application/json-patch+json" => PatchKind::Json,
            "application/merge-patch+json" => PatchKind::Merge,
            "application/strategic-merge-patch+json" => PatchKind::Strategic,
            _ => {
                let message = "415: Unsupported Media Type";
                return Err(Status::failure(415, StatusReason::UnsupportedMediaType, message)
                    .with_details(StatusDetails::default()));
            }
        };
        let parsed = schema::parse(&call.body).map_err(|error| {
            let told = json_error(&error, &call.body);
            let told = told.strip_prefix("json parse error: ").unwrap_or(&told).to_owned();
            failure::bad_request(format!("error decoding patch: {told}"))
        })?;
        Ok(Self { kind, value: parsed.value, duplicates: parsed.duplicates, of })
    }

    /// Applies the patch to an object as it is shown.
    pub(super) fn apply(&self, old: &Value) -> Result<Value, Status> {
        let mut new = old.clone();
        match self.kind {
            PatchKind::Json => json_patch(old, &self.value).map_err(refused),
            PatchKind::Merge => {
                if !self.value.is_object() {
                    return Err(failure::bad_request("error decoding patch: expected a JSON object"));
                }
                merge_patch(&mut new, &self.value);
                Ok(new)
            }
            PatchKind::Strategic => {
                strategic_merge(self.of, &mut new, &self.value).map_err(refused)?;
                Ok(new)
            }
        }
    }
}

fn refused(error: PatchError) -> Status {
    match error {
        PatchError::DoesNotApply => failure::does_not_apply(),
        PatchError::Malformed(detail) => failure::bad_request(format!("error decoding patch: {detail}")),
    }
}
