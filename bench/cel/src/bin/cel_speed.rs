//! What typical expressions take to compile and to run, in time and in allocations:
//! `cargo run --release -p cel-bench --bin cel_speed [PART OF AN EXPRESSION]`.

use std::{error::Error, hint::black_box, io::Write, time::Duration};

use cel::{AccessReviewSpec, Claims, Environment, Expected, Object, Program};
use cel_bench::taken;
use serde_json::json;

/// How often each runs in a row, and how many rows there are: the fastest one counts, as other programs run
/// beside this one.
const RUNS: u32 = 10_000;
const COMPILATIONS: u32 = 500;
const ROWS: u32 = 9;

/// What Kubernetes 1.36's own code takes to compile and to run a match condition like [`COMPARED`], in
/// nanoseconds: recorded elsewhere, by Go's benchmarks on another day and another machine of this kind. A
/// ratio to it says the order of magnitude and no more.
const KUBERNETES: (u32, u32) = (139_600, 4_240);

/// A namespace and some verbs: what a match condition of an authorization webhook usually asks.
const COMPARED: &str =
    "request.resourceAttributes.namespace == 'prod' && request.resourceAttributes.verb in ['get', 'list']";

const REQUESTS: &[&str] = &[
    "request.user == 'alice'",
    "has(request.resourceAttributes) && request.resourceAttributes.namespace == 'prod'",
    COMPARED,
    "!('system:masters' in request.groups)",
    "request.groups.exists(g, g.startsWith('system:'))",
    "request.user.matches('^system:serviceaccount:[^:]+:[^:]+$')",
];

const CLAIMS: &[&str] = &[
    "claims.email_verified == true && claims.email.endsWith('@example.com')",
    "'oidc:' + claims.sub",
    "dyn(claims.groups).map(g, 'oidc:' + g)",
];

fn main() -> Result<(), Box<dyn Error>> {
    let request: AccessReviewSpec = serde_json::from_value(json!({
        "user": "system:serviceaccount:prod:web", "groups": ["dev", "ops", "system:authenticated"],
        "resourceAttributes": { "namespace": "prod", "verb": "get", "group": "apps", "resource": "deployments", "name": "web" },
    }))?;
    let claims = json!({
        "sub": "u-17", "email": "ana@example.com", "email_verified": true, "groups": ["dev", "ops", "admins"],
    });
    let claims = Claims(claims.as_object().ok_or("claims are an object")?);
    let requests =
        REQUESTS.iter().map(|expression| (*expression, Environment::Request, &request as &dyn Object));
    let of_claims =
        CLAIMS.iter().map(|expression| (*expression, Environment::Claims, &claims as &dyn Object));
    let asked = std::env::args().nth(1).unwrap_or_default();
    writeln!(std::io::stdout(), "       ns allocs                  ns allocs")?;
    for (expression, environment, input) in
        requests.chain(of_claims).filter(|(expression, ..)| expression.contains(&asked))
    {
        let (compiled, evaluated) = measure(expression, environment, input)?;
        if expression == COMPARED {
            let times = |theirs: u32, ours: Duration| f64::from(theirs) / ours.as_nanos() as f64;
            writeln!(
                std::io::stdout(),
                "{:>9} {:>17} {:>8} {:>13}  what Kubernetes' own code took for such a one, recorded elsewhere: \
                 {:.0} and {:.0} times this",
                KUBERNETES.0,
                "to compile",
                KUBERNETES.1,
                "to run",
                times(KUBERNETES.0, compiled),
                times(KUBERNETES.1, evaluated),
            )?;
        }
    }
    Ok(())
}

fn measure(
    expression: &str,
    environment: Environment,
    input: &dyn Object,
) -> Result<(Duration, Duration), Box<dyn Error>> {
    let compile = || Program::compile(black_box(expression), environment, Expected::Anything);
    let program = compile()?;
    let run = || program.evaluate(black_box(input));
    let compiled = fastest(COMPILATIONS, || drop(black_box(compile())));
    let evaluated = fastest(RUNS, || drop(black_box(run())));
    let to_compile = taken(|| drop(compile())).memory.count_total;
    let to_run = taken(|| drop(program.evaluate(input))).memory.count_total;
    writeln!(
        std::io::stdout(),
        "{:>9} {to_compile:>6} to compile {:>8} {to_run:>6} to run  {expression}",
        compiled.as_nanos(),
        evaluated.as_nanos(),
    )?;
    Ok((compiled, evaluated))
}

/// One of so many in a row, in the fastest row.
fn fastest(times: u32, run: impl Fn()) -> Duration {
    let row = || taken(|| (0..times).for_each(|_| run())).time / times;
    (0..ROWS).map(|_| row()).min().unwrap_or_default()
}
