//! The columns of kubectl's tables.

use serde_json::{Value, json};
use types::Timestamp;

use crate::object::{list, map, number, text};

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// 0: always shown; 1: with `-o wide`.
    pub priority: u8,
    /// What stands in it.
    pub cell: Cell,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug)]
pub enum Cell {
    /// The text at a JSON pointer, as it is.
    Text(&'static str),
    /// The text at a JSON pointer; `<none>` where there is none.
    TextOrNone(&'static str),
    /// The number at a JSON pointer; 0 where there is none.
    Number(&'static str),
    /// How many members or items stand at a JSON pointer.
    Count(&'static str),
    /// The time since creation.
    Age,
    /// The time since a JSON pointer's timestamp.
    Since(&'static str),
    /// A selector's labels, or labels: `a=b,c=d`.
    Labels(&'static str),
    /// A list of texts: `a,b`; `<none>` for none.
    Joined(&'static str),
    /// Anything else as text.
    With(fn(&Value) -> String),
    /// As before, of a moment.
    At(fn(&Value, Timestamp) -> String),
}

impl Column {
    pub(super) const fn new(name: &'static str, cell: Cell) -> Self {
        Self { name, priority: 0, cell }
    }

    pub(super) const fn wide(name: &'static str, cell: Cell) -> Self {
        Self { name, priority: 1, cell }
    }

    /// The column's type in OpenAPI's words.
    pub fn kind(&self) -> &'static str {
        match self.cell {
            Cell::Number(_) | Cell::Count(_) => "integer",
            _ => "string",
        }
    }
}

impl Cell {
    /// What stands in this column for an object.
    pub fn render(&self, object: &Value, now: Timestamp) -> Value {
        match *self {
            Self::Text(at) => text(object, at).into(),
            Self::TextOrNone(at) => none_if_empty(text(object, at).to_owned()).into(),
            Self::Number(at) => number(object, at).into(),
            Self::Count(at) => match object.pointer(at) {
                Some(Value::Object(map)) => json!(map.len()),
                Some(Value::Array(list)) => json!(list.len()),
                _ => json!(0),
            },
            Self::Age => age(text(object, "/metadata/creationTimestamp"), now).into(),
            Self::Since(at) => age(text(object, at), now).into(),
            Self::Labels(at) => labels(object, at).into(),
            Self::Joined(at) => none_if_empty(joined(object, at)).into(),
            Self::With(render) => render(object).into(),
            Self::At(render) => render(object, now).into(),
        }
    }
}

pub(super) const AGE: Column = Column::new("Age", Cell::Age);
pub(super) const AGE_ONLY: &[Column] = &[AGE];
pub(super) const CREATED_AT: &[Column] =
    &[Column::new("Created At", Cell::Text("/metadata/creationTimestamp"))];

pub(super) fn none_if_empty(text: String) -> String {
    if text.is_empty() { "<none>".into() } else { text }
}

pub(super) fn joined(object: &Value, at: &str) -> String {
    list(object, at).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}

pub(super) fn labels(object: &Value, at: &str) -> String {
    let pairs = map(object, at).into_iter().flatten();
    none_if_empty(
        pairs.map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect::<Vec<_>>().join(","),
    )
}

/// One member of each item of a list, joined by commas.
pub(super) fn each(object: &Value, at: &str, member: &str) -> String {
    list(object, at).iter().map(|item| text(item, member)).collect::<Vec<_>>().join(",")
}

pub(super) fn age(timestamp: &str, now: Timestamp) -> String {
    match timestamp.parse::<Timestamp>() {
        Ok(then) => human(now.as_second() - then.as_second()),
        Err(_) => "<unknown>".into(),
    }
}

/// UPSTREAM: two units for small numbers, one for large ones (kubectl 1.36).
pub(super) fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| match seconds % big / small {
        0 => format!("{}{big_unit}", seconds / big),
        rest => format!("{}{big_unit}{rest}{small_unit}", seconds / big),
    };
    match seconds {
        ..-1 => "<invalid>".into(),
        -1..0 => "0s".into(),
        0..120 => format!("{seconds}s"),
        120..600 => two(MINUTE, "m", 1, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(HOUR, "h", MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(DAY, "d", HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(YEAR, "y", DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ages_as_kubectl_tells_them() {
        for (seconds, expected) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (700, "11m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 61, "3h1m"),
            (9 * 3600 + 60, "9h"),
            (2 * 86_400 + 3600, "2d1h"),
            (9 * 86_400 + 3600, "9d"),
            (2 * 365 * 86_400 + 86_400, "2y1d"),
            (9 * 365 * 86_400, "9y"),
        ] {
            assert_eq!(super::human(seconds), expected, "{seconds}");
        }
    }
}
