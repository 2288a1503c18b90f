//! `base`, `layers` and `insight` decide; they do not touch the world. Time, randomness and answers
//! from outside come in as parameters.

use super::{crate_of, violation};
use crate::{House, Token, Violation};

const PURE: [&str; 3] = ["base", "layers", "insight"];

/// Words that do not occur, and what they would bring in.
const WORDS: &[(&str, &str)] = &[
    ("tokio", "async"),
    ("async", "async"),
    ("await", "async"),
    ("hyper", "I/O"),
    ("hyper_util", "I/O"),
    ("h2", "I/O"),
    ("rustls", "I/O"),
    ("tokio_rustls", "I/O"),
    ("kube", "I/O"),
    ("TcpStream", "sockets"),
    ("TcpListener", "sockets"),
    ("UdpSocket", "sockets"),
    ("UnixStream", "sockets"),
    ("UnixListener", "sockets"),
    ("UnixDatagram", "sockets"),
    ("ToSocketAddrs", "sockets"),
    ("socket2", "sockets"),
    ("SystemTime", "a clock"),
    ("Instant", "a clock"),
    ("rand", "randomness"),
    ("getrandom", "randomness"),
    ("fastrand", "randomness"),
    ("SystemRandom", "randomness"),
];

/// Modules of `std` that are not used.
const MODULES: &[(&str, &str)] =
    &[("fs", "the file system"), ("env", "the environment"), ("process", "processes"), ("thread", "threads")];

/// Packages that are not depended on.
const PACKAGES: &[&str] = &[
    "tokio",
    "tokio-rustls",
    "hyper",
    "hyper-util",
    "h2",
    "rustls",
    "kube",
    "socket2",
    "reqwest",
    "rand",
    "getrandom",
    "fastrand",
];

pub(super) fn check(house: &House) -> Vec<Violation> {
    let is_pure = |path: &str| crate_of(path).is_some_and(|(folder, _)| PURE.contains(&folder));
    let mut violations = Vec::new();
    for (path, source) in house.sources().filter(|(path, _)| is_pure(path)) {
        let mut forbid = |line: usize, name: &str, brings: &str| {
            violations.push(violation(path, line, format!("`{name}` brings {brings} into a pure crate")));
        };
        for (index, token) in source.shipped.iter().enumerate() {
            if let Some((word, brings)) = WORDS.iter().find(|(word, _)| *word == token.text) {
                forbid(token.line, word, brings);
            }
            if token.text == "now" && follows_path(&source.shipped, index) {
                forbid(token.line, "::now", "a clock");
            }
        }
        for module in std_modules(&source.shipped) {
            if let Some((name, brings)) = MODULES.iter().find(|(name, _)| *name == module.text) {
                forbid(module.line, &format!("std::{name}"), brings);
            }
        }
    }
    for (path, manifest) in house.manifests().filter(|(path, _)| is_pure(path)) {
        for dependency in
            manifest.dependencies.iter().filter(|d| !d.dev && PACKAGES.contains(&d.name.as_str()))
        {
            let message = format!("a pure crate may not depend on `{}`", dependency.name);
            violations.push(violation(path, dependency.line, message));
        }
    }
    violations
}

fn text_at(tokens: &[Token], index: Option<usize>) -> &str {
    index.and_then(|index| tokens.get(index)).map_or("", |token| token.text.as_str())
}

/// Whether `::` stands before the token.
fn follows_path(tokens: &[Token], index: usize) -> bool {
    text_at(tokens, index.checked_sub(1)) == ":" && text_at(tokens, index.checked_sub(2)) == ":"
}

/// `fs` and `net` of `std::fs` and of `use std::{fs, net::IpAddr}`.
fn std_modules(tokens: &[Token]) -> Vec<&Token> {
    let mut modules = Vec::new();
    for (index, _) in tokens.iter().enumerate().filter(|(_, token)| token.text == "std") {
        if text_at(tokens, Some(index + 1)) != ":" {
            continue;
        }
        let Some(first) = tokens.get(index + 3) else { continue };
        if first.text != "{" {
            modules.push(first);
            continue;
        }
        let mut depth = 0_usize;
        let mut starts = false;
        for token in tokens.iter().skip(index + 3) {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                "," => {}
                _ if starts && depth == 1 => modules.push(token),
                _ => {}
            }
            starts = matches!(token.text.as_str(), "{" | ",");
            if depth == 0 {
                break;
            }
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    #[test]
    fn pure_crates_do_not_touch_the_world() {
        fn check(text: &str, expected: &[&str]) {
            let says = |message: &&str| format!("crates/layers/a/src/lib.rs:1: {message} into a pure crate");
            let expected: Vec<String> = expected.iter().map(says).collect();
            let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
            super::super::testing::check(super::check, &[("crates/layers/a/src/lib.rs", text)], &expected);
            super::super::testing::check(super::check, &[("crates/io/a/src/lib.rs", text)], &[]);
        }
        check("use tokio::sync::Mutex;", &["`tokio` brings async"]);
        check("async fn f() {}", &["`async` brings async"]);
        check("fn f(_: rustls::Error) {}", &["`rustls` brings I/O"]);
        check("use std::net::{IpAddr, TcpStream};", &["`TcpStream` brings sockets"]);
        check("fn f() { std::fs::read(p) }", &["`std::fs` brings the file system"]);
        check("use std::{fmt, fs, net::{IpAddr}};", &["`std::fs` brings the file system"]);
        check(
            "use std::{collections::{BTreeMap, env}, env::{self}};",
            &["`std::env` brings the environment"],
        );
        check("use std::time::Instant;", &["`Instant` brings a clock"]);
        check("let t = Timestamp::now();", &["`::now` brings a clock"]);
        check("use aws_lc_rs::rand;", &["`rand` brings randomness"]);
        // What is pure, or only a test, or only a word.
        check("use std::{net::{IpAddr, SocketAddr}, time::Duration, fmt};", &[]);
        check("fn judge(now: Timestamp) { self.at(now); env!(\"X\"); }", &[]);
        check("#[cfg(test)] mod tests { use tokio::x; fn f() { Timestamp::now(); } }", &[]);
        check("// std::fs\nconst A: &str = \"tokio\";", &[]);
    }

    #[test]
    fn pure_crates_do_not_depend_on_it_either() {
        let manifest =
            "[package]\nname = \"a\"\n[dependencies]\ntokio = \"1\"\n[dev-dependencies]\ntokio = \"1\"\n";
        super::super::testing::check(
            super::check,
            &[("crates/base/a/Cargo.toml", manifest), ("crates/io/b/Cargo.toml", manifest)],
            &["crates/base/a/Cargo.toml:4: a pure crate may not depend on `tokio`"],
        );
    }
}
