//! The programs that every container has.

mod archive;
mod curl;
mod files;
mod system;
mod text;

use super::shell::{Io, Shell};

/// Every program but the shell itself, and what it does in a word.
const NAMES: &[&str] = &[
    "[",
    "cat",
    "chmod",
    "cp",
    "curl",
    "date",
    "echo",
    "env",
    "false",
    "grep",
    "head",
    "hostname",
    "id",
    "ls",
    "mkdir",
    "mv",
    "printenv",
    "printf",
    "pwd",
    "rm",
    "seq",
    "sha256sum",
    "sleep",
    "stty",
    "tail",
    "tar",
    "tee",
    "test",
    "touch",
    "true",
    "uname",
    "wc",
    "whoami",
    "yes",
];

/// What the shell itself knows.
const BUILT_IN: &[&str] = &["ash", "bash", "cd", "exec", "exit", "export", "set", "sh", "unset", ":"];

/// `sh` of `/bin/sh`; a path that is no program's place is left as it is.
pub(super) fn base_name(name: &str) -> &str {
    let folders = ["/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/"];
    folders.iter().find_map(|folder| name.strip_prefix(folder)).unwrap_or(name)
}

/// Whether there is such a program beside the shell's own.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Whether a container can be told to run this.
pub(super) fn is_program(name: &str) -> bool {
    let base = base_name(name);
    exists(base) || matches!(base, "sh" | "bash" | "ash")
}

/// Runs a program; `None` where there is none of this name.
pub(super) async fn run(shell: &mut Shell, name: &str, arguments: &[String], io: &Io) -> Option<i32> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let arguments = arguments.as_slice();
    Some(match name {
        "true" => 0,
        "false" => 1,
        "echo" | "printf" | "cat" | "head" | "tail" | "wc" | "grep" | "tee" | "seq" | "yes" | "sha256sum" => {
            text::run(shell, name, arguments, io).await
        }
        "[" | "test" | "ls" | "mkdir" | "rm" | "touch" | "chmod" | "cp" | "mv" => {
            files::run(shell, name, arguments, io).await
        }
        "tar" => archive::tar(shell, arguments, io).await,
        "curl" => Box::pin(curl::curl(shell, arguments, io)).await,
        "env" => match arguments.split_first() {
            Some((name, _)) if !name.contains('=') => {
                let words: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
                shell.run(&words, io).await
            }
            _ => system::run(shell, name, arguments, io).await,
        },
        _ if exists(name) || BUILT_IN.contains(&name) => system::run(shell, name, arguments, io).await,
        _ => return None,
    })
}

/// `name: subject: what`, and the status 1.
async fn complain(io: &Io, name: &str, subject: &str, what: impl std::fmt::Display) -> i32 {
    io.fail(&format!("{name}: {subject}: {what}"), 1).await
}

/// Splits `-abc -n 3 file` into letters, and what stands beside them.
fn letters<'a>(arguments: &[&'a str]) -> (String, Vec<&'a str>) {
    let (mut flags, mut rest) = (String::new(), Vec::new());
    let mut only_names = false;
    for argument in arguments {
        match argument.strip_prefix('-') {
            _ if only_names => rest.push(*argument),
            Some("-") => only_names = true,
            Some(letters) if !letters.is_empty() && !letters.starts_with('-') => flags.push_str(letters),
            _ => rest.push(*argument),
        }
    }
    (flags, rest)
}
