//! Which cluster a question is about.

use std::{path::PathBuf, sync::Arc};

use authz::{node::Node, rbac::RbacObject};
use reach::Cluster;
use upstream::{Limits, Upstream};

use crate::exit::Failure;

/// A folder in place of a cluster.
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
    pub(super) live: Live,
}

/// A cluster.
#[derive(clap::Args)]
#[command(next_help_heading = "Which cluster")]
pub(super) struct Live {
    /// A kubeconfig of somebody who may list roles and bindings and, with Node among the authorizers, pods and
    /// volumes; nothing else is read [env: KUBECONFIG]
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// The context to take [default: the file's current-context]
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
}

impl World {
    /// Reads or lists the RBAC objects.
    pub(super) fn cluster(&self) -> Result<Cluster, Failure> {
        self.objects().map(Cluster::new)
    }

    pub(super) fn objects(&self) -> Result<Vec<RbacObject>, Failure> {
        objects(&self.rbac, &self.live)
    }
}

/// The RBAC objects of the folder, or of the cluster.
pub(super) fn objects(rbac: &RbacFrom, live: &Live) -> Result<Vec<RbacObject>, Failure> {
    match &rbac.rbac_from {
        Some(folder) => {
            let read = config::rbac_dir::load(folder);
            Ok(read.map_err(|error| Failure::could_not_run(format!("--rbac-from: {error}")))?.objects)
        }
        None => {
            let upstream = live.upstream()?;
            let listed = runtime()?.block_on(watch::list_rbac(upstream));
            listed.map_err(|error| {
                let folder = "a folder of YAML files does as well: --rbac-from DIR";
                Failure::could_not_run(format!("{error} ({folder})"))
            })
        }
    }
}

/// The Node authorizer of the options over the pods and volumes of the cluster; one that knows nothing
/// where they have none. A folder has no say about pods.
pub(super) fn node(options: &gate::Options, live: &Live) -> Result<Node, Failure> {
    let failed = |error: gate::LoadError| Failure::could_not_run(error);
    let Some(node) = options.node().map_err(failed)? else { return Ok(Node::default()) };
    if !live.is_given() {
        return Err(Failure::usage(
            "the Node authorizer decides by the pods of a cluster: give `--kubeconfig FILE` or leave Node out of \
             `--authorization-mode`",
        ));
    }
    let listed = runtime()?.block_on(watch::list_node(live.upstream()?)).map_err(Failure::could_not_run)?;
    node.update(|graph| listed.into_iter().for_each(|object| graph.apply(object)));
    Ok(node)
}

impl Live {
    /// Whether a cluster is named at all.
    pub(super) fn is_given(&self) -> bool {
        self.kubeconfig.is_some() || std::env::var_os("KUBECONFIG").is_some_and(|file| !file.is_empty())
    }

    /// The API server that the kubeconfig names.
    pub(super) fn upstream(&self) -> Result<Arc<Upstream>, Failure> {
        let from_environment =
            || std::env::var_os("KUBECONFIG").filter(|file| !file.is_empty()).map(PathBuf::from);
        let Some(file) = self.kubeconfig.clone().or_else(from_environment) else {
            return Err(Failure::usage(
                "which cluster? Give `--kubeconfig FILE`, set KUBECONFIG, or name a folder of YAML files with \
                 `--rbac-from DIR`",
            ));
        };
        let access = config::kubeconfig::load(&file, self.context.as_deref())
            .map_err(|error| Failure::could_not_run(format!("--kubeconfig: {error}")))?;
        let upstream = Upstream::new(&access, Limits::default())
            .map_err(|error| Failure::could_not_run(format!("--kubeconfig: {error}")))?;
        Ok(Arc::new(upstream))
    }
}

/// For the few questions of a command.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::could_not_run)
}
