//! Shapes that several files share (README.decisions.md, "Common shapes").

use std::{collections::BTreeMap, fs};

use authz::rbac::{RbacObject, World};
use serde::Deserialize;
use types::{Attributes, User, selector::Selectors};

/// A user as the vectors write one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GivenUser {
    name: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

impl From<GivenUser> for User {
    fn from(GivenUser { name, uid, groups, extra }: GivenUser) -> Self {
        Self { name, uid, groups, extra }
    }
}

/// An access question as the vectors write one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GivenAttributes {
    user: GivenUser,
    verb: String,
    resource_request: bool,
    namespace: String,
    api_group: String,
    api_version: String,
    resource: String,
    subresource: String,
    name: String,
    path: String,
    field_selector: String,
    label_selector: String,
}

impl GivenAttributes {
    /// Asks the question.
    pub(crate) fn ask<T>(&self, decide: impl FnOnce(&Attributes<'_>) -> T) -> T {
        decide(&Attributes {
            user: &self.user.clone().into(),
            verb: &self.verb,
            resource_request: self.resource_request,
            namespace: &self.namespace,
            api_group: &self.api_group,
            api_version: &self.api_version,
            resource: &self.resource,
            subresource: &self.subresource,
            name: &self.name,
            path: &self.path,
            selectors: &Selectors::parse(&self.field_selector, &self.label_selector),
        })
    }
}

/// The world of `objects`, and of the items of the file `objects_from` among the vectors if one is named.
pub(crate) fn world(objects: Vec<RbacObject>, objects_from: &str) -> Result<World, String> {
    #[derive(Deserialize)]
    struct List {
        items: Vec<RbacObject>,
    }
    let mut world = World::default();
    if !objects_from.is_empty() {
        let path = crate::vectors().join(objects_from);
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let list: List = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        list.items.into_iter().for_each(|object| world.apply(object));
    }
    objects.into_iter().for_each(|object| world.apply(object));
    Ok(world)
}
