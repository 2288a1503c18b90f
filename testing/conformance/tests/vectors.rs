//! `cargo test -p conformance`: every case of every file, one line a file.
//!
//! `cargo test -p conformance --test vectors -- rbac` runs the files whose names begin with `rbac`;
//! `-- --mutate` flips one decision of each file and fails where nobody notices;
//! `PORTCULLIS_VECTORS=DIR` takes the files from another folder.
#![expect(clippy::print_stdout, reason = "the report is this program's output")]

use std::{env, path::Path, process::ExitCode};

use conformance::{HOME, Ledger, Mode, Plan, run_file, runners, socket};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mode = if arguments.iter().any(|a| a == "--mutate") { Mode::Mutate } else { Mode::Compare };
    let only: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| !a.starts_with('-')).collect();
    match run(mode, &only) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            println!("{failed} failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mode: Mode, only: &[&str]) -> Result<usize, String> {
    let home = Path::new(HOME);
    let folder = conformance::vectors();
    let ledger = Ledger::read(&home.join("ledger.toml"))?;
    let plan = Plan::read(&home.join("runners.toml"))?;
    let mut failed = 0;
    for (file, run) in runners::ALL {
        if only.is_empty() || only.iter().any(|prefix| file.starts_with(prefix)) {
            let (as_it_must_be, lines) = run_file(&folder, file, *run, &ledger, mode);
            println!("{}", lines.join("\n"));
            failed += usize::from(!as_it_must_be);
        }
    }
    for (file, run) in socket::ALL {
        if only.is_empty() || only.iter().any(|prefix| file.starts_with(prefix)) {
            let (as_it_must_be, lines) = run(&folder, &ledger, mode);
            println!("{}", lines.join("\n"));
            failed += usize::from(!as_it_must_be);
        }
    }
    if only.is_empty() && mode == Mode::Compare {
        for file in &plan.unreached {
            println!("{file}: no runner");
        }
        let names: Vec<&str> = runners::ALL
            .iter()
            .map(|(file, _)| *file)
            .chain(socket::ALL.iter().map(|(file, _)| *file))
            .collect();
        let workspace = home.join("../..");
        for wrong in plan.check(&names, &home.join("vectors"), &workspace) {
            println!("runners.toml: {wrong}");
            failed += 1;
        }
    }
    Ok(failed)
}
