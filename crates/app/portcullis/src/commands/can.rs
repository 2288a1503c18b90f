//! `portcullis can`: what somebody may do.

use authz::Outcome;
use comfy_table::{Table, presets};
use config::manifests::Wanted;
use reach::Held;
use serde_json::json;
use types::{Answers, NoTrace, Step, Timestamp, User, group};

use super::{
    explain::failed,
    question::{As, Asked, Output},
    world::{self, Modes, World},
};
use crate::exit::{self, Failure};

/// Say whether somebody may do something, or all that they may do by RBAC
#[derive(clap::Args)]
#[command(after_help = "  \
  portcullis can --list --as alice --groups dev -n production\n  \
  portcullis can list pods --as system:serviceaccount:batch:batch-runner -n batch\n  \
  portcullis can get secrets/db -n production --as system:node:node1 --groups system:nodes -f ./dump \
--authorization-mode Node,RBAC\n\n\
`portcullis explain` says why, and what all other layers say.\n\n\
Exit codes: 0 yes (or listed), 1 no, 2 called wrongly, 3 could not run.")]
pub(crate) struct Can {
    #[command(flatten)]
    asked: Asked,
    /// Everything that the user may do, in place of one answer
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    who: As,
    /// How to print
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    modes: Modes,
    #[command(flatten)]
    world: World,
}

impl Can {
    pub(crate) fn run(self) -> Result<u8, Failure> {
        let user = self.who.user()?;
        if self.list != self.asked.is_empty() {
            return Err(Failure::usage("give either a verb and a resource, or `--list`"));
        }
        if self.list {
            return self.list(&user);
        }
        let question = self.asked.question()?;
        let options = self.modes.options();
        let objects = self.world.read(world::wanted(&options)?)?;
        let node = objects.node(&options)?;
        let chain = options.authorizers(&node, objects.cluster.rbac()).map_err(failed)?;
        let at = question.attributes(&user);
        // Neither RBAC nor Node asks anything, or looks at a clock.
        let Step::Done(opinion) =
            chain.authz.decide(&at, Timestamp::UNIX_EPOCH, &Answers::none(), &mut NoTrace)
        else {
            return Err(Failure::could_not_run("an authorizer asked a question"));
        };
        let allowed = opinion.outcome() == Outcome::Allowed;
        let reason = match (&*opinion.reason, allowed) {
            ("", true) if user.in_group(group::MASTERS) => format!("in the group {}", group::MASTERS),
            ("", true) => {
                let grounds = node.snapshot().grounds(&at);
                grounds.map(|grounds| format!("Node: {grounds}")).unwrap_or_default()
            }
            (reason, _) => reason.to_owned(),
        };
        match self.output {
            Output::Json => {
                let json = json!({
                    "question": question.to_string(), "user": user, "allowed": allowed, "reason": reason,
                });
                exit::say(&format!("{json:#}"))?;
            }
            Output::Table => {
                let answer = if allowed { "yes" } else { "no" };
                exit::say(&if reason.is_empty() {
                    answer.to_owned()
                } else {
                    format!("{answer}: {reason}")
                })?;
            }
        }
        Ok(if allowed { exit::FINE } else { exit::FINDINGS })
    }

    fn list(&self, user: &User) -> Result<u8, Failure> {
        let (held, broken) = self.world.read(Wanted::RBAC)?.cluster.can_list(user, self.asked.namespace());
        for problem in &broken {
            exit::warn(problem);
        }
        if self.output == Output::Json {
            let json = json!({
                "user": user, "namespace": self.asked.namespace(), "rules": held,
                "all": user.in_group(group::MASTERS),
            });
            exit::say(&format!("{json:#}"))?;
            return Ok(exit::FINE);
        }
        if self.modes.has_node() && authz::node::node_name(user).is_some() {
            exit::say("The Node authorizer adds what the pods of its node need; ask about single objects.")?;
        }
        if user.in_group(group::MASTERS) {
            exit::say("Everything: the user is in the group system:masters, and RBAC is not asked.")?;
        }
        if held.is_empty() {
            let place = match self.asked.namespace() {
                "" => "outside of single namespaces".to_owned(),
                namespace => format!("in namespace {namespace}"),
            };
            exit::say(&format!("No binding grants {} anything {place}.", user.name))?;
        } else {
            exit::say(&table(&held))?;
        }
        Ok(exit::FINE)
    }
}

fn table(held: &[Held]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["VERBS", "RESOURCES", "NAMES", "IN", "BY", "AS"]);
    for rule in held {
        let about: Vec<&str> =
            rule.resources.iter().chain(&rule.non_resource_urls).map(String::as_str).collect();
        let place = if rule.namespace.is_empty() { "everywhere" } else { &rule.namespace };
        let by = format!("{} ({})", rule.binding, rule.role);
        let (verbs, names) = (rule.verbs.join(" "), rule.resource_names.join(" "));
        table.add_row([&verbs, &about.join(" "), &names, place, &by, &rule.subject.to_string()]);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}
