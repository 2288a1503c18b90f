//! `portcullis replay`: recorded requests before other authorizers.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anstyle::Style;
use comfy_table::{Table, presets};
use flate2::read::MultiGzDecoder;
use gate::Options;
use trail::{Group, Replay as Run, Report};

use super::{
    explain::failed,
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
requester act as that user, and may that user do it?\n\n\
  portcullis replay --audit-log audit.log --what-if authorization-mode=RBAC -f ./dump\n  \
  zcat audit-*.gz | portcullis replay --audit-log - --what-if authorization-mode=RBAC --kubeconfig admin.conf\n\n\
Exit codes: 0 nobody would be refused, 1 somebody would, 2 called wrongly, 3 could not run.")]
pub(crate) struct Replay {
    /// The log; - is standard input
    #[arg(long, value_name = "FILE")]
    audit_log: PathBuf,
    /// The other setting: authorization-mode=MODE,… or authorization-config=FILE
    #[arg(long, value_name = "FLAG=VALUE", default_value = "authorization-mode=RBAC")]
    what_if: WhatIf,
    /// How to print
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    world: World,
}

impl Replay {
    pub(crate) fn run(self) -> Result<u8, Failure> {
        let mut log = open(&self.audit_log)?;
        let mut options = Options::default();
        self.what_if.apply(&mut options);
        let objects = self.world.read(world::wanted(&options)?)?;
        let chain = options.authorizers(&objects.node(&options)?, objects.cluster.rbac()).map_err(failed)?;
        let authz = chain.authz;
        if let Some(webhook) = authz.webhooks().next() {
            return Err(Failure::usage(format!(
                "webhook `{}`: a replay asks nobody; leave webhooks out of the setting that is tried",
                webhook.name()
            )));
        }
        let mut run = Run::new(&authz);
        let mut progress = Progress::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = log.read_until(b'\n', &mut line).map_err(|error| {
                Failure::could_not_run(format!(
                    "{}: line {}: {error}",
                    self.audit_log.display(),
                    run.lines() + 1
                ))
            })?;
            if read == 0 {
                break;
            }
            run.line(&line);
            progress.at(run.lines());
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
            Output::Table => exit::say(&text(&report, &self.what_if.to_string()))?,
        }
        Ok(if report.newly_refused.is_empty() { exit::FINE } else { exit::FINDINGS })
    }
}

/// The log as a stream of lines, unpacked if it is packed.
fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    let raw: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let failed = |error| Failure::could_not_run(format!("{}: {error}", path.display()));
        Box::new(File::open(path).map_err(failed)?)
    };
    let mut buffered = BufReader::with_capacity(1 << 16, raw);
    let packed = buffered.fill_buf().map_err(Failure::could_not_run)?.starts_with(&[0x1f, 0x8b]);
    if packed {
        return Ok(Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(buffered))));
    }
    Ok(Box::new(buffered))
}

/// A line on the terminal of somebody who waits.
struct Progress {
    since: Instant,
    told: Option<Instant>,
    terminal: bool,
}

impl Progress {
    const PATIENCE: Duration = Duration::from_secs(2);

    fn new() -> Self {
        Self { since: Instant::now(), told: None, terminal: io::stderr().is_terminal() }
    }

    fn at(&mut self, lines: u64) {
        // Looking at the clock costs more than a line does.
        if !self.terminal
            || !lines.is_multiple_of(4096)
            || self.told.unwrap_or(self.since).elapsed() < Self::PATIENCE
        {
            return;
        }
        self.told = Some(Instant::now());
        drop(write!(io::stderr(), "\r{lines} lines"));
    }

    fn end(&self) {
        if self.told.is_some() {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}

fn text(report: &Report, what_if: &str) -> String {
    let bold = Style::new().bold();
    let mut out = format!("{bold}{} requests under {what_if}{bold:#}\n", report.judged);
    let mut section = |what: &str, groups: &[Group]| {
        let requests: u64 = groups.iter().map(|group| group.count).sum();
        out.push_str(&format!("\n{bold}{requests} {what}{bold:#}\n"));
        if groups.is_empty() {
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["COUNT", "USER", "VERB", "RESOURCE", "NAMESPACE"]);
        for Group { user, verb, resource, namespace, count, .. } in groups {
            table.add_row([&count.to_string(), user, verb, resource, namespace]);
        }
        table.lines().for_each(|line| out.push_str(&format!("{}\n", line.trim_end())));
    };
    section("would be refused that were allowed", &report.newly_refused);
    section("would be allowed that were refused", &report.newly_allowed);
    out.push_str(&format!(
        "\nunchanged: {} allowed, {} refused\n",
        report.still_allowed, report.still_refused
    ));
    for (code, count) in &report.not_asked {
        out.push_str(&format!("not judged: {count} ended with {code} before an authorizer answered\n"));
    }
    if report.bad > 0 {
        out.push_str(&format!("not read: {} of {} lines\n", report.bad, report.lines));
        for (line, why) in &report.bad_lines {
            out.push_str(&format!("  line {line}: {why}\n"));
        }
        let more = report.bad - report.bad_lines.len() as u64;
        if more > 0 {
            out.push_str(&format!("  and {more} more\n"));
        }
    }
    out.truncate(out.trim_end().len());
    out
}
