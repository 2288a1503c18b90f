//! `cargo test -p conformance`: every case of every file.
#![expect(clippy::print_stdout, reason = "the report is this program's output")]

use std::{env, path::PathBuf, process::ExitCode};

use conformance::{Flip, read_cases, runners};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mutate = arguments.iter().any(|a| a == "--mutate");
    let only: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let folder = env::var_os("PORTCULLIS_VECTORS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors")), PathBuf::from);
    let mut failed = false;
    for (file, run) in runners::ALL {
        if !only.is_empty() && !only.iter().any(|f| file.starts_with(f.as_str())) {
            continue;
        }
        let cases = match read_cases(&folder.join(file)) {
            Ok(cases) => cases,
            Err(error) => {
                println!("{file}: {error}");
                failed = true;
                continue;
            }
        };
        let mut flip = if mutate { Flip::armed() } else { Flip::off() };
        let differences: Vec<(&str, String)> = cases
            .iter()
            .filter_map(|case| run(case, &mut flip).err().map(|difference| (case.id.as_str(), difference)))
            .collect();
        println!("{file}: {}/{}", cases.len() - differences.len(), cases.len());
        for (id, difference) in differences.iter().take(if mutate { 0 } else { 20 }) {
            println!("  {id}: {difference}");
        }
        failed |= if mutate { differences.is_empty() } else { !differences.is_empty() };
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
