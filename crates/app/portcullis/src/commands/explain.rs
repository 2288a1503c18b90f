//! `portcullis explain`: what each layer says to a request, and what would have to change.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use anstyle::{AnsiColor, Style};
use config::manifests::Wanted;
use gate::{
    LoadError, Options,
    explain::{Explanation, Finding, Recalled, Says, Shown},
};
use reach::{About, Question};
use remote::{ObjectSource, UpstreamObjects};
use types::{Answer, Evidence, ObjectKind, Secret, Timestamp, User};
use upstream::{IdentityHeaders, Pool};

use super::{
    admin,
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
from the cluster of a kubeconfig or from a folder; Secrets and ConfigMaps are never read.\n\n\
  portcullis explain --as alice --groups dev --verb delete --resource pods -n production\n  \
  portcullis explain --as system:node:node1 --groups system:nodes --verb get --resource secrets/db -n production \
-f ./dump --authorization-mode Node,RBAC\n  \
  portcullis explain --cert alice.crt --client-ca-file ca.crt --verb get --path /metrics\n  \
  portcullis explain --as dev --verb create --resource pods --subresource exec -n default --from 10.1.2.3 \
--allow-cidr 10.0.0.0/8\n  \
  portcullis explain --audit-id 6b0b5b0e-3c0e-4a44-9f1e-0f0d3b7c8a11\n\n\
Exit codes: 0 allowed, 1 refused, 2 called wrongly, 3 could not run, or a webhook decides, which explain does not \
ask.")]
pub(crate) struct Explain {
    /// A request that the running gate has answered: the Audit-Id of its response, or auditID of its event
    #[arg(long, value_name = "ID", conflicts_with_all = ["user", "groups", "cert", "token", "anonymous", "verb",
          "resource", "path", "what_if"])]
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

impl Explain {
    pub(crate) fn run(self) -> Result<u8, Failure> {
        if let Some(audit_id) = &self.audit_id {
            return recall(self.admin_address, audit_id, self.output);
        }
        let question = self.question()?;
        let shown = self.shown()?;
        let facts = Facts::new(&self.source)?;
        let (address, output) = (self.from, self.output);
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
            let judge = options.judge(&objects.node(options)?, objects.cluster.rbac()).map_err(failed)?;
            let now = Timestamp::now();
            Ok(judge.explain(address, &shown, &question, now, |question| facts.answer(question)))
        };
        let explanation = explain(&tried)?;
        let before = match self.what_if {
            None => None,
            Some(what_if) => Some((what_if, explain(&options)?)),
        };
        print(&question, &explanation, before.as_ref(), output)?;
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

/// Explains a request that the running gate has answered.
fn recall(gate: SocketAddr, audit_id: &str, output: Output) -> Result<u8, Failure> {
    if audit_id.is_empty() || !audit_id.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(Failure::usage("--audit-id: no header could hold this"));
    }
    let json = admin::fetch(gate, "/explain", &format!("Audit-ID: {audit_id}\r\n")).map_err(|why| {
        Failure::could_not_run(format!(
            "{gate}: {why}; a gate remembers some hundred requests of each worker, and only once they have ended; \
             --admin-address says which gate is asked"
        ))
    })?;
    let recalled: Recalled = serde_json::from_str(&json)
        .map_err(|error| Failure::could_not_run(format!("what answers on {gate} is no gate: {error}")))?;
    match output {
        Output::Json => exit::say(json.trim_end())?,
        Output::Table => exit::say(&recalled_text(&recalled))?,
    }
    Ok(if recalled.allowed { exit::FINE } else { exit::FINDINGS })
}

fn recalled_text(recalled: &Recalled) -> String {
    let bold = Style::new().bold();
    let question = recalled.question.as_deref().unwrap_or("a request that no audit log keeps");
    let outcome = if recalled.allowed { Outcome::Allowed } else { Outcome::Refused };
    let mut out = verdict(outcome, question);
    people(&mut out, recalled.user.as_ref());
    if let Some(requester) = &recalled.requester {
        out.push_str(&format!("made by  {}\n", requester.name));
    }
    let code = recalled.code.map(|code| format!(", answered {code}")).unwrap_or_default();
    out.push_str(&format!("at       {}{code}\n\n", recalled.received_at));
    recalled.layers.iter().for_each(|finding| layer(&mut out, finding));
    let Some(now) = &recalled.now else {
        out.truncate(out.trim_end().len());
        return out;
    };
    let changed = match &recalled.changed_since {
        Some(when) => format!("roles and bindings have changed since, last at {when}"),
        None => "roles and bindings are those of then".to_owned(),
    };
    out.push_str(&format!("\n{bold}Now{bold:#} ({changed})\n"));
    layer(&mut out, now);
    changes(&mut out, &now.change);
    out.truncate(out.trim_end().len());
    out
}

pub(super) fn failed(error: LoadError) -> Failure {
    match error {
        LoadError::Missing { .. } | LoadError::Flag { .. } => Failure::usage(error),
        LoadError::Read { .. } | LoadError::Content { .. } => Failure::could_not_run(error),
    }
}

/// Facts from the cluster, for tokens that are bound to objects.
struct Facts(Option<(tokio::runtime::Runtime, UpstreamObjects)>);

impl Facts {
    fn new(source: &Source) -> Result<Self, Failure> {
        if !source.is_live() {
            return Ok(Self(None));
        }
        let objects = UpstreamObjects::new(Pool::new(source.upstream()?, IdentityHeaders::default()));
        Ok(Self(Some((world::runtime()?, objects))))
    }

    fn answer(&self, question: &types::Question) -> Answer {
        match (question, &self.0) {
            (types::Question::Object(object), _) if object.kind == ObjectKind::Secret => {
                Answer::Failed("the token depends on a Secret, and explain never reads one".to_owned())
            }
            (types::Question::Object(object), Some((runtime, objects))) => {
                runtime.block_on(objects.get(object))
            }
            (types::Question::Object(object), None) => Answer::Failed(format!(
                "the token depends on {:?} {}, and no cluster is named",
                object.kind, object.name
            )),
            (types::Question::Access(_), _) => {
                Answer::Failed("only authorization asks webhooks, and explain asks none".to_owned())
            }
        }
    }
}

fn print(
    question: &Question,
    explanation: &Explanation,
    before: Option<&(WhatIf, Explanation)>,
    output: Output,
) -> Result<(), Failure> {
    match output {
        Output::Json => {
            #[derive(serde::Serialize)]
            #[serde(rename_all = "camelCase")]
            struct Asked<'a> {
                question: String,
                #[serde(skip_serializing_if = "Option::is_none")]
                what_if: Option<String>,
                #[serde(skip_serializing_if = "Option::is_none")]
                allowed_as_configured: Option<bool>,
                #[serde(flatten)]
                explanation: &'a Explanation,
            }
            let asked = Asked {
                question: question.to_string(),
                what_if: before.map(|(what_if, _)| what_if.to_string()),
                allowed_as_configured: before.map(|(_, before)| before.allowed),
                explanation,
            };
            exit::say(&serde_json::to_string_pretty(&asked).map_err(Failure::could_not_run)?)
        }
        Output::Table => {
            if let Some((what_if, before)) = before {
                let (word, _) = Outcome::of(before).word();
                exit::say(&format!("what if {what_if} (as configured: {})", word.to_lowercase()))?;
            }
            exit::say(&text(question, explanation))
        }
    }
}

fn text(question: &Question, explanation: &Explanation) -> String {
    let dim = Style::new().dimmed();
    let outcome = Outcome::of(explanation);
    let mut out = verdict(outcome, &question.to_string());
    people(&mut out, explanation.user.as_ref());
    for name in explanation.layers.iter().flat_map(|finding| &finding.webhooks_not_asked) {
        out.push_str(&format!(
            "It hangs on webhook {name}, which explain does not ask; below it has failed.\n"
        ));
    }
    if let About::Resource { namespace, resource, .. } = &question.about
        && namespace.is_empty()
        && resource.namespaced != Some(false)
    {
        out.push_str(&format!("{dim}No --namespace: the question is about all of them at once.{dim:#}\n"));
    }
    out.push('\n');
    for finding in &explanation.layers {
        layer(&mut out, finding);
    }
    let decisive = explanation.layers.iter().filter(|finding| match outcome {
        Outcome::Allowed => finding.layer == "authorization",
        Outcome::Refused => finding.answer == Says::Deny,
        Outcome::Undecided => false,
    });
    changes(&mut out, decisive.flat_map(|finding| &finding.change));
    out.truncate(out.trim_end().len());
    out
}

/// What becomes of the request.
#[derive(Clone, Copy)]
enum Outcome {
    Allowed,
    Refused,
    /// That is for a webhook to say.
    Undecided,
}

impl Outcome {
    fn of(explanation: &Explanation) -> Self {
        match (explanation.undecided, explanation.allowed) {
            (true, _) => Self::Undecided,
            (false, true) => Self::Allowed,
            (false, false) => Self::Refused,
        }
    }

    fn word(self) -> (&'static str, AnsiColor) {
        match self {
            Self::Allowed => ("ALLOWED", AnsiColor::Green),
            Self::Refused => ("REFUSED", AnsiColor::Red),
            Self::Undecided => ("UNDECIDED", AnsiColor::Yellow),
        }
    }
}

/// `REFUSED  list pods in namespace default`
fn verdict(outcome: Outcome, question: &str) -> String {
    let bold = Style::new().bold();
    let (word, colour) = outcome.word();
    let colour = colour.on_default().bold();
    format!("{colour}{word}{colour:#}  {bold}{question}{bold:#}\n")
}

fn people(out: &mut String, user: Option<&User>) {
    if let Some(User { name, groups, .. }) = user {
        out.push_str(&format!("user     {name}\ngroups   {}\n", groups.join(", ")));
    }
}

fn changes<'a>(out: &mut String, changes: impl IntoIterator<Item = &'a String>) {
    let bold = Style::new().bold();
    let mut changes = changes.into_iter().peekable();
    if changes.peek().is_some() {
        out.push_str(&format!("\n{bold}For the opposite{bold:#}\n"));
        changes.for_each(|change| out.push_str(&format!("  {change}\n")));
    }
}

fn layer(out: &mut String, finding: &Finding) {
    let (word, style) = says(finding.answer);
    let reason = match finding.reason.as_deref() {
        Some(reason) if !matches!(finding.answer, Says::NotConfigured) && reason != "passed" => {
            format!("{reason}  ")
        }
        _ => String::new(),
    };
    // What the authorizers say stands below, one by one.
    let detail = if finding.authorizers.is_empty() { finding.detail.as_str() } else { "" };
    out.push_str(&format!("  {:15} {style}{word:15}{style:#} {reason}{detail}", finding.layer));
    out.truncate(out.trim_end().len());
    out.push('\n');
    for voice in &finding.authorizers {
        let (word, style) = says(voice.answer);
        out.push_str(&format!("    {style}{word:13}{style:#} {}\n", voice.detail));
        for evidence in &voice.evidence {
            if let Some(text) = evidence_text(evidence) {
                out.push_str(&format!("                  {text}\n"));
            }
        }
    }
}

fn says(answer: Says) -> (&'static str, Style) {
    match answer {
        Says::Allow => ("allow", AnsiColor::Green.on_default()),
        Says::Deny => ("deny", AnsiColor::Red.on_default()),
        Says::NoOpinion => ("no opinion", Style::new()),
        Says::NotConfigured => ("not configured", Style::new().dimmed()),
        Says::NotAsked => ("not asked", Style::new().dimmed()),
    }
}

/// What an authorizer went by; what follows under "For the opposite" is not said twice.
fn evidence_text(evidence: &Evidence) -> Option<String> {
    Some(match evidence {
        Evidence::Grant(grant) => {
            format!("{} → {} → rule {} {}", grant.binding, grant.role, grant.rule + 1, grant.rule_text)
        }
        Evidence::BrokenBinding { binding, error } => format!("{binding}: {error}"),
        Evidence::Node { grounds, .. } => grounds.clone(),
        Evidence::Condition { webhook, expression, result } => format!("{webhook}: {expression} → {result}"),
        Evidence::DenyListEntry { flag, name } => format!("{flag} {name}"),
        Evidence::Lack { .. } | Evidence::Superuser => return None,
    })
}
