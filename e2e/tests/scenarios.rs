//! `cargo test -p e2e`: every scenario with every client it names.
//!
//! Clients are found through `PORTCULLIS_KUBECTL` (or `kubectl` on the PATH) and
//! `PORTCULLIS_KUBECTL_OLDEST`. One that is missing is skipped, on a line that says so; with
//! `PORTCULLIS_REQUIRE_ALL` set, as in CI, that is a failure.
#![expect(clippy::print_stdout, reason = "the report is this program's output")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use e2e::{Bench, Binary, find, parse, require};

/// What a scenario says in a comment when it needs a younger kubectl than the oldest: `1.28 -->` follows.
const NEEDS: &str = "<!-- kubectl: 1.";

fn main() -> ExitCode {
    let only: Vec<String> = env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    match run(&only) {
        Ok((passed, 0)) => {
            println!("{passed} passed, 0 failed");
            ExitCode::SUCCESS
        }
        Ok((passed, failed)) => {
            println!("{passed} passed, {failed} failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(only: &[String]) -> Result<(usize, usize), String> {
    let mut passed = 0;
    let mut failed = 0;
    let mut clients = Vec::new();
    for (name, found) in [
        ("kubectl", find("PORTCULLIS_KUBECTL", Some("kubectl"))),
        ("oldest kubectl", find("PORTCULLIS_KUBECTL_OLDEST", None)),
    ] {
        match found {
            Ok(path) => clients.push((name, minor_version(&path)?, path)),
            Err(missing) => {
                println!("{name}: {missing}");
                failed += usize::from(require());
            }
        }
    }
    if clients.is_empty() {
        return Ok((passed, failed));
    }
    let binary = Binary::build()?;
    for file in scenarios()? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !only.is_empty() && !only.iter().any(|prefix| name.starts_with(prefix.as_str())) {
            continue;
        }
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let needs = needs(&text).map_err(|error| format!("{name}: {error}"))?;
        for (client, version, path) in &clients {
            if *version < needs {
                println!("{name} is not for {client} 1.{version}: it needs 1.{needs}");
                failed += usize::from(require() && *client == "kubectl");
                continue;
            }
            match play(&binary, path, &text) {
                Ok(steps) => {
                    println!("{name} with {client}: ok, {steps} commands");
                    passed += 1;
                }
                Err(difference) => {
                    println!("{name} with {client}: FAILED\n{difference}");
                    failed += 1;
                }
            }
        }
    }
    Ok((passed, failed))
}

/// The oldest minor version of kubectl that can run the scenario.
fn needs(text: &str) -> Result<u32, String> {
    let Some((_, rest)) = text.split_once(NEEDS) else { return Ok(0) };
    let version = rest.split_once(" -->").and_then(|(version, _)| version.parse().ok());
    version.ok_or_else(|| format!("`{NEEDS}` is not followed by a minor version and ` -->`"))
}

/// 37 for kubectl 1.37.1.
fn minor_version(kubectl: &Path) -> Result<u32, String> {
    let asked = Command::new(kubectl).args(["version", "--client", "--output=json"]).output();
    let asked = asked.map_err(|error| format!("{}: {error}", kubectl.display()))?;
    let told: serde_json::Value = serde_json::from_slice(&asked.stdout)
        .map_err(|error| format!("{} does not tell its version: {error}", kubectl.display()))?;
    // Vendors add a `+`.
    let minor = told.pointer("/clientVersion/minor").and_then(serde_json::Value::as_str);
    let minor = minor.and_then(|minor| minor.trim_end_matches('+').parse().ok());
    minor.ok_or_else(|| format!("{} does not tell its version: {told}", kubectl.display()))
}

fn play(binary: &Binary, kubectl: &Path, text: &str) -> Result<usize, String> {
    let steps = parse(text);
    if steps.is_empty() {
        return Err("no command in it".to_owned());
    }
    let mut bench = Bench::start(binary, kubectl)?;
    steps.iter().try_for_each(|step| bench.run(step))?;
    Ok(steps.len())
}

/// The scenarios, the README's tour and the pages with output in them.
fn scenarios() -> Result<Vec<PathBuf>, String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = home.join("scenarios");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    files.push(home.join("../README.md"));
    files.push(home.join("../docs/tour.md"));
    files.push(home.join("../docs/explain.md"));
    Ok(files)
}
