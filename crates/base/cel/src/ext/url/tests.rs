use proptest::prelude::*;

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn parts() {
    // scheme, host, hostname, port, path
    let check = |text: &str, expected: [&str; 5]| {
        let url = url(text);
        let got = [url.scheme.clone(), url.host(), url.hostname(), url.port(), url.escaped_path()];
        assert_eq!(got, expected, "{text}");
    };
    check(
        "https://user@a.example:8443/p/q?x=1&x=2&y=#f",
        ["https", "a.example:8443", "a.example", "8443", "/p/q"],
    );
    check("HTTPS://A.example", ["https", "A.example", "A.example", "", ""]);
    check("https://[::1]:80/p", ["https", "[::1]:80", "::1", "80", "/p"]);
    check("https://[fe80::1%25en0]", ["https", "[fe80::1%en0]", "fe80::1%en0", "", ""]);
    check("https://a.example/p%20q", ["https", "a.example", "a.example", "", "/p%20q"]);
    check("https://a.example/p%2fq", ["https", "a.example", "a.example", "", "/p%2fq"]);
    check("https://a.example/é", ["https", "a.example", "a.example", "", "/%C3%A9"]);
    check("https://a.example/[x]!'()*", ["https", "a.example", "a.example", "", "/[x]!'()*"]);
    check("https://a.example:/", ["https", "a.example:", "a.example", "", "/"]);
    check("https://h%C3%A9.example/", ["https", "hé.example", "hé.example", "", "/"]);
    check("/just/a/path", ["", "", "", "", "/just/a/path"]);
    check("//host/path", ["", "host", "host", "", "/path"]);
    check("mailto:a@b", ["mailto", "", "", "", ""]);
    check("file:/etc", ["file", "", "", "", "/etc"]);
    check("file:///etc", ["file", "", "", "", "/etc"]);
    check("*", ["", "", "", "", "*"]);
    check("mongodb://a:1,b:2/db", ["mongodb", "a:1,b:2", "a:1,b", "2", "/db"]);
}

#[test]
fn refused() {
    let check = |text: &str, why: &str| {
        assert_eq!(
            Url::parse(text).unwrap_err().to_string(),
            format!("parse {}: {why}", crate::ext::quote::quote(text))
        );
    };
    check("bad url", "invalid URI for request");
    check("", "empty url");
    check("../rel", "invalid URI for request");
    check(":x", "missing protocol scheme");
    check("https://a.example:80:80/", "invalid port \":80:80\" after host");
    check("https://a.example:x/", "invalid port \":x\" after host");
    check("https://::1/", "invalid port \"::1\" after host");
    check("https://[::1/", "missing ']' in host");
    check("https://[1.2.3.4]/", "invalid IP-literal");
    check("https://[evil]/", "invalid host: ParseAddr(\"evil\"): unable to parse IP");
    check("https://a[::1]/", "invalid IP-literal");
    check("https://a b/", "invalid character \" \" in host name");
    check("https://a%41/", "invalid URL escape \"%41\"");
    check("https://a/%zz", "invalid URL escape \"%zz\"");
    check("https://a/%2", "invalid URL escape \"%2\"");
    check("https://a\n/", "net/url: invalid control character in URL");
    check("https://a#b", "invalid character \"#\" in host name");
    check("https://us er@a/", "net/url: invalid userinfo");
}

#[test]
fn put_together() {
    let check = |text: &str, expected: &str| assert_eq!(url(text).to_string(), expected);
    check("HTTPS://u:p%3A@a.example:1/x?y=z#f%20", "https://u:p%3A@a.example:1/x?y=z#f%20");
    check("https://a.example?", "https://a.example?");
    check("https://a.example/é", "https://a.example/%C3%A9");
    check("https://h%C3%A9.example", "https://h%C3%A9.example");
    check("file:/etc", "file:/etc");
    check("file:///etc", "file:///etc");
    check("mailto:a@b?c", "mailto:a@b?c");
    check("https://[fe80::1%25en0]/", "https://[fe80::1%25en0]/");
    check("*", "*");
    assert_eq!(url("https://a.example"), url("HTTPS://a.example"));
    assert_ne!(url("https://a.example"), url("https://a.example/"));
}

#[test]
fn queries() {
    let check = |query: &str, expected: &[(&str, &[&str])]| {
        let found = url(&format!("/?{query}")).query();
        let found: Vec<(&str, Vec<&str>)> = found
            .iter()
            .map(|(key, values)| (key.as_str(), values.iter().map(String::as_str).collect()))
            .collect();
        let expected: Vec<(&str, Vec<&str>)> =
            expected.iter().map(|(key, values)| (*key, values.to_vec())).collect();
        assert_eq!(found, expected, "{query}");
    };
    check("x=1&x=2&y=", &[("x", &["1", "2"]), ("y", &[""])]);
    check("a+b=c%20d&e", &[("a b", &["c d"]), ("e", &[""])]);
    check("a;b=1&c=%zz&&d=1", &[("d", &["1"])]);
    check("%ff=1", &[("\u{fffd}", &["1"])]);
    assert!(url(&format!("/?{}", "a&".repeat(10_000))).query().is_empty());
}

proptest! {
    #[test]
    fn never_panics(text in ".{0,40}", near in "(https?|x)?:?/{0,3}[a-z@:%\\[\\]0-9.#?&=é]{0,30}") {
        for text in [text, near] {
            if let Ok(url) = Url::parse(&text) {
                let _ = (url.host(), url.hostname(), url.port(), url.query());
                prop_assert_eq!(url.escaped_path(), url.escaped_path());
                let _ = url.to_string();
            }
        }
    }
}
