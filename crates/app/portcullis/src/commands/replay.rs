//! `portcullis replay`: recorded requests before other authorizers.

mod asking;
mod log;
mod progress;
mod text;

use std::{path::PathBuf, sync::Arc};

use gate::Options;
use trail::{Case, Replay as Run, Setting};
use types::{Answers, Step, Timestamp};

use self::{
    asking::Asking,
    log::{Line, Log},
    progress::Progress,
};
use super::{
    explain::failed,
    outside::{AskWebhooks, Outside},
    question::Output,
    what_if::WhatIf,
    world::{self, World},
};
use crate::exit::{self, Failure};

/// Put the requests of an audit log before another authorization setting: who would be refused?
#[derive(clap::Args)]
#[command(after_help = "\
Reads audit.k8s.io/v1 events, one JSON object a line, of this gate or of kube-apiserver; `-` is standard input, \
and .gz files are unpacked. Each request counts once. Requests that never came to authorization (401, 429 and the \
like) are counted apart, and so is every line that cannot be read. An impersonated request is judged twice: may the \
requester act as that user, and may that user do it?\n\n  \
  portcullis replay --audit-log audit.log --what-if authorization-mode=RBAC -f ./dump\n  \
  zcat audit-*.gz | portcullis replay --audit-log - --what-if authorization-mode=RBAC --kubeconfig admin.conf\n\n\
Webhooks of the other setting are asked only with --ask-webhooks, some requests at a time and each question once for \
as long as its answer is remembered; without it, what hangs on one is counted as undecided.\n\n\
Exit codes: 0 nobody would be refused, 1 somebody would, 2 called wrongly, 3 could not run, or nobody would be refused \
for certain and some requests are undecided.")]
pub(crate) struct Replay {
    /// The log; - is standard input
    #[arg(long, value_name = "FILE")]
    audit_log: PathBuf,
    /// The other setting: authorization-mode=MODE,… or authorization-config=FILE
    #[arg(long, value_name = "FLAG=VALUE", default_value = "authorization-mode=RBAC")]
    what_if: WhatIf,
    #[command(flatten)]
    ask: AskWebhooks,
    /// How to print
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    world: World,
}

impl Replay {
    pub(crate) fn run(self) -> Result<u8, Failure> {
        let mut log = Log::open(&self.audit_log)?;
        let mut options = Options::default();
        self.what_if.apply(&mut options);
        let objects = self.world.read(world::wanted(&options)?)?;
        let chain = options.authorizers(&objects.node(&options)?, objects.cluster.rbac()).map_err(failed)?;
        let outside = match self.ask.ask_webhooks && !chain.webhooks.is_empty() {
            true => Some(Outside::new(&self.world.source, self.ask, chain.webhooks)?),
            false => None,
        };
        let setting = Arc::new(Setting::new(chain.authz));
        let mut asking = outside.map(|outside| Asking::new(outside, Arc::clone(&setting)));
        let mut run = Run::new();
        let mut progress = Progress::new(log.size());
        loop {
            let line = log.next().map_err(|error| {
                let number = run.lines() + 1;
                Failure::could_not_run(format!("{}: line {number}: {error}", self.audit_log.display()))
            })?;
            let case = match line {
                Line::End => break,
                Line::TooLong(why) => {
                    run.take_unread(&why);
                    None
                }
                Line::Whole(line) => run.take(line),
            };
            if let Some(case) = case {
                judge(case, &setting, &mut run, asking.as_mut())?;
            }
            progress.at(run.lines(), log.read());
        }
        if let Some(asking) = asking {
            asking.finish(&mut run, |run| progress.at(run.lines(), log.read()))?;
        }
        progress.end();
        let report = run.finish();
        if report.judged == 0 && report.bad > 0 {
            let (number, why) = report.bad_lines.first().cloned().unwrap_or_default();
            return Err(Failure::could_not_run(format!(
                "{}: line {number}: {why}",
                self.audit_log.display()
            )));
        }
        match self.output {
            Output::Json => {
                let json = serde_json::to_string_pretty(&report).map_err(Failure::could_not_run)?;
                exit::say(&json)?;
            }
            Output::Table => exit::say(&text::text(&report, &self.what_if.to_string()))?,
        }
        Ok(match (report.refuses(), report.is_undecided()) {
            (true, _) => exit::FINDINGS,
            (false, true) => exit::COULD_NOT_RUN,
            (false, false) => exit::FINE,
        })
    }
}

/// Most requests are decided at once; those that hang on a webhook are handed on to whoever asks it.
fn judge(case: Case, setting: &Setting, run: &mut Run, asking: Option<&mut Asking>) -> Result<(), Failure> {
    match (case.judge(setting, Timestamp::UNIX_EPOCH, &Answers::none()), asking) {
        (Step::Done(judged), _) => run.count(&case, judged),
        (Step::Ask(question), None) => {
            let judged = case.unasked(&question);
            run.count(&case, judged);
        }
        (Step::Ask(question), Some(asking)) => asking.hand_over(case, question, run)?,
    }
    Ok(())
}
