//! `cel.jsonl`: expressions of authentication and authorization configuration.

use ::cel::{AccessReviewSpec, Claims, CompileError, Environment, Expected, Object, Program, limits};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use types::User;

use crate::{Case, Flip, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    variable: String,
    variables: Map<String, Json>,
    expression: String,
}

impl Given {
    /// Does something with the environment of the expression and its input.
    fn over_input<T>(&self, then: impl FnOnce(Environment, &dyn Object) -> T) -> Result<T, String> {
        let input = self.variables.get(&self.variable).ok_or("the variable is not given")?;
        Ok(match self.variable.as_str() {
            "claims" => then(Environment::Claims, &Claims(input.as_object().ok_or("claims are no object")?)),
            "user" => {
                let user = User::deserialize(input).map_err(|e| format!("`user` is not understood: {e}"))?;
                then(Environment::User, &user)
            }
            _ => {
                let spec = AccessReviewSpec::deserialize(input)
                    .map_err(|e| format!("`request` is not understood: {e}"))?;
                then(Environment::Request, &spec)
            }
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expect {
    result: String,
    value: Option<Json>,
    /// `line:column: text`, of which the text is not compared.
    #[serde(default)]
    errors: Vec<String>,
    static_type: Option<String>,
    cost: Option<u64>,
    #[expect(dead_code, reason = "for information only")]
    error: Option<String>,
}

/// What came out, in the words of the file.
#[derive(Debug, PartialEq)]
struct Found {
    result: &'static str,
    value: Option<Json>,
    places: Vec<String>,
    static_type: Option<String>,
    past_limit: bool,
}

/// Compares result, value, type, the places of compile errors, and whether the cost limit was passed.
pub(super) fn run(case: &Case, flip: &mut Flip) -> Outcome {
    let given: Given = case.given()?;
    let expect: Expect = case.expect()?;
    let mut found =
        given.over_input(|environment, input| evaluated(&given.expression, environment, input))?;
    found.result =
        flip.decision(found.result, |result| if result == "value" { "eval_error" } else { "value" });
    let place = |error: &String| error.splitn(3, ':').take(2).collect::<Vec<_>>().join(":");
    let expected = Found {
        result: found.result,
        value: expect.value.map(without_addresses),
        places: expect.errors.iter().map(place).collect(),
        static_type: expect.static_type,
        past_limit: expect.cost.is_some_and(|cost| cost > limits::MAX_COST),
    };
    if found == expected && found.result == expect.result {
        Ok(())
    } else {
        Err(format!("found {found:?}, expected {} {expected:?}", expect.result))
    }
}

fn evaluated(expression: &str, environment: Environment, input: &dyn Object) -> Found {
    let program = match Program::compile(expression, environment, Expected::Anything) {
        Ok(program) => program,
        Err(CompileError::Issues(issues)) => {
            let places = issues.iter().map(|issue| format!("{}:{}", issue.line, issue.column)).collect();
            return Found {
                result: "compile_error",
                value: None,
                places,
                static_type: None,
                past_limit: false,
            };
        }
        Err(CompileError::Constant { kind, .. }) => {
            let static_type = Some(kind.to_string());
            return Found {
                result: "program_error",
                value: None,
                places: Vec::new(),
                static_type,
                past_limit: false,
            };
        }
        Err(CompileError::Result { .. }) => {
            return Found {
                result: "refused",
                value: None,
                places: Vec::new(),
                static_type: None,
                past_limit: false,
            };
        }
    };
    let evaluation = program.evaluate(input);
    let (result, value) = match evaluation.result {
        Ok(value) => ("value", Some(without_addresses(value.to_json()))),
        Err(_) => ("eval_error", None),
    };
    Found {
        result,
        value,
        places: Vec::new(),
        static_type: Some(program.kind().to_string()),
        past_limit: evaluation.cost > limits::MAX_COST,
    }
}

/// A named format was recorded with the address of its Go function (`{DNS1123Label 0xf3dea0 30}`).
fn without_addresses(mut value: Json) -> Json {
    if let Some(text) = value.pointer_mut("/value")
        && let Json::String(shown) = text
        && let Some((before, after)) = shown.split_once(" 0x")
        && let Some((_, after)) = after.split_once(' ')
    {
        *shown = format!("{before} {after}");
    } else if let Some(inner) = value.pointer_mut("/value").filter(|inner| inner.is_object()) {
        *inner = without_addresses(inner.take());
    }
    value
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The runner compares only whether the limit is passed, as the vectors say. Ours are the same to the unit,
    /// whatever fails on the way.
    #[test]
    fn costs_are_those_recorded() {
        let cases = crate::read_cases(&Path::new(crate::HOME).join("vectors/cel.jsonl")).unwrap();
        let mut compared = 0;
        for case in cases {
            let (given, expect): (Given, Expect) = (case.given().unwrap(), case.expect().unwrap());
            let Some(expected) = expect.cost else { continue };
            let cost = given.over_input(|environment, input| {
                let program = Program::compile(&given.expression, environment, Expected::Anything);
                program.map(|program| program.evaluate(input).cost)
            });
            let cost = cost.unwrap().unwrap_or_else(|error| panic!("{}: {error}", case.id));
            // Beyond the limit it is where evaluation was given up.
            assert_eq!(cost.min(limits::MAX_COST + 1), expected.min(limits::MAX_COST + 1), "{}", case.id);
            compared += 1;
        }
        assert!(compared > 1000, "{compared}");
    }
}
