use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
struct Limits {
    kind: String,
    enabled: bool,
    limits: Vec<Limit>,
    labels: BTreeMap<String, String>,
    level: Option<Level>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Limit {
    qps: u32,
    #[serde(default)]
    burst: Option<u32>,
}

#[derive(Debug, Deserialize, PartialEq)]
enum Level {
    Metadata,
    Request,
}

fn decode(text: &str) -> Result<Limits, String> {
    let documents = parse("x.yaml", text.as_bytes()).map_err(|error| error.to_string())?;
    documents.first().unwrap().decode().map_err(|error| error.to_string())
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    assert_eq!(decode(text).unwrap_err(), expected);
}

#[test]
fn decodes_what_fits() {
    let limits = decode(
        "kind: Limits\nenabled: yes\nlimits:\n- {qps: 5, burst: null}\n- qps: 0x10\nlabels: {a.b/c: \"1\"}\nlevel: Request\n",
    );
    let expected = Limits {
        kind: "Limits".into(),
        enabled: true,
        limits: vec![Limit { qps: 5, burst: None }, Limit { qps: 16, burst: None }],
        labels: BTreeMap::from([("a.b/c".into(), "1".into())]),
        level: Some(Level::Request),
    };
    assert_eq!(limits, Ok(expected));
    let octal = decode("enabled: y\nlimits: [{qps: 010}, {qps: 0o10}, {qps: 1_000}]\n").unwrap();
    assert!(octal.enabled);
    assert_eq!(octal.limits.iter().map(|limit| limit.qps).collect::<Vec<_>>(), [8, 8, 1000]);
    assert_eq!(decode("kind:\nlimits: null\nlabels: ~\n"), Ok(Limits::default()));
}

#[test]
fn says_file_line_and_path() {
    check_error(
        "kind: x\nlimits:\n- qps: 1\n- qps: -1\n",
        "x.yaml:4: limits[1].qps: invalid value: integer `-1`, expected u32",
    );
    check_error("kind: x\nlimits:\n  - qps: 1\n    qqps: 2\n", "x.yaml:4: limits[0].qqps: unknown field");
    check_error("limits:\n- burst: 1\n", "x.yaml:2: limits[0]: missing field `qps`");
    check_error(
        "labels:\n  a: b\n  c: 3\n",
        "x.yaml:3: labels.c: invalid type: integer `3`, expected a string",
    );
    check_error("a: 1\n", "x.yaml:1: a: unknown field");
    check_error(
        "kind: x\nlevel: None\n",
        "x.yaml:2: level: unknown variant `None`, expected `Metadata` or `Request`",
    );
    check_error("- a\n", "x.yaml:1: invalid type: sequence, expected struct Limits");
}

#[test]
fn a_key_stands_once() {
    let error = decode("kind: a\nenabled: true\nkind: b\n").unwrap_err();
    assert!(error.starts_with("x.yaml:3: "), "{error}");
    assert!(error.contains("duplicate") && error.contains("kind"), "{error}");
}

#[test]
fn syntax_errors_have_a_line() {
    let error = decode("kind: a\nlimits: [1\nx: }\n").unwrap_err();
    assert!(error.starts_with("x.yaml:3: ") || error.starts_with("x.yaml:2: "), "{error}");
    assert!(!error.contains('\n'), "one line: {error}");
}

#[test]
fn documents_keep_their_lines() {
    let documents =
        parse("x.yaml", b"# nothing\n---\nkind: a\n---\n---\nkind: b\nlimits:\n- qps: 1\n").unwrap();
    assert_eq!(documents.len(), 2);
    let second = documents.last().unwrap();
    assert_eq!(
        second.error("limits[0].qps", "must be more").to_string(),
        "x.yaml:8: limits[0].qps: must be more"
    );
    assert_eq!(second.error("limits[7].qps", "no").line, second.error("limits", "no").line);
}

#[test]
fn json_is_yaml() {
    assert_eq!(
        decode("{\n\t\"kind\": \"a\\/b\",\n\t\"limits\": [\n\t\t{\"qps\": 1}\n\t]\n}\n").unwrap().kind,
        "a/b"
    );
}
