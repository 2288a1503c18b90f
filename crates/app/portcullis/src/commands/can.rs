//! `portcullis can`: what somebody may do.

use authz::{Authz, DenyList, Mode, Outcome};
use comfy_table::{Table, presets};
use reach::Held;
use serde_json::json;
use types::{Answers, NoTrace, Step, Timestamp, User, group};

use super::{
    question::{As, Asked, Output},
    world::World,
};
use crate::exit::{self, Failure};

/// Say whether somebody may do something by RBAC, or all that they may do
#[derive(clap::Args)]
#[command(after_help = "\
  portcullis can --list --as alice --groups dev -n production\n  \
  portcullis can list pods --as system:serviceaccount:batch:batch-runner -n batch\n\n\
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
        let authz = Authz::new(DenyList::default(), vec![Mode::Rbac(self.world.cluster()?.rbac().clone())]);
        let at = question.attributes(&user);
        // RBAC asks nothing, and looks at no clock.
        let Step::Done(opinion) = authz.decide(&at, Timestamp::UNIX_EPOCH, &Answers::none(), &mut NoTrace)
        else {
            return Err(Failure::could_not_run("RBAC asked a question"));
        };
        let allowed = opinion.outcome() == Outcome::Allowed;
        match self.output {
            Output::Json => {
                let json = json!({
                    "question": question.to_string(), "user": user, "allowed": allowed, "reason": &*opinion.reason,
                });
                exit::say(&format!("{json:#}"))?;
            }
            Output::Table => {
                let why = match (&*opinion.reason, allowed) {
                    ("", true) => format!("in the group {}", group::MASTERS),
                    (reason, _) => reason.to_owned(),
                };
                let answer = if allowed { "yes" } else { "no" };
                exit::say(&if why.is_empty() { answer.to_owned() } else { format!("{answer}: {why}") })?;
            }
        }
        Ok(if allowed { exit::FINE } else { exit::FINDINGS })
    }

    fn list(&self, user: &User) -> Result<u8, Failure> {
        let (held, broken) = self.world.cluster()?.can_list(user, self.asked.namespace());
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
