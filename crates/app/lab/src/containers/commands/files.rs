//! Programs about files.

use super::{complain, letters};
use crate::containers::{
    files::{Files, Node, Wrong, resolve, split},
    shell::{Io, Shell},
};

pub(super) async fn run(shell: &mut Shell, name: &str, arguments: &[&str], io: &Io) -> i32 {
    match name {
        "test" | "[" => i32::from(!test(shell, arguments)),
        "ls" => list(shell, arguments, io).await,
        _ => change(shell, name, arguments, io).await,
    }
}

fn test(shell: &Shell, arguments: &[&str]) -> bool {
    let arguments = match arguments {
        [rest @ .., "]"] => rest,
        rest => rest,
    };
    let found = |path: &str| shell.container.files().get(&resolve(&shell.folder, path)).ok().cloned();
    let is_file = |node: &Node| matches!(node, Node::File { .. });
    let number = |text: &str| text.parse::<i64>().unwrap_or_default();
    match arguments {
        ["!", rest @ ..] => !test(shell, rest),
        ["-d", path] => found(path).is_some_and(|node| !is_file(&node)),
        ["-f", path] => found(path).is_some_and(|node| is_file(&node)),
        ["-e" | "-r" | "-w", path] => found(path).is_some(),
        ["-s", path] => matches!(found(path), Some(Node::File { bytes, .. }) if !bytes.is_empty()),
        ["-z", text] => text.is_empty(),
        ["-t", _] => shell.terminal.is_some(),
        ["-n", text] | [text] => !text.is_empty(),
        [left, "=" | "==", right] => left == right,
        [left, "!=", right] => left != right,
        [left, "-eq", right] => number(left) == number(right),
        [left, "-ne", right] => number(left) != number(right),
        [left, "-lt", right] => number(left) < number(right),
        [left, "-le", right] => number(left) <= number(right),
        [left, "-gt", right] => number(left) > number(right),
        [left, "-ge", right] => number(left) >= number(right),
        _ => false,
    }
}

async fn list(shell: &Shell, arguments: &[&str], io: &Io) -> i32 {
    let (flags, mut names) = letters(arguments);
    if names.is_empty() {
        names.push(".");
    }
    let (mut text, mut status) = (String::new(), 0);
    for name in &names {
        let path = resolve(&shell.folder, name);
        let found = lines(&shell.container.files(), &path, name, flags.contains('l'));
        match found {
            Ok(lines) => text.push_str(&lines),
            Err(wrong) => status = complain(io, "ls", name, wrong).await,
        }
    }
    status.max(io.say(text).await)
}

fn lines(files: &Files, path: &str, name: &str, long: bool) -> Result<String, Wrong> {
    let line = |name: &str, node: &Node| match (long, node) {
        (false, _) => format!("{name}\n"),
        (true, Node::Folder) => format!("drwxr-xr-x 1 root root {:>8} {name}\n", 0),
        (true, Node::File { bytes, mode, .. }) => {
            let letters: String = (0..9)
                .rev()
                .map(|bit| match (mode >> bit & 1, bit % 3) {
                    (0, _) => '-',
                    (_, 2) => 'r',
                    (_, 1) => 'w',
                    _ => 'x',
                })
                .collect();
            format!("-{letters} 1 root root {:>8} {name}\n", bytes.len())
        }
    };
    match files.get(path)? {
        file @ Node::File { .. } => Ok(line(name, file)),
        Node::Folder => {
            let names = files.names(path)?;
            Ok(names
                .iter()
                .filter_map(|name| Some(line(name, files.get(&format!("{path}/{name}")).ok()?)))
                .collect())
        }
    }
}

async fn change(shell: &Shell, name: &str, arguments: &[&str], io: &Io) -> i32 {
    let (flags, mut names) = letters(arguments);
    let mode = match name {
        "chmod" if !names.is_empty() => u32::from_str_radix(names.remove(0), 8).unwrap_or(0o755),
        _ => 0,
    };
    let target = if matches!(name, "cp" | "mv") { names.pop() } else { None };
    let mut status = 0;
    for subject in names {
        let path = resolve(&shell.folder, subject);
        let now = shell.container.now().as_second();
        let done = {
            let mut files = shell.container.files();
            match name {
                "mkdir" if flags.contains('p') => files.make_folders(&path),
                "mkdir" => files.make_folder(&path),
                "touch" => files.append(&path, b"", now),
                "chmod" => files.set_mode(&path, mode),
                "rm" => match files.remove(&path, flags.contains(['r', 'R'])) {
                    Err(Wrong::NotFound) if flags.contains('f') => Ok(()),
                    done => done,
                },
                _ => copy(&mut files, &path, &resolve(&shell.folder, target.unwrap_or_default()), now)
                    .and_then(|()| if name == "mv" { files.remove(&path, true) } else { Ok(()) }),
            }
        };
        if let Err(wrong) = done {
            status = complain(io, name, subject, wrong).await;
        }
    }
    status
}

/// One file, to a file or into a folder.
fn copy(files: &mut Files, from: &str, to: &str, now: i64) -> Result<(), Wrong> {
    let bytes = files.read(from)?;
    let to = match files.get(to) {
        Ok(Node::Folder) => format!("{to}/{}", split(from).1),
        _ => to.to_owned(),
    };
    files.create(&to, 0o644, now)?;
    files.append(&to, &bytes, now)
}
