//! Where the two differ, and who is right by what cel-go does, which is what kube-apiserver runs.
//!
//! A class is as narrow as can be told from the expression and the two outcomes: what falls into none fails the
//! run.

use serde_json::Value as Json;

use crate::outcome::Outcome;

/// A kind of difference.
pub struct Class {
    /// In a few words, for the table at the end of a run.
    pub what: &'static str,
    /// Whether an expression with these outcomes, ours and theirs, belongs to it.
    belongs: fn(&str, &Outcome, &Outcome) -> bool,
}

static CLASSES: [Class; 12] = [
    // kube-apiserver switches constant folding on: `true || int('x') == 1` refuses the configuration, whatever
    // the left side says. Theirs meets the conversion only when it runs, and may not come that far.
    Class {
        what: "ours, as cel-go, refuses a constant conversion without a value before anything runs",
        belongs: |_, ours, theirs| ours.says("constant: ") && !theirs.is_error(),
    },
    // cel-go replaces membership in an empty list literal by false when it plans, so that the left side is never
    // evaluated, not even to fail.
    Class {
        what: "ours, as cel-go, does not evaluate what is asked to be in `[]`",
        belongs: |text, ours, theirs| text.contains(" in [])") && !ours.is_error() && theirs.is_error(),
    },
    // cel-go sets one entry after the other, the last one wins. The specification asks for an error.
    Class {
        what: "ours, as cel-go, takes the last of several entries with one key; theirs has an error, as the specification",
        belongs: |text, _, theirs| {
            theirs.says("Failed with repeated key") || theirs.is_error() && repeats_key(text)
        },
    },
    // cel-go writes doubles by strconv with the format 'g': 1e+308, +Inf. Theirs is Rust's: all digits, inf.
    Class {
        what: "ours, as cel-go, writes doubles as Go does",
        belongs: |text, _, _| text.contains("string(") && has_double(text),
    },
    // cel-go asks the time in UTC for its parts. Theirs asks in the offset that the text had.
    Class {
        what: "ours, as cel-go, takes the parts of a timestamp in UTC, whatever offset it was written with",
        belongs: |text, _, _| text.contains("+02:00") && text.contains(".get"),
    },
    // cel-go looks any value up in a map; what can be no key is not in it.
    Class {
        what: "ours, as cel-go, finds nothing where theirs has no overload of `in` for a map",
        belongs: |text, ours, theirs| {
            text.contains("dyn(") && text.contains(" in ") && !ours.is_error() && theirs.is_error()
        },
    },
    // cel-go's maps take any value that Go can hash as a key, by identity if it is a list or map.
    Class {
        what: "ours, as cel-go, takes keys of any type in a map",
        belongs: |text, ours, theirs| text.contains("{dyn(") && !ours.is_error() && theirs.is_error(),
    },
    // RE2's Perl classes are ASCII; those of the regex crate are Unicode's.
    Class {
        what: "ours, as cel-go, means ASCII by `\\w` and `\\d`",
        belongs: |text, _, _| text.contains("matches('^\\\\w*$')") || text.contains("matches('\\\\d')"),
    },
    // cel-go's timestamps span the years 1 to 9999 in UTC and its durations 64 bits of nanoseconds; theirs are
    // chrono's, which are checked at other places.
    Class {
        what: "ours, as cel-go, ends durations and timestamps where Go's do",
        belongs: |text, ours, theirs| {
            text.contains("timestamp(")
                && (ours.says("overflow") && !theirs.is_error()
                    || theirs.says("Overflow from binary operator"))
        },
    },
    // cel-go negates by trait, which durations have, and has a conversion of durations to ints.
    Class {
        what: "ours, as cel-go, negates durations and makes ints of them",
        belongs: |text, ours, theirs| {
            let negated = text.contains("-(dyn(") || theirs.says("found no matching overload for '-_'");
            (negated || text.contains("int(dyn(")) && !ours.is_error() && theirs.is_error()
        },
    },
    // cel-go adds lists to lists only.
    Class {
        what: "ours, as cel-go, has an error where theirs adds the keys of a map to a list",
        belongs: |text, ours, _| {
            ours.says("no such overload") && text.contains(" + ") && text.contains("dyn(")
        },
    },
    Class {
        what: "a map has no order to be walked in",
        belongs: |_, ours, theirs| match (ours, theirs) {
            (Outcome::Value(ours), Outcome::Value(theirs)) => in_any_order(ours) == in_any_order(theirs),
            _ => false,
        },
    },
];

/// Whether a map literal has two keys that are written alike.
fn repeats_key(text: &str) -> bool {
    text.match_indices('{').any(|(start, _)| {
        let (mut depth, mut keys, mut key) = (0_u32, Vec::new(), String::new());
        let mut in_key = true;
        for c in text[start + 1..].chars() {
            match c {
                '}' if depth == 0 => break,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                ':' if depth == 0 && in_key => {
                    keys.push(std::mem::take(&mut key));
                    in_key = false;
                    continue;
                }
                ',' if depth == 0 => {
                    in_key = true;
                    key.clear();
                    continue;
                }
                _ => {}
            }
            if in_key && c != ' ' {
                key.push(c);
            }
        }
        keys.iter().enumerate().any(|(at, key)| keys[..at].contains(key))
    })
}

/// Lists within it sorted.
fn in_any_order(value: &Json) -> Json {
    match value {
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(in_any_order).collect();
            items.sort_by_cached_key(Json::to_string);
            Json::Array(items)
        }
        Json::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), in_any_order(field))).collect()
        }
        other => other.clone(),
    }
}

fn has_double(text: &str) -> bool {
    ["e308", "e-320", ".0", ".25", "1.5", "claims.f", "claims.n", "double("]
        .iter()
        .any(|part| text.contains(part))
}

/// The first class that the difference belongs to.
pub fn explained(text: &str, ours: &Outcome, theirs: &Outcome) -> Option<&'static Class> {
    CLASSES.iter().find(|class| (class.belongs)(text, ours, theirs))
}
