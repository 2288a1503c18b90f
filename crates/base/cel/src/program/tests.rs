use serde_json::json;

use super::{CompileError, Expected, Program};
use crate::{Claims, Environment, Value, limits};

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

/// What an expression that fails or absorbs an error costs, with no other effect.
fn check_cost(expression: &str, expected: u64) {
    let claims =
        json!({ "sub": "u-17", "text": "0123456789".repeat(3), "groups": ["dev", "ops"], "none": "" });
    let claims = claims.as_object().expect("an object");
    let program = Program::compile(expression, Environment::Claims, Expected::Anything);
    let program = program.unwrap_or_else(|error| panic!("{expression}: {error}"));
    assert_eq!(program.evaluate(&Claims(claims)).cost, expected, "{expression}");
}

#[test]
fn calls_whose_arguments_fail_are_charged_for_as_in_kube_apiserver() {
    // Both arguments of a call of two run, and count with their sizes, the one that has failed with 1.
    check_cost("claims.text.startsWith(claims.missing)", 2 + 2 + 3);
    check_cost("claims.missing.startsWith(claims.text)", 2 + 2 + 1);
    check_cost("claims.missing == claims.text", 2 + 2 + 1);
    check_cost("claims.missing == claims.none", 2 + 2);
    check_cost("sets.contains(claims.missing.split(','), ['a', 'b'])", 2 + 1 + 1 + 2);
    // A constant pattern, an overload that is not known before, three arguments: the first that fails ends it.
    check_cost("claims.missing.matches('^u')", 2);
    check_cost("claims.missing.matches('^' + claims.sub)", 2 + 2 + 1 + 2);
    check_cost("claims.missing.indexOf(claims.sub)", 2);
    check_cost("claims.groups.indexOf(claims.missing)", 2 + 2);
    check_cost("claims.text.substring(claims.missing, 2)", 2 + 2);
    check_cost("claims.text.substring(1, claims.missing)", 2 + 2 + 3);
    check_cost("'%s'.format([dyn(claims.missing)])", 2 + 1 + 10 + 1);
    // A key that fails counts as a step through the map, unless it is optional.
    check_cost("claims.groups[claims.missing]", 1 + 1 + 1 + 1);
    check_cost("claims.groups[?claims.missing]", 1 + 1 + 1);
    check_cost("has(claims.?nested.x)", 0);
    check_cost("has(claims.?sub.x)", 1);
    // Entries of maps: key, then value, then the call.
    check_cost("['a'].transformMapEntry(i, v, {v: claims.missing})", 1 + 1 + 2 + 30 + 1 + 1);
    check_cost("['a', 'b'].transformMap(i, v, claims.missing)", 1 + 1 + 2 + 1 + 1 + 1);
}

#[test]
fn what_opt_map_names_is_worked_out_when_it_is_asked_for() {
    check_cost("claims.?sub.optFlatMap(s, claims.?text)", 2 + 1 + 2);
    check_cost(
        "claims.?sub.optFlatMap(s, s == 'x' ? claims.?text : optional.of(s))",
        2 + 1 + 3 + 1 + 1 + 1 + 1,
    );
    check(
        "claims.?sub.optMap(s, ['a', 'b'].map(x, ['c'].map(y, s + x + y)[0])).value()",
        r#"[{"type":"string","value":"u-17ac"},{"type":"string","value":"u-17bc"}]"#,
    );
    check(
        "optional.of(['a', 'b'].filter(x, x != 'b')).optMap(s, ['c', 'd'].map(x, s.exists(y, y == 'a') && x == 'd')).value()",
        r#"[{"type":"bool","value":false},{"type":"bool","value":true}]"#,
    );
}

#[test]
fn accounts_that_panic_in_kube_apiserver_end_the_evaluation() {
    const PANIC: &str = "eval: internal error: the cost of the call cannot be worked out";
    check("dyn(claims.missing).distinct() == [] || true", PANIC);
    check("dyn(claims.sub).distinct() == [] || true", PANIC);
    check("claims.missing.split(',').sort() == [] || true", PANIC);
    check("claims.missing.split(',').sortBy(x, x) == [] || true", PANIC);
    check("dyn(claims.groups).flatten(claims.num) == [] || true", PANIC);
    check("dyn(claims.groups).sort() == [claims.missing] || true", "true");
    check("dyn(claims.missing).slice(0, 1) == [] || true", "true");
}

/// More items than the headers of a request hold in a token.
#[test]
fn lists_of_the_largest_inputs_are_compared() {
    let claims = json!({ "groups": vec![1; 600_000], "same": vec![1; 600_000] });
    let claims = claims.as_object().expect("an object");
    let program = Program::compile("claims.groups == claims.same", Environment::Claims, Expected::Anything);
    let (program, input) = (program.expect("compiled"), Claims(claims));
    let evaluation = program.evaluate(&input).result;
    assert!(matches!(evaluation, Ok(Value::Bool(true))), "{evaluation:?}");
}

/// Three quarters of what a worker has, in the profile whose frames are largest.
#[test]
fn a_small_stack_is_enough() {
    let hostile = || {
        hostile_text_is_refused_within_bounds();
        what_nests_as_deep_as_allowed_runs();
        let shared = "['x']".to_owned() + &".map(x, [x, x])".repeat(100);
        check(&format!("{shared} == {shared}"), "eval: operation cancelled: the expression takes too long");
        let nested = |times: usize, before: &str, inner: &str, after: &str| {
            outcome(&format!("{}{inner}{}", before.repeat(times), after.repeat(times)))
        };
        for depth in [140, 149, 150, 151, 290, 310, 1000] {
            nested(depth, "optional.of(", "1", ")");
            nested(depth, "[", "claims", "]");
            nested(depth, "{'a': ", "1", "}");
            nested(depth, "(true ? ", "true", " : false)");
            nested(depth, "(", "true", " ? true : false)");
            nested(depth, "[1].exists(x, ", "true", ")");
            nested(depth, "[1].map(x, ", "x", ")[0]");
            nested(depth, "!(", "true", " && true)");
            nested(depth, "claims.groups[", "0", "]");
            nested(depth, "size('' + string(", "1", "))");
            nested(depth, "''.matches('(' + ", "'a'", ")");
            outcome(&format!("'a'.matches('{}a{}')", "(".repeat(depth), ")*".repeat(depth)));
            outcome(&format!("'{}'.matches('{}')", "a".repeat(depth), "(a|b|".repeat(depth)));
            outcome(&format!("optional.of(1){}", ".optMap(x, x + 1)".repeat(depth.min(20))));
        }
    };
    std::thread::Builder::new()
        .stack_size(3 << 19)
        .spawn(hostile)
        .expect("a thread")
        .join()
        .expect("no overflow");
}

#[test]
fn extremes_are_values_or_errors() {
    const OVERFLOW: &str = "eval: timestamp overflow";
    check("timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns') == timestamp(0)", OVERFLOW);
    check("timestamp('0001-01-01T00:00:00Z') - duration('1ns') == timestamp(0)", OVERFLOW);
    check(
        "timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z') == duration('1s')",
        "eval: duration overflow",
    );
    check("duration('9223372036854775807ns') + duration('1ns') == duration('0')", "eval: duration overflow");
    check("-dyn(duration('-9223372036854775808ns')) == duration('0')", "eval: integer overflow");
    check("timestamp('9999-12-31T23:59:59Z').getFullYear('99999999999999999:00') != 0 || true", "true");
    check("timestamp(253402300800) == timestamp(0)", "compile: 1:11: invalid timestamp argument");
    check("-9223372036854775808 / -1", "eval: integer overflow");
    check("-9223372036854775808 % -1", "eval: integer overflow");
    check(
        "'%.1000001f'.format([1.0]) == ''",
        "compile: 1:20: could not parse formatting clause: error while parsing precision: error while converting precision to integer",
    );
    check(
        "lists.range(9223372036854775807).size() == 0",
        "eval: operation cancelled: actual cost limit exceeded",
    );
    check("lists.range(-9223372036854775807 - 1).size()", "\"0\"");
    check("[1].slice(0, 9223372036854775807).size() == 1 || true", "true");
    check("'a'.substring(-9223372036854775808) == '' || true", "true");
    check("'a'.replace('a', 'b', -9223372036854775808)", "\"b\"");
    check(
        "[[1]].flatten(9223372036854775807).size()",
        "eval: operation cancelled: actual cost limit exceeded",
    );
    check("quantity('1e999999999999999999999').isInteger() || true", "true");
    check("cidr('::/128').containsIP('255.255.255.255') || true", "true");
}
