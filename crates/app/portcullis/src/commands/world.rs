//! Which cluster a question is about, and what its authorizers decide by.

use std::{path::PathBuf, sync::Arc};

use authz::{
    node::{Node, NodeObject},
    rbac::RbacObject,
};
use config::manifests::{self, Manifests, Wanted};
use gate::Options;
use reach::Cluster;
use upstream::{Limits, Upstream};

use super::explain::failed;
use crate::exit::{self, Failure};

/// The gate's own flag.
#[derive(clap::Args, Clone, Default)]
pub(super) struct RbacFrom {
    /// Decide by the RBAC objects in the YAML and JSON files of a folder [default: those of the cluster]
    #[arg(long, value_name = "DIR")]
    pub(super) rbac_from: Option<PathBuf>,
}

/// A cluster or a folder.
#[derive(clap::Args)]
#[command(next_help_heading = "Which cluster")]
pub(super) struct World {
    #[command(flatten)]
    pub(super) rbac: RbacFrom,
    #[command(flatten)]
    pub(super) source: Source,
}

/// Where the objects come from that authorizers decide by.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Which cluster")]
pub(super) struct Source {
    /// A folder of YAML and JSON files that stands for the cluster: roles, bindings and, with Node among the
    /// authorizers, pods, volumes and ResourceSlices
    #[arg(long, short = 'f', value_name = "DIR", conflicts_with_all = ["rbac_from", "kubeconfig", "context"])]
    filename: Option<PathBuf>,
    /// A kubeconfig of somebody who may list roles and bindings and, with Node among the authorizers, pods and
    /// volumes; nothing else is read [env: KUBECONFIG]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context to take [default: the file's current-context]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// Authorizers that can be asked without asking anybody outside.
#[derive(clap::Args)]
#[command(next_help_heading = "Which cluster")]
pub(super) struct Modes {
    /// Node, RBAC or both, in the order they are asked
    #[arg(long, value_name = "MODE", value_delimiter = ',', default_value = "RBAC",
          value_parser = ["Node", "RBAC"])]
    authorization_mode: Vec<String>,
}

impl Modes {
    /// Whether the Node authorizer is among them.
    pub(super) fn has_node(&self) -> bool {
        self.authorization_mode.iter().any(|mode| mode == "Node")
    }

    /// The same as the gate takes it.
    pub(super) fn options(&self) -> Options {
        Options { authorization_mode: Some(self.authorization_mode.clone()), ..Options::default() }
    }
}

/// What authorizers decide by. Empty where nobody wants to know.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) cluster: Cluster,
    node: Vec<NodeObject>,
}

impl World {
    /// Reads or lists what authorizers decide by.
    pub(super) fn read(&self, wanted: Wanted) -> Result<Objects, Failure> {
        self.source.read(&self.rbac, wanted)
    }
}

/// What the authorizers of these options decide by.
pub(super) fn wanted(options: &Options) -> Result<Wanted, Failure> {
    Ok(Wanted {
        rbac: options.reads_rbac().map_err(failed)?,
        node: options.node().map_err(failed)?.is_some(),
    })
}

impl Objects {
    /// The Node authorizer of the options over these objects; one that knows nothing where they have none.
    pub(super) fn node(&self, options: &Options) -> Result<Node, Failure> {
        let Some(node) = options.node().map_err(failed)? else { return Ok(Node::default()) };
        node.update(|graph| self.node.iter().cloned().for_each(|object| graph.apply(object)));
        Ok(node)
    }
}

impl Source {
    /// Reads or lists what is wanted. `--rbac-from` is the gate's flag: pods and volumes then come from the
    /// cluster, as with the gate, or from the same folder if no cluster is named.
    pub(super) fn read(&self, rbac: &RbacFrom, wanted: Wanted) -> Result<Objects, Failure> {
        if let Some(folder) = &self.filename {
            return self.read_folder("--filename", folder, wanted).map(Objects::from);
        }
        match &rbac.rbac_from {
            Some(folder) if wanted.node && self.is_live() => {
                let read = self.read_folder("--rbac-from", folder, Wanted { node: false, ..wanted })?;
                Ok(Objects { node: self.list_node()?, ..Objects::from(read) })
            }
            Some(folder) => self.read_folder("--rbac-from", folder, wanted).map(Objects::from),
            None => Ok(Objects {
                cluster: if wanted.rbac { Cluster::new(self.list_rbac()?) } else { Cluster::default() },
                node: if wanted.node { self.list_node()? } else { Vec::new() },
            }),
        }
    }

    fn read_folder(
        &self,
        flag: &str,
        folder: &std::path::Path,
        wanted: Wanted,
    ) -> Result<Manifests, Failure> {
        if wanted == Wanted::default() {
            return Ok(Manifests::default());
        }
        let read = manifests::load(folder, wanted);
        let read = read.map_err(|error| Failure::could_not_run(format!("{flag}: {error}")))?;
        if wanted.rbac && read.rbac.is_empty() {
            exit::warn(&format!("{flag}: no roles and bindings in it: RBAC allows nobody anything"));
        }
        if read.unbound_pods > 0 {
            exit::warn(&format!(
                "{flag}: {} of the pods have no spec.nodeName, so no node may read what they name; a cluster tells \
                 where its pods are: kubectl get pods -A -o yaml",
                read.unbound_pods
            ));
        } else if wanted.node && read.node.is_empty() {
            exit::warn(&format!("{flag}: no pods and volumes in it: the Node authorizer knows of none"));
        }
        Ok(read)
    }

    fn list_rbac(&self) -> Result<Vec<RbacObject>, Failure> {
        let listed = runtime()?.block_on(watch::list_rbac(self.upstream()?));
        listed.map_err(|error| {
            Failure::could_not_run(format!("{error} (a folder of YAML files does as well: --filename DIR)"))
        })
    }

    fn list_node(&self) -> Result<Vec<NodeObject>, Failure> {
        runtime()?.block_on(watch::list_node(self.upstream()?)).map_err(Failure::could_not_run)
    }

    /// Whether a cluster is named that can be asked.
    pub(super) fn is_live(&self) -> bool {
        let from_environment = || std::env::var_os("KUBECONFIG").is_some_and(|file| !file.is_empty());
        self.filename.is_none() && (self.kubeconfig.is_some() || from_environment())
    }

    /// The API server that the kubeconfig names.
    pub(super) fn upstream(&self) -> Result<Arc<Upstream>, Failure> {
        let from_environment =
            || std::env::var_os("KUBECONFIG").filter(|file| !file.is_empty()).map(PathBuf::from);
        let Some(file) = self.kubeconfig.clone().or_else(from_environment) else {
            return Err(Failure::usage(
                "which cluster? Give `--kubeconfig FILE`, set KUBECONFIG, or name a folder of YAML files with \
                 `--filename DIR`",
            ));
        };
        let access = config::kubeconfig::load(&file, self.context.as_deref())
            .map_err(|error| Failure::could_not_run(format!("--kubeconfig: {error}")))?;
        let upstream = Upstream::new(&access, Limits::default())
            .map_err(|error| Failure::could_not_run(format!("--kubeconfig: {error}")))?;
        Ok(Arc::new(upstream))
    }
}

impl From<Manifests> for Objects {
    fn from(read: Manifests) -> Self {
        Self { cluster: Cluster::new(read.rbac), node: read.node }
    }
}

/// For the few questions of a command.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::could_not_run)
}
