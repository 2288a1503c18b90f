//! Programs that read and write text.

use std::fmt::Write;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;

use super::{complain, letters};
use crate::containers::{
    files,
    pipe::{Input, Output},
    shell::{Io, PIPE_BROKEN, Shell},
};

pub(super) async fn run(shell: &mut Shell, name: &str, arguments: &[&str], io: &Io) -> i32 {
    match name {
        "echo" => echo(arguments, io).await,
        "printf" => printf(arguments, io).await,
        "cat" => cat(shell, arguments, io).await,
        "head" => head(shell, arguments, io).await,
        "tail" => tail(shell, arguments, io).await,
        "wc" => count(shell, arguments, io).await,
        "sha256sum" => hash(shell, arguments, io).await,
        "grep" => grep(shell, arguments, io).await,
        "tee" => tee(shell, arguments, io).await,
        "seq" => sequence(arguments, io).await,
        _ => {
            let line = if arguments.is_empty() { "y".into() } else { arguments.join(" ") };
            // Many at once: a line a time is a message a time.
            let lines = Bytes::from(format!("{line}\n").repeat(1 + 4096 / (line.len() + 1)));
            while io.output.write(lines.clone()).await.is_ok() {}
            PIPE_BROKEN
        }
    }
}

/// The files that were named, or what is piped in.
fn inputs(shell: &Shell, names: &[&str], io: &Io) -> Vec<(String, Result<Input, files::Wrong>)> {
    if names.is_empty() {
        return vec![("-".into(), Ok(io.input.clone()))];
    }
    let open = |name: &&str| {
        let input = if *name == "-" { Ok(io.input.clone()) } else { shell.open(name) };
        ((*name).to_owned(), input)
    };
    names.iter().map(open).collect()
}

async fn echo(arguments: &[&str], io: &Io) -> i32 {
    let flags = arguments.iter().take_while(|a| matches!(**a, "-n" | "-e" | "-ne" | "-en")).count();
    let (flags, words) = arguments.split_at(flags);
    let mut text = words.join(" ");
    if flags.iter().any(|flag| flag.contains('e')) {
        text = unescaped(&text);
    }
    if !flags.iter().any(|flag| flag.contains('n')) {
        text.push('\n');
    }
    io.say(text).await
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, c == '\\') {
            (_, true) => match rest.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some('r') => plain.push('\r'),
                Some('e') => plain.push('\x1b'),
                Some('0') => plain.push('\0'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            (c, false) => plain.push(c),
        }
    }
    plain
}

async fn printf(arguments: &[&str], io: &Io) -> i32 {
    let Some((format, values)) = arguments.split_first() else {
        return io.fail("printf: a format is missing", 1).await;
    };
    let format = unescaped(format);
    let mut values = values.iter();
    let mut text = String::new();
    loop {
        let mut rest = format.chars();
        let mut used = false;
        while let Some(c) = rest.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            match rest.next() {
                Some('s' | 'd' | 'i' | 'u') => {
                    used = true;
                    text.push_str(values.next().unwrap_or(&""));
                }
                Some(other) => text.push(other),
                None => text.push('%'),
            }
        }
        if !used || values.len() == 0 {
            return io.say(text).await;
        }
    }
}

async fn cat(shell: &Shell, arguments: &[&str], io: &Io) -> i32 {
    let mut status = 0;
    for (name, input) in inputs(shell, &letters(arguments).1, io) {
        match input {
            Ok(input) => {
                while let Some(bytes) = input.next().await {
                    if io.output.write(bytes).await.is_err() {
                        return PIPE_BROKEN;
                    }
                }
            }
            Err(wrong) => status = complain(io, "cat", &format!("can't open '{name}'"), wrong).await,
        }
    }
    status
}

/// `-n 5`, `-n5`, `-5`, `-c 5`, `-c+5`: the unit, a sign if there is one, and the number; and names.
fn amount<'a>(arguments: &[&'a str]) -> Option<(bool, bool, usize, Vec<&'a str>)> {
    let (mut bytes, mut from_start, mut number, mut names) = (false, false, 10, Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(flag) = argument.strip_prefix('-').filter(|flag| !flag.is_empty()) else {
            names.push(*argument);
            continue;
        };
        let text = match flag.strip_prefix(['c', 'n']) {
            Some(text) => {
                bytes = flag.starts_with('c');
                if text.is_empty() { rest.next()? } else { text }
            }
            None => flag,
        };
        from_start = text.starts_with('+');
        let digits = text.trim_start_matches('+');
        let (digits, factor) = match digits.strip_suffix(['k', 'K', 'M', 'G']) {
            Some(bare) => (
                bare,
                match digits.chars().last() {
                    Some('M') => 1 << 20,
                    Some('G') => 1 << 30,
                    _ => 1 << 10,
                },
            ),
            None => (digits, 1),
        };
        number = digits.parse::<usize>().ok()?.checked_mul(factor)?;
    }
    Some((bytes, from_start, number, names))
}

async fn head(shell: &Shell, arguments: &[&str], io: &Io) -> i32 {
    let Some((bytes, _, number, names)) = amount(arguments) else {
        return io.fail("head: invalid number", 1).await;
    };
    for (name, input) in inputs(shell, &names, io) {
        let input = match input {
            Ok(input) => input,
            Err(wrong) => return complain(io, "head", &name, wrong).await,
        };
        let mut left = number;
        while left > 0 {
            let piece = if bytes {
                let Some(mut piece) = input.next().await else { break };
                let rest = piece.split_off(left.min(piece.len()));
                input.unread(rest).await;
                left = left.saturating_sub(piece.len());
                piece
            } else {
                let Some(line) = input.line().await else { break };
                left -= 1;
                line.into()
            };
            if io.output.write(piece).await.is_err() {
                return PIPE_BROKEN;
            }
        }
    }
    0
}

/// What `tail` and others keep of their input at most.
const KEPT: usize = 64 << 20;

async fn tail(shell: &Shell, arguments: &[&str], io: &Io) -> i32 {
    let follows = arguments.contains(&"-f");
    let arguments: Vec<&str> = arguments.iter().copied().filter(|argument| *argument != "-f").collect();
    let Some((bytes, from_start, number, names)) = amount(&arguments) else {
        return io.fail("tail: invalid number", 1).await;
    };
    for (name, input) in inputs(shell, &names, io) {
        let all = match input {
            Ok(input) => input.all(KEPT).await,
            Err(wrong) => return complain(io, "tail", &name, wrong).await,
        };
        let Some(all) = all else { return complain(io, "tail", &name, "too large").await };
        let shown = match (bytes, from_start) {
            (true, true) => all.get(number.saturating_sub(1)..).unwrap_or_default(),
            (true, false) => all.get(all.len().saturating_sub(number)..).unwrap_or_default(),
            (false, from_start) => {
                let lines: Vec<&[u8]> = all.split_inclusive(|byte| *byte == b'\n').collect();
                let skipped =
                    if from_start { number.saturating_sub(1) } else { lines.len().saturating_sub(number) };
                let length: usize = lines.iter().take(skipped).map(|line| line.len()).sum();
                all.get(length..).unwrap_or_default()
            }
        };
        if io.output.write(shown.to_vec()).await.is_err() {
            return PIPE_BROKEN;
        }
    }
    if follows {
        // `tail -f /dev/null` is how people keep a container alive.
        std::future::pending::<()>().await;
    }
    0
}

async fn count(shell: &Shell, arguments: &[&str], io: &Io) -> i32 {
    let (flags, names) = letters(arguments);
    for (name, input) in inputs(shell, &names, io) {
        let input = match input {
            Ok(input) => input,
            Err(wrong) => return complain(io, "wc", &name, wrong).await,
        };
        let (mut lines, mut words, mut bytes, mut inside) = (0_u64, 0_u64, 0_u64, false);
        while let Some(piece) = input.next().await {
            bytes += piece.len() as u64;
            for byte in piece {
                lines += u64::from(byte == b'\n');
                words += u64::from(!inside && !byte.is_ascii_whitespace());
                inside = !byte.is_ascii_whitespace();
            }
        }
        let shown = [('l', lines), ('w', words), ('c', bytes)];
        let mut line = String::new();
        for (letter, number) in shown {
            if flags.is_empty() || flags.contains(letter) {
                let blank = if line.is_empty() { "" } else { " " };
                let _: Result<_, _> = write!(line, "{blank}{number}");
            }
        }
        if name != "-" {
            let _: Result<_, _> = write!(line, " {name}");
        }
        if io.say(line + "\n").await != 0 {
            return PIPE_BROKEN;
        }
    }
    0
}

async fn hash(shell: &Shell, arguments: &[&str], io: &Io) -> i32 {
    for (name, input) in inputs(shell, arguments, io) {
        let input = match input {
            Ok(input) => input,
            Err(wrong) => return complain(io, "sha256sum", &name, wrong).await,
        };
        let mut digest = Context::new(&SHA256);
        while let Some(piece) = input.next().await {
            digest.update(&piece);
        }
        let hex: String = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        if io.say(format!("{hex}  {name}\n")).await != 0 {
            return PIPE_BROKEN;
        }
    }
    0
}

/// Fixed texts only.
async fn grep(shell: &Shell, arguments: &[&str], io: &Io) -> i32 {
    let (flags, rest) = letters(arguments);
    let Some((pattern, names)) = rest.split_first() else {
        return io.fail("grep: a pattern is missing", 2).await;
    };
    let folded = |text: &str| if flags.contains('i') { text.to_lowercase() } else { text.to_owned() };
    let (pattern, mut found) = (folded(pattern), 0);
    for (name, input) in inputs(shell, names, io) {
        let input = match input {
            Ok(input) => input,
            Err(wrong) => return complain(io, "grep", &name, wrong).await + 1,
        };
        while let Some(line) = input.line().await {
            let matches = folded(&String::from_utf8_lossy(&line)).contains(&pattern);
            if matches == flags.contains('v') {
                continue;
            }
            found += 1;
            if !flags.contains('c') && !flags.contains('q') && io.output.write(line).await.is_err() {
                return PIPE_BROKEN;
            }
        }
    }
    if flags.contains('c') && io.say(format!("{found}\n")).await != 0 {
        return PIPE_BROKEN;
    }
    i32::from(found == 0)
}

async fn tee(shell: &Shell, arguments: &[&str], io: &Io) -> i32 {
    let (flags, names) = letters(arguments);
    let mut outputs: Vec<Output> = vec![io.output.clone()];
    for name in names {
        match shell.create(name, flags.contains('a'), io) {
            Ok(output) => outputs.push(output),
            Err(wrong) => return complain(io, "tee", name, wrong).await,
        }
    }
    while let Some(bytes) = io.input.next().await {
        for output in &outputs {
            if output.write(bytes.clone()).await.is_err() {
                return PIPE_BROKEN;
            }
        }
    }
    0
}

async fn sequence(arguments: &[&str], io: &Io) -> i32 {
    let numbers: Option<Vec<i64>> = arguments.iter().map(|number| number.parse().ok()).collect();
    let (first, last) = match numbers.as_deref() {
        Some([last]) => (1, *last),
        Some([first, last]) => (*first, *last),
        _ => return io.fail("seq: one or two numbers are needed", 1).await,
    };
    for number in first..=last {
        if io.output.write(format!("{number}\n")).await.is_err() {
            return PIPE_BROKEN;
        }
    }
    0
}
