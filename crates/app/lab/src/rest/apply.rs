//! Server-side apply: a patch that says what somebody wants an object to be, and remembers who wanted
//! what.
//!
//! Appliers are told apart, their fields kept in `metadata.managedFields`, and what one of them no
//! longer wants goes. Whoever creates, updates or patches in another way owns nothing here: such
//! changes conflict with nobody's, and an applier takes them over in silence.

use serde_json::{Value, json};
use types::{Attributes, Cause, Status, StatusDetails, StatusReason, selector::Selectors};

use super::{
    Call, Reply,
    body::{shape, yaml},
    failure,
    options::WriteOptions,
    read,
    route::Target,
    update::{Part, amend},
    write::{expected, insert, seconds},
};
use crate::{
    object::{self, list, set, text},
    patch::{Fields, strategic_merge},
    registry::{FieldError, Review},
    schema,
    store::Key,
};

/// The content type. What it carries is YAML, or JSON as most clients send it.
pub(super) const MEDIA: &str = "application/apply-patch+yaml";

pub(super) fn apply(call: &Call<'_>, target: &Target) -> Result<Reply, Status> {
    let options = WriteOptions::read(&call.query, "PatchOptions")?;
    let manager = call.query.first("fieldManager");
    if manager.is_empty() {
        let wrong = FieldError::required("fieldManager", "is required for apply patch");
        return Err(failure::invalid_options("PatchOptions", wrong));
    }
    let (kind, api_version) = (target.kind, target.kind.api_version());
    let (value, duplicates) = match schema::parse(&call.body) {
        Ok(parsed) => (parsed.value, parsed.duplicates),
        Err(_) => (
            yaml(&call.body).map_err(|e| failure::bad_request(format!("error decoding YAML: {e}")))?,
            Vec::new(),
        ),
    };
    let given = shape(value, expected(kind, &api_version), options.fields, &duplicates)?;
    let mut applied = given.object;
    if !list(&applied, MANAGED).is_empty() {
        return Err(failure::bad_request("metadata.managedFields must be nil"));
    }
    if object::name(&applied).is_empty() {
        set(&mut applied, &["metadata", "name"], target.name());
    } else if object::name(&applied) != target.name() {
        return Err(failure::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            object::name(&applied),
            target.name()
        )));
    }
    let wish = Wish { manager, force: call.query.flag("force"), applied, now: seconds(call.api.now()) };
    let granted = call.grants(target);
    let key = Key::new(kind.storage, target.namespace(), target.name());
    if target.subresource.is_none() && call.api.store().get(&key).is_none() {
        may_create(call, target)?;
        let mut new = wish.applied.clone();
        wish.sign(target, &mut new, Vec::new(), &wish.now);
        granted(&new, None)?;
        let created = insert(call.api, kind, target.namespace(), new, options.dry_run)?;
        return Ok(Reply::value(201, read::present(call, kind, created)?).with_warnings(given.warnings));
    }
    let part = match target.subresource {
        None => Part::Applied,
        subresource => Part::of(subresource),
    };
    let written = amend(call.api, target, part, options.dry_run, |old| {
        let new = wish.fulfil(target, old)?;
        granted(&new, Some(old))?;
        Ok(new)
    })?;
    Ok(Reply::value(200, read::present(call, kind, written)?).with_warnings(given.warnings))
}

const MANAGED: &str = "/metadata/managedFields";

/// What somebody wants an object to be.
struct Wish<'a> {
    manager: &'a str,
    force: bool,
    applied: Value,
    now: String,
}

impl Wish<'_> {
    /// The object as it should be.
    fn fulfil(&self, target: &Target, old: &Value) -> Result<Value, Status> {
        let definition = target.kind.schema;
        let mut new = old.clone();
        strategic_merge(definition, &mut new, &self.applied)
            .map_err(|e| failure::bad_request(e.to_string()))?;
        if target.subresource.is_some() {
            return Ok(new);
        }
        let wanted = Fields::of(definition, &self.applied);
        let (mut before, mut kept) = (Fields::default(), wanted.clone());
        let (mut entries, mut contested) = (Vec::new(), Vec::new());
        for entry in list(old, MANAGED) {
            let (mut entry, mut fields) =
                (entry.clone(), Fields::read(entry.get("fieldsV1").unwrap_or(&Value::Null)));
            if text(&entry, "/manager") == self.manager {
                before = fields;
                entries.push(entry);
                continue;
            }
            let lost = wanted.contested(&fields, old, &new);
            if !lost.is_empty() {
                contested.push((text(&entry, "/manager").to_owned(), lost.shown()));
                fields.forget(&lost);
                set(&mut entry, &["fieldsV1"], fields.write());
            }
            if !fields.is_empty() {
                kept.add(&fields);
                entries.push(entry);
            }
        }
        if !contested.is_empty() && !self.force {
            return Err(conflict(&contested));
        }
        before.forget(&kept);
        before.take_out(&mut new, &kept);
        // The time says when something changed.
        let known = entries.iter().find(|entry| text(entry, "/manager") == self.manager);
        if let Some(time) = known.map(|entry| text(entry, "/time").to_owned()) {
            self.sign(target, &mut new, entries.clone(), &time);
            if new == *old {
                return Ok(new);
            }
        }
        self.sign(target, &mut new, entries, &self.now);
        Ok(new)
    }

    /// Puts the manager on record among the others.
    fn sign(&self, target: &Target, new: &mut Value, mut entries: Vec<Value>, time: &str) {
        let ours = json!({
            "manager": self.manager, "operation": "Apply", "apiVersion": target.kind.api_version(),
            "time": time, "fieldsType": "FieldsV1",
            "fieldsV1": Fields::of(target.kind.schema, &self.applied).write(),
        });
        match entries.iter_mut().find(|entry| text(entry, "/manager") == self.manager) {
            Some(entry) => *entry = ours,
            None => entries.push(ours),
        }
        set(new, &["metadata", "managedFields"], entries);
    }
}

/// UPSTREAM: whoever applies what is not there needs to be allowed to create it, too (kube-apiserver 1.36)
fn may_create(call: &Call<'_>, target: &Target) -> Result<(), Status> {
    let kind = target.kind;
    let question = json!({"spec": {"resourceAttributes": {
        "verb": "create", "group": kind.group, "version": kind.version, "resource": kind.plural,
        "namespace": target.namespace(), "name": target.name(),
    }}});
    let answer = call.api.review(Review::SelfSubjectAccessReview, &call.user, "", "", &question)?;
    if answer.pointer("/status/allowed") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    let selectors = Selectors::default();
    let at = Attributes {
        user: &call.user,
        verb: "create",
        resource_request: true,
        namespace: target.namespace(),
        api_group: kind.group,
        api_version: kind.version,
        resource: kind.plural,
        subresource: "",
        name: target.name(),
        path: "",
        selectors: &selectors,
    };
    Err(authz::forbidden(&at, text(&answer, "/status/reason")))
}

/// UPSTREAM: these words (kube-apiserver 1.36)
fn conflict(contested: &[(String, Vec<String>)]) -> Status {
    let causes: Vec<Cause> = contested
        .iter()
        .flat_map(|(manager, fields)| fields.iter().map(move |field| (manager, field)))
        .map(|(manager, field)| Cause {
            reason: "FieldManagerConflict".into(),
            message: format!("conflict with {manager:?}"),
            field: field.clone(),
        })
        .collect();
    let message = match causes.as_slice() {
        [one] => format!("Apply failed with 1 conflict: {}: {}", one.message, one.field),
        many => {
            let told = contested
                .iter()
                .map(|(manager, fields)| format!("conflicts with {manager:?}:\n- {}", fields.join("\n- ")));
            format!("Apply failed with {} conflicts: {}", many.len(), told.collect::<Vec<_>>().join("\n"))
        }
    };
    let details = StatusDetails { causes, ..StatusDetails::default() };
    Status::failure(409, StatusReason::Conflict, message).with_details(details)
}
