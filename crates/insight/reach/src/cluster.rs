//! The RBAC objects of a cluster.

use std::collections::BTreeMap;

use authz::rbac::{Kind, Rbac, RbacObject, World, aggregation, explain};
use k8s_openapi::api::rbac::v1::ClusterRole;
use types::{Attributes, ObjectName};

/// Roles and bindings, and how aggregated roles come by their rules.
#[derive(Clone, Default)]
pub struct Cluster {
    rbac: Rbac,
    /// Which roles feed an aggregated ClusterRole directly.
    sources: BTreeMap<String, Vec<String>>,
}

impl Cluster {
    /// A cluster of these objects. Aggregated ClusterRoles are taken as they are: filled.
    pub fn new(objects: impl IntoIterator<Item = RbacObject>) -> Self {
        let mut world = World::default();
        let mut cluster_roles: Vec<ClusterRole> = Vec::new();
        for object in objects {
            if let RbacObject::ClusterRole(role) = &object {
                cluster_roles.push(role.clone());
            }
            world.apply(object);
        }
        Self { rbac: Rbac::new(world), sources: aggregation::sources(&cluster_roles) }
    }

    /// The authorizer over these objects.
    pub fn rbac(&self) -> &Rbac {
        &self.rbac
    }

    /// The roles from which an aggregated ClusterRole takes a rule that allows the request, each as
    /// the way to it: `edit ← system:aggregate-to-edit`. Empty for any other role.
    pub(crate) fn aggregated_from(&self, role: &ObjectName, at: &Attributes<'_>) -> Vec<String> {
        if role.kind != "ClusterRole" {
            return Vec::new();
        }
        let mut ways = Vec::new();
        self.follow(&role.name, &mut Vec::new(), at, &mut ways);
        ways
    }

    fn follow<'a>(
        &'a self,
        role: &'a str,
        way: &mut Vec<&'a str>,
        at: &Attributes<'_>,
        ways: &mut Vec<String>,
    ) {
        let snapshot = self.rbac.snapshot();
        for source in self.sources.get(role).into_iter().flatten() {
            let rules = snapshot.world().rules(Kind::ClusterRole, "", source).unwrap_or_default();
            let is_in_it = rules.iter().any(|rule| explain::names_covered(rule, at).is_some());
            // Roles may select each other in a circle.
            if !is_in_it || way.contains(&source.as_str()) {
                continue;
            }
            way.push(source);
            if self.sources.contains_key(source) {
                self.follow(source, way, at, ways);
            } else {
                ways.push(way.join(" ← "));
            }
            way.pop();
        }
    }
}
