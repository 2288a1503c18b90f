//! Programs about the machine and its user.

use std::time::Duration;

use crate::containers::shell::{INTERRUPTED, Io, Shell, interrupted};

pub(super) async fn run(shell: &mut Shell, name: &str, arguments: &[&str], io: &Io) -> i32 {
    match name {
        "env" | "printenv" => match arguments.first().filter(|_| name == "printenv") {
            Some(name) => match shell.variables.get(*name).cloned() {
                Some(value) => io.say(value + "\n").await,
                None => 1,
            },
            None => {
                let all: String =
                    shell.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
                io.say(all).await
            }
        },
        "id" => {
            let (uid, gid) = shell.container.user();
            let called = |id: i64, name: &str| if id == 0 { format!("0({name})") } else { id.to_string() };
            let text = match arguments.first() {
                Some(&"-u") => uid.to_string(),
                Some(&"-g") => gid.to_string(),
                _ => format!(
                    "uid={} gid={} groups={}",
                    called(uid, "root"),
                    called(gid, "root"),
                    called(gid, "root")
                ),
            };
            io.say(text + "\n").await
        }
        "whoami" => match shell.container.user().0 {
            0 => io.say("root\n").await,
            uid => io.fail(&format!("whoami: unknown uid {uid}"), 1).await,
        },
        "hostname" => io.say(format!("{}\n", shell.container.host_name())).await,
        "pwd" => {
            let folder = if shell.folder.is_empty() { "/" } else { &shell.folder };
            io.say(format!("{folder}\n")).await
        }
        "uname" => {
            let all = arguments.iter().any(|flag| flag.contains('a'));
            let text =
                if all { format!("Linux {} lab\n", shell.container.host_name()) } else { "Linux\n".into() };
            io.say(text).await
        }
        "date" => io.say(format!("{}\n", shell.container.now())).await,
        "sleep" => sleep(shell, arguments, io).await,
        "stty" => match (&shell.terminal, arguments) {
            (Some(terminal), ["size"]) => {
                let size = *terminal.size.borrow();
                io.say(format!("{} {}\n", size.rows, size.columns)).await
            }
            (None, _) => io.fail("stty: standard input: Not a tty", 1).await,
            (Some(_), _) => 0,
        },
        _ => io.fail(&format!("{name}: not implemented in the lab"), 1).await,
    }
}

async fn sleep(shell: &Shell, arguments: &[&str], io: &Io) -> i32 {
    let Some(duration) = arguments.first().and_then(|text| duration(text)) else {
        let given = arguments.first().unwrap_or(&"");
        return io.fail(&format!("sleep: invalid number {given:?}"), 1).await;
    };
    let mut interrupts = shell.terminal.as_ref().map(|terminal| terminal.interrupts.clone());
    tokio::select! {
        () = tokio::time::sleep(duration) => 0,
        () = interrupted(&mut interrupts) => INTERRUPTED,
    }
}

/// `5`, `0.5`, `5s`, `1m`, `2h`, `infinity`
fn duration(text: &str) -> Option<Duration> {
    if text == "infinity" || text == "inf" {
        return Some(Duration::from_secs(u64::from(u32::MAX)));
    }
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, text.chars().last()),
        None => (text, None),
    };
    let factor = match unit {
        Some('m') => 60.0,
        Some('h') => 3600.0,
        Some('d') => 86400.0,
        _ => 1.0,
    };
    let seconds = number.parse::<f64>().ok()? * factor;
    Duration::try_from_secs_f64(seconds.min(f64::from(u32::MAX))).ok()
}
