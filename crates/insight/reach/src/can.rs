//! What can this person do?

use serde::Serialize;
use types::{ObjectName, User, qualified_resource};

use crate::Cluster;

/// One rule that a user holds, and the way it comes to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// `pods`, `deployments.apps/scale`, `*.*`; empty for a rule about paths alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// `nonResourceURLs`
    #[serde(rename = "nonResourceURLs", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_urls: Vec<String>,
    /// `resourceNames`; empty for all names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// `verbs`
    pub verbs: Vec<String>,
    /// Where it holds: empty for everywhere.
    pub namespace: String,
    /// The binding that grants it.
    pub binding: ObjectName,
    /// The role.
    pub role: ObjectName,
    /// As which of the binding's subjects.
    pub subject: ObjectName,
}

impl Cluster {
    /// Every rule that `user` holds in `namespace` (empty: only what holds everywhere), and what is
    /// wrong with bindings that lead nowhere. `system:masters` may do everything else as well.
    pub fn can_list(&self, user: &User, namespace: &str) -> (Vec<Held>, Vec<String>) {
        let snapshot = self.rbac().snapshot();
        let (mut held, mut broken) = (Vec::new(), Vec::new());
        for bound in snapshot.world().bound_for(user, namespace) {
            let rules = match bound.rules {
                Ok(rules) => rules,
                Err(error) => {
                    broken.push(format!("{}: {error}", bound.binding));
                    continue;
                }
            };
            let subject = bound.subjects.into_iter().next().unwrap_or_default();
            for rule in rules {
                let some = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
                let (groups, resources) = (some(&rule.api_groups), some(&rule.resources));
                let qualified = resources
                    .iter()
                    .flat_map(|resource| groups.iter().map(move |group| qualified(resource, group)));
                held.push(Held {
                    resources: qualified.collect(),
                    non_resource_urls: some(&rule.non_resource_urls),
                    resource_names: some(&rule.resource_names),
                    verbs: rule.verbs.clone(),
                    namespace: bound.binding.namespace.clone(),
                    binding: bound.binding.clone(),
                    role: bound.role.clone(),
                    subject: subject.clone(),
                });
            }
        }
        (held, broken)
    }
}

/// A rule's resource, which has its subresource in it.
fn qualified(resource: &str, api_group: &str) -> String {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    qualified_resource(resource, api_group, subresource)
}
