//! The commands that decide without a gate, as a person runs them: on a folder of YAML, without a cluster.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "cli/folder.rs"]
mod folder;
#[path = "cli/replay.rs"]
mod replay;
#[path = "cli/webhooks.rs"]
mod webhooks;

use std::process::Command;

use testkit::Folder;

/// Runs the binary in `folder`, and returns exit code, output and errors.
#[track_caller]
fn run(folder: &Folder, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let done = command.args(arguments).current_dir(folder.path()).env_remove("KUBECONFIG").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

/// Checks exit code and parts of output or errors.
#[track_caller]
fn check(folder: &Folder, arguments: &[&str], code: i32, expected: &[&str]) -> String {
    let (found, out, errors) = run(folder, arguments);
    let all = format!("{out}{errors}");
    assert_eq!(found, code, "{arguments:?}\n{all}");
    for part in expected {
        assert!(all.contains(part), "{arguments:?} does not say {part:?} but\n{all}");
    }
    out
}
