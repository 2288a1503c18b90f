//! Prometheus' text format 0.0.4.

use std::fmt::{Display, Write};

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts observations below bounds.
    Histogram,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A page of metrics being written.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a family. `help` is one line. All samples of a family are written before the next
    /// begins, and no name is begun twice.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str()));
        Family { page: self, name }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // A String takes everything.
        let _infallible = self.0.write_fmt(text);
    }
}

/// A label's name and value. The name is ours; the value may be anybody's.
pub type Label<'a> = (&'static str, &'a str);

/// A family whose samples are being written.
#[derive(Debug)]
pub struct Family<'a> {
    page: &'a mut Exposition,
    name: &'static str,
}

impl Family<'_> {
    /// Writes one sample. Nothing is the same in two samples of a family but the names of labels.
    pub fn sample(&mut self, labels: &[Label<'_>], value: u64) -> &mut Self {
        self.line("", labels, None, value);
        self
    }

    /// Writes one histogram: `bounds` are the counts in each bucket, not cumulated; `sum` is in the
    /// unit of the bounds.
    pub fn histogram<'b>(
        &mut self,
        labels: &[Label<'_>],
        bounds: impl IntoIterator<Item = (&'b str, u64)>,
        count: u64,
        sum: f64,
    ) {
        let mut below = 0;
        for (bound, number) in bounds {
            below += number;
            self.line("_bucket", labels, Some(("le", bound)), below);
        }
        self.line("_bucket", labels, Some(("le", "+Inf")), count);
        self.line("_sum", labels, None, sum);
        self.line("_count", labels, None, count);
    }

    fn line(&mut self, suffix: &str, labels: &[Label<'_>], last: Option<Label<'_>>, value: impl Display) {
        self.page.push(format_args!("{}{suffix}", self.name));
        let mut opening = '{';
        for (name, value) in labels.iter().copied().chain(last) {
            self.page.push(format_args!("{opening}{name}=\"{}\"", Escaped(value)));
            opening = ',';
        }
        if opening == ',' {
            self.page.0.push('}');
        }
        self.page.push(format_args!(" {value}\n"));
    }
}

/// A label value: backslash, quote and line feed are escaped, nothing else can be.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0;
        while let Some((plain, from)) = rest.find(['\\', '"', '\n']).and_then(|at| rest.split_at_checked(at))
        {
            f.write_str(plain)?;
            let mut following = from.chars();
            f.write_str(match following.next() {
                Some('\n') => "\\n",
                Some('"') => "\\\"",
                _ => "\\\\",
            })?;
            rest = following.as_str();
        }
        f.write_str(rest)
    }
}
