//! `portcullis explain`: what each layer says to a request, and what would have to change.

mod recalled;
mod text;

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use config::manifests::Wanted;
use gate::{
    LoadError, Options,
    explain::{Asked, Shown},
};
use reach::Question;
use types::{Secret, Timestamp, User};

use self::text::Outcome;
use super::{
    outside::{AskWebhooks, Outside},
    question::{As, Output, Place, question},
    serve::{Authentication, Authorization, Network},
    what_if::WhatIf,
    world::{self, Source},
};
use crate::exit::{self, Failure};

/// Say what each layer says to a request, which rule decides, and what would have to change
#[derive(clap::Args)]
#[command(after_help = "\
The layers are the gate's own code, configured by the flags of `portcullis serve`. What cannot be judged without \
a connection is said not to be asked. Roles and bindings, and with Node among the authorizers pods and volumes, come \
from the cluster of a kubeconfig or from a folder; Secrets and ConfigMaps are never read.\n\n  \
  portcullis explain --as alice --groups dev --verb delete --resource pods -n production\n  \
  portcullis explain --as system:node:node1 --groups system:nodes --verb get --resource secrets/db -n production \
-f ./dump --authorization-mode Node,RBAC\n  \
  portcullis explain --cert alice.crt --client-ca-file ca.crt --verb get --path /metrics\n  \
  portcullis explain --as dev --verb create --resource pods --subresource exec -n default --from 10.1.2.3 \
--allow-cidr 10.0.0.0/8\n  \
  portcullis explain --audit-id 6b0b5b0e-3c0e-4a44-9f1e-0f0d3b7c8a11\n  \
  portcullis explain --as ops --impersonate alice --impersonate-group dev --verb list --resource pods -n production\n\n\
Exit codes: 0 allowed, 1 refused, 2 called wrongly, 3 could not run, or a webhook decides, which explain asks only \
with --ask-webhooks.")]
pub(crate) struct Explain {
    /// A request that the running gate has answered: the Audit-Id of its response, or auditID of its event
    #[arg(long, value_name = "ID", conflicts_with_all = ["user", "groups", "cert", "token", "anonymous", "verb",
          "resource", "path", "what_if", "impersonate", "ask_webhooks"])]
    audit_id: Option<String>,
    /// The gate's --admin-address, for --audit-id
    #[arg(long, value_name = "IP:PORT", default_value = super::ADMIN_ADDRESS)]
    admin_address: SocketAddr,
    #[command(flatten)]
    who: As,
    /// A client certificate in PEM, in place of --as; its key is not needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "groups"])]
    cert: Option<PathBuf>,
    /// A file with a bearer token, in place of --as
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "groups", "cert"])]
    token: Option<PathBuf>,
    /// Nobody: a request without a credential
    #[arg(long, conflicts_with_all = ["user", "groups", "cert", "token"])]
    anonymous: bool,
    #[command(flatten)]
    impersonated: Impersonated,
    /// The client's address
    #[arg(long, value_name = "IP")]
    from: Option<IpAddr>,
    /// get, list, watch, create, update, patch, delete, deletecollection, …
    #[arg(long, value_name = "VERB")]
    verb: Option<String>,
    /// pods, po, deployments.apps, pods/NAME
    #[arg(long, value_name = "RESOURCE", conflicts_with = "path")]
    resource: Option<String>,
    /// The API group, where the resource is not written with it
    #[arg(long, value_name = "GROUP", requires = "resource")]
    api_group: Option<String>,
    /// The object's name
    #[arg(long, value_name = "NAME", requires = "resource")]
    name: Option<String>,
    #[command(flatten)]
    place: Place,
    /// A path that is no API resource: /metrics
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Another setting in place of the flags: authorization-mode=MODE,… or authorization-config=FILE
    #[arg(long, value_name = "FLAG=VALUE")]
    what_if: Option<WhatIf>,
    #[command(flatten)]
    ask: AskWebhooks,
    /// How to print
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    network: Network,
    #[command(flatten)]
    authentication: Authentication,
    #[command(flatten)]
    authorization: Authorization,
}

/// As whom the requester asks to be treated: kubectl's `--as` and its kin, from which `--as` of this command
/// says who the requester is.
#[derive(clap::Args)]
struct Impersonated {
    /// Ask as this user: `kubectl --as` (Impersonate-User)
    #[arg(long, value_name = "USER")]
    impersonate: Option<String>,
    /// A group of that user; may be repeated: `kubectl --as-group` (Impersonate-Group)
    #[arg(long, value_name = "GROUP", requires = "impersonate")]
    impersonate_group: Vec<String>,
    /// The UID of that user: `kubectl --as-uid` (Impersonate-Uid)
    #[arg(long, value_name = "UID", requires = "impersonate")]
    impersonate_uid: Option<String>,
    /// Something else about that user; may be repeated: `kubectl --as-user-extra` (Impersonate-Extra-KEY)
    #[arg(long, value_name = "KEY=VALUE", requires = "impersonate", value_parser = extra)]
    impersonate_user_extra: Vec<(String, String)>,
}

impl Impersonated {
    /// The user that the headers would ask for.
    // UPSTREAM: an empty user counts as absent; keys of extras are lower case (kube-apiserver 1.36)
    fn wanted(self) -> Result<Option<User>, Failure> {
        let Some(name) = self.impersonate else { return Ok(None) };
        if name.is_empty() {
            return Err(Failure::usage("--impersonate: an empty name asks for nobody"));
        }
        let mut wanted = User::new(name, self.impersonate_group);
        wanted.uid = self.impersonate_uid.unwrap_or_default();
        for (key, value) in self.impersonate_user_extra {
            wanted.extra.entry(key).or_default().push(value);
        }
        Ok(Some(wanted))
    }
}

fn extra(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_ascii_lowercase(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

impl Explain {
    pub(crate) fn run(self) -> Result<u8, Failure> {
        if let Some(audit_id) = &self.audit_id {
            return recalled::explain(self.admin_address, audit_id, self.output);
        }
        let question = self.question()?;
        let shown = self.shown()?;
        let (address, output, ask) = (self.from, self.output, self.ask);
        let wanted_user = self.impersonated.wanted()?;
        let asked = Asked { address, shown: &shown, wanted: wanted_user.as_ref(), question: &question };
        let rbac = self.authorization.rbac.clone();
        let mut options = Options::default();
        self.network.set(&mut options);
        self.authentication.set(&mut options);
        self.authorization.set(&mut options);
        let mut tried = options.clone();
        if let Some(what_if) = &self.what_if {
            what_if.apply(&mut tried);
            // The folder may be for one of the two only.
            (options.rbac_from, tried.rbac_from) = (None, None);
        }
        let (wanted, other) = (world::wanted(&tried)?, world::wanted(&options)?);
        let wanted = Wanted { rbac: wanted.rbac || other.rbac, node: wanted.node || other.node };
        let objects = self.source.read(&rbac, wanted)?;
        let explain = |options: &Options| {
            let chain =
                options.authorizers(&objects.node(options)?, objects.cluster.rbac()).map_err(failed)?;
            let judge = options.judge(chain.authz).map_err(failed)?;
            let mut outside = Outside::new(&self.source, ask, chain.webhooks)?;
            Ok(judge.explain(&asked, Timestamp::now(), &mut outside))
        };
        let explanation = explain(&tried)?;
        let before = match self.what_if {
            None => None,
            Some(what_if) => Some((what_if, explain(&options)?)),
        };
        text::print(&asked, &explanation, before.as_ref(), output)?;
        Ok(match Outcome::of(&explanation) {
            Outcome::Allowed => exit::FINE,
            Outcome::Refused => exit::FINDINGS,
            Outcome::Undecided => exit::COULD_NOT_RUN,
        })
    }

    fn question(&self) -> Result<Question, Failure> {
        let Some(verb) = &self.verb else {
            return Err(Failure::usage("to do what? Give `--verb` with `--resource` or `--path`"));
        };
        match (&self.resource, &self.path) {
            (Some(resource), None) => {
                // A group that is given apart is taken at its word, and the resource with it.
                let qualified = match self.api_group.as_deref() {
                    Some("") | None => resource.clone(),
                    Some(group) => match resource.split_once('/') {
                        Some((resource, name)) => format!("{resource}.{group}/{name}"),
                        None => format!("{resource}.{group}"),
                    },
                };
                question(verb, &qualified, self.name.as_deref(), &self.place)
            }
            (None, Some(path)) if path.starts_with('/') => question(verb, path, None, &self.place),
            (None, Some(path)) => Err(Failure::usage(format!("--path: `{path}` does not begin with `/`"))),
            _ => Err(Failure::usage("to what? Give `--resource` or `--path`")),
        }
    }

    fn shown(&self) -> Result<Shown, Failure> {
        let at = |file: &PathBuf| {
            let shown = file.display().to_string();
            move |error: std::io::Error| Failure::could_not_run(format!("{shown}: {error}"))
        };
        if let Some(file) = &self.cert {
            let text = fs::read(file).map_err(at(file))?;
            let chain = gate::explain::certificates(&file.display().to_string(), &text);
            return chain.map(Shown::Certificate).map_err(Failure::could_not_run);
        }
        if let Some(file) = &self.token {
            let text = fs::read_to_string(file).map_err(at(file))?;
            return Ok(Shown::Token(Secret::new(text.trim())));
        }
        if self.anonymous {
            return Ok(Shown::Nothing);
        }
        if self.who.user.is_none() {
            return Err(Failure::usage(
                "who? Give `--as USER`, `--cert FILE`, `--token FILE` or `--anonymous`",
            ));
        }
        self.who.user().map(Shown::Named)
    }
}

pub(super) fn failed(error: LoadError) -> Failure {
    match error {
        LoadError::Missing { .. } | LoadError::Flag { .. } => Failure::usage(error),
        LoadError::Read { .. } | LoadError::Content { .. } => Failure::could_not_run(error),
    }
}
