use std::time::Instant;

use proptest::prelude::*;

use super::*;

#[test]
fn matches() {
    let check = |pattern: &str, text: &str, expected: bool| {
        assert_eq!(Regex::new(pattern).unwrap().is_match(text), expected, "{pattern} {text}");
    };
    check("", "abc", true);
    check("^a.*c$", "abc", true);
    check("^a.b$", "a\nb", false);
    check("(?s)^a.b$", "a\nb", true);
    check("^b$", "a\nb", false);
    check("(?m)^b$", "a\nb", true);
    check("a$", "a\n", false);
    check("(?i)^ANA", "ana@example.com", true);
    check("(?i)k", "\u{212a}", true);
    check("(?i)^\\w$", "ſ", true);
    check("(?i:a)b", "Ab", true);
    check("(?i:a)b", "AB", false);
    check("(?i)a(?-i)b", "AB", false);
    check("^\\w+$", "aé", false);
    check("^\\d$", "٣", false);
    check("^\\s$", "\u{b}", false);
    check("^[[:space:]]$", "\u{b}", true);
    check("\\bb", "éb", true);
    check("^[^a-c]$", "é", true);
    check("^[^\\D5]$", "4", true);
    check("^[a-]$", "-", true);
    check("^[]a]$", "]", true);
    check("^[a&&b]$", "&", true);
    check("^[a[]$", "[", true);
    check("^[[:^alpha:]x]$", "1", true);
    check("^\\pL$", "é", true);
    check("^\\p{^Greek}$", "α", false);
    check("^\\p{greek}$", "α", true);
    check("^\\p{Lu}\\p{Letter}$", "Aa", true);
    check("^\\PL$", "1", true);
    check("^\\Qa.b\\E*$", "a.bbb", true);
    check("^\\Q(", "(", true);
    check("^\\101\\x41\\x{1F600}$", "AA😀", true);
    check("^{a}{,2}{01}$", "{a}{,2}{01}", true);
    check("^a{2,}$", "aaa", true);
    check("^(?P<n>a)(?<m>b)$", "ab", true);
    check("^(?U)a+?$", "aa", true);
    check("^a(?i)*$", "aaa", true);
    check("^(?:a*)*$", "aa", true);
    check("^\\_\\-\\ $", "_- ", true);
    check("[\\x{d800}-\\x{e000}]", "\u{e000}", true);
    check("\\x{d800}", "\u{e000}", false);
    check("(?)a", "a", true);
    check("(|a)+b", "b", true);
    check("\\z", "", true);
}

#[test]
fn refused() {
    let check = |pattern: &str, expected: RegexError| {
        assert_eq!(Regex::new(pattern).unwrap_err(), expected, "{pattern}");
    };
    check("[", RegexError::MissingBracket);
    check("[a", RegexError::MissingBracket);
    check("[]", RegexError::MissingBracket);
    check("(", RegexError::MissingParen);
    check(")", RegexError::UnexpectedParen);
    check("a)(", RegexError::UnexpectedParen);
    check("*", RegexError::MissingArgument);
    check("(*)", RegexError::MissingArgument);
    check("a|*", RegexError::MissingArgument);
    check("{2}", RegexError::MissingArgument);
    check("a**", RegexError::NestedRepeat);
    check("a*+", RegexError::NestedRepeat);
    check("a{2}{3}", RegexError::NestedRepeat);
    check("a*??", RegexError::NestedRepeat);
    check("a{1001}", RegexError::RepeatCount);
    check("a{2,1}", RegexError::RepeatCount);
    check("a{99999999999}", RegexError::RepeatCount);
    check("((a{100}){100})", RegexError::RepeatCount);
    check("(?=a)", RegexError::PerlOperator);
    check("(?!a)", RegexError::PerlOperator);
    check("(?<=a)", RegexError::NamedCapture);
    check("(?P<>a)", RegexError::NamedCapture);
    check("(?P<é>a)", RegexError::NamedCapture);
    check("(?x)a", RegexError::PerlOperator);
    check("(?i-)a", RegexError::PerlOperator);
    check("(?", RegexError::PerlOperator);
    check("(a)\\1", RegexError::Escape);
    check("\\q", RegexError::Escape);
    check("\\C", RegexError::Escape);
    check("\\Z", RegexError::Escape);
    check("\\8", RegexError::Escape);
    check("\\é", RegexError::Escape);
    check("\\u0041", RegexError::Escape);
    check("\\x4", RegexError::Escape);
    check("\\x{110000}", RegexError::Escape);
    check("[\\b]", RegexError::Escape);
    check("\\", RegexError::TrailingBackslash);
    check("[z-a]", RegexError::CharRange);
    check("[[:nope:]]", RegexError::CharRange);
    check("\\p{Nope}", RegexError::CharRange);
    check("\\p{Grek}", RegexError::CharRange);
    check("\\p{Alphabetic}", RegexError::CharRange);
    check("\\p{sc=Greek}", RegexError::CharRange);
    check("\\pé", RegexError::CharRange);
    check("\\p{L", RegexError::CharRange);
}

#[test]
fn found() {
    let check = |pattern: &str, text: &str, limit: i64, expected: &[&str]| {
        let found: Vec<_> = Regex::new(pattern).unwrap().find_all(text, limit).collect();
        assert_eq!(found, expected, "{pattern} {text} {limit}");
    };
    check("[0-9]", "1a2b3", -1, &["1", "2", "3"]);
    check("[0-9]", "1a2b3", 2, &["1", "2"]);
    check("[0-9]", "1a2b3", 0, &[]);
    check("a*", "baac", -1, &["", "aa", ""]);
    check("", "é☃", -1, &["", "", ""]);
    check("a|ab", "ab", -1, &["a"]);
    assert_eq!(Regex::new("[0-9]+").unwrap().find("abc 123"), "123");
    assert_eq!(Regex::new("[0-9]+").unwrap().find("abc"), "");
}

/// Patterns that are small to write and large to build, or deep, or hard on a backtracker.
#[test]
fn hostile() {
    assert!(Regex::new("^\\pL{1,253}$").is_ok());
    assert_eq!(Regex::computed("^\\pL{1,253}$").unwrap_err(), RegexError::TooLarge);
    let deep = |unit: &str, end: &str, n: usize| format!("{}a{}", unit.repeat(n), end.repeat(n));
    assert!(Regex::new(&deep("(", ")", 5000)).is_ok());
    for pattern in [
        "(\\pL{31}){31}".to_owned(),
        "[\\pL\\pN\\pM]{1000}".to_owned(),
        "(?i)[\\pL\\pN\\pM]{1000}".to_owned(),
        "((a{10}){10}){10}".to_owned(),
        "\\pL".repeat(30_000),
        "[\\pL]".repeat(20_000),
        format!("[{}]", "\\pL".repeat(30_000)),
        "x".repeat(1 << 20),
        "(a*)*".repeat(10_000),
        "a?".repeat(10_000),
        deep("(", ")*", 5000),
        deep("(b|", ")", 5000),
        deep("(?:x", ")*?", 240),
        "(".repeat(100_000),
        "|".repeat(100_000),
        "(?i)".repeat(30_000),
    ] {
        let start = Instant::now();
        if let Ok(regex) = Regex::computed(&pattern) {
            let _ = regex.is_match(&"a".repeat(2000));
        }
        let shown: String = pattern.chars().take(30).collect();
        assert!(start.elapsed().as_secs() < 5, "{shown}: {:?}", start.elapsed());
    }
}

proptest! {
    #[test]
    fn never_panics(pattern in ".{0,20}", near in "[a-c(|)*+?{}\\[\\]\\\\^$.,\\-0-9:pPdDwsQEbBxiU<>]{0,24}", text in ".{0,16}") {
        for pattern in [pattern, near] {
            if let Ok(regex) = Regex::new(&pattern) {
                prop_assert_eq!(regex.is_match(&text), regex.find_all(&text, 1).next().is_some());
            }
        }
    }

    /// Where both syntaxes mean the same, the answers are those of the `regex` crate's own parser.
    #[test]
    fn agrees_on_the_common_syntax(pattern in "(\\^|\\(\\?i\\))?([a-cA-C.]|\\[[a-cA-C]{1,3}\\]|\\([ab](\\|[bc])?\\))([*+?]|\\{1,2\\})?(\\|[ab]c?)?\\$?", text in "[a-dA-D\n]{0,8}") {
        let ours = Regex::new(&pattern).unwrap();
        let theirs = meta::Regex::new(&pattern).unwrap();
        let all: Vec<_> = theirs.find_iter(&text).map(|found| text.get(found.range()).unwrap()).collect();
        prop_assert_eq!(ours.find_all(&text, -1).collect::<Vec<_>>(), all);
    }
}
