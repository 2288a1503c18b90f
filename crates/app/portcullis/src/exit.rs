//! What the process ends with.

use std::{borrow::Cow, fmt, io::Write, process::ExitCode};

/// All is as it should be.
pub(crate) const FINE: u8 = 0;
/// It ran, and found something.
pub(crate) const FINDINGS: u8 = 1;
/// It was called wrongly.
pub(crate) const USAGE: u8 = 2;
/// It could not run.
pub(crate) const COULD_NOT_RUN: u8 = 3;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { code: USAGE, message: message.to_string() }
    }

    pub(crate) fn could_not_run(message: impl fmt::Display) -> Self {
        Self { code: COULD_NOT_RUN, message: message.to_string() }
    }
}

/// Says what is wrong, on standard error.
pub(crate) fn fail(code: u8, message: &str) -> ExitCode {
    let red = anstyle::AnsiColor::Red.on_default();
    // Nobody is left to be told that standard error is closed.
    drop(writeln!(anstream::stderr(), "{red}error:{red:#} {}", visible(message)));
    ExitCode::from(code)
}

/// Says what should be different, on standard error.
pub(crate) fn warn(message: &str) {
    let yellow = anstyle::AnsiColor::Yellow.on_default();
    drop(writeln!(anstream::stderr(), "{yellow}warning:{yellow:#} {}", visible(message)));
}

/// Prints one line for people, on standard output.
pub(crate) fn say(message: &str) -> Result<(), Failure> {
    writeln!(anstream::stdout(), "{}", visible(message)).map_err(Failure::could_not_run)
}

/// `text` with nothing in it that a terminal would obey or hide. Names come from clusters, audit logs
/// and files, where others chose them: they must not move the cursor, erase a line or read from right
/// to left. Line ends, tabs and our own styles stay.
///
/// Escaped as JSON escapes, since JSON goes this way, too.
fn visible(text: &str) -> Cow<'_, str> {
    let first = text.find(is_dangerous);
    let Some(first) = first else { return Cow::Borrowed(text) };
    let (fine, mut rest) = text.split_at(first);
    let mut seen = fine.to_owned();
    while let Some(c) = rest.chars().next() {
        let own = OWN_STYLES.iter().find(|style| rest.starts_with(**style));
        let (piece, after) = rest.split_at(own.map_or(c.len_utf8(), |style| style.len()));
        if own.is_none() && is_dangerous(c) {
            seen.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            seen.push_str(piece);
        }
        rest = after;
    }
    Cow::Owned(seen)
}

/// Bold, dim, the three colours, and the end of them.
const OWN_STYLES: [&str; 6] = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"];

fn is_dangerous(c: char) -> bool {
    types::is_unprintable(c) && !matches!(c, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use anstyle::{AnsiColor, Style};

    use super::*;

    #[test]
    fn what_others_chose_is_not_obeyed() {
        assert_eq!(visible("pods \"web\"\n"), "pods \"web\"\n");
        assert_eq!(visible("a\x1b[2Jb\x7fc\rd\u{9b}e\u{202e}f"), r"a\u001b[2Jb\u007fc\u000dd\u009be\u202ef");
        assert_eq!(visible("\x1b]0;title\x07"), r"\u001b]0;title\u0007");
        assert_eq!(visible("\x1b[8mhidden"), r"\u001b[8mhidden");
    }

    #[test]
    fn our_own_styles_stay() {
        for style in [
            Style::new().bold(),
            Style::new().dimmed(),
            AnsiColor::Red.on_default(),
            AnsiColor::Green.on_default(),
            AnsiColor::Yellow.on_default(),
        ] {
            let text = format!("{style}word{style:#}");
            assert_eq!(visible(&text), text);
        }
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({ "user": "a\u{7f}\u{1b}\u{202e}b" });
        let text = value.to_string();
        let read: serde_json::Value = serde_json::from_str(&visible(&text)).unwrap();
        assert_eq!(read, value);
    }
}
