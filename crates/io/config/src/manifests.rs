//! A folder of YAML and JSON files that stands for a cluster, in place of its watches.
//!
//! What the API server would not have stored is an error, and aggregated ClusterRoles are filled as the
//! cluster's controller would fill them. Only the kinds that authorizers decide by are read; what else
//! stands in the files is counted and passed over, Secrets and ConfigMaps among it.

mod kind;
mod validate;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    path::{Path, PathBuf},
};

use authz::{
    node::{self, NodeObject},
    rbac::{self, RbacObject, aggregation},
};
use k8s_openapi::{
    Metadata,
    api::{
        certificates::v1beta1::PodCertificateRequest,
        core::v1::{PersistentVolume, Pod},
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
        resource::v1::ResourceSlice,
        storage::v1::VolumeAttachment,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::de::DeserializeOwned;

use self::kind::Kind;
use crate::{
    files::ReadError,
    yaml::{self, Document, FieldError, YamlError},
};

/// Why a folder cannot stand for a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ManifestsError {
    /// The folder cannot be listed.
    #[error(transparent)]
    Folder(ReadError),
    /// Most likely another folder was meant: without objects nobody is allowed anything.
    #[error("{}: no {wanted} in it: expected `*.yaml`, `*.yml` or `*.json`", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
        /// `RBAC objects`
        wanted: &'static str,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// An object is not one that the API server would have stored.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// One of two objects of a name would win, and nobody could tell which.
    #[error("{second}: {kind} `{name}` stands in {first} already")]
    Twice {
        /// `ClusterRole` and so on.
        kind: &'static str,
        /// The name, or `NAMESPACE/NAME`.
        name: String,
        /// File and line of the first.
        first: String,
        /// File and line of the second.
        second: String,
    },
}

/// Which objects are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Roles and bindings.
    pub rbac: bool,
    /// What the Node authorizer decides by: pods, volumes, …
    pub node: bool,
}

impl Wanted {
    /// Roles and bindings alone.
    pub const RBAC: Self = Self { rbac: true, node: false };

    const fn words(self) -> &'static str {
        match (self.rbac, self.node) {
            (true, true) => "RBAC objects, pods or volumes",
            (false, true) => "pods or volumes",
            _ => "RBAC objects",
        }
    }
}

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The RBAC objects, with aggregated ClusterRoles filled.
    pub rbac: Vec<RbacObject>,
    /// What the Node authorizer decides by.
    pub node: Vec<NodeObject>,
    /// Pods among these without `spec.nodeName`: they give no node anything.
    pub unbound_pods: usize,
    /// Files that were read.
    pub files: usize,
    /// Objects of other kinds, which were passed over: how many, by `KIND.GROUP`.
    pub others: BTreeMap<String, usize>,
}

/// Reads the `*.yaml`, `*.yml` and `*.json` files of a folder (not of the folders in it), of any
/// number of documents each, with `List`s and typed lists.
///
/// # Errors
/// The first thing that is wrong, with file, line and field, and when there is nothing that is wanted.
pub fn load(path: &Path, wanted: Wanted) -> Result<Manifests, ManifestsError> {
    let mut found = Collector { wanted, ..Collector::default() };
    for file in
        files(path).map_err(|source| ManifestsError::Folder(ReadError { path: path.to_owned(), source }))?
    {
        found.manifests.files += 1;
        for document in yaml::read(&file)? {
            found.document(&document, None)?;
        }
    }
    if found.places.is_empty() {
        return Err(ManifestsError::Empty { path: path.to_owned(), wanted: wanted.words() });
    }
    Ok(found.finish())
}

/// In the order of their names, so that errors do not depend on the file system. Names that begin
/// with a dot are passed over: a mounted ConfigMap has its former self there.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let wanted = path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml" || ext == "json");
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        // A link that leads nowhere is no folder either, and reading it says so.
        if wanted && !hidden && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[derive(Default)]
struct Collector {
    wanted: Wanted,
    manifests: Manifests,
    /// Kept apart until all are known that they can select.
    cluster_roles: Vec<ClusterRole>,
    /// Where each object stands, by kind, namespace and name.
    places: BTreeMap<(&'static str, String, String), String>,
}

impl Collector {
    /// Takes an object or a list of them; `implied` is the kind of a typed list's items, which do
    /// not say it themselves.
    fn document(&mut self, document: &Document, implied: Option<Kind>) -> Result<(), ManifestsError> {
        let field = |name| document.root().get(name).and_then(yaml::Node::text);
        let name = field("kind").or(implied.map(Kind::as_str)).unwrap_or_default();
        let api_version = field("apiVersion").or(implied.map(Kind::api_version)).unwrap_or_default();
        let (group, _version) = api_version.rsplit_once('/').unwrap_or_default();
        if (name, api_version) == ("List", "v1") {
            return self.items(document, None);
        }
        let wanted = |name| Kind::named(name, group).filter(|kind| kind.is_wanted(self.wanted));
        if let Some(kind) = wanted(name) {
            kind.require_version(document, api_version)?;
            return self.object(kind, document);
        }
        if let Some(kind) = name.strip_suffix("List").and_then(wanted) {
            kind.require_version(document, api_version)?;
            return self.items(document, Some(kind));
        }
        let other = match (name, group) {
            ("", _) => "(no kind)".to_owned(),
            (name, "") => name.to_owned(),
            (name, group) => format!("{name}.{group}"),
        };
        *self.manifests.others.entry(other).or_default() += 1;
        Ok(())
    }

    fn items(&mut self, list: &Document, implied: Option<Kind>) -> Result<(), ManifestsError> {
        let items = list.root().get("items").map(yaml::Node::items).unwrap_or_default();
        items.iter().try_for_each(|item| self.document(&list.part(item), implied))
    }

    fn object(&mut self, kind: Kind, document: &Document) -> Result<(), ManifestsError> {
        match kind {
            Kind::Rbac(rbac) => self.rbac_object(rbac, document),
            Kind::Node(node) => self.node_object(node, document),
        }
    }

    fn rbac_object(&mut self, kind: rbac::Kind, document: &Document) -> Result<(), ManifestsError> {
        let is_namespaced = kind.is_namespaced();
        match kind {
            rbac::Kind::ClusterRole => {
                let role: ClusterRole = self.decode(document, Kind::Rbac(kind))?;
                validate::rules(document, role.rules.as_deref().unwrap_or_default(), is_namespaced)?;
                self.cluster_roles.push(role);
            }
            rbac::Kind::Role => {
                let role: Role = self.decode(document, Kind::Rbac(kind))?;
                validate::rules(document, role.rules.as_deref().unwrap_or_default(), is_namespaced)?;
                self.manifests.rbac.push(role.into());
            }
            rbac::Kind::ClusterRoleBinding => {
                let mut binding: ClusterRoleBinding = self.decode(document, Kind::Rbac(kind))?;
                let subjects = binding.subjects.as_deref_mut().unwrap_or_default();
                validate::role_ref(document, &mut binding.role_ref, is_namespaced)?;
                validate::subjects(document, subjects, is_namespaced)?;
                self.manifests.rbac.push(binding.into());
            }
            rbac::Kind::RoleBinding => {
                let mut binding: RoleBinding = self.decode(document, Kind::Rbac(kind))?;
                let subjects = binding.subjects.as_deref_mut().unwrap_or_default();
                validate::role_ref(document, &mut binding.role_ref, is_namespaced)?;
                validate::subjects(document, subjects, is_namespaced)?;
                self.manifests.rbac.push(binding.into());
            }
        }
        Ok(())
    }

    fn node_object(&mut self, kind: node::Kind, document: &Document) -> Result<(), ManifestsError> {
        let object: NodeObject = match kind {
            node::Kind::Pod => {
                let pod: Pod = self.decode(document, Kind::Node(kind))?;
                let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
                self.manifests.unbound_pods += usize::from(node.unwrap_or_default().is_empty());
                pod.into()
            }
            node::Kind::PersistentVolume => {
                self.decode::<PersistentVolume>(document, Kind::Node(kind))?.into()
            }
            node::Kind::VolumeAttachment => {
                let attachment: VolumeAttachment = self.decode(document, Kind::Node(kind))?;
                validate::node_name(document, &attachment.spec.node_name)?;
                attachment.into()
            }
            node::Kind::ResourceSlice => self.decode::<ResourceSlice>(document, Kind::Node(kind))?.into(),
            node::Kind::PodCertificateRequest => {
                let request: PodCertificateRequest = self.decode(document, Kind::Node(kind))?;
                validate::node_name(document, &request.spec.node_name)?;
                request.into()
            }
        };
        self.manifests.node.push(object);
        Ok(())
    }

    /// Decodes an object, settles its namespace and remembers its place.
    fn decode<T>(&mut self, document: &Document, kind: Kind) -> Result<T, ManifestsError>
    where
        T: DeserializeOwned + Metadata<Ty = ObjectMeta>,
    {
        let mut object: T = document.decode()?;
        let metadata = object.metadata_mut();
        let name = metadata.name.clone().unwrap_or_default();
        if name.is_empty() {
            return Err(document.error("metadata.name", "must be set").into());
        }
        if !kind.is_namespaced() {
            // UPSTREAM: a namespace on an object that has none is dropped (kube-apiserver 1.36).
            metadata.namespace = None;
        } else if metadata.namespace.as_deref().unwrap_or_default().is_empty() {
            return Err(document.error("metadata.namespace", "must be set: no command line adds it").into());
        }
        let namespace = metadata.namespace.clone().unwrap_or_default();
        let place = format!("{}:{}", document.file(), document.root().line);
        match self.places.entry((kind.as_str(), namespace.clone(), name.clone())) {
            Entry::Vacant(vacant) => {
                vacant.insert(place);
                Ok(object)
            }
            Entry::Occupied(first) => Err(ManifestsError::Twice {
                kind: kind.as_str(),
                name: if namespace.is_empty() { name } else { format!("{namespace}/{name}") },
                first: first.get().clone(),
                second: place,
            }),
        }
    }

    fn finish(mut self) -> Manifests {
        let mut filled = aggregation::fill(&self.cluster_roles);
        for mut role in self.cluster_roles {
            if let Some(rules) = role.metadata.name.as_ref().and_then(|name| filled.remove(name)) {
                role.rules = Some(rules);
            }
            self.manifests.rbac.push(role.into());
        }
        self.manifests
    }
}

#[cfg(test)]
mod tests;
