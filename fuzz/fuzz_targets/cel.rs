//! Any text is refused or runs, over each of the three variables: no panic, and no more time or memory than
//! the limits allow.
#![no_main]

use std::time::{Duration, Instant};

use cel::{AccessReviewSpec, Claims, Environment, Expected, Object, Program, limits};
use libfuzzer_sys::fuzz_target;

/// For compiling and one evaluation: far beyond what the limits let pass on a busy machine, and far below what a
/// blow-up takes.
const BOUND: Duration = Duration::from_secs(2);

fuzz_target!(|expression: &str| {
    let claims = serde_json::json!({
        "sub": "u-17", "n": 42, "groups": ["dev", "ops"], "nested": { "a.b": { "x-y": [1, null, true] } }, "__d__": "",
    });
    let claims = Claims(claims.as_object().expect("written as an object"));
    let user = types::User::new("alice", ["dev", "ops"]);
    let request = AccessReviewSpec {
        user: "alice".to_owned(),
        groups: user.groups.clone(),
        ..AccessReviewSpec::default()
    };
    let inputs: [(Environment, &dyn Object); 3] =
        [(Environment::Claims, &claims), (Environment::User, &user), (Environment::Request, &request)];
    for (environment, input) in inputs {
        let start = Instant::now();
        let Ok(program) = Program::compile(expression, environment, Expected::Anything) else {
            assert!(start.elapsed() < BOUND, "refusing it took {:?}", start.elapsed());
            continue;
        };
        let first = program.evaluate(input);
        assert!(start.elapsed() < BOUND, "compiling and evaluating it took {:?}", start.elapsed());
        assert_eq!(
            first.cost > limits::MAX_COST,
            first.result.as_ref().is_err_and(cel::EvalError::is_cost_limit)
        );
        let again = program.evaluate(input);
        assert_eq!(first.cost, again.cost);
        assert_eq!(first.result.map(|value| value.to_json()), again.result.map(|value| value.to_json()));
    }
});
