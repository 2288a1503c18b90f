//! A Rust file as tokens: comments and the inside of strings cannot break a rule.

use std::{iter::Peekable, ops::RangeInclusive};

use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};

/// A word or a sign of a source file. What stands in a literal is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// An identifier, a keyword, a bracket or one character of punctuation; empty for a literal.
    pub text: String,
    /// Counted from 1.
    pub line: usize,
}

/// A Rust file.
#[derive(Debug)]
pub struct Source {
    /// All of it.
    pub tokens: Vec<Token>,
    /// Without what is compiled for tests only.
    pub shipped: Vec<Token>,
    /// Lines that are not part of a test.
    pub shipped_lines: usize,
    /// Modules declared here, in files of their own, under `#[cfg(test)]`.
    pub test_modules: Vec<String>,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let stream: TokenStream = text
            .parse()
            .map_err(|e: proc_macro2::LexError| format!("line {}: not Rust: {e}", e.span().start().line))?;
        let mut reader = Reader::default();
        reader.read(stream.clone(), false);
        let in_tests: usize = reader.test_lines.iter().map(|lines| lines.end() + 1 - lines.start()).sum();
        let mut source = Self {
            tokens: reader.tokens,
            shipped: reader.shipped,
            shipped_lines: text.lines().count().saturating_sub(in_tests),
            test_modules: reader.test_modules,
        };
        if is_all_test(stream) {
            source.make_test();
        }
        Ok(source)
    }

    /// Nothing of this file is shipped.
    pub(crate) fn make_test(&mut self) {
        self.shipped.clear();
        self.shipped_lines = 0;
    }
}

#[derive(Default)]
struct Reader {
    tokens: Vec<Token>,
    shipped: Vec<Token>,
    test_lines: Vec<RangeInclusive<usize>>,
    test_modules: Vec<String>,
}

impl Reader {
    fn read(&mut self, stream: TokenStream, in_test: bool) {
        let mut trees = stream.into_iter().peekable();
        while let Some(tree) = trees.next() {
            if !in_test && is_sign(&tree, '#') && trees.peek().is_some_and(is_test_attribute) {
                self.read_test_item(tree, &mut trees);
            } else {
                self.push(tree, in_test);
            }
        }
    }

    /// From `#` to the end of the item: a semicolon, or the first braces.
    fn read_test_item(&mut self, sign: TokenTree, trees: &mut Peekable<token_stream::IntoIter>) {
        let start = sign.span().start().line;
        let mut end = start;
        let mut words: Vec<String> = Vec::new();
        self.push(sign, true);
        for tree in trees.by_ref() {
            end = tree.span().end().line;
            let ends = is_sign(&tree, ';')
                || matches!(&tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
            words.push(if is_sign(&tree, ';') { ";".to_owned() } else { word(&tree) });
            self.push(tree, true);
            if ends {
                break;
            }
        }
        self.test_lines.push(start..=end);
        if let Some(at) = words.iter().position(|word| word == "mod")
            && let (Some(name), Some(";")) = (words.get(at + 1), words.get(at + 2).map(String::as_str))
        {
            self.test_modules.push(name.clone());
        }
    }

    fn push(&mut self, tree: TokenTree, in_test: bool) {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                self.note(open.to_owned(), line, in_test);
                self.read(group.stream(), in_test);
                self.note(close.to_owned(), group.span_close().end().line, in_test);
            }
            tree => self.note(word(&tree), line, in_test),
        }
    }

    fn note(&mut self, text: String, line: usize, in_test: bool) {
        let token = Token { text, line };
        if !in_test {
            self.shipped.push(token.clone());
        }
        self.tokens.push(token);
    }
}

fn word(tree: &TokenTree) -> String {
    match tree {
        TokenTree::Ident(ident) => ident.to_string(),
        TokenTree::Punct(punct) => punct.as_char().to_string(),
        TokenTree::Literal(_) | TokenTree::Group(_) => String::new(),
    }
}

fn is_sign(tree: &TokenTree, sign: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// `[cfg(test)]`, `[cfg(all(test, …))]`, `[test]`; not `[cfg(not(test))]`.
fn is_test_attribute(tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else { return false };
    let mut reader = Reader::default();
    reader.read(group.stream(), true);
    let words: Vec<&str> = reader.tokens.iter().map(|token| token.text.as_str()).collect();
    group.delimiter() == Delimiter::Bracket
        && (words == ["test"]
            || words.first() == Some(&"cfg") && words.contains(&"test") && !words.contains(&"not"))
}

/// Whether the file begins with `#![cfg(test)]`.
fn is_all_test(stream: TokenStream) -> bool {
    let mut trees = stream.into_iter();
    let (first, second, third) = (trees.next(), trees.next(), trees.next());
    first.is_some_and(|t| is_sign(&t, '#'))
        && second.is_some_and(|t| is_sign(&t, '!'))
        && third.is_some_and(|t| is_test_attribute(&t))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(text: &str) -> (String, usize) {
        let source = Source::parse(text).unwrap();
        let words: Vec<_> =
            source.shipped.iter().map(|t| t.text.as_str()).filter(|t| !t.is_empty()).collect();
        (words.join(" "), source.shipped_lines)
    }

    #[test]
    fn tells_tests_from_what_is_shipped() {
        let check = |text: &str, words: &str, lines: usize| {
            assert_eq!(shipped(text), (words.to_owned(), lines), "{text}");
        };
        check("use a;\n#[cfg(test)]\nmod tests {\n use b;\n}\n", "use a ;", 1);
        check("#[cfg(test)]\nuse b;\nuse a;\n", "use a ;", 1);
        check("#[cfg(not(test))]\nuse a;", "# [ cfg ( not ( test ) ) ] use a ;", 2);
        check("#![cfg(test)]\nuse b;", "", 0);
        check("mod m { #[test] fn f() {} }", "mod m { }", 0);
        check("// tokio\n/* rand */ let a = \"std::fs\";", "let a = ;", 2);
    }

    #[test]
    fn remembers_test_modules_in_files_of_their_own() {
        let source = Source::parse("#[cfg(test)]\nmod a;\n#[cfg(test)]\nmod b {}\nmod c;").unwrap();
        assert_eq!(source.test_modules, ["a"]);
    }

    #[test]
    fn says_where_a_file_is_no_rust() {
        assert_eq!(Source::parse("fn f() {\n\"").unwrap_err().split(':').next(), Some("line 2"));
    }
}
