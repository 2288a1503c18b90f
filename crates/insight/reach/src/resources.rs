//! What people call resources, and what rules call them.

/// A resource as authorizers know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Plural and lower-case: `pods`.
    pub name: String,
    /// Empty for the core group.
    pub api_group: String,
    /// Whether objects lie in namespaces; `None` for one that is not built in.
    pub namespaced: Option<bool>,
}

/// No resource of that name is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no built-in resource is called `{given}`{}", hint(.given, .meant.as_deref()))]
pub struct UnknownResource {
    /// What was asked for.
    pub given: String,
    /// What may have been meant.
    pub meant: Option<String>,
}

fn hint(given: &str, meant: Option<&str>) -> String {
    let meant = meant.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default();
    let plural = given.split(['.', '/']).next().unwrap_or_default();
    format!("{meant} (a custom resource is named with its group: `{plural}.example.com`)")
}

impl Resource {
    /// Reads a name as kubectl takes it: `pods`, `pod`, `po`, `deployments.apps`,
    /// `deployments.v1.apps`. A resource of a group that is not built in is taken as it stands, since
    /// nobody can know every custom resource; one without a group has to be a built-in one.
    ///
    /// # Errors
    /// When there is no such resource in Kubernetes 1.36, with what may have been meant.
    pub fn parse(given: &str) -> Result<Self, UnknownResource> {
        let lower = given.to_ascii_lowercase();
        if lower == "*" {
            return Ok(Self { name: lower, api_group: String::new(), namespaced: None });
        }
        let (name, group) = match lower.split_once('.') {
            Some((name, group)) => (name, Some(without_version(group))),
            None => (lower.as_str(), None),
        };
        let known =
            BUILT_IN.iter().find(|known| known.is_called(name) && group.is_none_or(|g| g == known.group));
        if let Some(known) = known {
            return Ok(Self {
                name: known.plural.to_owned(),
                api_group: known.group.to_owned(),
                namespaced: Some(known.namespaced),
            });
        }
        match group {
            // Nobody but Kubernetes adds to these groups.
            Some(group) if !name.is_empty() && !BUILT_IN.iter().any(|known| known.group == group) => {
                Ok(Self { name: name.to_owned(), api_group: group.to_owned(), namespaced: None })
            }
            _ => Err(UnknownResource { given: given.to_owned(), meant: nearest(name, group) }),
        }
    }

    /// A resource as a request names it, whether or not it is known.
    pub(crate) fn named(name: &str, api_group: &str) -> Self {
        let known = BUILT_IN.iter().find(|known| known.plural == name && known.group == api_group);
        Self {
            name: name.to_owned(),
            api_group: api_group.to_owned(),
            namespaced: known.map(|known| known.namespaced),
        }
    }

    /// Whether `name` is a subresource of something built in: it then makes a strange object's name.
    pub fn is_subresource(name: &str) -> bool {
        SUBRESOURCES.contains(&name)
    }

    /// `pods`, `deployments.apps`
    pub fn qualified(&self) -> String {
        types::qualified_resource(&self.name, &self.api_group, "")
    }
}

/// `v1.apps` is version and group, `apps` a group.
fn without_version(text: &str) -> &str {
    match text.split_once('.') {
        Some((version, group)) if is_version(version) => group,
        None if is_version(text) => "",
        _ => text,
    }
}

/// `v1`, `v1beta1`
fn is_version(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('v') else { return false };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() + 1 < text.len()
        && (rest.is_empty()
            || ["alpha", "beta"]
                .iter()
                .any(|stage| rest.strip_prefix(stage).is_some_and(|n| n.chars().all(|c| c.is_ascii_digit()))))
}

fn nearest(name: &str, group: Option<&str>) -> Option<String> {
    let near = BUILT_IN
        .iter()
        .map(|known| (distance(name, known.plural).min(distance(name, known.singular)), known));
    let (distance, known) =
        near.min_by_key(|(distance, known)| (*distance, known.group != group.unwrap_or(known.group)))?;
    let resource = Resource {
        name: known.plural.to_owned(),
        api_group: known.group.to_owned(),
        namespaced: Some(known.namespaced),
    };
    (distance <= 2 && distance < name.len()).then(|| resource.qualified())
}

/// How many letters to change, add or leave out.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = std::mem::replace(row.first_mut().unwrap_or(&mut 0), i + 1);
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (corner + usize::from(from != to)).min(left + 1).min(*cell + 1);
            corner = std::mem::replace(cell, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or_default()
}

struct BuiltIn {
    plural: &'static str,
    singular: &'static str,
    short: &'static [&'static str],
    group: &'static str,
    namespaced: bool,
}

impl BuiltIn {
    fn is_called(&self, name: &str) -> bool {
        self.plural == name || self.singular == name || self.short.contains(&name)
    }
}

const fn inside(
    group: &'static str,
    plural: &'static str,
    singular: &'static str,
    short: &'static [&'static str],
) -> BuiltIn {
    BuiltIn { plural, singular, short, group, namespaced: true }
}

const fn outside(
    group: &'static str,
    plural: &'static str,
    singular: &'static str,
    short: &'static [&'static str],
) -> BuiltIn {
    BuiltIn { plural, singular, short, group, namespaced: false }
}

const SUBRESOURCES: &[&str] = &[
    "approval",
    "attach",
    "binding",
    "ephemeralcontainers",
    "eviction",
    "exec",
    "finalize",
    "log",
    "portforward",
    "proxy",
    "resize",
    "scale",
    "status",
    "token",
];

const ADMISSION: &str = "admissionregistration.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
const FLOW: &str = "flowcontrol.apiserver.k8s.io";
const NETWORKING: &str = "networking.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const RESOURCE: &str = "resource.k8s.io";
const STORAGE: &str = "storage.k8s.io";

// UPSTREAM: what discovery lists, with short names; of a name in two groups the first is meant, as
// kubectl means it. `users`, `groups` and `uids` are no objects, but what impersonation is asked about
// (kube-apiserver 1.36)
const BUILT_IN: &[BuiltIn] = &[
    inside("", "bindings", "binding", &[]),
    outside("", "componentstatuses", "componentstatus", &["cs"]),
    inside("", "configmaps", "configmap", &["cm"]),
    inside("", "endpoints", "endpoint", &["ep"]),
    inside("", "events", "event", &["ev"]),
    inside("", "limitranges", "limitrange", &["limits"]),
    outside("", "namespaces", "namespace", &["ns"]),
    outside("", "nodes", "node", &["no"]),
    inside("", "persistentvolumeclaims", "persistentvolumeclaim", &["pvc"]),
    outside("", "persistentvolumes", "persistentvolume", &["pv"]),
    inside("", "pods", "pod", &["po"]),
    inside("", "podtemplates", "podtemplate", &[]),
    inside("", "replicationcontrollers", "replicationcontroller", &["rc"]),
    inside("", "resourcequotas", "resourcequota", &["quota"]),
    inside("", "secrets", "secret", &[]),
    inside("", "serviceaccounts", "serviceaccount", &["sa"]),
    inside("", "services", "service", &["svc"]),
    outside("", "users", "user", &[]),
    outside("", "groups", "group", &[]),
    outside("", "uids", "uid", &[]),
    outside(ADMISSION, "mutatingadmissionpolicies", "mutatingadmissionpolicy", &[]),
    outside(ADMISSION, "mutatingadmissionpolicybindings", "mutatingadmissionpolicybinding", &[]),
    outside(ADMISSION, "mutatingwebhookconfigurations", "mutatingwebhookconfiguration", &[]),
    outside(ADMISSION, "validatingadmissionpolicies", "validatingadmissionpolicy", &[]),
    outside(ADMISSION, "validatingadmissionpolicybindings", "validatingadmissionpolicybinding", &[]),
    outside(ADMISSION, "validatingwebhookconfigurations", "validatingwebhookconfiguration", &[]),
    outside(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "customresourcedefinition",
        &["crd", "crds"],
    ),
    outside("apiregistration.k8s.io", "apiservices", "apiservice", &[]),
    inside("apps", "controllerrevisions", "controllerrevision", &[]),
    inside("apps", "daemonsets", "daemonset", &["ds"]),
    inside("apps", "deployments", "deployment", &["deploy"]),
    inside("apps", "replicasets", "replicaset", &["rs"]),
    inside("apps", "statefulsets", "statefulset", &["sts"]),
    outside(AUTHENTICATION, "selfsubjectreviews", "selfsubjectreview", &[]),
    outside(AUTHENTICATION, "tokenreviews", "tokenreview", &[]),
    outside(AUTHENTICATION, "users", "user", &[]),
    outside(AUTHENTICATION, "groups", "group", &[]),
    outside(AUTHENTICATION, "uids", "uid", &[]),
    outside(AUTHENTICATION, "userextras", "userextra", &[]),
    inside(AUTHENTICATION, "serviceaccounts", "serviceaccount", &[]),
    outside(AUTHENTICATION, "nodes", "node", &[]),
    inside(AUTHORIZATION, "localsubjectaccessreviews", "localsubjectaccessreview", &[]),
    outside(AUTHORIZATION, "selfsubjectaccessreviews", "selfsubjectaccessreview", &[]),
    outside(AUTHORIZATION, "selfsubjectrulesreviews", "selfsubjectrulesreview", &[]),
    outside(AUTHORIZATION, "subjectaccessreviews", "subjectaccessreview", &[]),
    inside("autoscaling", "horizontalpodautoscalers", "horizontalpodautoscaler", &["hpa"]),
    inside("batch", "cronjobs", "cronjob", &["cj"]),
    inside("batch", "jobs", "job", &[]),
    outside(CERTIFICATES, "certificatesigningrequests", "certificatesigningrequest", &["csr"]),
    outside(CERTIFICATES, "clustertrustbundles", "clustertrustbundle", &[]),
    inside(CERTIFICATES, "podcertificaterequests", "podcertificaterequest", &[]),
    outside(CERTIFICATES, "signers", "signer", &[]),
    inside("coordination.k8s.io", "leases", "lease", &[]),
    inside("coordination.k8s.io", "leasecandidates", "leasecandidate", &[]),
    inside("discovery.k8s.io", "endpointslices", "endpointslice", &[]),
    inside("events.k8s.io", "events", "event", &["ev"]),
    outside(FLOW, "flowschemas", "flowschema", &[]),
    outside(FLOW, "prioritylevelconfigurations", "prioritylevelconfiguration", &[]),
    outside("internal.apiserver.k8s.io", "storageversions", "storageversion", &[]),
    outside(NETWORKING, "ingressclasses", "ingressclass", &[]),
    inside(NETWORKING, "ingresses", "ingress", &["ing"]),
    outside(NETWORKING, "ipaddresses", "ipaddress", &["ip"]),
    inside(NETWORKING, "networkpolicies", "networkpolicy", &["netpol"]),
    outside(NETWORKING, "servicecidrs", "servicecidr", &[]),
    outside("node.k8s.io", "runtimeclasses", "runtimeclass", &[]),
    inside("policy", "poddisruptionbudgets", "poddisruptionbudget", &["pdb"]),
    outside(RBAC, "clusterrolebindings", "clusterrolebinding", &[]),
    outside(RBAC, "clusterroles", "clusterrole", &[]),
    inside(RBAC, "rolebindings", "rolebinding", &[]),
    inside(RBAC, "roles", "role", &[]),
    outside(RESOURCE, "deviceclasses", "deviceclass", &[]),
    inside(RESOURCE, "resourceclaims", "resourceclaim", &[]),
    inside(RESOURCE, "resourceclaimtemplates", "resourceclaimtemplate", &[]),
    outside(RESOURCE, "resourceslices", "resourceslice", &[]),
    outside(RESOURCE, "devicetaintrules", "devicetaintrule", &[]),
    outside("scheduling.k8s.io", "priorityclasses", "priorityclass", &["pc"]),
    outside(STORAGE, "csidrivers", "csidriver", &[]),
    outside(STORAGE, "csinodes", "csinode", &[]),
    inside(STORAGE, "csistoragecapacities", "csistoragecapacity", &[]),
    outside(STORAGE, "storageclasses", "storageclass", &["sc"]),
    outside(STORAGE, "volumeattachments", "volumeattachment", &[]),
    outside(STORAGE, "volumeattributesclasses", "volumeattributesclass", &["vac"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_kubectl_takes_them() {
        let check = |given: &str, expected: &str| {
            let found = match Resource::parse(given) {
                Ok(resource) => format!("{} in {:?}", resource.name, resource.api_group),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "{given}");
        };
        let custom =
            |name: &str| format!("(a custom resource is named with its group: `{name}.example.com`)");
        for core in ["pods", "pod", "po", "Pods", "pods.v1", "pods."] {
            check(core, "pods in \"\"");
        }
        for apps in
            ["deployments", "deployment", "deploy", "deployments.apps", "deployments.v1.apps", "deploy.apps"]
        {
            check(apps, "deployments in \"apps\"");
        }
        check("events", "events in \"\"");
        check("events.events.k8s.io", "events in \"events.k8s.io\"");
        check("widgets.example.com", "widgets in \"example.com\"");
        check("widgets.v1beta1.example.com", "widgets in \"example.com\"");
        check("*", "* in \"\"");
        check(
            "pdos",
            &format!("no built-in resource is called `pdos`: did you mean `pods`? {}", custom("pdos")),
        );
        check(
            "podss",
            &format!("no built-in resource is called `podss`: did you mean `pods`? {}", custom("podss")),
        );
        check("widgets", &format!("no built-in resource is called `widgets` {}", custom("widgets")));
        check(
            "deployment.batch",
            &format!(
                "no built-in resource is called `deployment.batch`: did you mean `deployments.apps`? {}",
                custom("deployment")
            ),
        );
        assert!(Resource::is_subresource("log") && !Resource::is_subresource("web"));
    }

    #[test]
    fn no_name_is_listed_twice_in_a_group() {
        for (place, known) in BUILT_IN.iter().enumerate() {
            let same = |other: &&BuiltIn| other.group == known.group && other.is_called(known.plural);
            assert!(!BUILT_IN[place + 1..].iter().any(|other| same(&other)), "{}", known.plural);
        }
    }
}
