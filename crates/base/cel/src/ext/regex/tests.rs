use std::time::Instant;

use proptest::prelude::*;
use regex_automata::meta;

use super::*;

#[test]
fn matches() {
    let check = |pattern: &str, text: &str, expected: bool| {
        assert_eq!(
            Regex::new(pattern).unwrap().is_match(text, &Work::default()),
            Ok(expected),
            "{pattern} {text}"
        );
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
        let found = Regex::new(pattern).unwrap().find_all(text, limit, &Work::default()).unwrap();
        assert_eq!(found, expected, "{pattern} {text} {limit}");
    };
    check("[0-9]", "1a2b3", -1, &["1", "2", "3"]);
    check("[0-9]", "1a2b3", 2, &["1", "2"]);
    check("[0-9]", "1a2b3", 0, &[]);
    check("a*", "baac", -1, &["", "aa", ""]);
    check("", "é☃", -1, &["", "", ""]);
    check("a|ab", "ab", -1, &["a"]);
    let work = Work::default();
    assert_eq!(Regex::new("[0-9]+").unwrap().find("abc 123", &work), Ok("123"));
    assert_eq!(Regex::new("[0-9]+").unwrap().find("abc", &work), Ok(""));
    assert_eq!(Regex::new("^ab+").unwrap().find("abbc", &work), Ok("abb"));
}

/// Patterns that are small to write and large to build, or deep, or hard on a backtracker.
#[test]
fn hostile() {
    assert!(Regex::new("^\\pL{1,253}$").is_ok());
    let deep = |unit: &str, end: &str, n: usize| format!("{}a{}", unit.repeat(n), end.repeat(n));
    assert!(Regex::new(&deep("(", ")", 5000)).is_ok());
    for pattern in [
        "(\\pL{31}){31}".to_owned(),
        "[\\pL\\pN\\pM]{1000}".to_owned(),
        "(?i)[\\pL\\pN\\pM]{1000}".to_owned(),
        "((a{10}){10}){10}".to_owned(),
        "(.*a.{999})".to_owned(),
        "(a?){500}a{500}".to_owned(),
        "(x+x+)+y".to_owned(),
        "\\pL".repeat(30_000),
        "[\\pL]".repeat(20_000),
        "\\p{Buhid}".repeat(10_000),
        format!("[{}]", "\\pL".repeat(30_000)),
        format!("[{}]", ('\u{4e00}'..='\u{9fff}').step_by(2).collect::<String>()),
        format!("[{}", "[:".repeat(60_000)),
        "{".repeat(120_000),
        format!("{}}}", "{".repeat(120_000)),
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
        let work = Work::default();
        let start = Instant::now();
        for text in ["a".repeat(100_000), "x".repeat(100_000)] {
            if let Ok(Ok(regex)) = Regex::computed(&pattern, &work) {
                let _ = regex.is_match(&text, &work);
                let _ = regex.find_all(&text, -1, &work);
            }
        }
        let shown: String = pattern.chars().take(30).collect();
        // Generous: without optimisation, beside other tests.
        assert!(start.elapsed().as_secs() < 5, "{shown}: {:?}", start.elapsed());
    }
}

/// The same answers as the automata of the `regex` crate give for what our parser has read.
fn compare(pattern: &str, text: &str) -> Result<(), TestCaseError> {
    let Ok((expression, _)) = parse::parse(pattern) else { return Ok(()) };
    let Ok(theirs) = meta::Builder::new().build_from_hir(&expression) else { return Ok(()) };
    let Ok(ours) = Regex::new(pattern) else { return Ok(()) };
    let work = Work::default();
    let all: Vec<_> = theirs.find_iter(text).map(|found| text.get(found.range()).unwrap()).collect();
    prop_assert_eq!(ours.is_match(text, &work), Ok(!all.is_empty()), "{} {}", pattern, text);
    prop_assert_eq!(
        ours.0.search(text, 0, true, &mut Memory::default(), &work).unwrap().is_some(),
        !all.is_empty()
    );
    prop_assert_eq!(ours.find_all(text, -1, &work), Ok(all), "{} {}", pattern, text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn agrees_with_another_engine(
        any in ".{0,20}",
        near in "[a-c(|)*+?{}\\[\\]\\\\^$.,\\-0-9:pPdDwsQEbBxiU<>]{0,24}",
        well_formed in "\\^?((a|b|ab|[ab]|[^a]|\\.|\\\\b|\\\\w|é|[^é]|\\^|\\$|\\(\\|a\\)|\\(a\\|ab\\)|\\(a\\*\\|b\\)|\\(\\(a\\|b\\)\\?c\\))(\\*|\\+|\\?|\\*\\?|\\+\\?|\\?\\?|\\{0,2\\}|\\{2,\\}|\\{1,3\\}\\?)?\\|?){0,4}\\$?",
        text in "[abcé \n]{0,12}",
    ) {
        for pattern in [any, near, format!("(?m){well_formed}"), format!("(?i){well_formed}"), well_formed] {
            compare(&pattern, &text)?;
        }
    }

    /// Where both syntaxes mean the same, the answers are those of the `regex` crate's own parser.
    #[test]
    fn agrees_on_the_common_syntax(pattern in "(\\^|\\(\\?i\\))?([a-cA-C.]|\\[[a-cA-C]{1,3}\\]|\\([ab](\\|[bc])?\\))([*+?]|\\{1,2\\})?(\\|[ab]c?)?\\$?", text in "[a-dA-D\n]{0,8}") {
        let ours = Regex::new(&pattern).unwrap();
        let theirs = meta::Regex::new(&pattern).unwrap();
        let all: Vec<_> = theirs.find_iter(&text).map(|found| text.get(found.range()).unwrap()).collect();
        prop_assert_eq!(ours.find_all(&text, -1, &Work::default()), Ok(all));
    }
}
