//! Mistakes that one could make about CEL.

use serde_json::json;

use crate::{outcome::Outcome, term::Term};

/// A mistake, planted by writing expressions for ours so that they come to what an engine that makes it would
/// answer. Theirs reads them as they were.
pub struct Mutant {
    pub what: &'static str,
    /// How a part is written.
    pub change: fn(&Term) -> Option<String>,
    /// What becomes of the outcome.
    pub outcome: fn(Outcome) -> Outcome,
}

/// A mutant that writes each part of the first form in the second one.
macro_rules! mutant {
    ($what:literal, $($from:literal => $to:literal),+) => {
        Mutant {
            what: $what,
            change: |term| match &*term.form {
                $($from => Some($to.to_owned()),)+
                _ => None,
            },
            outcome: |outcome| outcome,
        }
    };
}

pub static ALL: [Mutant; 37] = [
    mutant!("`&&` does not absorb an error at its left", "($0 && $1)" => "($0 ? $1 : false)"),
    mutant!("`&&` does not absorb an error at its right", "($0 && $1)" => "($1 ? $0 : false)"),
    mutant!("`||` does not absorb an error at its left", "($0 || $1)" => "($0 ? true : $1)"),
    mutant!("`||` does not absorb an error at its right", "($0 || $1)" => "($1 ? true : $0)"),
    mutant!("`%` has the sign of the divisor", "($0 % $1)" => "(($0 % $1 + $1) % $1)"),
    mutant!("`/` rounds down",
        "($0 / $1)" => "(type(dyn($0)) == int && dyn($0) % dyn($1) != 0 && (dyn($0) < 0) != (dyn($1) < 0) \
            ? dyn(dyn($0) / dyn($1) - 1) : dyn($0 / $1))"),
    Mutant {
        what: "ints that overflow wrap",
        change: |_| None,
        outcome: |outcome| match outcome {
            Outcome::Error(error) if error == "integer overflow" => {
                Outcome::Value(json!({ "type": "int", "value": i64::MIN.to_string() }))
            }
            other => other,
        },
    },
    Mutant {
        what: "uints that overflow wrap",
        change: |_| None,
        outcome: |outcome| match outcome {
            Outcome::Error(error) if error == "unsigned integer overflow" => {
                Outcome::Value(json!({ "type": "uint", "value": u64::MAX.to_string() }))
            }
            other => other,
        },
    },
    mutant!("`in` looks at the values of a map",
        "($0 in $1)" => "(dyn($1) == dyn([]) ? false : type(dyn($1)) == map ? dyn($1).exists(k, dyn($1)[k] == dyn($0)) : ($0 in $1))"),
    mutant!("null is in every map", "($0 in $1)" => "(type(dyn($0)) == null_type && type(dyn($1)) == map ? true : ($0 in $1))"),
    Mutant {
        what: "everything is in `[]`",
        change: |term| (term.form == "($0 in $1)" && term.parts[1].form == "[]").then(|| "true".to_owned()),
        outcome: |outcome| outcome,
    },
    mutant!("size counts the bytes of a string",
        "size($0)" => "(type(dyn($0)) == string ? size(bytes(string(dyn($0)))) : size($0))"),
    mutant!("strings are ordered the other way round",
        "($0 < $1)" => "(type(dyn($0)) == string ? dyn($1) < dyn($0) : ($0 < $1))",
        "($0 > $1)" => "(type(dyn($0)) == string ? dyn($1) > dyn($0) : ($0 > $1))"),
    mutant!("strings are ordered by their length",
        "($0 < $1)" => "(type(dyn($0)) == string && type(dyn($1)) == string ? size(string(dyn($0))) < size(string(dyn($1))) : ($0 < $1))"),
    mutant!("false is after true", "($0 < $1)" => "(type(dyn($0)) == bool ? dyn($1) < dyn($0) : ($0 < $1))"),
    mutant!("`<=` is `<`", "($0 <= $1)" => "($0 < $1)"),
    mutant!("numbers of different types are never equal",
        "($0 == dyn($1))" => "(type(dyn($0)) == type(dyn($1)) && $0 == dyn($1))"),
    mutant!("NaN equals itself", "($0 == $1)" => "(dyn($0) != dyn($0) || ($0 == $1))"),
    mutant!("`all` is false of nothing", "$0.all($1, $2)" => "(size($0) > 0 && $0.all($1, $2))"),
    mutant!("`exists_one` is `exists`", "$0.exists_one($1, $2)" => "$0.exists($1, $2)"),
    mutant!("`exists` does not absorb errors",
        "$0.exists($1, $2)" => "($0.map($1, $2 ? 1 : 0).exists($1, $1 == 1))"),
    mutant!("`filter` keeps the others", "$0.filter($1, $2)" => "$0.filter($1, !($2))"),
    mutant!("`has` is true of what is not there", "has(claims.none)" => "true"),
    mutant!("`startsWith` is `contains`", "$0.startsWith($1)" => "$0.contains($1)"),
    mutant!("nothing ends with the empty string", "$0.endsWith($1)" => "($0.endsWith($1) && dyn($1) != '')"),
    mutant!("a pattern must match from the start",
        "'b$'" => "'^b$'", "'[a-c]+'" => "'^[a-c]+'", "'é'" => "'^é'"),
    mutant!("strings are joined the other way round",
        "($0 + $1)" => "(type(dyn($0)) == string ? dyn(dyn($1) + dyn($0)) : dyn($0 + $1))"),
    mutant!("a list is joined without its first item",
        "($0 + $1)" => "(type(dyn($0)) == list && dyn($0) != dyn([]) ? dyn(dyn($1) + [dyn($0)[0]]) : dyn($0 + $1))"),
    mutant!("months count from one", "$0.getMonth()" => "($0.getMonth() + 1)"),
    mutant!("weeks start with Monday", "$0.getDayOfWeek()" => "(($0.getDayOfWeek() + 6) % 7)"),
    mutant!("days of a month count from zero", "$0.getDate()" => "$0.getDayOfMonth()"),
    mutant!("an offset counts the other way",
        "timestamp('2026-01-02T03:04:05.123456789+02:00')" => "timestamp('2026-01-02T03:04:05.123456789-02:00')"),
    mutant!("doubles become the nearest int",
        "int($0)" => "(type(dyn($0)) == double ? int(double(dyn($0)) + (dyn($0) < 0 ? -0.5 : 0.5)) : int($0))"),
    mutant!("a negated duration is what it was", "-($0)" => "(type(dyn($0)) == google.protobuf.Duration ? dyn($0) : dyn(-($0)))"),
    mutant!("doubles are written without their fraction",
        "string($0)" => "(type(dyn($0)) == double && dyn($0) > -100.0 && dyn($0) < 100.0 ? string(int(double(dyn($0)))) : string($0))"),
    Mutant {
        what: "the first of several entries with one key counts",
        change: |term| {
            let keys = term.keys()?;
            let written = |at: usize| keys[at].text();
            let kept: Vec<_> = (0..keys.len())
                .filter(|&at| !(0..at).any(|earlier| written(earlier) == written(at)))
                .map(|at| format!("${}: ${}", 2 * at, 2 * at + 1))
                .collect();
            Some(format!("{{{}}}", kept.join(", ")))
        },
        outcome: |outcome| outcome,
    },
    mutant!("the keys of a map in a list are dropped",
        "($0 + $1)" => "(type(dyn($0)) == list && type(dyn($1)) == map ? dyn($0) : dyn($0 + $1))"),
];
