//! Expressions of the language that both implementations share, mostly well-typed.

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

pub fn expression(dice: &mut Dice) -> String {
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
    fn of(&mut self, kind: Kind, depth: u32) -> String {
        // Now and then something of another type, which only shows when it runs.
        if depth > 0 && self.dice.roll(40) == 0 {
            let other = KINDS[self.dice.roll(KINDS.len())];
            return format!("dyn({})", self.of(other, depth - 1));
        }
        if depth > 0 && self.dice.roll(14) == 0 {
            let (condition, a, b) =
                (self.of(Kind::Bool, depth - 1), self.of(kind, depth - 1), self.of(kind, depth - 1));
            return format!("({condition} ? {a} : {b})");
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
            Kind::Null => "null".to_owned(),
        }
    }

    fn leaf(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Int if !self.ints.is_empty() && self.dice.roll(2) == 0 => {
                self.ints[self.dice.roll(self.ints.len())].clone()
            }
            Kind::String if !self.strings.is_empty() && self.dice.roll(2) == 0 => {
                self.strings[self.dice.roll(self.strings.len())].clone()
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
                self.dice.pick(choices).to_owned()
            }
        }
    }

    fn bool(&mut self, depth: u32) -> String {
        match self.dice.roll(16) {
            0 | 1 => format!("({} && {})", self.of(Kind::Bool, depth), self.of(Kind::Bool, depth)),
            2 | 3 => format!("({} || {})", self.of(Kind::Bool, depth), self.of(Kind::Bool, depth)),
            4 => format!("!{}", self.of(Kind::Bool, depth)),
            5 | 6 => {
                let kind = KINDS[self.dice.roll(KINDS.len())];
                let operator = self.dice.pick(&["==", "!="]);
                format!("({} {operator} {})", self.of(kind, depth), self.of(kind, depth))
            }
            7 => {
                // Numbers of different types, which may be compared.
                let numbers = [Kind::Int, Kind::Uint, Kind::Double];
                let (a, b) = (numbers[self.dice.roll(3)], numbers[self.dice.roll(3)]);
                let operator = self.dice.pick(&["==", "!=", "<", "<=", ">", ">="]);
                let right = self.of(b, depth);
                format!("({} {operator} dyn({right}))", self.of(a, depth))
            }
            8 | 9 => {
                let kind = ORDERED[self.dice.roll(ORDERED.len())];
                let operator = self.dice.pick(&["<", "<=", ">", ">="]);
                format!("({} {operator} {})", self.of(kind, depth), self.of(kind, depth))
            }
            10 => format!("({} in {})", self.of(Kind::Int, depth), self.of(Kind::Ints, depth)),
            11 => format!("({} in {})", self.of(Kind::String, depth), self.of(Kind::Strings, depth)),
            12 => format!("({} in {})", self.of(Kind::String, depth), self.of(Kind::Map, depth)),
            13 => {
                let method = self.dice.pick(&["contains", "startsWith", "endsWith"]);
                format!("{}.{method}({})", self.of(Kind::String, depth), self.of(Kind::String, depth))
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
                format!("{}.matches({pattern})", self.of(Kind::String, depth))
            }
            _ => self.quantified(depth),
        }
    }

    /// `all`, `exists` or `exists_one` over a list or the keys of a map.
    fn quantified(&mut self, depth: u32) -> String {
        let name = self.dice.pick(&["all", "exists", "exists_one"]);
        let (kind, over_ints) = match self.dice.roll(3) {
            0 => (Kind::Ints, true),
            1 => (Kind::Strings, false),
            _ => (Kind::Map, false),
        };
        let range = self.of(kind, depth);
        let (variable, body) = self.inside(over_ints, Kind::Bool, depth);
        format!("{range}.{name}({variable}, {body})")
    }

    /// A new variable and an expression that may name it.
    fn inside(&mut self, ints: bool, kind: Kind, depth: u32) -> (String, String) {
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

    fn int(&mut self, depth: u32) -> String {
        match self.dice.roll(12) {
            0..=4 => {
                let operator = self.dice.pick(&["+", "-", "*", "/", "%"]);
                format!("({} {operator} {})", self.of(Kind::Int, depth), self.of(Kind::Int, depth))
            }
            5 => format!("-({})", self.of(Kind::Int, depth)),
            6 => {
                let kind =
                    [Kind::String, Kind::Bytes, Kind::Ints, Kind::Strings, Kind::Map][self.dice.roll(5)];
                format!("size({})", self.of(kind, depth))
            }
            7 => {
                let kind = [Kind::Uint, Kind::Double, Kind::String, Kind::Timestamp][self.dice.roll(4)];
                format!("int({})", self.of(kind, depth))
            }
            8 => format!("{}[{}]", self.of(Kind::Ints, depth), self.of(Kind::Int, depth)),
            9 => format!("{}[{}]", self.of(Kind::Map, depth), self.of(Kind::String, depth)),
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
                format!("{}.{part}()", self.of(Kind::Timestamp, depth))
            }
            _ => {
                let part = self.dice.pick(&["getHours", "getMinutes", "getSeconds", "getMilliseconds"]);
                format!("{}.{part}()", self.of(Kind::Duration, depth))
            }
        }
    }

    fn uint(&mut self, depth: u32) -> String {
        if self.dice.roll(4) == 0 {
            let kind = [Kind::Int, Kind::Double, Kind::String][self.dice.roll(3)];
            return format!("uint({})", self.of(kind, depth));
        }
        let operator = self.dice.pick(&["+", "-", "*", "/", "%"]);
        format!("({} {operator} {})", self.of(Kind::Uint, depth), self.of(Kind::Uint, depth))
    }

    fn double(&mut self, depth: u32) -> String {
        match self.dice.roll(5) {
            0 => {
                let kind = [Kind::Int, Kind::Uint, Kind::String][self.dice.roll(3)];
                format!("double({})", self.of(kind, depth))
            }
            1 => format!("-({})", self.of(Kind::Double, depth)),
            _ => {
                let operator = self.dice.pick(&["+", "-", "*", "/"]);
                format!("({} {operator} {})", self.of(Kind::Double, depth), self.of(Kind::Double, depth))
            }
        }
    }

    fn string(&mut self, depth: u32) -> String {
        match self.dice.roll(5) {
            0 | 1 => format!("({} + {})", self.of(Kind::String, depth), self.of(Kind::String, depth)),
            2 => {
                let kind = SCALARS[self.dice.roll(SCALARS.len())];
                format!("string({})", self.of(kind, depth))
            }
            3 => format!("string({})", self.of(Kind::Bytes, depth)),
            _ => format!("{}[{}]", self.of(Kind::Strings, depth), self.of(Kind::Int, depth)),
        }
    }

    fn bytes(&mut self, depth: u32) -> String {
        if self.dice.roll(2) == 0 {
            format!("bytes({})", self.of(Kind::String, depth))
        } else {
            format!("({} + {})", self.of(Kind::Bytes, depth), self.of(Kind::Bytes, depth))
        }
    }

    fn ints(&mut self, depth: u32) -> String {
        match self.dice.roll(5) {
            0 => format!("({} + {})", self.of(Kind::Ints, depth), self.of(Kind::Ints, depth)),
            1 => {
                let range = self.of(Kind::Ints, depth);
                let (variable, body) = self.inside(true, Kind::Int, depth);
                format!("{range}.map({variable}, {body})")
            }
            2 => {
                let range = self.of(Kind::Ints, depth);
                let (variable, body) = self.inside(true, Kind::Bool, depth);
                format!("{range}.filter({variable}, {body})")
            }
            3 => {
                let range = self.of(Kind::Strings, depth);
                let (variable, body) = self.inside(false, Kind::Int, depth);
                format!("{range}.map({variable}, {body})")
            }
            _ => {
                let items: Vec<_> = (0..self.dice.roll(4)).map(|_| self.of(Kind::Int, depth)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    fn strings(&mut self, depth: u32) -> String {
        match self.dice.roll(4) {
            0 => format!("({} + {})", self.of(Kind::Strings, depth), self.of(Kind::Strings, depth)),
            1 => {
                let range = self.of(Kind::Strings, depth);
                let (variable, condition) = self.inside(false, Kind::Bool, depth);
                self.strings.push(variable.clone());
                let body = self.of(Kind::String, depth);
                self.strings.pop();
                format!("{range}.map({variable}, {condition}, {body})")
            }
            2 => {
                let range = self.of(Kind::Strings, depth);
                let (variable, body) = self.inside(false, Kind::Bool, depth);
                format!("{range}.filter({variable}, {body})")
            }
            _ => {
                let items: Vec<_> = (0..=self.dice.roll(3)).map(|_| self.of(Kind::String, depth)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    fn map(&mut self, depth: u32) -> String {
        let entries: Vec<_> = (0..self.dice.roll(4))
            .map(|_| format!("{}: {}", self.of(Kind::String, depth), self.of(Kind::Int, depth)))
            .collect();
        format!("{{{}}}", entries.join(", "))
    }

    fn duration(&mut self, depth: u32) -> String {
        let operator = self.dice.pick(&["+", "-"]);
        if operator == "-" && self.dice.roll(2) == 0 {
            return format!("({} - {})", self.of(Kind::Timestamp, depth), self.of(Kind::Timestamp, depth));
        }
        format!("({} {operator} {})", self.of(Kind::Duration, depth), self.of(Kind::Duration, depth))
    }

    fn timestamp(&mut self, depth: u32) -> String {
        let operator = self.dice.pick(&["+", "-"]);
        format!("({} {operator} {})", self.of(Kind::Timestamp, depth), self.of(Kind::Duration, depth))
    }
}
