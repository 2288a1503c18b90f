//! A Status as YAML, laid out as sigs.k8s.io/yaml does: keys sorted, texts plain where that is safe,
//! else in single quotes and folded after column 80.

use serde_json::Value;

/// Where the writer of kube-apiserver begins to look for a space to break at.
const BEST_WIDTH: usize = 80;

/// Appends `value` at this depth; the caller has written the key.
pub(super) fn write(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if members.is_empty() => out.push_str(" {}\n"),
        Value::Object(members) => {
            if depth > 0 {
                out.push('\n');
            }
            // `serde_json::Map` is sorted by key.
            for (key, value) in members {
                indent(out, depth);
                out.push_str(key);
                out.push(':');
                write(out, value, depth + 1);
            }
        }
        Value::Array(items) if items.is_empty() => out.push_str(" []\n"),
        Value::Array(items) => {
            out.push('\n');
            for item in items {
                indent(out, depth.saturating_sub(1));
                out.push('-');
                let mut inner = String::new();
                write(&mut inner, item, depth);
                // The first member of an object stands beside the dash.
                out.push(' ');
                out.push_str(inner.trim_start());
            }
        }
        Value::String(text) => {
            out.push(' ');
            let column = out.len() - out.rfind('\n').map_or(0, |at| at + 1);
            scalar(out, text, depth, column);
            out.push('\n');
        }
        other => {
            out.push(' ');
            out.push_str(&other.to_string());
            out.push('\n');
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(out: &mut String, text: &str, depth: usize, column: usize) {
    if text.chars().any(char::is_control) || would_not_be_text(text) {
        // Rare: a JSON string is a YAML double-quoted one.
        out.push_str(&Value::from(text).to_string());
    } else if is_plain(text) {
        fold(out, text, depth, column);
    } else {
        out.push('\'');
        fold(out, &text.replace('\'', "''"), depth, column + 1);
        out.push('\'');
    }
}

/// Whether a reader would take the text, written without quotes, for something else.
fn would_not_be_text(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().as_str(),
        "" | "~" | "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | ".inf" | ".nan"
    ) || text.parse::<f64>().is_ok()
}

/// Whether the text needs no quotes.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(|c| c.is_alphanumeric() || " -_./:()=+@%,\"'<>*&!?;~$#{}[]|`^\\".contains(c))
}

/// Writes words, and breaks the line at the first single space after [`BEST_WIDTH`].
fn fold(out: &mut String, text: &str, depth: usize, mut column: usize) {
    let characters: Vec<char> = text.chars().collect();
    let mut after_space = false;
    for (at, &character) in characters.iter().enumerate() {
        let next = characters.get(at + 1);
        if character == ' ' {
            let inside = at > 0 && next.is_some();
            if !after_space && column > BEST_WIDTH && inside && next != Some(&' ') {
                out.push('\n');
                indent(out, depth.max(1));
                column = depth.max(1) * 2;
            } else {
                out.push(' ');
                column += 1;
            }
            after_space = true;
        } else {
            out.push(character);
            column += 1;
            after_space = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Cause, Status, StatusDetails, StatusReason};

    #[test]
    fn folds_and_quotes_as_kube_apiserver() {
        let status = Status::failure(
            403,
            StatusReason::Forbidden,
            "secrets is forbidden: User \"bob\" cannot list resource \"secrets\" in API group \"\" in the namespace \"prod\"",
        )
        .with_details(StatusDetails { kind: "secrets".into(), ..StatusDetails::default() });
        assert_eq!(
            status.to_yaml(),
            "apiVersion: v1\ncode: 403\ndetails:\n  kind: secrets\nkind: Status\n\
             message: 'secrets is forbidden: User \"bob\" cannot list resource \"secrets\" in API group\n\
             \x20 \"\" in the namespace \"prod\"'\nmetadata: {}\nreason: Forbidden\nstatus: Failure\n"
        );
        assert_eq!(
            Status::unauthorized().to_yaml(),
            "apiVersion: v1\ncode: 401\nkind: Status\nmessage: Unauthorized\nmetadata: {}\n\
             reason: Unauthorized\nstatus: Failure\n"
        );
    }

    #[test]
    fn lists_stand_beside_their_dash() {
        let cause = Cause { reason: "FieldValueInvalid".into(), message: "no".into(), field: "spec".into() };
        let status = Status::failure(422, StatusReason::Invalid, "it's wrong")
            .with_details(StatusDetails { causes: vec![cause], ..StatusDetails::default() });
        assert_eq!(
            status.to_yaml(),
            "apiVersion: v1\ncode: 422\ndetails:\n  causes:\n  - field: spec\n    message: \"no\"\n\
             \x20   reason: FieldValueInvalid\nkind: Status\nmessage: it's wrong\nmetadata: {}\nreason: Invalid\n\
             status: Failure\n"
        );
    }
}
