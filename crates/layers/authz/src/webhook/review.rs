//! The SubjectAccessReview that a webhook is sent, and the same as CEL sees it.

use std::collections::BTreeMap;

use cel::{AccessReviewSpec, NonResourceAttributes, Requirement, ResourceAttributes, Selector};
use serde::{Serialize, Serializer, ser::SerializeMap};
use types::{
    Attributes,
    selector::{FieldOperator, LabelOperator, Selectors},
};

use super::ReviewVersion;

/// The review as JSON. Equal requests of equal users give equal texts: extra keys are sorted, and
/// what has an order keeps it.
pub(super) fn write(at: &Attributes<'_>, version: ReviewVersion) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Review<'a> {
        kind: &'static str,
        api_version: &'static str,
        spec: Spec<'a>,
        status: Status,
    }
    #[derive(Serialize)]
    struct Status {
        allowed: bool,
    }
    let review = Review {
        kind: "SubjectAccessReview",
        api_version: version.api_version(),
        spec: Spec { at, version },
        // UPSTREAM: sent like this (kube-apiserver 1.36)
        status: Status { allowed: false },
    };
    // Strings, lists and maps with string keys always serialise.
    serde_json::to_string(&review).unwrap_or_default()
}

struct Spec<'a> {
    at: &'a Attributes<'a>,
    version: ReviewVersion,
}

// UPSTREAM: empty members are left out, at every level (kube-apiserver 1.36)
impl Serialize for Spec<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { at, version } = self;
        let mut spec = serializer.serialize_map(None)?;
        if at.resource_request {
            spec.serialize_entry("resourceAttributes", &Resource(at))?;
        } else {
            let path = [("path", at.path), ("verb", at.verb)];
            spec.serialize_entry("nonResourceAttributes", &texts(&path))?;
        }
        let user = at.user;
        if !user.name.is_empty() {
            spec.serialize_entry("user", &user.name)?;
        }
        if !user.groups.is_empty() {
            let groups = match version {
                ReviewVersion::V1 => "groups",
                ReviewVersion::V1Beta1 => "group",
            };
            spec.serialize_entry(groups, &user.groups)?;
        }
        if !user.extra.is_empty() {
            spec.serialize_entry("extra", &user.extra)?;
        }
        if !user.uid.is_empty() {
            spec.serialize_entry("uid", &user.uid)?;
        }
        spec.end()
    }
}

struct Resource<'a>(&'a Attributes<'a>);

impl Serialize for Resource<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Requirements {
            requirements: Vec<Written>,
        }
        #[derive(Serialize)]
        struct Written {
            key: String,
            operator: String,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            values: Vec<String>,
        }
        let at = self.0;
        let mut resource = serializer.serialize_map(None)?;
        for (name, value) in texts(&[
            ("namespace", at.namespace),
            ("verb", at.verb),
            ("group", at.api_group),
            ("version", at.api_version),
            ("resource", at.resource),
            ("subresource", at.subresource),
            ("name", at.name),
        ]) {
            resource.serialize_entry(name, value)?;
        }
        for (name, requirements) in [
            ("fieldSelector", field_requirements(at.selectors)),
            ("labelSelector", label_requirements(at.selectors)),
        ] {
            if !requirements.is_empty() {
                let written = requirements.into_iter().map(|Requirement { key, operator, values }| Written {
                    key,
                    operator,
                    values,
                });
                resource.serialize_entry(name, &Requirements { requirements: written.collect() })?;
            }
        }
        resource.end()
    }
}

/// Those that are not empty.
fn texts<'a>(members: &[(&'static str, &'a str)]) -> BTreeMap<&'static str, &'a str> {
    members.iter().filter(|(_, value)| !value.is_empty()).copied().collect()
}

/// `request` of match conditions.
pub(super) fn spec(at: &Attributes<'_>) -> AccessReviewSpec {
    let selector = |requirements: Vec<Requirement>| {
        (!requirements.is_empty()).then(|| Selector { requirements, ..Selector::default() })
    };
    AccessReviewSpec {
        user: at.user.name.clone(),
        uid: at.user.uid.clone(),
        groups: at.user.groups.clone(),
        extra: at.user.extra.clone(),
        resource_attributes: at.resource_request.then(|| ResourceAttributes {
            namespace: at.namespace.to_owned(),
            verb: at.verb.to_owned(),
            group: at.api_group.to_owned(),
            version: at.api_version.to_owned(),
            resource: at.resource.to_owned(),
            subresource: at.subresource.to_owned(),
            name: at.name.to_owned(),
            field_selector: selector(field_requirements(at.selectors)),
            label_selector: selector(label_requirements(at.selectors)),
        }),
        non_resource_attributes: (!at.resource_request)
            .then(|| NonResourceAttributes { path: at.path.to_owned(), verb: at.verb.to_owned() }),
    }
}

// UPSTREAM: a selector that cannot be parsed is left out: without it the review asks for more
// (kube-apiserver 1.36)
fn field_requirements(selectors: &Selectors) -> Vec<Requirement> {
    let Ok(selector) = &selectors.field else { return Vec::new() };
    let requirement = |field: &types::selector::FieldRequirement| Requirement {
        key: field.field.clone(),
        operator: match field.operator {
            FieldOperator::Equals => "In",
            FieldOperator::NotEquals => "NotIn",
        }
        .to_owned(),
        values: vec![field.value.clone()],
    };
    selector.requirements().iter().map(requirement).collect()
}

// UPSTREAM: `gt` and `lt` are left out, for the same reason (kube-apiserver 1.36)
fn label_requirements(selectors: &Selectors) -> Vec<Requirement> {
    let Ok(selector) = &selectors.label else { return Vec::new() };
    let requirement = |label: &types::selector::LabelRequirement| {
        let operator = match label.operator {
            LabelOperator::Equals | LabelOperator::DoubleEquals | LabelOperator::In => "In",
            LabelOperator::NotEquals | LabelOperator::NotIn => "NotIn",
            LabelOperator::Exists => "Exists",
            LabelOperator::DoesNotExist => "DoesNotExist",
            LabelOperator::GreaterThan | LabelOperator::LessThan => return None,
        };
        let values = label.values.clone();
        Some(Requirement { key: label.key.clone(), operator: operator.to_owned(), values })
    };
    selector.requirements().iter().filter_map(requirement).collect()
}
