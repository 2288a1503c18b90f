//! The costliest expressions that are legal, each with what it takes until it has a value or is stopped:
//! `cargo run --release -p cel-bench --bin cel_costliest [--loaded] [PART OF A NAME]`. Fails if one takes more than
//! is promised; on a machine that is `--loaded`, more than three times as long.

use std::{error::Error, io::Write, process::ExitCode, time::Duration};

use cel::{Claims, Environment, Expected, Program};
use cel_bench::taken;
use serde_json::{Value as Json, json};

/// What is promised of each.
const MOST_TIME: Duration = Duration::from_millis(50);
/// How many times as long it may take where other programs share the caches and the two halves of a core.
const LOADED: u32 = 3;
const MOST_BYTES: u64 = 64 << 20;

/// A loop that ends at the limit only, with an item `i`, around an expression that is true.
fn repeated(body: &str) -> String {
    format!("lists.range(100000).all(i, {body})")
}

/// Something nested `times` times: `before` and `after` go around what is there.
fn nested(times: usize, before: &str, inner: &str, after: &str) -> String {
    format!("{}{inner}{}", before.repeat(times), after.repeat(times))
}

fn expressions() -> Vec<(&'static str, String)> {
    let digits = "[0,1,2,3,4,5,6,7,8,9]";
    let loops: String = (0..8).map(|depth| format!("{digits}.all(v{depth}, ")).collect();
    let shared = format!("['x']{}", ".map(x, [x, x])".repeat(60));
    let maps = format!("[{{'a': 'x'}}]{}", ".map(x, {'a': x, 'b': x})".repeat(50));
    let megabyte = "claims.text.replace('', claims.text.substring(0, 999)).substring(0, 1000000)";
    let million = "claims.digits.replace('', claims.digits.substring(0, 99))";
    let zeros = "0".repeat(4000);
    vec![
        ("loops in loops", format!("{loops}true{}", ")".repeat(8))),
        (
            "loops over two variables",
            format!(
                "{}true{}",
                (0..7).map(|d| format!("{digits}.all(i{d}, v{d}, ")).collect::<String>(),
                ")".repeat(7)
            ),
        ),
        ("a loop that makes a list", "lists.range(70000).map(i, i)".to_owned()),
        ("a loop that makes lists", "lists.range(30000).map(i, [i, i, i, i, i, i, i, i])".to_owned()),
        ("a loop that makes a map", "lists.range(30000).transformMapEntry(i, v, {v: v})".to_owned()),
        ("a loop that makes maps", "lists.range(20000).map(i, {i: i, -i - 1: i})".to_owned()),
        ("constants that cost nothing", repeated(&format!("true{}", " && true".repeat(10_000)))),
        ("ternaries that cost nothing", repeated(&nested(90, "(true ? ", "true", " : false)"))),
        (
            "a list of constants",
            repeated(&format!(
                "!(i in [{}])",
                (0..9000).map(|n| (n + 200_000).to_string()).collect::<Vec<_>>().join(",")
            )),
        ),
        ("the largest range", "lists.range(999000)".to_owned()),
        ("ranges", repeated("lists.range(1000).size() == 1000")),
        ("texts doubled by +", format!("['0123456789']{}.size()", ".map(s, s + s)".repeat(70))),
        ("texts made by +", repeated("(claims.text + claims.text).size() > 0")),
        ("texts made by replace", repeated("claims.text.replace('', 'xxxxxxxxxxxxxxxxxxxxxxxx').size() > 0")),
        ("one text made by replace", format!("{megabyte}.replace('', 'yyyyyyyyyyyy').size()")),
        ("a large text, its size asked for", format!("[{megabyte}].all(t, {})", repeated("t.size() > 0"))),
        ("a large text, compared", format!("[{megabyte}].all(t, {})", repeated("t != 'x'"))),
        (
            "a large text, in a list",
            format!(
                "[{megabyte}].all(t, [[t, t, t, t, t, t, t, t, t, t]].all(l, {}))",
                repeated("!((t + 'x') in l)")
            ),
        ),
        (
            "large texts in lists, compared",
            format!(
                "[{megabyte}].all(t, [t + 'x', t + 'x'].all(u, {}))",
                repeated("[u, u, u, u, u] == [u, u, u, u, u]")
            ),
        ),
        (
            "a large text, its characters asked for",
            format!("[{megabyte}].all(t, {})", repeated("t.charAt(999999) != ''")),
        ),
        ("a large text, taken apart", format!("{megabyte}.split('').size()")),
        (
            "a large text, searched",
            format!("[{megabyte}].all(t, {})", repeated("!t.contains('00000000000000000001')")),
        ),
        (
            "a large text, searched from behind",
            format!("[{megabyte}].all(t, {})", repeated("t.lastIndexOf('1000000000000000000') == -1")),
        ),
        ("a large text, quoted", format!("strings.quote({megabyte}).size()")),
        ("join", format!("[{megabyte}.split('')].all(l, {})", repeated("l.join().size() > 0"))),
        (
            "join of nothing",
            format!("[lists.range(60000).map(i, '')].all(l, {})", repeated("l.join() == ''")),
        ),
        (
            "join by a large text",
            format!("[{megabyte}].all(t, lists.range(60).map(i, '').join(t).size() > 0)"),
        ),
        ("format", repeated("'%s %s %s'.format([claims, claims, claims]).size() > 0")),
        (
            "format of decimals",
            repeated("'%.1000f%.1000f%.1000f%.1000f'.format([1e308, 1e308, 1e308, 1e308]).size() > 0"),
        ),
        ("format of a list that is shared", format!("'%s'.format([{shared}])")),
        (
            "format of large texts",
            format!(
                "[{megabyte}].all(t, '%s%s%s%s%s%s%s%s%s%s%x'.format([t, t, t, t, t, t, t, t, t, t, t]).size() > 0)"
            ),
        ),
        ("a list doubled by +", format!("[[1]]{}.size()", ".map(l, l + l)".repeat(60))),
        ("lists added", repeated("(claims.list + claims.list).size() > 0")),
        ("shared lists, ==", format!("{shared} == {shared}")),
        ("shared lists, !=", format!("{shared} != {shared}")),
        ("shared lists, in", format!("{shared} in [{shared}]")),
        ("shared lists as a result", shared.clone()),
        ("shared lists as a key", format!("{{{shared}: 1}}.size()")),
        ("shared lists as a value", format!("{{'a': {shared}}} == {{'a': {shared}}}")),
        ("shared lists, flattened", format!("dyn({shared}).flatten(100).size()")),
        ("shared lists, sets", format!("sets.contains({shared}, {shared})")),
        ("shared lists, distinct", format!("({shared}).distinct().size()")),
        ("shared lists, indexOf", format!("dyn({shared}).indexOf({shared})")),
        ("shared lists of maps", format!("{maps} == dyn({maps})")),
        (
            "shared optionals",
            format!(
                "[optional.of(dyn(1))]{0} == dyn([optional.of(dyn(1))]{0})",
                ".map(x, optional.of(dyn([x, x])))".repeat(60)
            ),
        ),
        ("lists compared", repeated("claims.list == claims.list")),
        ("lists searched", repeated("!(1.5 in claims.list)")),
        ("lists searched that cost nothing", repeated("claims.names.isSorted() || true")),
        ("sets.contains", repeated("sets.contains(claims.list, claims.list)")),
        ("sets.equivalent, large", "sets.equivalent(lists.range(690), lists.range(690))".to_owned()),
        (
            "sets.intersects, large",
            "sets.intersects(lists.range(990), lists.range(990).map(i, i + 1000))".to_owned(),
        ),
        ("sort", "lists.range(600).map(i, 600 - i).sort().size()".to_owned()),
        ("sort of large texts", format!("[{megabyte}].all(t, lists.range(600).map(i, t).sort().size() > 0)")),
        ("sortBy", "lists.range(500).sortBy(i, -i).size()".to_owned()),
        ("distinct", "lists.range(690).distinct().size()".to_owned()),
        (
            "distinct of large texts",
            format!("[{megabyte}].all(t, lists.range(20).map(i, t + string(i % 10)).distinct().size() > 0)"),
        ),
        ("max of large texts", format!("[{megabyte}].all(t, lists.range(30).map(i, t).max() == t)")),
        ("flatten", "lists.range(10000).map(i, [i]).flatten().size()".to_owned()),
        ("reverse and slice", repeated("claims.list.reverse().slice(0, 100).size() == 100")),
        ("a pattern that is not constant", repeated("claims.text.matches('a' + string(i))")),
        (
            "a pattern that is not constant, large",
            repeated("''.matches('(((a{10}){10}){10}' + string(i) + ')')"),
        ),
        (
            "patterns with classes",
            repeated("''.matches('[' + '\\\\pL\\\\pN'.replace('', '\\\\pM') + string(i) + ']')"),
        ),
        ("a pattern with all ways open", format!("[{megabyte}].all(t, t.matches('(.*0.{{900}}1)'))")),
        (
            "a pattern with many ways",
            format!("[{megabyte}].all(t, t.matches('^(([a-z0])+.)+[A-Z]([a-z])+$'))"),
        ),
        (
            "a pattern that is found nowhere",
            format!("[{megabyte}].all(t, {})", repeated("!t.matches('1[0-9]*2')")),
        ),
        ("find, quadratic", format!("[{megabyte}].all(t, t.findAll('0*1|0').size() > 0)")),
        ("findAll", format!("{megabyte}.findAll('').size()")),
        (
            "quantity, large",
            format!("[quantity('{zeros}1')].all(q, {})", repeated("q.add(q).sub(q).compareTo(q) == 0")),
        ),
        (
            "quantity, far apart",
            repeated("quantity('1e-4000').add(quantity('1e4000')).isGreaterThan(quantity('1'))"),
        ),
        ("quantity, read", format!("['{zeros}9999'].all(t, {})", repeated("isQuantity(t)"))),
        (
            "quantity, as a double",
            format!("[quantity('9{zeros}')].all(q, {})", repeated("q.asApproximateFloat() > 1.0")),
        ),
        (
            "quantity, added and as a double",
            format!(
                "[quantity('9{zeros}').add(1)].all(q, {})",
                repeated("q.sub(1).add(1).asApproximateFloat() > 1.0")
            ),
        ),
        (
            "url, large",
            format!(
                "[url('https://a.example/' + {megabyte} + '?' + claims.text)].all(u, {})",
                repeated("u.getEscapedPath() != '' && u.getQuery().size() > 0")
            ),
        ),
        (
            "semver, large",
            format!(
                "[semver('1.0.0-' + {megabyte}.replace('0', 'a'))].all(v, {})",
                repeated("v.compareTo(v) == 0")
            ),
        ),
        ("ip and cidr", repeated("cidr('10.0.0.0/8').containsIP(ip('10.1.2.3'))")),
        (
            "named formats",
            format!(
                "[{million}].all(t, {})",
                repeated("format.dns1123Subdomain().validate(t).hasValue() || true")
            ),
        ),
        (
            "named formats, URIs",
            format!("[{million}].all(t, {})", repeated("format.uri().validate(t).hasValue() || true")),
        ),
        (
            "timestamps",
            repeated("timestamp('2026-01-02T03:04:05.123456789+02:00').getFullYear('Europe/Athens') == 2026"),
        ),
        (
            "timestamps, large",
            format!(
                "['2026-01-02T03:04:05.' + {megabyte} + 'Z'].all(t, {})",
                repeated("timestamp(t) == timestamp(t)")
            ),
        ),
        (
            "durations, large",
            format!("[{megabyte}.replace('0', '0s')].all(t, {})", repeated("duration(t) == duration('0s')")),
        ),
        ("numbers, large", format!("[{megabyte}].all(t, {})", repeated("int(t) == 0 && double(t) == 0.0"))),
        ("claims written out", repeated("claims == claims && [claims] == [claims]")),
        ("a map walked over", repeated("dyn(claims.map).all(k, v, k != '' && v != '')")),
        (
            "a map as a key",
            repeated(
                "{'a': 1, 'b': 2, 'c': 3, 'd': 4, 'e': 5, 'f': 6, 'g': 7, 'h': 8, 'j': 9, 'k': i}.size() == 10",
            ),
        ),
        ("errors", repeated("claims.text.substring(100000) == 'x' || true")),
        ("optionals", nested(140, "optional.of(", "claims", ")")),
    ]
}

fn claims() -> Json {
    json!({
        "text": "0".repeat(1000),
        "digits": "0".repeat(100),
        "list": (0..1000).collect::<Vec<_>>(),
        "names": (0..1000).map(|n| format!("{n:04}")).collect::<Vec<_>>(),
        "map": (0..1000).map(|n| (format!("k{n}"), Json::from("v"))).collect::<serde_json::Map<_, _>>(),
    })
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let claims = claims();
    let input = Claims(claims.as_object().ok_or("claims are an object")?);
    let mut out = std::io::stdout().lock();
    let (mut slow, mut worst_time, mut worst_bytes) = (0_u32, Duration::ZERO, 0);
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let loaded = arguments.first().is_some_and(|argument| argument == "--loaded");
    let most_time = if loaded { MOST_TIME * LOADED } else { MOST_TIME };
    let asked = arguments.split_off(usize::from(loaded)).concat();
    for (name, expression) in expressions().into_iter().filter(|(name, _)| name.contains(&asked)) {
        let program = match Program::compile(&expression, Environment::Claims, Expected::Anything) {
            Ok(program) => program,
            Err(error) => {
                let shown: String = error.to_string().chars().take(90).collect();
                writeln!(out, "{:>46}  {name}: {shown}", "refused at load")?;
                continue;
            }
        };
        let (mut ended, mut cost) = (String::new(), 0);
        // The best of three: other programs run beside this one.
        let taken = (0..3)
            .map(|_| {
                taken(|| {
                    let evaluation = program.evaluate(&input);
                    cost = evaluation.cost;
                    ended = evaluation.result.err().map(|error| error.to_string()).unwrap_or_default();
                })
            })
            .min_by_key(|taken| taken.time)
            .ok_or("it ran three times")?;
        let fine = taken.time <= most_time && taken.memory.bytes_max <= MOST_BYTES;
        slow += u32::from(!fine);
        (worst_time, worst_bytes) = (worst_time.max(taken.time), worst_bytes.max(taken.memory.bytes_max));
        writeln!(
            out,
            "{:>9.3} ms {:>8.2} MiB {cost:>8} {}  {name}{}{ended}",
            taken.time.as_secs_f64() * 1e3,
            taken.memory.bytes_max as f64 / f64::from(1 << 20),
            if fine { "    " } else { "SLOW" },
            if ended.is_empty() { "" } else { ": " },
        )?;
    }
    writeln!(
        out,
        "at most {:.3} ms and {:.2} MiB; {slow} beyond {} ms or {} MiB",
        worst_time.as_secs_f64() * 1e3,
        worst_bytes as f64 / f64::from(1 << 20),
        most_time.as_millis(),
        MOST_BYTES >> 20,
    )?;
    Ok(if slow == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
