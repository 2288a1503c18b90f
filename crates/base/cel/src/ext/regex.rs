//! Regular expressions as Go's `regexp` (RE2) takes them, matched in linear time.
//!
//! The syntax is read by our own parser, because Go's differs from that of the `regex` crate where
//! it hurts: `\d`, `\w`, `\s` and `\b` mean ASCII, `{` may be a literal, `**` and counts over 1000
//! are refused, `\Q…\E` and octal escapes exist, `&&` in a class is two ampersands. What it reads is
//! matched by the automata of the `regex` crate.

mod class;
mod parse;

use regex_automata::meta;

/// The most memory that the automaton of a pattern in the configuration may take: compiled once,
/// when the configuration is read. `^\pL{1,253}$` takes 12 MiB.
///
/// Stricter than kube-apiserver, which lets it take 128 MiB.
const MAX_CONFIGURED_BYTES: usize = 32 << 20;

/// The same for a pattern that an expression makes while it runs, perhaps anew for every item of a
/// list: compiling one takes no more than a few milliseconds.
const MAX_COMPUTED_BYTES: usize = 1 << 20;

/// Why a pattern is refused. The texts are Go's, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegexError {
    #[error("error parsing regexp: invalid character class range")]
    CharRange,
    #[error("error parsing regexp: invalid escape sequence")]
    Escape,
    #[error("error parsing regexp: invalid named capture")]
    NamedCapture,
    #[error("error parsing regexp: invalid or unsupported Perl syntax")]
    PerlOperator,
    #[error("error parsing regexp: invalid nested repetition operator")]
    NestedRepeat,
    #[error("error parsing regexp: invalid repeat count")]
    RepeatCount,
    #[error("error parsing regexp: missing closing ]")]
    MissingBracket,
    #[error("error parsing regexp: missing closing )")]
    MissingParen,
    #[error("error parsing regexp: missing argument to repetition operator")]
    MissingArgument,
    #[error("error parsing regexp: trailing backslash at end of expression")]
    TrailingBackslash,
    #[error("error parsing regexp: unexpected )")]
    UnexpectedParen,
    #[error("error parsing regexp: expression nests too deeply")]
    Nesting,
    #[error("error parsing regexp: expression too large")]
    TooLarge,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Regex(meta::Regex);

impl Regex {
    /// Compiles a pattern of the configuration.
    ///
    /// # Errors
    /// Go would refuse it, or its automaton would be larger than 32 MiB, or it nests more than 250 deep.
    pub(crate) fn new(pattern: &str) -> Result<Self, RegexError> {
        Self::within(pattern, MAX_CONFIGURED_BYTES)
    }

    /// Compiles a pattern that an expression has made.
    ///
    /// # Errors
    /// As [`Self::new`], but for automata larger than 1 MiB.
    pub(crate) fn computed(pattern: &str) -> Result<Self, RegexError> {
        Self::within(pattern, MAX_COMPUTED_BYTES)
    }

    fn within(pattern: &str, bytes: usize) -> Result<Self, RegexError> {
        let expression = parse::parse(pattern)?;
        let config = meta::Config::new()
            .nfa_size_limit(Some(bytes))
            .onepass_size_limit(Some(1 << 20))
            .hybrid_cache_capacity(1 << 20);
        let automaton = meta::Builder::new().configure(config).build_from_hir(&expression);
        automaton.map(Self).map_err(|_| RegexError::TooLarge)
    }

    /// Whether it matches anywhere in the text.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The leftmost match, empty if there is none.
    pub(crate) fn find<'t>(&self, text: &'t str) -> &'t str {
        self.0.find(text).and_then(|found| text.get(found.range())).unwrap_or_default()
    }

    /// All matches that do not overlap, at most `limit` of them unless that is negative. An empty match
    /// right behind another match does not count.
    pub(crate) fn find_all<'t>(&self, text: &'t str, limit: i64) -> impl Iterator<Item = &'t str> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.0.find_iter(text).take(limit).filter_map(move |found| text.get(found.range()))
    }
}

#[cfg(test)]
mod tests;
