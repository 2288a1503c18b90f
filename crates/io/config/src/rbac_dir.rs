//! `--rbac-from DIR`: RBAC objects from files instead of a watch.
//!
//! The folder stands for a cluster: what the API server would not have stored is an error, and
//! aggregated ClusterRoles are filled as the cluster's controller would fill them.

mod validate;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    path::{Path, PathBuf},
};

use authz::rbac::{Kind, RbacObject, aggregation};
use k8s_openapi::{
    api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::de::DeserializeOwned;

use crate::{
    files::ReadError,
    yaml::{self, Document, FieldError, YamlError},
};

const GROUP: &str = "rbac.authorization.k8s.io";
const API_VERSION: &str = "rbac.authorization.k8s.io/v1";

/// Why a folder of RBAC objects cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RbacDirError {
    /// The folder cannot be listed.
    #[error(transparent)]
    Folder(ReadError),
    /// Most likely another folder was meant: without RBAC objects everything is denied.
    #[error("{}: no RBAC objects in it: expected `*.yaml`, `*.yml` or `*.json`", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
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

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct RbacDir {
    /// The RBAC objects, with aggregated ClusterRoles filled.
    pub objects: Vec<RbacObject>,
    /// Files that were read.
    pub files: usize,
    /// Objects of other kinds, which were passed over: how many, by `KIND.GROUP`.
    pub others: BTreeMap<String, usize>,
}

/// Reads the `*.yaml`, `*.yml` and `*.json` files of a folder (not of the folders in it), of any
/// number of documents each, with `List`s and typed lists.
pub fn load(path: &Path) -> Result<RbacDir, RbacDirError> {
    let mut found = Collector::default();
    for file in
        files(path).map_err(|source| RbacDirError::Folder(ReadError { path: path.to_owned(), source }))?
    {
        found.files += 1;
        for document in yaml::read(&file)? {
            found.document(&document, None)?;
        }
    }
    if found.places.is_empty() {
        return Err(RbacDirError::Empty { path: path.to_owned() });
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
    cluster_roles: Vec<ClusterRole>,
    objects: Vec<RbacObject>,
    files: usize,
    others: BTreeMap<String, usize>,
    /// Where each object stands, by kind, namespace and name.
    places: BTreeMap<(&'static str, String, String), String>,
}

impl Collector {
    /// Takes an object or a list of them; `implied` is the kind of a typed list's items, which do
    /// not say it themselves.
    fn document(&mut self, document: &Document, implied: Option<Kind>) -> Result<(), RbacDirError> {
        let field = |name| document.root().get(name).and_then(yaml::Node::text);
        let kind = field("kind").or(implied.map(Kind::as_str)).unwrap_or_default();
        let api_version = field("apiVersion").or(implied.map(|_| API_VERSION)).unwrap_or_default();
        let (group, _version) = api_version.rsplit_once('/').unwrap_or_default();
        if group == GROUP {
            if let Some(kind) = kind_named(kind) {
                require_v1(document, api_version)?;
                return self.object(kind, document);
            }
            if let Some(kind) = kind.strip_suffix("List").and_then(kind_named) {
                require_v1(document, api_version)?;
                return self.items(document, Some(kind));
            }
        }
        if (kind, api_version) == ("List", "v1") {
            return self.items(document, None);
        }
        let other = match (kind, group) {
            ("", _) => "(no kind)".to_owned(),
            (kind, "") => kind.to_owned(),
            (kind, group) => format!("{kind}.{group}"),
        };
        *self.others.entry(other).or_default() += 1;
        Ok(())
    }

    fn items(&mut self, list: &Document, implied: Option<Kind>) -> Result<(), RbacDirError> {
        let items = list.root().get("items").map(yaml::Node::items).unwrap_or_default();
        items.iter().try_for_each(|item| self.document(&list.part(item), implied))
    }

    fn object(&mut self, kind: Kind, document: &Document) -> Result<(), RbacDirError> {
        match kind {
            Kind::ClusterRole => {
                let role: ClusterRole = self.decode(document, kind, |o: &mut ClusterRole| &mut o.metadata)?;
                validate::rules(document, role.rules.as_deref().unwrap_or_default(), false)?;
                self.cluster_roles.push(role);
            }
            Kind::Role => {
                let role: Role = self.decode(document, kind, |o: &mut Role| &mut o.metadata)?;
                validate::rules(document, role.rules.as_deref().unwrap_or_default(), true)?;
                self.objects.push(role.into());
            }
            Kind::ClusterRoleBinding => {
                let mut binding: ClusterRoleBinding =
                    self.decode(document, kind, |o: &mut ClusterRoleBinding| &mut o.metadata)?;
                validate::role_ref(document, &mut binding.role_ref, false)?;
                validate::subjects(document, binding.subjects.as_deref_mut().unwrap_or_default(), false)?;
                self.objects.push(binding.into());
            }
            Kind::RoleBinding => {
                let mut binding: RoleBinding =
                    self.decode(document, kind, |o: &mut RoleBinding| &mut o.metadata)?;
                validate::role_ref(document, &mut binding.role_ref, true)?;
                validate::subjects(document, binding.subjects.as_deref_mut().unwrap_or_default(), true)?;
                self.objects.push(binding.into());
            }
        }
        Ok(())
    }

    /// Decodes an object, settles its namespace and remembers its place.
    fn decode<T: DeserializeOwned>(
        &mut self,
        document: &Document,
        kind: Kind,
        metadata: impl FnOnce(&mut T) -> &mut ObjectMeta,
    ) -> Result<T, RbacDirError> {
        let mut object: T = document.decode()?;
        let metadata = metadata(&mut object);
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
            Entry::Occupied(first) => Err(RbacDirError::Twice {
                kind: kind.as_str(),
                name: if namespace.is_empty() { name } else { format!("{namespace}/{name}") },
                first: first.get().clone(),
                second: place,
            }),
        }
    }

    fn finish(mut self) -> RbacDir {
        let mut filled = aggregation::fill(&self.cluster_roles);
        for mut role in self.cluster_roles {
            if let Some(rules) = role.metadata.name.as_ref().and_then(|name| filled.remove(name)) {
                role.rules = Some(rules);
            }
            self.objects.push(role.into());
        }
        RbacDir { objects: self.objects, files: self.files, others: self.others }
    }
}

fn kind_named(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

fn require_v1(document: &Document, api_version: &str) -> Result<(), FieldError> {
    if api_version == API_VERSION {
        return Ok(());
    }
    let message =
        format!("expected `{API_VERSION}`, found `{api_version}`, which Kubernetes no longer serves");
    Err(document.error("apiVersion", message))
}

#[cfg(test)]
mod tests;
