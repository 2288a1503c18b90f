//! How long typical expressions take to compile and to run: `cargo run --release -p conformance --example cel_speed`.

use std::{hint::black_box, io::Write, time::Instant};

use cel::{AccessReviewSpec, Claims, Environment, Expected, Object, Program};
use serde_json::json;

const ROUNDS: u32 = 20_000;

const REQUESTS: &[&str] = &[
    "request.user == 'alice'",
    "has(request.resourceAttributes) && request.resourceAttributes.namespace == 'prod'",
    "request.resourceAttributes.namespace == 'prod' && request.resourceAttributes.verb in ['get', 'list']",
    "!('system:masters' in request.groups)",
    "request.groups.exists(g, g.startsWith('system:'))",
    "request.user.matches('^system:serviceaccount:[^:]+:[^:]+$')",
];

const CLAIMS: &[&str] = &[
    "claims.email_verified == true && claims.email.endsWith('@example.com')",
    "'oidc:' + claims.sub",
    "dyn(claims.groups).map(g, 'oidc:' + g)",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let request: AccessReviewSpec = serde_json::from_value(json!({
        "user": "system:serviceaccount:prod:web", "groups": ["dev", "ops", "system:authenticated"],
        "resourceAttributes": { "namespace": "prod", "verb": "get", "group": "apps", "resource": "deployments", "name": "web" },
    }))?;
    let claims = json!({
        "sub": "u-17", "email": "ana@example.com", "email_verified": true, "groups": ["dev", "ops", "admins"],
    });
    let claims = claims.as_object().ok_or("claims are an object")?;
    for expression in REQUESTS {
        measure(expression, Environment::Request, &request)?;
    }
    for expression in CLAIMS {
        measure(expression, Environment::Claims, &Claims(claims))?;
    }
    Ok(())
}

fn measure(
    expression: &str,
    environment: Environment,
    input: &dyn Object,
) -> Result<(), Box<dyn std::error::Error>> {
    let compile = || Program::compile(black_box(expression), environment, Expected::Anything);
    let program = compile()?;
    let started = Instant::now();
    for _ in 0..ROUNDS / 20 {
        black_box(compile()?);
    }
    let compiled = started.elapsed() / (ROUNDS / 20);
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(program.evaluate(black_box(input)).cost);
    }
    let evaluated = started.elapsed() / ROUNDS;
    let line = format!(
        "{:>8} ns to compile {:>6} ns to run  {expression}\n",
        compiled.as_nanos(),
        evaluated.as_nanos()
    );
    std::io::stdout().write_all(line.as_bytes())?;
    Ok(())
}
