//! Logs for the person who runs the gate: to standard error, one line an event.
//!
//! Invariant: a client cannot write a log line. Whatever a field holds, control characters in it
//! are escaped, so that it can neither begin a line nor move a terminal's cursor. Nor can it fill the
//! disk: what happens again and again is told a few times, and then counted.

mod often;

use std::{
    fmt::{self, Write},
    io::IsTerminal,
    str::FromStr,
};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    field::MakeExt,
    filter::Targets,
    fmt::{MakeWriter, format::debug_fn},
    layer::SubscriberExt,
    registry::LookupSpan,
};
use types::is_unprintable;

use self::often::NotTooOften;

/// What is logged: a level such as `info`, or `info,upstream=debug` by crate.
#[derive(Clone, Debug)]
pub struct Filter(Targets);

impl Default for Filter {
    fn default() -> Self {
        Self(Targets::new().with_default(LevelFilter::INFO))
    }
}

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither one of `off`, `error`, `warn`, `info`, `debug`, `trace` nor CRATE=LEVEL")]
pub struct BadFilter(String);

impl FromStr for Filter {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        let mut targets = Self::default().0;
        for piece in text.split(',') {
            let bad = || BadFilter(piece.to_owned());
            let (name, level) = piece.split_once('=').unwrap_or(("", piece));
            // Not the numbers and the empty text that `LevelFilter` reads as well.
            let word = !level.is_empty() && level.chars().all(char::is_alphabetic);
            let level = level.parse::<LevelFilter>().ok().filter(|_| word);
            targets = match (name, level.ok_or_else(bad)?) {
                ("", _) if piece.contains('=') => return Err(bad()),
                ("", level) => targets.with_default(level),
                (name, level) => targets.with_target(name, level),
            };
        }
        Ok(Self(targets))
    }
}

/// A logger of this process has been set already.
#[derive(Debug, thiserror::Error)]
#[error("a logger has been set already")]
pub struct AlreadySet;

/// Sends this process's logs to standard error, in colour if that is a terminal and `NO_COLOR` is
/// not set.
pub fn init(filter: Filter) -> Result<(), AlreadySet> {
    let coloured =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing::subscriber::set_global_default(subscriber(filter, coloured, std::io::stderr))
        .map_err(|_| AlreadySet)
}

fn subscriber<W>(filter: Filter, coloured: bool, writer: W) -> impl Subscriber + for<'a> LookupSpan<'a>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let fields = debug_fn(|out, field, value| {
        // The message needs no name.
        if field.name() != "message" {
            write!(out, "{}=", field.name())?;
        }
        write!(Escaping(out), "{value:?}")
    });
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(NotTooOften::new(writer))
        .with_ansi(coloured)
        .fmt_fields(fields.delimited(" "));
    tracing_subscriber::registry().with(filter.0).with(lines)
}

/// Passes text on with control characters escaped, Unicode's line separators among them.
struct Escaping<'a, W>(&'a mut W);

impl<W: Write> Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, found)) = rest.char_indices().find(|(_, c)| is_unprintable(*c)) {
            let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.0.write_str(plain)?;
            write!(self.0, "{}", found.escape_default())?;
            rest = from.get(found.len_utf8()..).unwrap_or_default();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, coloured: bool, log: impl FnOnce()) -> String {
        let page = Page::default();
        let to = page.clone();
        let subscriber = subscriber(filter.parse().unwrap(), coloured, move || to.clone());
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(page.0.lock().clone()).unwrap()
    }

    #[test]
    fn a_client_cannot_write_a_line_or_colour_it() {
        let hostile = "x\n2026 INFO forged\u{1b}[31m\u{2028}\u{202e}\u{9b}ü";
        let text = logged("info", false, || {
            tracing::info!(user = hostile, shown = %hostile, "denied {hostile}");
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(text.ends_with('\n') && text.contains('ü'), "{text}");
        assert!(!text.trim_end().contains(is_unprintable), "{text:?}");
        assert_eq!(
            text.matches("\\nINFO").count() + text.matches("\\n2026 INFO forged").count(),
            3,
            "{text}"
        );
    }

    #[test]
    fn what_happens_again_and_again_is_told_a_few_times() {
        let text = logged("debug", false, || {
            for number in 0..1000 {
                tracing::warn!(number, "the webhook gave no answer");
                tracing::debug!(number, "in detail");
            }
            tracing::warn!("something else");
        });
        assert_eq!(text.matches("gave no answer").count(), often::MOST as usize, "{text}");
        assert_eq!(text.matches("something else").count(), 1);
        assert_eq!(text.matches("in detail").count(), 1000, "whoever asks for details gets all of them");
    }

    #[test]
    fn the_filter_and_the_colour_are_as_asked() {
        let log = || {
            tracing::debug!("fine");
            tracing::warn!(count = 3, "coarse");
        };
        let text = logged("info", false, log);
        assert!(
            text.contains("coarse count=3") && !text.contains("fine") && !text.contains('\u{1b}'),
            "{text}"
        );
        assert!(logged("debug", false, log).contains("fine"));
        assert!(logged("info,telemetry=debug", true, log).contains('\u{1b}'), "colour was asked for");
        for bad in ["loud", "", "info,", "=info", "gate=loud", "3"] {
            assert!(bad.parse::<Filter>().is_err(), "{bad}");
        }
    }
}
