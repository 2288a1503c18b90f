//! Roles and bindings.

use k8s_openapi::api::rbac::v1 as api;
use serde_json::Value;

use super::{
    Cell, Column, FieldError, Kind, NameRule,
    cells::{AGE, CREATED_AT},
    define,
};
use crate::object::{default, list, set, text};

const GROUP: &str = "rbac.authorization.k8s.io";

const BINDING_COLUMNS: &[Column] = &[
    Column::new("Role", Cell::With(role)),
    AGE,
    Column::wide("Users", Cell::With(|binding| subjects(binding, "User"))),
    Column::wide("Groups", Cell::With(|binding| subjects(binding, "Group"))),
    Column::wide("ServiceAccounts", Cell::With(|binding| subjects(binding, "ServiceAccount"))),
];

pub(super) const KINDS: &[Kind] = &[
    Kind {
        namespaced: false,
        columns: BINDING_COLUMNS,
        schema: define::<api::ClusterRoleBinding>(),
        prepare: binding_defaults,
        validate: binding,
        ..rbac("clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding")
    },
    Kind {
        namespaced: false,
        columns: CREATED_AT,
        schema: define::<api::ClusterRole>(),
        prepare: rules_present,
        validate: cluster_role,
        ..rbac("clusterroles", "clusterrole", "ClusterRole")
    },
    Kind {
        columns: BINDING_COLUMNS,
        schema: define::<api::RoleBinding>(),
        prepare: binding_defaults,
        validate: binding,
        ..rbac("rolebindings", "rolebinding", "RoleBinding")
    },
    Kind {
        columns: CREATED_AT,
        schema: define::<api::Role>(),
        prepare: rules_present,
        validate: |role, _| rules(role, true),
        ..rbac("roles", "role", "Role")
    },
];

const fn rbac(plural: &'static str, singular: &'static str, kind: &'static str) -> Kind {
    Kind { name_rule: NameRule::PathSegment, ..Kind::new(GROUP, plural, singular, kind) }
}

fn rules_present(role: &mut Value, _: Option<&Value>) {
    // UPSTREAM: `rules` has no omitempty: a role without any shows `null` (kube-apiserver 1.36).
    if role.get("rules").is_none() {
        set(role, &["rules"], Value::Null);
    }
}

fn binding_defaults(binding: &mut Value, _: Option<&Value>) {
    default(binding, &["roleRef", "apiGroup"], GROUP);
    let Some(Value::Array(subjects)) = binding.get_mut("subjects") else { return };
    for subject in subjects {
        if matches!(text(subject, "/kind"), "User" | "Group") {
            default(subject, &["apiGroup"], GROUP);
        }
    }
}

fn cluster_role(role: &Value, _: Option<&Value>) -> Vec<FieldError> {
    rules(role, false)
}

fn rules(role: &Value, namespaced: bool) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    for (index, rule) in list(role, "/rules").iter().enumerate() {
        let has = |member: &str| !list(rule, &format!("/{member}")).is_empty();
        let field = |member: &str| format!("rules[{index}].{member}");
        if !has("verbs") {
            wrong.push(FieldError::required(field("verbs"), "verbs must contain at least one value"));
        }
        if has("nonResourceURLs") {
            let urls = rule.get("nonResourceURLs").unwrap_or(&Value::Null);
            if namespaced {
                let detail = "namespaced rules cannot apply to non-resource URLs";
                wrong.push(FieldError::invalid(field("nonResourceURLs"), urls, detail));
            }
            if has("apiGroups") || has("resources") || has("resourceNames") {
                let detail = "rules cannot apply to both regular resources and non-resource URLs";
                wrong.push(FieldError::invalid(field("nonResourceURLs"), urls, detail));
            }
            continue;
        }
        if !has("apiGroups") {
            let detail = "resource rules must supply at least one api group";
            wrong.push(FieldError::required(field("apiGroups"), detail));
        }
        if !has("resources") {
            let detail = "resource rules must supply at least one resource";
            wrong.push(FieldError::required(field("resources"), detail));
        }
    }
    wrong
}

fn binding(binding: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let reference = binding.get("roleRef").unwrap_or(&Value::Null);
    if text(reference, "/apiGroup") != GROUP {
        let shown = format!("{:?}", text(reference, "/apiGroup"));
        wrong.push(FieldError::unsupported("roleRef.apiGroup", &shown, &[GROUP]));
    }
    let kinds: &[&str] = if crate::object::namespace(binding).is_empty() {
        &["ClusterRole"]
    } else {
        &["Role", "ClusterRole"]
    };
    let kind = text(reference, "/kind");
    if !kinds.contains(&kind) {
        wrong.push(FieldError::unsupported("roleRef.kind", &format!("{kind:?}"), kinds));
    }
    if text(reference, "/name").is_empty() {
        wrong.push(FieldError::required("roleRef.name", ""));
    }
    if old.is_some_and(|old| old.get("roleRef") != Some(reference)) {
        wrong.push(FieldError::invalid("roleRef", reference, "cannot change roleRef"));
    }
    for (index, subject) in list(binding, "/subjects").iter().enumerate() {
        let field = |member: &str| format!("subjects[{index}].{member}");
        if text(subject, "/name").is_empty() {
            wrong.push(FieldError::required(field("name"), ""));
        }
        match text(subject, "/kind") {
            "ServiceAccount" if text(subject, "/namespace").is_empty() => {
                wrong.push(FieldError::required(field("namespace"), ""));
            }
            "User" | "Group" | "ServiceAccount" => {}
            other => {
                let known = ["ServiceAccount", "User", "Group"];
                wrong.push(FieldError::unsupported(field("kind"), &format!("{other:?}"), &known));
            }
        }
    }
    wrong
}

fn role(binding: &Value) -> String {
    format!("{}/{}", text(binding, "/roleRef/kind"), text(binding, "/roleRef/name"))
}

fn subjects(binding: &Value, kind: &str) -> String {
    let of_kind = list(binding, "/subjects").iter().filter(|subject| text(subject, "/kind") == kind);
    let named = of_kind.map(|subject| match text(subject, "/namespace") {
        "" => text(subject, "/name").to_owned(),
        namespace => format!("{namespace}/{}", text(subject, "/name")),
    });
    named.collect::<Vec<_>>().join(", ")
}
