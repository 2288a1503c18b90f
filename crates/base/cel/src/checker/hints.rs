//! What somebody may have meant whose name means nothing. Only for people: cel-go says none of it.

use super::Checker;
use crate::objects::ObjectType;

/// Longer names are nobody's slip.
const LONGEST: usize = 40;

impl Checker<'_, '_> {
    /// For a name that is no variable.
    pub(super) fn variable_hint(&self, name: &str) -> String {
        let locals = self.locals.iter().map(|local| local.name).filter(|name| !name.starts_with(['@', '#']));
        match nearest(name, locals.chain([self.variable])) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("this expression is over `{}`", self.variable),
        }
    }

    /// For a name that is no function.
    pub(super) fn function_hint(&self, name: &str) -> Option<String> {
        nearest(name, self.library.names()).map(|near| format!("did you mean `{near}`?"))
    }
}

/// For a field that an object does not have.
pub(super) fn field_hint(object: &ObjectType, name: &str) -> String {
    let fields = || object.fields.iter().map(|(field, _)| *field);
    match nearest(name, fields()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", fields().collect::<Vec<_>>().join(", ")),
    }
}

/// The name that takes the fewest slips to become `name`, if these are few for its length.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let most = name.chars().count().div_ceil(3);
    if name.len() > LONGEST {
        return None;
    }
    names
        .map(|known| (slips(name, known), known))
        .filter(|(slips, known)| *slips <= most && *slips < known.len())
        .min()
        .map(|(_, known)| known)
}

/// How many characters have to be put in, left out or replaced; case does not count.
fn slips(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, a) in a.chars().map(|c| c.to_ascii_lowercase()).enumerate() {
        let (mut left, mut corner) = (line + 1, line);
        let mut next = vec![left];
        for (b, above) in b.iter().zip(row.iter().skip(1)) {
            left = (left + 1).min(above + 1).min(corner + usize::from(a != *b));
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::{CompileError, Environment, Expected, Program};

    #[test]
    fn what_was_meant() {
        let check =
            |environment: Environment, expression: &str, expected: Option<&str>| match Program::compile(
                expression,
                environment,
                Expected::Anything,
            ) {
                Err(CompileError::Issues(issues)) => {
                    let hint = issues.first().and_then(|issue| issue.hint.as_deref());
                    assert_eq!(hint, expected, "{expression}: {issues:?}");
                }
                other => panic!("{expression}: {other:?}"),
            };
        let (claims, request) = (Environment::Claims, Environment::Request);
        check(claims, "clams.email", Some("did you mean `claims`?"));
        check(claims, "user.username == 'a'", Some("this expression is over `claims`"));
        check(claims, "[1].all(item, itme > 0)", Some("did you mean `item`?"));
        check(claims, "claims.email.endWith('x')", Some("did you mean `endsWith`?"));
        check(claims, "claims.email.lowerASCI()", Some("did you mean `lowerAscii`?"));
        check(claims, "claims.email.frobnicate()", None);
        check(claims, "set.contains(['a'], ['a'])", Some("this expression is over `claims`"));
        check(request, "request.resourceAttribute.verb == 'get'", Some("did you mean `resourceAttributes`?"));
        check(
            request,
            "request.username == 'a'",
            Some("there are: resourceAttributes, nonResourceAttributes, user, groups, extra, uid"),
        );
        check(request, "request.user = 'a'", Some("to compare, write `==`"));
        check(
            claims,
            "claims.groups.exists(g, g == 'a')",
            Some("`dyn(…)` around it leaves what it holds to be known at run time"),
        );
        check(claims, &format!("{}.x", "c".repeat(90_000)), Some("this expression is over `claims`"));
    }
}
