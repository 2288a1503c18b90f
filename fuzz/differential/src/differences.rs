//! Where the two differ, and who is right by what cel-go does, which is what kube-apiserver runs.
//!
//! Most classes are held to more than the look of an expression: it is written otherwise for the other
//! implementation, so that it has to do what cel-go does, and then the outcome must be ours. What falls into no
//! class fails the run.

use serde_json::Value as Json;

use crate::{
    outcome::{Outcome, World},
    term::Term,
};

/// A kind of difference.
pub struct Class {
    /// In a few words, for the table at the end of a run.
    pub what: &'static str,
    test: Test,
}

#[derive(Clone, Copy)]
enum Test {
    /// How a part is written so that theirs does as cel-go does; then it must come to the same as ours.
    Amended(fn(&Term) -> Option<String>),
    /// Whether an expression with these outcomes, ours and theirs, belongs to it.
    Belongs(fn(&World, &Term, &Outcome, &Outcome) -> bool),
}

use Test::{Amended, Belongs};

static CLASSES: [Class; 14] = [
    // cel-go replaces membership in an empty list literal by false when it plans, so that the left side is never
    // evaluated, not even to fail.
    Class {
        what: "ours, as cel-go, does not evaluate what is asked to be in `[]`",
        test: Amended(|term| {
            (term.form == "($0 in $1)" && term.parts[1].form == "[]").then(|| "false".to_owned())
        }),
    },
    // cel-go sets one entry after the other, the last one wins. The specification asks for an error.
    Class {
        what: "ours, as cel-go, takes the last of several entries with one key; theirs has an error, as the specification",
        test: Amended(last_entries),
    },
    // cel-go writes doubles by strconv with the format 'g': 1e+308, +Inf. Theirs is Rust's: all digits, inf.
    Class {
        what: "ours, as cel-go, writes doubles as Go does",
        test: Amended(|term| {
            (term.form == "string($0)").then(|| "(is_double($0) ? go_string($0) : string($0))".to_owned())
        }),
    },
    // cel-go asks the time in UTC for its parts. Theirs asks in the offset that the text had.
    Class {
        what: "ours, as cel-go, takes the parts of a timestamp in UTC, whatever offset it was written with",
        test: Amended(|term| {
            (term.form == "timestamp('2026-01-02T03:04:05.123456789+02:00')")
                .then(|| "timestamp('2026-01-02T01:04:05.123456789Z')".to_owned())
        }),
    },
    // cel-go looks any value up in a map; what can be no key is not in it.
    Class {
        what: "ours, as cel-go, finds nothing where theirs has no overload of `in` for a map",
        test: Amended(|term| {
            (term.form == "($0 in $1)").then(|| "(is_map($1) && !is_key($0) ? false : ($0 in $1))".to_owned())
        }),
    },
    // RE2's Perl classes are ASCII; those of the regex crate are Unicode's.
    Class {
        what: "ours, as cel-go, means ASCII by `\\w` and `\\d`",
        test: Amended(|term| match &*term.form {
            "'^\\\\w*$'" => Some("'^[0-9A-Za-z_]*$'".to_owned()),
            "'\\\\d'" => Some("'[0-9]'".to_owned()),
            _ => None,
        }),
    },
    // cel-go negates by trait, which durations have, and has a conversion of durations to ints.
    Class {
        what: "ours, as cel-go, negates durations and makes ints of them",
        test: Amended(|term| match &*term.form {
            "-($0)" => Some("(is_duration($0) ? duration('0') - $0 : -($0))".to_owned()),
            "int($0)" => Some("(is_duration($0) ? nanoseconds($0) : int($0))".to_owned()),
            _ => None,
        }),
    },
    // cel-go adds lists to lists only.
    Class {
        what: "ours, as cel-go, has an error where theirs adds the keys of a map to a list",
        test: Amended(|term| {
            (term.form == "($0 + $1)").then(|| "(is_map($1) ? 1 / 0 : ($0 + $1))".to_owned())
        }),
    },
    Class { what: "several of these at once", test: Amended(any_amendment) },
    // kube-apiserver switches constant folding on: `true || int('x') == 1` refuses the configuration, whatever
    // the left side says. Theirs meets the conversion only when it runs, and may not come that far. Alone, it
    // has to fail there too.
    Class {
        what: "ours, as cel-go, refuses a constant conversion without a value before anything runs",
        test: Belongs(|world, term, ours, theirs| {
            ours.says("constant: ")
                && !theirs.is_error()
                && term.any(&|part| {
                    ["int($0)", "uint($0)", "double($0)", "string($0)", "bytes($0)"].contains(&&*part.form)
                        && world.theirs(&part.changed(&any_amendment)).is_error()
                })
        }),
    },
    // cel-go's maps take any value that Go can hash as a key, by identity if it is a list or map.
    Class {
        what: "ours, as cel-go, takes keys of any type in a map",
        test: Belongs(|world, term, ours, theirs| {
            !ours.is_error()
                && theirs.is_error()
                && term.any(&|part| {
                    part.keys().unwrap_or_default().iter().any(|key| {
                        // With a variable of a loop it has no value of its own.
                        world.ours(&key.text()).map_or(key.text().contains("dyn("), |key| !key.is_key())
                    })
                })
        }),
    },
    // `(['a'] + dyn([1])).map(v, string(v))`: v is a string to the checker, so cel-go's plan calls the conversion of
    // strings, which finds an int. With `dyn` around it there is nothing to choose before it runs.
    Class {
        what: "ours, as cel-go, calls the overload that the checker chose; theirs chooses when it runs",
        test: Belongs(|world, term, ours, theirs| {
            let undecided = term.changed(&|part| {
                ["int($0)", "uint($0)", "double($0)", "string($0)", "bytes($0)", "size($0)"]
                    .contains(&&*part.form)
                    .then(|| part.form.replace("$0", "dyn($0)"))
            });
            ours.says("no such overload") && world.ours(&undecided).is_some_and(|ours| ours.alike(theirs))
        }),
    },
    // cel-go's timestamps span the years 1 to 9999 in UTC and its durations 64 bits of nanoseconds; theirs are
    // chrono's, which are checked at other places.
    Class {
        what: "ours, as cel-go, ends durations and timestamps where Go's do",
        test: Belongs(|_, term, ours, theirs| {
            term.any(&|part| {
                part.form.starts_with("timestamp('0001") || part.form.starts_with("timestamp('9999")
            }) && ((ours.says("timestamp overflow") || ours.says("duration overflow")) && !theirs.is_error()
                || theirs.says("Overflow from binary operator"))
        }),
    },
    // Only a value of unknown type can bring a map where the expressions walk a list.
    Class {
        what: "a map has no order to be walked in",
        test: Belongs(|_, term, ours, theirs| match (ours, theirs) {
            (Outcome::Value(ours), Outcome::Value(theirs)) => {
                term.any(&|part| part.form == "dyn($0)")
                    && term.any(&|part| part.form.starts_with('{'))
                    && in_any_order(ours) == in_any_order(theirs)
            }
            _ => false,
        }),
    },
];

/// A map without the entries that a later one replaces, which theirs finds out itself: a key may depend on a loop.
fn last_entries(term: &Term) -> Option<String> {
    fn from(at: usize, count: usize, kept: &[String]) -> String {
        if at == count {
            return format!("{{{}}}", kept.join(", "));
        }
        let mut with = kept.to_vec();
        with.push(format!("${}: ${}", 2 * at, 2 * at + 1));
        let kept_on = from(at + 1, count, &with);
        let replaced: Vec<_> =
            (at + 1..count).map(|later| format!("${} == ${}", 2 * at, 2 * later)).collect();
        if replaced.is_empty() {
            return kept_on;
        }
        format!("({} ? {} : {kept_on})", replaced.join(" || "), from(at + 1, count, kept))
    }
    let count = term.keys()?.len();
    (count > 1).then(|| from(0, count, &[]))
}

/// All of the amendments, but the one that is all.
fn any_amendment(term: &Term) -> Option<String> {
    CLASSES.iter().take_while(|class| class.what != "several of these at once").find_map(|class| match class
        .test
    {
        Amended(change) => change(term),
        Belongs(_) => None,
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

/// The first class that the difference belongs to.
pub fn explained(world: &World, term: &Term, ours: &Outcome, theirs: &Outcome) -> Option<&'static Class> {
    let text = term.text();
    CLASSES.iter().find(|class| match class.test {
        Amended(change) => {
            let amended = term.changed(&change);
            amended != text && world.theirs(&amended).alike(ours)
        }
        Belongs(belongs) => belongs(world, term, ours, theirs),
    })
}
