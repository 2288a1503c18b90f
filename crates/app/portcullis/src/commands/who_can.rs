//! `portcullis who-can`: everybody who may do something, and the bindings that let them.

use anstyle::Style;
use comfy_table::{Table, presets};
use reach::{About, Detour, Holder, Kubelet, Question, kubelets};
use serde_json::json;

use super::{
    question::{Asked, Output},
    world::{self, Modes, World},
};
use crate::exit::{self, Failure};

/// Say who may do something, and which binding lets them
#[derive(clap::Args)]
#[command(after_help = "\
Without --namespace the question is who may in all namespaces at once; --all-namespaces adds those who may in \
some.\n\n  \
  portcullis who-can delete pods -n production\n  \
  portcullis who-can get secrets --all-namespaces\n  \
  portcullis who-can create pods/web --subresource exec -n default\n  \
  portcullis who-can get /metrics -f ./dump\n  \
  portcullis who-can get secrets/db -n production -f ./dump --authorization-mode Node,RBAC\n\n\
Exit codes: 0 answered, 2 called wrongly, 3 could not run.")]
pub(crate) struct WhoCan {
    #[command(flatten)]
    asked: Asked,
    /// Those who may in a single namespace, too
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,
    /// How to print
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    modes: Modes,
    #[command(flatten)]
    world: World,
}

impl WhoCan {
    pub(crate) fn run(self) -> Result<u8, Failure> {
        let question = self.asked.question()?;
        let options = self.modes.options();
        let objects = self.world.read(world::wanted(&options)?)?;
        let cluster = &objects.cluster;
        let found = cluster.who_can(&question, self.all_namespaces);
        let has_node = self.modes.has_node();
        let kubelets =
            if has_node { kubelets(&objects.node(&options)?.snapshot(), &question) } else { Vec::new() };
        if self.output == Output::Json {
            let mut json =
                json!({"question": question.to_string(), "groups": [types::group::MASTERS], "rbac": found});
            if let (true, Some(json)) = (has_node, json.as_object_mut()) {
                json.insert("node".to_owned(), json!(kubelets));
            }
            exit::say(&format!("{json:#}"))?;
            return Ok(exit::FINE);
        }
        let elsewhere = match &question.about {
            About::Resource { namespace, .. } if namespace.is_empty() && !self.all_namespaces => {
                cluster.who_can(&question, true).granted.len() - found.granted.len()
            }
            _ => 0,
        };
        exit::say(&text(&question, &found, elsewhere, has_node.then_some(&kubelets)))?;
        Ok(exit::FINE)
    }
}

/// As many detours of one binding as a person reads; `-o json` has all of them.
const DETOURS: usize = 8;

fn text(
    question: &Question,
    found: &reach::WhoCan,
    elsewhere: usize,
    kubelets: Option<&Vec<Kubelet>>,
) -> String {
    let bold = Style::new().bold();
    let mut out = match found.granted.as_slice() {
        [] => format!("No binding lets anybody {question}.\n"),
        granted => {
            let mut table = Table::new();
            table.load_style(presets::NOTHING).set_header(["SUBJECT", "BINDING", "ROLE"]);
            for Holder { subject, binding, role, .. } in granted {
                table.add_row([subject.to_string(), binding.to_string(), role.to_string()]);
            }
            let table: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
            format!("{bold}Who can {question}{bold:#}\n{}\n", table.join("\n"))
        }
    };
    if elsewhere > 0 {
        out.push_str(&format!("\n{elsewhere} more in single namespaces: --all-namespaces shows them.\n"));
    }
    if let Some(kubelets) = kubelets {
        out.push_str(&format!("\n{bold}By the Node authorizer{bold:#}\n"));
        if kubelets.is_empty() {
            out.push_str("  no kubelet\n");
        }
        for Kubelet { user, grounds } in kubelets {
            out.push_str(&format!("  {user:28} {grounds}\n"));
        }
    }
    out.push_str(&format!("\n{bold}To be counted with them{bold:#}\n"));
    let mut line = |what: &str, text: String| out.push_str(&format!("  {what:22}{text}\n"));
    line("group system:masters", "everybody in it, whatever RBAC says".to_owned());
    for Holder { subject, binding, role, rule, .. } in found.granted.iter().filter(|h| h.by_wildcard) {
        line("by a wildcard", format!("{subject}: {rule} of {role} ({binding})"));
    }
    let mut ways: Vec<String> = found
        .granted
        .iter()
        .filter(|holder| !holder.aggregated_from.is_empty())
        .map(|holder| format!("{} has it from {}", holder.role, holder.aggregated_from.join(", ")))
        .collect();
    ways.sort();
    ways.dedup();
    ways.into_iter().for_each(|way| line("by aggregation", way));
    for limited in &found.limited {
        let Holder { subject, binding, .. } = &limited.holder;
        line("for some names only", format!("{subject}: {} ({binding})", limited.names.join(", ")));
    }
    // One line a subject and binding, however many detours it opens.
    let mut told: Vec<(&Holder, Vec<String>)> = Vec::new();
    for Detour { may, names, holder } in &found.detours {
        let may = if names.is_empty() { may.clone() } else { format!("{may} ({})", names.join(", ")) };
        match told.iter_mut().find(|(h, _)| h.subject == holder.subject && h.binding == holder.binding) {
            Some((_, all)) => all.push(may),
            None => told.push((holder, vec![may])),
        }
    }
    for (Holder { subject, binding, .. }, mut may) in told {
        let more = may.len().saturating_sub(DETOURS);
        may.truncate(DETOURS);
        if more > 0 {
            may.push(format!("and {more} more"));
        }
        line("on a detour", format!("{subject} may {} ({binding})", may.join(", ")));
    }
    out.truncate(out.trim_end().len());
    out
}
