use serde_json::json;

use super::{CompileError, Expected, Program};
use crate::{Claims, Environment, limits};

/// What an expression over some claims gives: its value as JSON, or its error.
fn outcome(expression: &str) -> String {
    let claims = json!({
        "sub": "u-17", "num": 42, "groups": ["dev", "ops"], "nested": { "a.b": { "x-y": 1 } },
        "__dunder__": "d", "walked": [{ "a.b": true }],
    });
    let claims = claims.as_object().expect("an object");
    match Program::compile(expression, Environment::Claims, Expected::Anything) {
        Err(error) => format!("compile: {error}"),
        Ok(program) => match program.evaluate(&Claims(claims)).result {
            Ok(value) => value.to_json()["value"].to_string(),
            Err(error) => format!("eval: {error}"),
        },
    }
}

fn check(expression: &str, expected: &str) {
    assert_eq!(outcome(expression), expected, "{expression}");
}

#[test]
fn errors_are_absorbed_only_by_what_decides() {
    check("claims.missing == 'x' || true", "true");
    check("claims.missing == 'x' && false", "false");
    check("claims.missing == 'x' || false", "eval: no such key: missing");
    check("claims.num || true", "true");
    check("claims.num && true", "eval: no such overload");
    check("[1, 2].exists(x, x / (x - 1) > 0)", "true");
    check("[1, 2].all(x, x / (x - 1) > 5)", "false");
}

#[test]
fn escapes_reach_maps_by_name_and_index_but_not_while_walking() {
    check("claims.nested.a__dot__b.x__dash__y", "\"1\"");
    check("claims.__underscores__dunder__underscores__", "\"d\"");
    check("claims.walked[0].a__dot__b", "true");
    check("dyn(claims.walked).exists(w, has(w.a__dot__b))", "false");
    check("'a__dot__b' in claims.nested", "false");
    check("'a.b' in claims.nested", "true");
}

#[test]
fn numbers_are_compared_across_types_but_not_mixed() {
    check("dyn(1) == 1.0 && dyn(1u) == 1 && {1: 'a'}[dyn(1.0)] == 'a'", "true");
    check("1 == 1.0", "compile: 1:3: found no matching overload for '_==_' applied to '(int, double)'");
    check("claims.num + 1", "eval: no such overload");
    check("-9223372036854775808 - 1", "eval: integer overflow");
    check("5u - 6u", "eval: unsigned integer overflow");
    check("0.0 / 0.0 == 0.0 / 0.0", "false");
}

#[test]
fn wrappers_of_32_bits_hold_32_bits() {
    check("google.protobuf.FloatValue{value: 1.333} == 1.333", "false");
    check("google.protobuf.FloatValue{value: 1.5} == 1.5", "true");
    check("google.protobuf.FloatValue{value: 1e300} == double('Infinity')", "true");
    check("google.protobuf.Int32Value{value: 2147483647} == 2147483647", "true");
    check("google.protobuf.Int32Value{value: 2147483648} == 0", "eval: integer overflow");
    check("google.protobuf.Int64Value{value: 2147483648} == 2147483648", "true");
    check("google.protobuf.UInt32Value{value: 4294967295u} == 4294967295u", "true");
    check("google.protobuf.UInt32Value{value: 4294967296u} == 0u", "eval: unsigned integer overflow");
    check("google.protobuf.UInt32Value{} == 0u", "true");
}

#[test]
fn optionals_go_on_once_begun() {
    check("claims.?missing.x.y.orValue('none')", "\"none\"");
    check("claims.?nested.?missing.hasValue()", "false");
    check("claims.?sub.optMap(s, s + '!').value()", "\"u-17!\"");
    check("{?'a': claims.?missing, ?'b': claims.?sub}.size()", "\"1\"");
    check("[?claims.?missing, ?claims.?sub]", r#"[{"type":"string","value":"u-17"}]"#);
}

#[test]
fn constants_that_have_no_value_refuse_the_expression() {
    let compiled = Program::compile("claims.num / int('x') > 0", Environment::Claims, Expected::Bool);
    assert!(matches!(compiled, Err(CompileError::Constant { .. })), "{compiled:?}");
}

#[test]
fn a_condition_must_be_known_to_be_a_bool() {
    for (expression, fits) in [("has(claims.sub)", true), ("claims.sub", false), ("dyn(true)", false)] {
        let compiled = Program::compile(expression, Environment::Claims, Expected::Bool);
        assert_eq!(compiled.is_ok(), fits, "{expression}");
    }
}

#[test]
fn hostile_text_is_refused_within_bounds() {
    let refused = |expression: String| {
        let compiled = Program::compile(&expression, Environment::Claims, Expected::Anything);
        assert!(matches!(compiled, Err(CompileError::Issues(_))), "{compiled:?}");
    };
    refused("(".repeat(50_000));
    refused("[".repeat(50_000));
    refused("!-".repeat(25_000));
    refused(format!("{}1", "- ! ".repeat(20_000)));
    refused(format!("1{}", " + 1".repeat(20_000)));
    refused(format!("claims{}", ".a".repeat(40_000)));
    refused(format!("claims{}", "[0]".repeat(30_000)));
    refused(format!("{}1", "true ? 1 : ".repeat(9_000)));
    refused(format!("optional.of(1){}", ".optMap(x, x)".repeat(200)));
    refused(format!("[1]{}", ".map(x, {x: x})".repeat(100)));
    refused(format!("[1]{}", ".map(x, [[[[[[dyn(x)]]]]]])".repeat(100)));
    refused("a".repeat(limits::MAX_CODE_POINTS + 1));
    refused(format!("'{}", "\\".repeat(10_000)));
    refused("{".to_owned() + &"'a': {".repeat(10_000));
    refused(format!("{}1{}", "[1].map(x, ".repeat(240), ")".repeat(240)));
}

#[test]
fn what_nests_as_deep_as_allowed_runs() {
    check(&format!("{}1{}", "(".repeat(140), ")".repeat(140)), "\"1\"");
    check(&format!("size({}1{})", "[".repeat(140), "]".repeat(140)), "\"1\"");
    check(&format!("1{} == 240", " + 1".repeat(239)), "true");
    check(&format!("true{}", " && true".repeat(5_000)), "true");
    check(
        &format!(
            "{}1{} == {}",
            "[1].map(x, ".repeat(30),
            ")".repeat(30),
            "[".repeat(30) + "1" + &"]".repeat(30)
        ),
        "true",
    );
}

#[test]
fn the_cost_limit_ends_what_would_take_long() {
    let digits = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]";
    let nested: String = (0..7).map(|depth| format!("{digits}.all(v{depth}, ")).collect();
    check(&format!("{nested}true{}", ")".repeat(7)), "eval: operation cancelled: actual cost limit exceeded");
    check(
        &format!("{nested}false || true{} || true", ")".repeat(7)),
        "eval: operation cancelled: actual cost limit exceeded",
    );
    let doubled = "[[1]]".to_owned() + &".map(l, l + l)".repeat(60);
    check(&format!("{doubled}.size()"), "eval: operation cancelled: the expression needs too much memory");
}
