//! `portcullis status`: the six layers of a running gate.

use std::net::SocketAddr;

use comfy_table::{Table, presets};
use serde::Deserialize;

use super::admin;
use crate::exit::{self, Failure};

/// Show the six layers of a running gate: on, off or degraded, since when, and why.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 every layer is on, 1 some layer is off or degraded, 2 called wrongly, 3 no gate answers.")]
pub(crate) struct Status {
    /// The gate's --admin-address
    #[arg(long, value_name = "IP:PORT", default_value = super::ADMIN_ADDRESS)]
    admin_address: SocketAddr,
    /// How to print
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Deserialize)]
struct Report {
    upstream: String,
    draining: bool,
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    number: u8,
    name: String,
    state: String,
    since: String,
    why: String,
}

impl Status {
    pub(crate) fn run(self) -> Result<u8, Failure> {
        let json = admin::fetch(self.admin_address, "/status", "").map_err(|why| {
            Failure::could_not_run(format!(
                "no gate answers on {}: {why}; give the --admin-address of one that runs, or start one: \
                 `portcullis lab`",
                self.admin_address
            ))
        })?;
        let report: Report = serde_json::from_str(&json).map_err(|error| {
            Failure::could_not_run(format!("what answers on {} is no gate: {error}", self.admin_address))
        })?;
        match self.output {
            Output::Json => exit::say(json.trim_end())?,
            Output::Table => {
                exit::say(&table(&report).to_string())?;
                let draining = if report.draining { ", draining" } else { "" };
                exit::say(&format!("upstream {}{draining}", report.upstream))?;
            }
        }
        let all_on = report.layers.iter().all(|layer| layer.state == "on");
        Ok(if all_on { exit::FINE } else { exit::FINDINGS })
    }
}

fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["", "LAYER", "STATE", "SINCE", "WHY"]);
    for Layer { number, name, state, since, why } in &report.layers {
        let since = since.split('.').next().unwrap_or(since).trim_end_matches('Z');
        table.add_row([&number.to_string(), name, state, &format!("{since}Z"), why]);
    }
    table
}
