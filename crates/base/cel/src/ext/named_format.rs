//! The `format` library: names of Kubernetes' text formats, and what is wrong with a text by them.

use std::{any::Any, fmt};

use types::dns_name;

use super::{Library, argument, url};
use crate::{EvalError, Opaque, Type, Value};

const FORMAT: Type = Type::Opaque("kubernetes.NamedFormat");

/// A format and how it is checked.
#[derive(Clone, Copy)]
struct Format {
    /// By which it is asked for.
    name: &'static str,
    /// By which it is shown and compared.
    shown: &'static str,
    /// The length of the regular expression that checking is charged as.
    pattern_length: u64,
    check: fn(&str) -> Vec<String>,
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Format").field(&self.shown).finish()
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // UPSTREAM: a Go struct, between these two with the address of a function (kube-apiserver 1.36)
        write!(f, "{{{} {}}}", self.shown, self.pattern_length)
    }
}

impl Opaque for Format {
    fn type_name(&self) -> &'static str {
        "kubernetes.NamedFormat"
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        Ok(other.as_any().downcast_ref::<Self>().is_some_and(|other| self.shown == other.shown))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

const UUID: &str = "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$";
const DATE_TIME: &str = "^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$";

const FORMATS: [Format; 13] = [
    Format { name: "dns1123Label", shown: "DNS1123Label", pattern_length: 30, check: dns1123_label },
    Format {
        name: "dns1123Subdomain",
        shown: "DNS1123Subdomain",
        pattern_length: 60,
        check: dns1123_subdomain,
    },
    Format { name: "dns1035Label", shown: "DNS1035Label", pattern_length: 30, check: dns1035_label },
    Format { name: "qualifiedName", shown: "QualifiedName", pattern_length: 60, check: qualified_name },
    Format {
        name: "dns1123LabelPrefix",
        shown: "DNS1123LabelPrefix",
        pattern_length: 30,
        check: |text| dns1123_label(&completed(text)),
    },
    Format {
        name: "dns1123SubdomainPrefix",
        shown: "DNS1123SubdomainPrefix",
        pattern_length: 60,
        check: |text| dns1123_subdomain(&completed(text)),
    },
    Format {
        name: "dns1035LabelPrefix",
        shown: "DNS1035LabelPrefix",
        pattern_length: 30,
        check: |text| dns1035_label(&completed(text)),
    },
    Format { name: "labelValue", shown: "LabelValue", pattern_length: 40, check: label_value },
    Format {
        name: "uri",
        shown: "URI",
        pattern_length: 1103,
        check: |text| url::check_request_uri(text).err().map(|error| error.to_string()).into_iter().collect(),
    },
    Format {
        name: "uuid",
        shown: "uuid",
        pattern_length: UUID.len() as u64,
        check: |text| unless(is_uuid(text), "does not match the UUID format"),
    },
    Format {
        name: "byte",
        shown: "byte",
        pattern_length: 84,
        check: |text| unless(is_base64(text), "invalid base64"),
    },
    Format {
        name: "date",
        shown: "date",
        pattern_length: DATE_TIME.len() as u64,
        check: |text| unless(is_date(text), "invalid date"),
    },
    Format {
        name: "datetime",
        shown: "datetime",
        pattern_length: DATE_TIME.len() as u64,
        check: |text| unless(is_date_time(text), "invalid datetime"),
    },
];

/// Declares the library.
pub(super) fn declare(library: &mut Library) {
    library.function("format.named", "format-named", [Type::String], Type::optional(FORMAT), |args| {
        let name = argument(args, 0)?.as_str()?;
        let format = FORMATS.iter().find(|format| format.name == name);
        Ok(format.map_or(Value::Optional(None), |format| Value::some(Value::opaque(*format))))
    });
    let messages = Type::optional(Type::list(Type::String));
    library.method("validate", "format-validate", [FORMAT, Type::String], messages, |args| {
        let format: &Format = argument(args, 0)?.as_opaque()?;
        let messages = (format.check)(argument(args, 1)?.as_str()?);
        Ok(if messages.is_empty() {
            Value::Optional(None)
        } else {
            Value::some(Value::list(messages.into_iter().map(Value::string).collect()))
        })
    });
    macro_rules! constants {
        ($($function:literal at $index:literal),* $(,)?) => {
            $(library.function($function, $function, [], FORMAT, |_| {
                FORMATS.get($index).map(|format| Value::opaque(*format)).ok_or_else(EvalError::no_such_overload)
            });)*
        };
    }
    constants!(
        "format.dns1123Label" at 0,
        "format.dns1123Subdomain" at 1,
        "format.dns1035Label" at 2,
        "format.qualifiedName" at 3,
        "format.dns1123LabelPrefix" at 4,
        "format.dns1123SubdomainPrefix" at 5,
        "format.dns1035LabelPrefix" at 6,
        "format.labelValue" at 7,
        "format.uri" at 8,
        "format.uuid" at 9,
        "format.byte" at 10,
        "format.date" at 11,
        "format.datetime" at 12,
    );
}

/// The length of the regular expression that `validate` on this value is charged as.
pub(crate) fn pattern_length(value: &Value<'_>) -> Option<u64> {
    value.as_opaque::<Format>().ok().map(|format| format.pattern_length)
}

fn unless(valid: bool, message: &str) -> Vec<String> {
    if valid { Vec::new() } else { vec![message.to_owned()] }
}

const KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// [`KEY`]
fn is_key(text: &str) -> bool {
    let edge = |byte: &u8| byte.is_ascii_alphanumeric();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
        && bytes.iter().all(|byte| edge(byte) || b"-_.".contains(byte))
}

fn pattern(message: &str, pattern: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{message} (e.g. {}regex used for validation is '{pattern}')", examples.join(" or "))
}

fn dns1123_label(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, 63, "characters");
    if dns_name::is_label_of_any_length(text) {
        return wrong;
    }
    wrong.push(match dns_name::is_subdomain_of_any_length(text) {
        true => "must not contain dots".to_owned(),
        false => dns_name::LABEL_RULE.to_owned(),
    });
    wrong
}

fn dns1123_subdomain(text: &str) -> Vec<String> {
    subdomain(text, "characters")
}

fn subdomain(text: &str, unit: &str) -> Vec<String> {
    let mut wrong = too_long(text, 253, unit);
    if !dns_name::is_subdomain_of_any_length(text) {
        wrong.push(dns_name::SUBDOMAIN_RULE.to_owned());
    }
    wrong
}

fn dns1035_label(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, 63, "characters");
    if !dns_name::is_label_of_any_length(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        let message = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
        wrong.push(pattern(message, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"]));
    }
    wrong
}

fn qualified_name(text: &str) -> Vec<String> {
    let message = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    let named = |what: &str| format!("{what} {}", pattern(message, KEY, &["MyName", "my.name", "123-abc"]));
    let mut wrong = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => {
            let expected = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("{} {expected}", named("a valid label key"))];
        }
        Some(("", name)) => {
            wrong.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            wrong.extend(
                subdomain(prefix, "bytes").into_iter().map(|message| format!("prefix part {message}")),
            );
            name
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    }
    wrong.extend(too_long(name, 63, "bytes").into_iter().map(|message| format!("name part {message}")));
    if !is_key(name) {
        wrong.push(named("name part"));
    }
    wrong
}

fn label_value(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, 63, "bytes");
    if !text.is_empty() && !is_key(text) {
        let message = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
        wrong.push(pattern(message, &format!("({KEY})?"), &["MyValue", "my_value", "12345"]));
    }
    wrong
}

/// UPSTREAM: two packages check the same rules with different words for the length (kube-apiserver 1.36).
fn too_long(text: &str, limit: usize, unit: &str) -> Vec<String> {
    unless(text.len() <= limit, &format!("must be no more than {limit} {unit}"))
}

/// A name's beginning made a name: something will follow a hyphen at its end.
///
/// UPSTREAM: takes the character before the hyphen away too (kube-apiserver 1.36).
fn completed(text: &str) -> String {
    match text.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            let kept = rest.len() - rest.chars().next_back().map_or(0, char::len_utf8);
            format!("{}a", rest.get(..kept).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// Thirty-two hexadecimal digits of either case, with or without each of the hyphens.
fn is_uuid(text: &str) -> bool {
    let mut rest = text;
    for (i, digits) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let Some((group, after)) = rest.split_at_checked(digits) else { return false };
        if !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

/// The standard alphabet, padded, at least one group.
fn is_base64(text: &str) -> bool {
    let digits = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    !digits.is_empty()
        && text.len().is_multiple_of(4)
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// `2026-01-02`, a day that exists.
fn is_date(text: &str) -> bool {
    let shape = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(i, byte)| if i == 4 || i == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    shape && text.parse::<jiff::civil::Date>().is_ok()
}

/// RFC 3339 in either case, up to 23:59:59, with any character before the decimals.
fn is_date_time(text: &str) -> bool {
    let text = text.to_lowercase();
    let mut parts = text.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else { return false };
    is_date(date) && is_time(time)
}

fn is_time(text: &str) -> bool {
    let Some((clock, rest)) = text.split_at_checked(8) else { return false };
    let two_digits = |text: &str, limit: &str| {
        text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()) && text <= limit
    };
    let fields: Vec<&str> = clock.split(':').collect();
    let clock = matches!(fields.as_slice(), [hours, minutes, seconds]
        if two_digits(hours, "23") && two_digits(minutes, "59") && two_digits(seconds, "59"));
    clock && (is_offset(rest) || is_offset(without_decimals(rest)))
}

/// What follows one character and the digits behind it; UPSTREAM: any character but a line feed will do
/// for the point (kube-apiserver 1.36).
fn without_decimals(text: &str) -> &str {
    let mut chars = text.chars();
    let point = chars.next();
    let decimals = chars.as_str();
    let rest = decimals.trim_start_matches(|c: char| c.is_ascii_digit());
    if point == Some('\n') || rest.len() == decimals.len() { "" } else { rest }
}

fn is_offset(text: &str) -> bool {
    text == "z"
        || text.len() == 6
            && text.bytes().enumerate().all(|(i, byte)| match i {
                0 => matches!(byte, b'+' | b'-'),
                3 => byte == b':',
                _ => byte.is_ascii_digit(),
            })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrong(name: &str, text: &str) -> Vec<String> {
        (FORMATS.iter().find(|format| format.name == name).unwrap().check)(text)
    }

    #[test]
    fn accepted_and_refused() {
        let check = |name: &str, accepted: &[&str], refused: &[&str]| {
            for text in accepted {
                assert_eq!(wrong(name, text), Vec::<String>::new(), "{name} {text}");
            }
            for text in refused {
                assert_ne!(wrong(name, text), Vec::<String>::new(), "{name} {text}");
            }
        };
        check(
            "dns1123Label",
            &["a", "ok-name", "1"],
            &["", "-a", "a-", "A", "a.b", "é", "a\n", &"a".repeat(64)],
        );
        check("dns1123LabelPrefix", &["a-", "a", "ab--"], &["-", "a.", "Aa-"]);
        check("dns1123Subdomain", &["a", "a.b-c.d"], &["", ".", "a..b", "a.-b", "A.b", &"a.".repeat(127)]);
        check("dns1123SubdomainPrefix", &["a.b-"], &["a.-b-"]);
        check("dns1035Label", &["a1", "a-b"], &["1a", "", "a."]);
        check(
            "qualifiedName",
            &["a", "A_b.c", "example.com/a"],
            &["", "/a", "a/", "a/b/c", "A.b/a", "-a", &"a".repeat(64)],
        );
        check("labelValue", &["", "a", "A_b.c"], &["-bad", "a b", &"a".repeat(64)]);
        check("uri", &["https://a", "/path"], &["a b", ""]);
        check(
            "uuid",
            &["123e4567-e89b-12d3-a456-426614174000", "123E4567e89b-12d3a456426614174000"],
            &["x", "", "123e4567--e89b-12d3-a456-426614174000"],
        );
        check("byte", &["YQ==", "YWI=", "YWJj", "YWJjYQ=="], &["", "!!!", "YQ", "YQ=", "Y===", "===="]);
        check(
            "date",
            &["2026-01-31", "2024-02-29", "0000-01-01"],
            &["2026-13-01", "2026-02-29", "2026-1-1", "+026-01-01", "2026-01-011"],
        );
        check(
            "datetime",
            &[
                "2026-01-02T03:04:05Z",
                "2026-01-02t03:04:05.5+02:00",
                "2026-01-02T03:04:05,123z",
                "2026-01-02T03:04:05Ztrue",
            ],
            &[
                "2026-01-02",
                "2026-01-02T24:00:00Z",
                "2026-01-02T03:04:60Z",
                "2026-01-02T03:04:05",
                "2026-01-02T03:04:05.Z",
                "",
            ],
        );
    }

    #[test]
    fn charged_by_its_pattern() {
        let format = FORMATS.iter().find(|format| format.name == "uri").unwrap();
        assert_eq!(pattern_length(&Value::opaque(*format)), Some(1103));
        assert_eq!(pattern_length(&Value::Null), None);
        assert_eq!(format.to_string(), "{URI 1103}");
    }

    #[test]
    fn messages() {
        assert_eq!(wrong("dns1123Label", "a.b"), ["must not contain dots"]);
        assert_eq!(
            wrong("labelValue", "-bad"),
            [
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            ]
        );
        assert_eq!(
            wrong("qualifiedName", "/")[..2],
            ["prefix part must be non-empty", "name part must be non-empty"]
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,24}", near in "[0-9tT:z.+-]{0,30}") {
            for format in FORMATS {
                let _ = ((format.check)(&text), (format.check)(&near));
            }
        }
    }
}
