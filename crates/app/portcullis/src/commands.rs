//! The commands, one file each.

mod admin;
mod can;
mod cel;
mod explain;
mod lab;
mod outside;
mod question;
mod replay;
pub(crate) mod serve;
mod status;
mod what_if;
mod who_can;
mod world;

use std::net::SocketAddr;

use crate::exit::Failure;

/// Where a gate on this machine tells about itself.
const ADMIN_ADDRESS: &str = "127.0.0.1:6444";

/// What to type to see the layers of the gate that tells about itself there.
fn status_of(admin: SocketAddr) -> String {
    match admin.to_string() {
        usual if usual == ADMIN_ADDRESS => "portcullis status".to_owned(),
        other => format!("portcullis status --admin-address {other}"),
    }
}

// The help of each command is the documentation of its flags; a comment here would take its place.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Serve(Box<serve::Serve>),
    Lab(lab::Lab),
    Status(status::Status),
    Explain(Box<explain::Explain>),
    Can(can::Can),
    WhoCan(who_can::WhoCan),
    Replay(replay::Replay),
    /// Check or run a CEL expression of authentication or authorization configuration.
    Cel(cel::Cel),
}

impl Command {
    /// Runs the command. The number is the exit code.
    pub(crate) fn run(self) -> Result<u8, Failure> {
        match self {
            Self::Serve(serve) => serve.run(),
            Self::Lab(lab) => lab.run(),
            Self::Status(status) => status.run(),
            Self::Explain(explain) => explain.run(),
            Self::Can(can) => can.run(),
            Self::WhoCan(who_can) => who_can.run(),
            Self::Replay(replay) => replay.run(),
            Self::Cel(cel) => cel.run(),
        }
    }
}
