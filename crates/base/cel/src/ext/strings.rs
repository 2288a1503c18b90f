//! The `strings` library, version 2. Positions count code points, as Go's runes.

use super::{Args, Library, argument, made_list};
use crate::{
    EvalError, Type, Value,
    limits::{MAX_COST, MAX_TEXT_BYTES},
    work::Work,
};

/// Declares what works on strings: taking them apart, searching, replacing, joining.
pub(super) fn declare(library: &mut Library) {
    positions(library);
    parts(library);
    changes(library);
    patterns(library);
}

fn positions(library: &mut Library) {
    library.method("charAt", "string_char_at_int", [Type::String, Type::Int], Type::String, |args| {
        let (text, index) = (argument(args, 0)?.as_str()?, argument(args, 1)?.as_int()?);
        args.work.items(text.len() / 8)?;
        let at = position(text, index)?;
        let found = text.get(at..).and_then(|rest| rest.chars().next());
        Ok(Value::string(found.map(String::from).unwrap_or_default()))
    });
    library.method("indexOf", "string_index_of_string", [Type::String, Type::String], Type::Int, |args| {
        Ok(Value::Int(index_of(argument(args, 0)?.as_str()?, argument(args, 1)?.as_str()?, 0)?))
    });
    let with_offset = [Type::String, Type::String, Type::Int];
    library.method("indexOf", "string_index_of_string_int", with_offset.clone(), Type::Int, |args| {
        let (text, part) = (argument(args, 0)?.as_str()?, argument(args, 1)?.as_str()?);
        Ok(Value::Int(index_of(text, part, argument(args, 2)?.as_int()?)?))
    });
    library.method(
        "lastIndexOf",
        "string_last_index_of_string",
        [Type::String, Type::String],
        Type::Int,
        |args| {
            let (text, part) = (argument(args, 0)?.as_str()?, argument(args, 1)?.as_str()?);
            Ok(Value::Int(if part.is_empty() {
                length(text)
            } else {
                last_index_of(text, part, length(text))
            }))
        },
    );
    library.method("lastIndexOf", "string_last_index_of_string_int", with_offset, Type::Int, |args| {
        let (text, part) = (argument(args, 0)?.as_str()?, argument(args, 1)?.as_str()?);
        let offset = argument(args, 2)?.as_int()?;
        if part.is_empty() {
            return Ok(Value::Int(offset));
        }
        if offset < 0 {
            return Err(out_of_range(offset));
        }
        Ok(Value::Int(if offset >= length(text) { -1 } else { last_index_of(text, part, offset) }))
    });
}

fn parts(library: &mut Library) {
    let list = Type::list(Type::String);
    library.method("split", "string_split_string", [Type::String, Type::String], list.clone(), |args| {
        split(argument(args, 0)?.as_str()?, argument(args, 1)?.as_str()?, -1, args.work)
    });
    library.method(
        "split",
        "string_split_string_int",
        [Type::String, Type::String, Type::Int],
        list.clone(),
        |args| {
            let limit = argument(args, 2)?.as_int()?;
            split(argument(args, 0)?.as_str()?, argument(args, 1)?.as_str()?, limit, args.work)
        },
    );
    library.method("substring", "string_substring_int", [Type::String, Type::Int], Type::String, |args| {
        let text = argument(args, 0)?.as_str()?;
        let start = position(text, argument(args, 1)?.as_int()?)?;
        Ok(Value::string(text.get(start..).unwrap_or_default()))
    });
    library.method(
        "substring",
        "string_substring_int_int",
        [Type::String, Type::Int, Type::Int],
        Type::String,
        |args| {
            let text = argument(args, 0)?.as_str()?;
            let (start, end) = (argument(args, 1)?.as_int()?, argument(args, 2)?.as_int()?);
            if start > end {
                return Err(EvalError::new(format!("invalid substring range. start: {start}, end: {end}")));
            }
            let range = position(text, start)?..position(text, end)?;
            Ok(Value::string(text.get(range).unwrap_or_default()))
        },
    );
    library.method("trim", "string_trim", [Type::String], Type::String, |args| {
        // What Go calls space is what Unicode does.
        Ok(Value::string(argument(args, 0)?.as_str()?.trim()))
    });
    library.method("join", "list_join", [list.clone()], Type::String, |args| {
        join(argument(args, 0)?, "", args.work)
    });
    library.method("join", "list_join_string", [list, Type::String], Type::String, |args| {
        join(argument(args, 0)?, argument(args, 1)?.as_str()?, args.work)
    });
}

fn changes(library: &mut Library) {
    library.method("lowerAscii", "string_lower_ascii", [Type::String], Type::String, |args| {
        Ok(Value::string(argument(args, 0)?.as_str()?.to_ascii_lowercase()))
    });
    library.method("upperAscii", "string_upper_ascii", [Type::String], Type::String, |args| {
        Ok(Value::string(argument(args, 0)?.as_str()?.to_ascii_uppercase()))
    });
    let three = [Type::String, Type::String, Type::String];
    library.method("replace", "string_replace_string_string", three, Type::String, |args| {
        let (text, old, new) = (argument(args, 0)?, argument(args, 1)?, argument(args, 2)?);
        replace(text.as_str()?, old.as_str()?, new.as_str()?, -1)
    });
    let with_count = [Type::String, Type::String, Type::String, Type::Int];
    library.method("replace", "string_replace_string_string_int", with_count, Type::String, |args| {
        let (text, old, new) = (argument(args, 0)?, argument(args, 1)?, argument(args, 2)?);
        replace(text.as_str()?, old.as_str()?, new.as_str()?, argument(args, 3)?.as_int()?)
    });
    library.function("strings.quote", "strings_quote", [Type::String], Type::String, |args| {
        Ok(Value::string(quote(argument(args, 0)?.as_str()?)))
    });
}

/// `matches`, `find` and `findAll`, with a pattern that is only known now.
fn patterns(library: &mut Library) {
    let two = [Type::String, Type::String];
    library.function("matches", "matches", two.clone(), Type::Bool, is_match);
    library.method("matches", "matches_string", two.clone(), Type::Bool, is_match);
    library.method("find", "string_find_string", two.clone(), Type::String, |args| {
        let (text, pattern) = (argument(args, 0)?.as_str()?, argument(args, 1)?.as_str()?);
        args.work.with_pattern(pattern, |regex| regex.find(text, args.work)).map(Value::string)
    });
    library.method("findAll", "string_find_all_string", two, Type::list(Type::String), |args| {
        find_all(args, -1)
    });
    let with_limit = [Type::String, Type::String, Type::Int];
    library.method("findAll", "string_find_all_string_int", with_limit, Type::list(Type::String), |args| {
        find_all(args, argument(args, 2)?.as_int()?)
    });
}

fn is_match<'a>(args: Args<'_, 'a>) -> Result<Value<'a>, EvalError> {
    let (text, pattern) = (argument(args, 0)?.as_str()?, argument(args, 1)?.as_str()?);
    args.work.with_pattern(pattern, |regex| regex.is_match(text, args.work)).map(Value::Bool)
}

fn find_all<'a>(args: Args<'_, 'a>, limit: i64) -> Result<Value<'a>, EvalError> {
    let (text, pattern) = (argument(args, 0)?.as_str()?, argument(args, 1)?.as_str()?);
    made_list(&args.work.with_pattern(pattern, |regex| regex.find_all(text, limit, args.work))?, args.work)
}

fn out_of_range(index: i64) -> EvalError {
    EvalError::new(format!("index out of range: {index}"))
}

/// The byte at which the code point `index` begins; the end of the text counts as one more.
fn position(text: &str, index: i64) -> Result<usize, EvalError> {
    let count = usize::try_from(index).map_err(|_| out_of_range(index))?;
    let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.nth(count).ok_or_else(|| out_of_range(index))
}

fn length(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// UPSTREAM: nothing is found at any offset, even a negative one or one behind the end
/// (kube-apiserver 1.36).
fn index_of(text: &str, part: &str, offset: i64) -> Result<i64, EvalError> {
    if part.is_empty() {
        return Ok(offset);
    }
    if offset < 0 {
        return Err(out_of_range(offset));
    }
    let Ok(start) = position(text, offset) else { return Ok(-1) };
    let (before, after) = text.split_at_checked(start).unwrap_or((text, ""));
    Ok(match after.find(part) {
        Some(at) => length(before) + after.get(..at).map_or(0, length),
        None => -1,
    })
}

/// The last place at which `part` begins, at `offset` or before.
fn last_index_of(text: &str, part: &str, offset: i64) -> i64 {
    let begins = position(text, offset).unwrap_or(text.len());
    let end = begins.saturating_add(part.len()).min(text.len());
    // What is searched ends where a match at `offset` would: within a code point there is no match.
    let searched =
        text.get(..end).unwrap_or_else(|| text.get(..text.floor_char_boundary(end)).unwrap_or_default());
    searched.rfind(part).and_then(|at| text.get(..at)).map_or(-1, length)
}

/// At most `limit` parts, the last with all that is left; all parts if negative.
fn split<'a>(text: &str, separator: &str, limit: i64, work: &Work) -> Result<Value<'a>, EvalError> {
    // A string this long costs more than an expression may; the list would come first.
    if text.len() / 20 > usize::try_from(MAX_COST).unwrap_or(usize::MAX) {
        return Err(EvalError::cost_limit());
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return Ok(Value::list(Vec::new()));
    }
    // Counted before they are made.
    let count = match separator {
        "" => text.chars().take(limit).count(),
        _ => text.matches(separator).take(limit).count().saturating_add(1),
    };
    work.make(count.saturating_mul(size_of::<&str>()))?;
    let parts =
        if separator.is_empty() { characters(text, limit) } else { text.splitn(limit, separator).collect() };
    made_list(&parts, work)
}

/// UPSTREAM: splitting by nothing gives the code points, and of an empty text nothing (kube-apiserver 1.36).
fn characters(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if parts.len() + 1 == limit {
            parts.push(rest);
            break;
        }
        let (part, after) = rest.split_at_checked(first.len_utf8()).unwrap_or((rest, ""));
        parts.push(part);
        rest = after;
    }
    parts
}

/// The first `limit` occurrences, all if negative. An empty `old` stands before every code point and
/// at the end.
fn replace<'a>(text: &str, old: &str, new: &str, limit: i64) -> Result<Value<'a>, EvalError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let count = text.matches(old).take(limit).count();
    let added = count.saturating_mul(new.len()).saturating_sub(count.saturating_mul(old.len()));
    if text.len().saturating_add(added) > MAX_TEXT_BYTES {
        return Err(EvalError::too_large());
    }
    let mut replaced = String::with_capacity(text.len().saturating_add(added));
    let mut last_end = 0;
    for (at, found) in text.match_indices(old).take(limit) {
        replaced.push_str(text.get(last_end..at).unwrap_or_default());
        replaced.push_str(new);
        last_end = at + found.len();
    }
    replaced.push_str(text.get(last_end..).unwrap_or_default());
    Ok(Value::string(replaced))
}

fn join<'a>(list: &Value<'a>, separator: &str, work: &Work) -> Result<Value<'a>, EvalError> {
    let list = list.as_list()?;
    let mut length = 0_usize;
    for at in 0..list.len() {
        work.made_item()?;
        match list.text(at) {
            Some(text) => length = length.saturating_add(text.len()).saturating_add(separator.len()),
            None => {
                let type_name = list.walked(at).map_or("dyn", |item| item.type_name());
                return Err(EvalError::new(format!("join: invalid input: {type_name}")));
            }
        }
    }
    if length > MAX_TEXT_BYTES {
        return Err(EvalError::too_large());
    }
    let mut joined = String::with_capacity(length);
    for at in 0..list.len() {
        if at > 0 {
            joined.push_str(separator);
        }
        joined.push_str(list.text(at).unwrap_or_default());
    }
    Ok(Value::string(joined))
}

/// The text as a CEL literal.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searched() {
        let first = |text, part, offset| index_of(text, part, offset).unwrap_or(i64::MIN);
        assert_eq!(first("hello", "l", 0), 2);
        assert_eq!(first("hello", "l", 3), 3);
        assert_eq!(first("hello", "l", 4), -1);
        assert_eq!(first("hello", "l", 99), -1);
        assert_eq!(first("hello", "l", -1), i64::MIN);
        assert_eq!(first("hello", "", 99), 99);
        assert_eq!(first("hé☃llo", "☃", 0), 2);
        assert_eq!(first("hé☃llo", "l", 3), 3);
        assert_eq!(last_index_of("hello", "l", 2), 2);
        assert_eq!(last_index_of("hello", "lo", 3), 3);
        assert_eq!(last_index_of("hello", "lo", 2), -1);
        assert_eq!(last_index_of("é☃é☃", "é☃", 1), 0);
        assert_eq!(last_index_of("é☃é☃", "é☃", 2), 2);
        assert_eq!(last_index_of("aé", "b", 0), -1);
        assert_eq!(last_index_of("", "a", 0), -1);
    }

    #[test]
    fn taken_apart() {
        let parts = |text, separator, limit| {
            let list = split(text, separator, limit, &Work::default()).unwrap();
            list.as_list().unwrap().iter().map(|part| part.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(parts("a,b,c", ",", -1), ["a", "b", "c"]);
        assert_eq!(parts("a,b,c", ",", 2), ["a", "b,c"]);
        assert_eq!(parts("a,b,c", ",", 0), [""; 0]);
        assert_eq!(parts("", ",", -1), [""]);
        assert_eq!(parts("", "", -1), [""; 0]);
        assert_eq!(parts("hé☃", "", -1), ["h", "é", "☃"]);
        assert_eq!(parts("hé☃", "", 2), ["h", "é☃"]);
    }

    #[test]
    fn replaced() {
        let check = |text, old, new, limit, expected: &str| {
            assert_eq!(replace(text, old, new, limit).unwrap().as_str().unwrap(), expected);
        };
        check("hello", "l", "L", -1, "heLLo");
        check("hello", "l", "L", 1, "heLlo");
        check("hello", "l", "L", 0, "hello");
        check("hé", "", "_", -1, "_h_é_");
        check("hé", "", "_", 2, "_h_é");
        let long = "x".repeat(100_000);
        assert_eq!(replace(&long, "", &long, -1).unwrap_err(), EvalError::too_large());
    }

    #[test]
    fn quoted() {
        assert_eq!(quote("a\"b\n\u{7}é"), "\"a\\\"b\\n\\aé\"");
    }
}
