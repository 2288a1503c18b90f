//! Expressions of the language that both implementations share, mostly well-typed.

use crate::term::{Term, leaf, list, node};

/// A generator of numbers, the same for the same seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Ints,
    Strings,
    Map,
    Duration,
    Timestamp,
    Null,
}

const KINDS: [Kind; 12] = [
    Kind::Bool,
    Kind::Int,
    Kind::Uint,
    Kind::Double,
    Kind::String,
    Kind::Bytes,
    Kind::Ints,
    Kind::Strings,
    Kind::Map,
    Kind::Duration,
    Kind::Timestamp,
    Kind::Null,
];

const SCALARS: [Kind; 6] = [Kind::Bool, Kind::Int, Kind::Uint, Kind::Double, Kind::String, Kind::Duration];
const ORDERED: [Kind; 7] =
    [Kind::Bool, Kind::Int, Kind::Uint, Kind::Double, Kind::String, Kind::Duration, Kind::Timestamp];

pub fn expression(dice: &mut Dice) -> Term {
    let kind = if dice.roll(3) == 0 { KINDS[dice.roll(KINDS.len())] } else { Kind::Bool };
    Writer { dice, ints: Vec::new(), strings: Vec::new(), next: 0 }.of(kind, 4)
}

struct Writer<'d> {
    dice: &'d mut Dice,
    /// Variables of the loops that one is inside of.
    ints: Vec<String>,
    strings: Vec<String>,
    next: u32,
}

impl Writer<'_> {
    fn of(&mut self, kind: Kind, depth: u32) -> Term {
        // Now and then something of another type, which only shows when it runs.
        if depth > 0 && self.dice.roll(40) == 0 {
            let other = KINDS[self.dice.roll(KINDS.len())];
            return node("dyn($0)", vec![self.of(other, depth - 1)]);
        }
        if depth > 0 && self.dice.roll(14) == 0 {
            let (condition, a, b) =
                (self.of(Kind::Bool, depth - 1), self.of(kind, depth - 1), self.of(kind, depth - 1));
            return node("($0 ? $1 : $2)", vec![condition, a, b]);
        }
        if depth == 0 || self.dice.roll(5) == 0 {
            return self.leaf(kind);
        }
        match kind {
            Kind::Bool => self.bool(depth - 1),
            Kind::Int => self.int(depth - 1),
            Kind::Uint => self.uint(depth - 1),
            Kind::Double => self.double(depth - 1),
            Kind::String => self.string(depth - 1),
            Kind::Bytes => self.bytes(depth - 1),
            Kind::Ints => self.ints(depth - 1),
            Kind::Strings => self.strings(depth - 1),
            Kind::Map => self.map(depth - 1),
            Kind::Duration => self.duration(depth - 1),
            Kind::Timestamp => self.timestamp(depth - 1),
            Kind::Null => leaf("null"),
        }
    }

    fn leaf(&mut self, kind: Kind) -> Term {
        match kind {
            Kind::Int if !self.ints.is_empty() && self.dice.roll(2) == 0 => {
                leaf(&self.ints[self.dice.roll(self.ints.len())])
            }
            Kind::String if !self.strings.is_empty() && self.dice.roll(2) == 0 => {
                leaf(&self.strings[self.dice.roll(self.strings.len())])
            }
            _ => {
                let choices: &[&str] = match kind {
                    Kind::Bool => {
                        &["true", "false", "claims.b", "has(claims.s)", "has(claims.none)", "has(claims.m.a)"]
                    }
                    Kind::Int => &[
                        "0",
                        "1",
                        "-1",
                        "2",
                        "3",
                        "7",
                        "-7",
                        "10",
                        "100",
                        "0x1F",
                        "9223372036854775807",
                        "-9223372036854775808",
                        "4611686018427387904",
                        "9007199254740993",
                    ],
                    Kind::Uint => {
                        &["0u", "1u", "2u", "7u", "18446744073709551615u", "9223372036854775808u", "0xFFu"]
                    }
                    Kind::Double => &[
                        "0.0",
                        "-0.0",
                        "1.0",
                        "1.5",
                        "-2.25",
                        "1e308",
                        "1e-320",
                        "3.0",
                        "9007199254740992.0",
                        "claims.f",
                        "claims.n",
                        "(0.0 / 0.0)",
                        "(1.0 / 0.0)",
                        "9223372036854775808.0",
                    ],
                    Kind::String => &[
                        "''",
                        "'a'",
                        "'ab'",
                        "'b'",
                        "'é☃'",
                        "'🐱a'",
                        "'1'",
                        "'true'",
                        "'abcabc'",
                        "claims.s",
                        "\"q\\\"q\"",
                        "r'\\n'",
                        "'\\n\\t'",
                        "'\\u00e9'",
                        "'A'",
                        "'1.5'",
                        "'-3'",
                        "claims['s']",
                    ],
                    Kind::Bytes => &["b''", "b'a'", "b'ab'", "b'\\xff'", "b'é'"],
                    Kind::Ints => &["[]", "[1]", "[1, 2, 3]", "[3, 1, 2]", "[0, -1]"],
                    Kind::Strings => &["['a']", "['a', 'b']", "['ab', 'é☃', '']", "claims.list"],
                    Kind::Map => &["{'a': 1}", "{'a': 1, 'b': 2}", "{}", "{'': 0}"],
                    Kind::Duration => {
                        &["duration('1s')", "duration('1h30m')", "duration('-1.5s')", "duration('0')"]
                    }
                    Kind::Timestamp => &[
                        "timestamp('2026-01-02T03:04:05Z')",
                        "timestamp('2026-01-02T03:04:05.123456789+02:00')",
                        "timestamp('0001-01-01T00:00:00Z')",
                        "timestamp('9999-12-31T23:59:59Z')",
                    ],
                    Kind::Null => &["null", "claims.nil"],
                };
                leaf(self.dice.pick(choices))
            }
        }
    }

    fn bool(&mut self, depth: u32) -> Term {
        match self.dice.roll(16) {
            0 | 1 => node("($0 && $1)", vec![self.of(Kind::Bool, depth), self.of(Kind::Bool, depth)]),
            2 | 3 => node("($0 || $1)", vec![self.of(Kind::Bool, depth), self.of(Kind::Bool, depth)]),
            4 => node("!$0", vec![self.of(Kind::Bool, depth)]),
            5 | 6 => {
                let kind = KINDS[self.dice.roll(KINDS.len())];
                let operator = self.dice.pick(&["==", "!="]);
                node(format!("($0 {operator} $1)"), vec![self.of(kind, depth), self.of(kind, depth)])
            }
            7 => {
                // Numbers of different types, which may be compared.
                let numbers = [Kind::Int, Kind::Uint, Kind::Double];
                let (a, b) = (numbers[self.dice.roll(3)], numbers[self.dice.roll(3)]);
                let operator = self.dice.pick(&["==", "!=", "<", "<=", ">", ">="]);
                let right = self.of(b, depth);
                node(format!("($0 {operator} dyn($1))"), vec![self.of(a, depth), right])
            }
            8 | 9 => {
                let kind = ORDERED[self.dice.roll(ORDERED.len())];
                let operator = self.dice.pick(&["<", "<=", ">", ">="]);
                node(format!("($0 {operator} $1)"), vec![self.of(kind, depth), self.of(kind, depth)])
            }
            10 => node("($0 in $1)", vec![self.of(Kind::Int, depth), self.of(Kind::Ints, depth)]),
            11 => node("($0 in $1)", vec![self.of(Kind::String, depth), self.of(Kind::Strings, depth)]),
            12 => node("($0 in $1)", vec![self.of(Kind::String, depth), self.of(Kind::Map, depth)]),
            13 => {
                let method = self.dice.pick(&["contains", "startsWith", "endsWith"]);
                node(
                    format!("$0.{method}($1)"),
                    vec![self.of(Kind::String, depth), self.of(Kind::String, depth)],
                )
            }
            14 => {
                let pattern = self.dice.pick(&[
                    "'^a'",
                    "'b$'",
                    "'[a-c]+'",
                    "'^\\\\w*$'",
                    "'é'",
                    "'(ab|c)*'",
                    "'^.$'",
                    "'\\\\d'",
                ]);
                node("$0.matches($1)", vec![self.of(Kind::String, depth), leaf(pattern)])
            }
            _ => self.quantified(depth),
        }
    }

    /// `all`, `exists` or `exists_one` over a list or the keys of a map.
    fn quantified(&mut self, depth: u32) -> Term {
        let name = self.dice.pick(&["all", "exists", "exists_one"]);
        let (kind, over_ints) = match self.dice.roll(3) {
            0 => (Kind::Ints, true),
            1 => (Kind::Strings, false),
            _ => (Kind::Map, false),
        };
        let range = self.of(kind, depth);
        let (variable, body) = self.inside(over_ints, Kind::Bool, depth);
        node(format!("$0.{name}($1, $2)"), vec![range, leaf(&variable), body])
    }

    /// A new variable and an expression that may name it.
    fn inside(&mut self, ints: bool, kind: Kind, depth: u32) -> (String, Term) {
        let variable = format!("v{}", self.next);
        self.next += 1;
        let known = if ints { &mut self.ints } else { &mut self.strings };
        known.push(variable.clone());
        let body = self.of(kind, depth);
        if ints {
            self.ints.pop()
        } else {
            self.strings.pop()
        };
        (variable, body)
    }

    fn int(&mut self, depth: u32) -> Term {
        match self.dice.roll(12) {
            0..=4 => {
                let operator = self.dice.pick(&["+", "-", "*", "/", "%"]);
                node(
                    format!("($0 {operator} $1)"),
                    vec![self.of(Kind::Int, depth), self.of(Kind::Int, depth)],
                )
            }
            5 => node("-($0)", vec![self.of(Kind::Int, depth)]),
            6 => {
                let kind =
                    [Kind::String, Kind::Bytes, Kind::Ints, Kind::Strings, Kind::Map][self.dice.roll(5)];
                node("size($0)", vec![self.of(kind, depth)])
            }
            7 => {
                let kind = [Kind::Uint, Kind::Double, Kind::String, Kind::Timestamp][self.dice.roll(4)];
                node("int($0)", vec![self.of(kind, depth)])
            }
            8 => node("$0[$1]", vec![self.of(Kind::Ints, depth), self.of(Kind::Int, depth)]),
            9 => node("$0[$1]", vec![self.of(Kind::Map, depth), self.of(Kind::String, depth)]),
            10 => {
                let part = self.dice.pick(&[
                    "getFullYear",
                    "getMonth",
                    "getDate",
                    "getDayOfMonth",
                    "getDayOfWeek",
                    "getDayOfYear",
                    "getHours",
                    "getMinutes",
                    "getSeconds",
                    "getMilliseconds",
                ]);
                node(format!("$0.{part}()"), vec![self.of(Kind::Timestamp, depth)])
            }
            _ => {
                let part = self.dice.pick(&["getHours", "getMinutes", "getSeconds", "getMilliseconds"]);
                node(format!("$0.{part}()"), vec![self.of(Kind::Duration, depth)])
            }
        }
    }

    fn uint(&mut self, depth: u32) -> Term {
        if self.dice.roll(4) == 0 {
            let kind = [Kind::Int, Kind::Double, Kind::String][self.dice.roll(3)];
            return node("uint($0)", vec![self.of(kind, depth)]);
        }
        let operator = self.dice.pick(&["+", "-", "*", "/", "%"]);
        node(format!("($0 {operator} $1)"), vec![self.of(Kind::Uint, depth), self.of(Kind::Uint, depth)])
    }

    fn double(&mut self, depth: u32) -> Term {
        match self.dice.roll(5) {
            0 => {
                let kind = [Kind::Int, Kind::Uint, Kind::String][self.dice.roll(3)];
                node("double($0)", vec![self.of(kind, depth)])
            }
            1 => node("-($0)", vec![self.of(Kind::Double, depth)]),
            _ => {
                let operator = self.dice.pick(&["+", "-", "*", "/"]);
                node(
                    format!("($0 {operator} $1)"),
                    vec![self.of(Kind::Double, depth), self.of(Kind::Double, depth)],
                )
            }
        }
    }

    fn string(&mut self, depth: u32) -> Term {
        match self.dice.roll(5) {
            0 | 1 => node("($0 + $1)", vec![self.of(Kind::String, depth), self.of(Kind::String, depth)]),
            2 => {
                let kind = SCALARS[self.dice.roll(SCALARS.len())];
                node("string($0)", vec![self.of(kind, depth)])
            }
            3 => node("string($0)", vec![self.of(Kind::Bytes, depth)]),
            _ => node("$0[$1]", vec![self.of(Kind::Strings, depth), self.of(Kind::Int, depth)]),
        }
    }

    fn bytes(&mut self, depth: u32) -> Term {
        if self.dice.roll(2) == 0 {
            node("bytes($0)", vec![self.of(Kind::String, depth)])
        } else {
            node("($0 + $1)", vec![self.of(Kind::Bytes, depth), self.of(Kind::Bytes, depth)])
        }
    }

    fn ints(&mut self, depth: u32) -> Term {
        match self.dice.roll(5) {
            0 => node("($0 + $1)", vec![self.of(Kind::Ints, depth), self.of(Kind::Ints, depth)]),
            1 => {
                let range = self.of(Kind::Ints, depth);
                let (variable, body) = self.inside(true, Kind::Int, depth);
                node("$0.map($1, $2)", vec![range, leaf(&variable), body])
            }
            2 => {
                let range = self.of(Kind::Ints, depth);
                let (variable, body) = self.inside(true, Kind::Bool, depth);
                node("$0.filter($1, $2)", vec![range, leaf(&variable), body])
            }
            3 => {
                let range = self.of(Kind::Strings, depth);
                let (variable, body) = self.inside(false, Kind::Int, depth);
                node("$0.map($1, $2)", vec![range, leaf(&variable), body])
            }
            _ => {
                let items: Vec<_> = (0..self.dice.roll(4)).map(|_| self.of(Kind::Int, depth)).collect();
                list(items)
            }
        }
    }

    fn strings(&mut self, depth: u32) -> Term {
        match self.dice.roll(4) {
            0 => node("($0 + $1)", vec![self.of(Kind::Strings, depth), self.of(Kind::Strings, depth)]),
            1 => {
                let range = self.of(Kind::Strings, depth);
                let (variable, condition) = self.inside(false, Kind::Bool, depth);
                self.strings.push(variable.clone());
                let body = self.of(Kind::String, depth);
                self.strings.pop();
                node("$0.map($1, $2, $3)", vec![range, leaf(&variable), condition, body])
            }
            2 => {
                let range = self.of(Kind::Strings, depth);
                let (variable, body) = self.inside(false, Kind::Bool, depth);
                node("$0.filter($1, $2)", vec![range, leaf(&variable), body])
            }
            _ => {
                let items: Vec<_> = (0..=self.dice.roll(3)).map(|_| self.of(Kind::String, depth)).collect();
                list(items)
            }
        }
    }

    fn map(&mut self, depth: u32) -> Term {
        let count = self.dice.roll(4);
        let forms: Vec<_> = (0..count).map(|at| format!("${}: ${}", 2 * at, 2 * at + 1)).collect();
        let parts =
            (0..count).flat_map(|_| [self.of(Kind::String, depth), self.of(Kind::Int, depth)]).collect();
        node(format!("{{{}}}", forms.join(", ")), parts)
    }

    fn duration(&mut self, depth: u32) -> Term {
        let operator = self.dice.pick(&["+", "-"]);
        if operator == "-" && self.dice.roll(2) == 0 {
            return node("($0 - $1)", vec![self.of(Kind::Timestamp, depth), self.of(Kind::Timestamp, depth)]);
        }
        node(
            format!("($0 {operator} $1)"),
            vec![self.of(Kind::Duration, depth), self.of(Kind::Duration, depth)],
        )
    }

    fn timestamp(&mut self, depth: u32) -> Term {
        let operator = self.dice.pick(&["+", "-"]);
        node(
            format!("($0 {operator} $1)"),
            vec![self.of(Kind::Timestamp, depth), self.of(Kind::Duration, depth)],
        )
    }
}
