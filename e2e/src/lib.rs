//! What an administrator types, run against the real binary with real clients.
//!
//! A scenario is a Markdown file in `scenarios/` (the tours of the README and of `docs/` are some, too). Its `console` blocks
//! are run in order, each line after `$ ` by bash, and what they print must be what stands there:
//!
//! ````text
//! ```console
//! $ kubectl --kubeconfig .portcullis/lab/kubeconfigs/api-user.yaml get secrets
//! ? 1
//! Error from server (Forbidden): secrets is forbidden: [..]
//! ```
//! ````
//!
//! `? N` is the exit status (0 where it is left out), `[..]` stands for anything within a line, and a
//! line `...` for any lines. A scenario runs in a folder of its own with a lab of its own; the port
//! 6443 in its text is whatever port that lab got, `portcullis status` asks that lab, and `deploy/` is the
//! project's. What a line of its own exports, the commands after it find in their environment.

mod bench;
mod gate;
mod metrics;
mod programs;
mod transcript;

pub use bench::{Bench, Binary};
pub use gate::{Gate, Held};
pub use metrics::{Metrics, Open, until};
pub use programs::{Missing, find, require};
pub use transcript::{Step, parse, same};
