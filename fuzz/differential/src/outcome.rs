//! What evaluating an expression comes to, on either side, in one form.

use std::{fmt, panic::AssertUnwindSafe};

use base64::{Engine, engine::general_purpose::STANDARD};
use cel::{Claims, CompileError, Environment, Expected, Program};
use chrono::{DateTime, FixedOffset};
use serde_json::{Value as Json, json};

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With its type, as our `to_json` writes it; doubles as their bits.
    Value(Json),
    Error(String),
}

impl Outcome {
    /// Whether it is an error with these words in it.
    pub fn says(&self, words: &str) -> bool {
        matches!(self, Self::Error(error) if error.contains(words))
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// Whether they are the same; the words of errors are not compared.
    pub fn alike(&self, other: &Self) -> bool {
        self == other || self.is_error() && other.is_error()
    }

    /// Whether it is a value that the specification has as a key of maps.
    pub fn is_key(&self) -> bool {
        let Self::Value(value) = self else { return false };
        matches!(value["type"].as_str(), Some("bool" | "int" | "uint" | "string"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value}"),
            Self::Error(error) => write!(f, "error: {error}"),
        }
    }
}

/// Both implementations, over the same claims.
pub struct World {
    claims: Json,
    env: other::Env,
    context: other::Context<'static, 'static>,
}

impl World {
    pub fn new(claims: Json) -> Self {
        let mut context = other::Context::with_env(std::sync::Arc::new(other::Env::stdlib()));
        context.add_variable_from_value("claims", converted(&claims));
        amend(&mut context).expect("the names are new");
        Self { claims, env: other::Env::stdlib(), context }
    }

    /// Ours; nothing if the expression is refused before it runs.
    pub fn ours(&self, text: &str) -> Option<Outcome> {
        let program = match Program::compile(text, Environment::Claims, Expected::Anything) {
            Ok(program) => program,
            Err(CompileError::Constant { error, .. }) => {
                return Some(Outcome::Error(format!("constant: {error}")));
            }
            Err(_) => return None,
        };
        let claims = Claims(self.claims.as_object().expect("claims are an object"));
        Some(match program.evaluate(&claims).result {
            Ok(value) => Outcome::Value(exact(value.to_json())),
            Err(error) => Outcome::Error(error.to_string()),
        })
    }

    /// Theirs, panics included.
    pub fn theirs(&self, text: &str) -> Outcome {
        let run = || match self.env.compile(text) {
            Err(error) => Outcome::Error(format!("refused: {error}")),
            Ok(program) => match program.execute(&self.context) {
                Ok(value) => Outcome::Value(shown(&value)),
                Err(error) => Outcome::Error(error.to_string()),
            },
        };
        std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Outcome::Error("panic".to_owned()))
    }
}

/// Functions for theirs, of which `differences.rs` builds what cel-go does.
fn amend(context: &mut other::Context<'static, 'static>) -> Result<(), impl std::error::Error> {
    use other::Value;
    context.add_function("is_double", |value: Value| matches!(value, Value::Float(_)))?;
    context.add_function("is_duration", |value: Value| matches!(value, Value::Duration(_)))?;
    context.add_function("is_map", |value: Value| matches!(value, Value::Map(_)))?;
    context.add_function("is_key", |value: Value| {
        matches!(value, Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::String(_))
    })?;
    context.add_function("go_string", |number: f64| std::sync::Arc::new(go_string(number)))?;
    context.add_function("nanoseconds", |span: chrono::Duration| span.num_nanoseconds().unwrap_or(i64::MAX))
}

/// A double as Go's strconv writes it, by the format `g` with the fewest digits that tell it from others.
fn go_string(number: f64) -> String {
    if number.is_nan() || number.is_infinite() {
        return if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        }
        .to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').expect("it is asked for with an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Doubles as bits, so that they are compared and not how they are written.
fn exact(value: Json) -> Json {
    let (kind, inner) = (value["type"].clone(), value["value"].clone());
    let inner = match (kind.as_str(), inner) {
        (Some("double"), Json::String(text)) => json!(bits(match text.as_str() {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            other => other.parse().expect("a double is written as one"),
        })),
        (Some("google.protobuf.Duration"), Json::String(text)) => {
            json!(bits(text.trim_end_matches('s').parse().expect("a duration is written in seconds")))
        }
        (Some("google.protobuf.Timestamp"), Json::String(text)) => {
            json!(nanoseconds(&DateTime::parse_from_rfc3339(&text).expect("a timestamp is written so")))
        }
        (Some("list"), Json::Array(items)) => items.into_iter().map(exact).collect(),
        (Some("map"), Json::Array(entries)) => entries
            .into_iter()
            .map(|entry| json!([exact(entry[0].clone()), exact(entry[1].clone())]))
            .collect(),
        (_, other) => other,
    };
    json!({ "type": kind, "value": inner })
}

fn bits(number: f64) -> String {
    if number.is_nan() { "NaN".to_owned() } else { format!("{:016x}", number.to_bits()) }
}

/// JSON as our environment shows it: every number is a double.
fn converted(json: &Json) -> other::Value {
    match json {
        Json::Null => other::Value::Null,
        Json::Bool(truth) => other::Value::Bool(*truth),
        Json::Number(number) => other::Value::Float(number.as_f64().expect("a double")),
        Json::String(text) => other::Value::String(text.clone().into()),
        Json::Array(items) => other::Value::List(items.iter().map(converted).collect::<Vec<_>>().into()),
        Json::Object(fields) => other::Value::Map(
            fields
                .iter()
                .map(|(key, value)| (other::objects::Key::from(key.clone()), converted(value)))
                .collect::<std::collections::HashMap<_, _>>()
                .into(),
        ),
    }
}

fn shown(value: &other::Value) -> Json {
    use other::{Value, objects::Key};
    let (kind, inner) = match value {
        Value::Null => ("null_type", Json::Null),
        Value::Bool(truth) => ("bool", json!(truth)),
        Value::Int(number) => ("int", json!(number.to_string())),
        Value::UInt(number) => ("uint", json!(number.to_string())),
        Value::Float(number) => ("double", json!(bits(*number))),
        Value::String(text) => ("string", json!(**text)),
        Value::Bytes(bytes) => ("bytes", json!(STANDARD.encode(&**bytes))),
        Value::Duration(duration) => (
            "google.protobuf.Duration",
            match duration.num_nanoseconds() {
                Some(nanos) => {
                    json!(bits((nanos / 1_000_000_000) as f64 + (nanos % 1_000_000_000) as f64 / 1e9))
                }
                None => json!("out of range"),
            },
        ),
        Value::Timestamp(at) => ("google.protobuf.Timestamp", json!(nanoseconds(at))),
        Value::List(items) => ("list", items.iter().map(shown).collect()),
        Value::Map(map) => {
            let mut entries: Vec<(Json, Json)> = map
                .map
                .iter()
                .map(|(key, value)| {
                    let key = match key {
                        Key::Int(number) => Value::Int(*number),
                        Key::Uint(number) => Value::UInt(*number),
                        Key::Bool(truth) => Value::Bool(*truth),
                        Key::String(text) => Value::String(text.clone()),
                    };
                    (shown(&key), shown(value))
                })
                .collect();
            entries.sort_by_cached_key(|(key, _)| key.to_string());
            ("map", entries.into_iter().map(|(key, value)| json!([key, value])).collect())
        }
        other => ("?", json!(format!("{other:?}"))),
    };
    json!({ "type": kind, "value": inner })
}

/// Since 1970.
fn nanoseconds(at: &DateTime<FixedOffset>) -> String {
    (i128::from(at.timestamp()) * 1_000_000_000 + i128::from(at.timestamp_subsec_nanos())).to_string()
}
